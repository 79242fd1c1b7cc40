/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents and attributes of a form's files. Its writer makes names, one after the other, since
 * what is replaced, hidden and linked depends on their order; what happens to an open file depends
 * on nothing else, so that a second thread does it when there are many files: each is about half
 * of the kernel's work.
 *
 *     form_files_begin(files, &fd, entry);   of a file that was just made, then its content
 *     form_files_data(files, data, size);    ...
 *     form_files_end(files);
 *     form_files_settle(files);              when all is to be there
 *
 * One caller at a time. A failure of the second thread is that of a later call.
 */
#ifndef CBUILD_LAYERS_FORM_FILES_H
#define CBUILD_LAYERS_FORM_FILES_H

#include "layers/attributes.h"

struct form_files;

/* made_mask: files were made with their entry's mode, as far as it is in there */
struct form_files *form_files_new(const struct rights *rights, mode_t made_mask);
/* fd: becomes ours, at file position 0 */
void form_files_begin(struct form_files *files, int *fd, const struct entry *entry);
/* More than the entry's size is an error. */
int form_files_data(struct form_files *files, const void *data, size_t size,
                    struct error **err) WARN_UNUSED;
/* Nothing happens when no file was begun. Another size than the entry's is an error. */
int form_files_end(struct form_files *files, struct error **err) WARN_UNUSED;
/* Waits until all that ended is complete, and gives back thread and memory. */
int form_files_settle(struct form_files *files, struct error **err) WARN_UNUSED;
/* Closes all; what isn't complete stays so. */
void form_files_free(struct form_files *files);
DEFINE_AUTO(struct form_files, form_files_free)

#endif
