/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/exec_guard.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SCRIPTS 6   /* the kernel gives up after 5 */
#define MAX_HEADERS 128 /* program headers looked at */
#define SCRIPT_SIZE 256 /* what the kernel looks at */

static bool is_self(const struct stat *st)
{
    struct stat self;
    return stat("/proc/self/exe", &self) == 0 && self.st_dev == st->st_dev &&
           self.st_ino == st->st_ino;
}

/* The interpreter that a #! line names. */
static bool script_interpreter(const char *head, size_t size, char path[PATH_MAX])
{
    size_t at = 2, end;
    while (at < size && (head[at] == ' ' || head[at] == '\t'))
        at++;
    for (end = at; end < size && !strchr(" \t\n", head[end]); end++)
        ;
    memcpy(path, head + at, end - at);
    path[end - at] = '\0';
    return end > at;
}

static bool read_interpreter(int fd, uint64_t offset, uint64_t size, char path[PATH_MAX])
{
    if (size < 2 || size >= PATH_MAX || offset > INT64_MAX)
        return false;
    if (pread(fd, path, size, (off_t)offset) != (ssize_t)size)
        return false;
    path[size] = '\0';
    return true;
}

static bool elf64_interpreter(int fd, char path[PATH_MAX])
{
    Elf64_Ehdr elf;
    Elf64_Phdr header;
    if (pread(fd, &elf, sizeof(elf), 0) != (ssize_t)sizeof(elf))
        return false;
    for (unsigned i = 0; i < elf.e_phnum && i < MAX_HEADERS; i++) {
        if (elf.e_phoff > INT64_MAX / 2 ||
            pread(fd, &header, sizeof(header), (off_t)(elf.e_phoff + i * sizeof(header))) !=
                (ssize_t)sizeof(header))
            return false;
        if (header.p_type == PT_INTERP)
            return read_interpreter(fd, header.p_offset, header.p_filesz, path);
    }
    return false;
}

static bool elf32_interpreter(int fd, char path[PATH_MAX])
{
    Elf32_Ehdr elf;
    Elf32_Phdr header;
    if (pread(fd, &elf, sizeof(elf), 0) != (ssize_t)sizeof(elf))
        return false;
    for (unsigned i = 0; i < elf.e_phnum && i < MAX_HEADERS; i++) {
        if (pread(fd, &header, sizeof(header), (off_t)(elf.e_phoff + i * sizeof(header))) !=
            (ssize_t)sizeof(header))
            return false;
        if (header.p_type == PT_INTERP)
            return read_interpreter(fd, header.p_offset, header.p_filesz, path);
    }
    return false;
}

enum finding { HARMLESS, SELF, INTERPRETED, LOADED };

/* What would execute this file; path becomes an interpreter's. */
static enum finding inspect(char path[PATH_MAX])
{
    char head[SCRIPT_SIZE];
    struct stat st;
    enum finding finding = HARMLESS;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return HARMLESS; /* not there; or unreadable, and then we are a user who can't harm the file
                          */
    ssize_t size =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, head, sizeof(head), 0) : -1;
    if (size > 0 && is_self(&st))
        finding = SELF;
    else if (size > 2 && head[0] == '#' && head[1] == '!')
        finding = script_interpreter(head, (size_t)size, path) ? INTERPRETED : HARMLESS;
    else if (size > EI_CLASS && !memcmp(head, ELFMAG, SELFMAG))
        finding = (head[EI_CLASS] == ELFCLASS64 ? elf64_interpreter(fd, path)
                                                : elf32_interpreter(fd, path))
                      ? LOADED
                      : HARMLESS;
    (void)close(fd);
    return finding;
}

bool exec_guard_refuses(const char *file)
{
    char path[PATH_MAX];
    struct stat st;
    size_t size = strlen(file);
    if (size >= sizeof(path))
        return false; /* exec refuses it too */
    memcpy(path, file, size + 1);
    for (int i = 0; i < MAX_SCRIPTS; i++) {
        switch (inspect(path)) {
        case HARMLESS:
            return false;
        case SELF:
            return true;
        case LOADED:
            return stat(path, &st) == 0 && is_self(&st);
        case INTERPRETED:
            break;
        }
    }
    return true; /* deeper than the kernel goes */
}
