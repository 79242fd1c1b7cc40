/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many ids the user namespace that we are in has. With one, all files look as that id's: who
 * owns them in an image is kept beside the files (layers/upper_owners.h), and nobody can become
 * another user.
 */
#ifndef CBUILD_BASE_OWN_IDS_H
#define CBUILD_BASE_OWN_IDS_H

#include <stdbool.h>

/* We are root, and the map of users or that of groups has one id. Reads /proc at each call. */
bool own_ids_are_single(void);
/* The same of the text of a uid_map or gid_map. Pure. */
bool own_ids_map_is_single(const char *map);

#endif
