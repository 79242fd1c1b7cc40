/* A shell for tests of foreign platforms, for arm64: appends its machine's name and its argument to /out. */
    .globl _start
_start:
    ldr x20, [sp, #24]          /* argv[2]: the command */
    sub sp, sp, #400
    mov x0, #-100               /* openat(AT_FDCWD, "/out", O_WRONLY | O_CREAT | O_APPEND, 0644) */
    adr x1, path
    mov x2, #0x441
    mov x3, #0644
    mov x8, #56
    svc #0
    mov x19, x0
    mov x0, sp                  /* uname() */
    mov x8, #160
    svc #0
    add x1, sp, #260            /* .machine */
    bl put
    adr x1, blank
    bl put
    mov x1, x20
    bl put
    adr x1, newline
    bl put
    mov x0, #0
    mov x8, #93
    svc #0

put:                            /* write(x19, x1, strlen(x1)) */
    mov x2, #0
1:  ldrb w3, [x1, x2]
    cbz w3, 2f
    add x2, x2, #1
    b 1b
2:  mov x0, x19
    mov x8, #64
    svc #0
    ret

path: .asciz "/out"
blank: .asciz " "
newline: .asciz "\n"
