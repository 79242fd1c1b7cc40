/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/binfmt.h"

#include "base/mem.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_SIZE 20        /* up to e_machine */
#define LOAD_ADDRESS 0x10000 /* above mmap_min_addr, and a multiple of all page sizes */
#define CODE(text) (text), (sizeof(text) - 1)

static const struct binfmt_arch arches[] = {
    { "amd64", "x86_64", EM_X86_64, 64, false, CODE("\x31\xff\xb8\x3c\0\0\0\x0f\x05") },
    { "386", "i386", EM_386, 32, false, CODE("\x31\xdb\xb8\x01\0\0\0\xcd\x80") },
    { "arm64", "aarch64", EM_AARCH64, 64, false, CODE("\xa8\x0b\x80\xd2\0\0\x80\xd2\x01\0\0\xd4") },
    { "arm", "arm", EM_ARM, 32, false, CODE("\x01\x70\xa0\xe3\0\0\xa0\xe3\0\0\0\xef") },
    { "ppc64le", "ppc64le", EM_PPC64, 64, false, CODE("\x01\0\0\x38\0\0\x60\x38\x02\0\0\x44") },
    { "riscv64", "riscv64", EM_RISCV, 64, false, CODE("\x93\x08\xd0\x05\x13\x05\0\0\x73\0\0\0") },
    { "s390x", "s390x", EM_S390, 64, true, CODE("\xa7\x29\0\0\x0a\x01") },
    /* li v0,5058; move a0,zero; syscall */
    { "mips64le", "mips64el", EM_MIPS, 64, false, CODE("\xc2\x13\x02\x24\x25\x20\0\0\x0c\0\0\0") },
    /* li.w a7,93; move a0,zero; syscall 0 */
    { "loong64", "loongarch64", 258, 64, false, CODE("\x0b\x74\x81\x02\x04\0\x15\0\0\0\x2b\0") },
};

const struct binfmt_arch *binfmt_at(size_t i)
{
    return i < ARRAY_SIZE(arches) ? &arches[i] : NULL;
}

const struct binfmt_arch *binfmt_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
        if (!strcmp(arches[i].name, name))
            return &arches[i];
    return NULL;
}

/* --- a program ------------------------------------------------------------------------------- */

static void add_number(const struct binfmt_arch *arch, uint64_t value, size_t size,
                       struct strbuf *buf)
{
    for (size_t i = 0; i < size; i++) {
        size_t shift = 8 * (arch->is_big_endian ? size - 1 - i : i);
        strbuf_addc(buf, (char)(value >> shift & 0xff));
    }
}

static void add_ident(const struct binfmt_arch *arch, struct strbuf *buf)
{
    const char ident[EI_NIDENT] = { 0x7f,
                                    'E',
                                    'L',
                                    'F',
                                    arch->bits == 64 ? ELFCLASS64 : ELFCLASS32,
                                    arch->is_big_endian ? ELFDATA2MSB : ELFDATA2LSB,
                                    EV_CURRENT };
    strbuf_add(buf, ident, sizeof(ident));
}

/* What the loaders of some architectures look at. */
static uint32_t flags_of(const struct binfmt_arch *arch)
{
    switch (arch->machine) {
    case EM_ARM:
        return 0x05000000; /* EABI version 5 */
    case EM_PPC64:
        return 2; /* ABI version */
    case EM_MIPS:
        return 0x60000000; /* mips64 */
    default:
        return 0;
    }
}

void binfmt_format_program(const struct binfmt_arch *arch, struct strbuf *buf)
{
    size_t word = arch->bits / 8;
    size_t header = word == 8 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    size_t segment = word == 8 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    size_t total = header + segment + arch->code_size;
    add_ident(arch, buf);
    add_number(arch, ET_EXEC, 2, buf);
    add_number(arch, arch->machine, 2, buf);
    add_number(arch, EV_CURRENT, 4, buf);
    add_number(arch, LOAD_ADDRESS + header + segment, word, buf); /* e_entry */
    add_number(arch, header, word, buf);                          /* e_phoff */
    add_number(arch, 0, word, buf);                               /* e_shoff */
    add_number(arch, flags_of(arch), 4, buf);
    add_number(arch, header, 2, buf);
    add_number(arch, segment, 2, buf);
    add_number(arch, 1, 2, buf);
    add_number(arch, 0, 6, buf); /* no sections */

    add_number(arch, PT_LOAD, 4, buf);
    if (word == 8)
        add_number(arch, PF_R | PF_X, 4, buf);
    add_number(arch, 0, word, buf);
    add_number(arch, LOAD_ADDRESS, word, buf);
    add_number(arch, LOAD_ADDRESS, word, buf);
    add_number(arch, total, word, buf);
    add_number(arch, total, word, buf);
    if (word == 4)
        add_number(arch, PF_R | PF_X, 4, buf);
    add_number(arch, 0x10000, word, buf);
    strbuf_add(buf, arch->code, arch->code_size);
}

/* --- rules ----------------------------------------------------------------------------------- */

/* The first bytes of its programs, with ET_EXEC for both kinds. */
static void format_magic(const struct binfmt_arch *arch, struct strbuf *buf)
{
    add_ident(arch, buf);
    add_number(arch, ET_EXEC, 2, buf);
    add_number(arch, arch->machine, 2, buf);
}

/* All counts but the system that a program was made for, the padding, and ET_EXEC or ET_DYN. */
static void format_mask(const struct binfmt_arch *arch, struct strbuf *buf)
{
    for (size_t i = 0; i < MAGIC_SIZE; i++)
        strbuf_addc(buf, i >= EI_OSABI && i < EI_NIDENT ? '\0' : '\xff');
    buf->data[EI_NIDENT + arch->is_big_endian] = '\xfe';
}

static void add_escaped(const struct strbuf *bytes, struct strbuf *buf)
{
    for (size_t i = 0; i < bytes->size; i++)
        strbuf_addf(buf, "\\x%02x", (unsigned char)bytes->data[i]);
}

void binfmt_format_rule(const struct binfmt_arch *arch, const char *interpreter, struct strbuf *buf)
{
    AUTO(strbuf_release) struct strbuf magic = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf mask = STRBUF_INIT;
    format_magic(arch, &magic);
    format_mask(arch, &mask);
    strbuf_addf(buf, ":qemu-%s:M::", arch->qemu);
    add_escaped(&magic, buf);
    strbuf_addc(buf, ':');
    add_escaped(&mask, buf);
    /* argv[0] is kept, the program is passed open, its set-uid bits count, the interpreter is
     * opened now */
    strbuf_addf(buf, ":%s:POCF", interpreter);
}

/* --- handlers -------------------------------------------------------------------------------- */

/* The rest of the line "KEY REST"; NULL: there is none. free() it. */
static char *line_of(const char *text, const char *key)
{
    size_t size = strlen(key);
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (!strncmp(p, key, size) && p[size] == ' ')
            return xstrndup(p + size + 1, strcspn(p + size + 1, "\n"));
    return NULL;
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* `fill` stands for a missing text. */
static bool bytes_of(const char *hex, unsigned char *bytes, size_t max, size_t *n, int fill)
{
    *n = hex ? strlen(hex) / 2 : max;
    if (!hex)
        memset(bytes, fill, max);
    if (*n > max || (hex && strlen(hex) % 2))
        return false;
    for (size_t i = 0; hex && i < *n; i++) {
        int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool takes(const char *magic_text, const char *mask_text, const struct binfmt_arch *arch)
{
    AUTO(strbuf_release) struct strbuf own = STRBUF_INIT;
    unsigned char magic[MAGIC_SIZE], mask[MAGIC_SIZE];
    size_t n_magic, n_mask;
    format_magic(arch, &own);
    if (!magic_text || !bytes_of(magic_text, magic, sizeof(magic), &n_magic, 0) ||
        !bytes_of(mask_text, mask, sizeof(mask), &n_mask, 0xff) || n_mask < n_magic)
        return false;
    for (size_t i = 0; i < n_magic; i++)
        if (((unsigned char)own.data[i] ^ magic[i]) & mask[i])
            return false;
    return n_magic == MAGIC_SIZE;
}

char *binfmt_handler_interpreter(const char *text, const struct binfmt_arch *arch, bool *is_fixed)
{
    AUTO(free) char *interpreter = line_of(text, "interpreter");
    AUTO(free) char *flags = line_of(text, "flags:");
    AUTO(free) char *offset = line_of(text, "offset");
    AUTO(free) char *magic = line_of(text, "magic");
    AUTO(free) char *mask = line_of(text, "mask");
    if (strncmp(text, "enabled\n", 8) != 0 || !interpreter || !offset || strcmp(offset, "0") != 0 ||
        !takes(magic, mask, arch))
        return NULL;
    *is_fixed = flags && strchr(flags, 'F');
    return TAKE(interpreter);
}

/* --- interpreters ---------------------------------------------------------------------------- */

bool binfmt_is_static(const void *data, size_t size)
{
    Elf64_Ehdr header; /* emulators are programs of this machine, and that has 64 bits */
    if (size < sizeof(header))
        return false;
    memcpy(&header, data, sizeof(header));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        if (header.e_phoff > size || (size - header.e_phoff) / sizeof(segment) <= i)
            return false;
        memcpy(&segment, (const char *)data + header.e_phoff + i * sizeof(segment),
               sizeof(segment));
        if (segment.p_type == PT_INTERP)
            return false;
    }
    return true;
}
