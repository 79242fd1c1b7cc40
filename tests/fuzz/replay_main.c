/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of the fuzz targets where libFuzzer isn't: runs stored inputs, each once, and prints TAP.
 *
 *     fuzz_words              the empty input and all of testdata/fuzz/words
 *     fuzz_words FILE|DIR...  those
 */
#include "base/fs.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MAX ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_inputs;

static int replay_file(int dir_fd, const char *path, struct error **err)
{
    AUTO(strbuf_release) struct strbuf input = STRBUF_INIT;
    if (fs_read_file(dir_fd, path, &input, INPUT_MAX, err) < 0)
        return -1;
    (void)printf("# %s\n", path);
    (void)fflush(stdout); /* a crash leaves no other trace of which input it was */
    (void)LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.size);
    n_inputs++;
    return 0;
}

static int replay(const char *path, struct error **err)
{
    struct stat st;
    int found = fs_stat(AT_FDCWD, path, &st, err);
    if (found <= 0)
        return found < 0 ? -1 : error_set(err, ERR_NOT_FOUND, "%s: not there", path);
    if (!S_ISDIR(st.st_mode))
        return replay_file(AT_FDCWD, path, err);
    AUTO(close) int fd = fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fd < 0 || fs_list_fd(fd, &names, path, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (replay_file(fd, names.items[i], err) < 0)
            return -1;
    return 0;
}

static int replay_all(int argc, char **argv, struct error **err)
{
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        if (replay(argv[i], err) < 0)
            return -1;
    if (argc > 1)
        return 0;
    struct stat st;
    const char *name = path_base(argv[0]);
    AUTO(strbuf_release) struct strbuf dir = STRBUF_INIT;
    strbuf_addf(&dir, "testdata/fuzz/%s", strncmp(name, "fuzz_", 5) ? name : name + 5);
    int found = fs_stat(AT_FDCWD, dir.data, &st, err);
    return found <= 0 ? found : replay(dir.data, err);
}

int main(int argc, char **argv)
{
    AUTO(error_free) struct error *err = NULL;
    (void)printf("1..1\n");
    if (replay_all(argc, argv, &err) < 0) {
        (void)printf("# %s\nnot ok 1 - stored_inputs_are_survived\n", error_message(err));
        return 1;
    }
    (void)printf("# %zu inputs\nok 1 - stored_inputs_are_survived\n", n_inputs);
    return 0;
}
