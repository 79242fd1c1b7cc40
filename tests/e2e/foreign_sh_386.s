/* As foreign_sh.s, for 386: appends "386" and its argument to /out. */
    .globl _start
_start:
    movl 12(%esp), %edi         /* argv[2]: the command */
    movl $5, %eax               /* open("/out", O_WRONLY | O_CREAT | O_APPEND, 0644) */
    movl $path, %ebx
    movl $0x441, %ecx
    movl $0644, %edx
    int $0x80
    movl %eax, %esi
    movl $name, %ecx
    call put
    movl %edi, %ecx
    call put
    movl $newline, %ecx
    call put
    movl $1, %eax
    xorl %ebx, %ebx
    int $0x80

put:                            /* write(%esi, %ecx, strlen(%ecx)) */
    xorl %edx, %edx
1:  cmpb $0, (%ecx,%edx)
    je 2f
    incl %edx
    jmp 1b
2:  movl %esi, %ebx
    movl $4, %eax
    int $0x80
    ret

path: .asciz "/out"
name: .asciz "386 "
newline: .asciz "\n"
