#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal of its own, as a user would.

on_pty.py SCRIPT COMMAND...

SCRIPT has a line for each thing to do, in order:
    expect TEXT    wait until TEXT has been shown, since the last expect
    send TEXT      type it; \\n, \\x03 and the like as in Python
    resize R C     the window changes
    signal NAME    to the command: INT, TERM, KILL, ...
    wait           until the command has ended

What was shown goes to standard output; then "[status N]" or "[signal N]", "[raw]" where the
terminal wasn't given back as it was, and "[input of N bytes]" where something was typed for whoever
reads it next.
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time

TIMEOUT = 120
END = b"\0end of what was shown\0"


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    def __init__(self, command):
        self.shown, self.seen, self.status = b"", 0, None
        self.master, self.slave = pty.openpty()
        resize(self.master, 20, 60)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            for number in (signal.SIGINT, signal.SIGQUIT): # ignored where a shell started us in the background
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.shown += os.read(self.master, 65536)

    def expect(self, text):
        end = time.monotonic() + TIMEOUT
        while (at := self.shown.find(text, self.seen)) < 0:
            if time.monotonic() > end:
                self.fail("never shown: %r" % text)
            self.read(0.2)
        self.seen = at + len(text)

    def wait(self):
        end = time.monotonic() + TIMEOUT
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() > end:
                self.fail("doesn't end")
            self.read(0.05)
        self.read_rest()

    def read_rest(self):
        """What the command wrote comes a part at a time, and the kernel may still be passing it on: ours comes last."""
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        os.write(self.slave, END)
        end = time.monotonic() + TIMEOUT
        while END not in self.shown:
            if time.monotonic() > end:
                self.fail("its end was never shown")
            self.read(0.2)
        self.shown = self.shown.replace(END, b"")

    def fail(self, why):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        sys.stdout.buffer.write(self.shown)
        sys.exit("\n" + why)

    def is_raw(self):
        """The keeper has a moment where the command was killed."""
        for _ in range(20 * TIMEOUT):
            if termios.tcgetattr(self.slave) == self.before:
                return False
            time.sleep(0.05)
        return True


def main():
    terminal = Terminal(sys.argv[2:])
    for line in open(sys.argv[1]):
        word, _, rest = line.rstrip("\n").partition(" ")
        rest = rest.encode().decode("unicode_escape").encode("latin-1")
        if word == "expect":
            terminal.expect(rest)
        elif word == "send":
            os.write(terminal.master, rest)
        elif word == "resize":
            resize(terminal.master, *map(int, rest.split()))
        elif word == "signal":
            os.kill(terminal.pid, getattr(signal, "SIG" + rest.decode()))
        elif word == "wait":
            terminal.wait()
        elif word:
            sys.exit("unknown word " + word)
    terminal.wait()
    sys.stdout.buffer.write(terminal.shown)
    if os.WIFSIGNALED(terminal.status):
        print("\n[signal %d]" % os.WTERMSIG(terminal.status))
    else:
        print("\n[status %d]" % os.WEXITSTATUS(terminal.status))
    if terminal.is_raw():
        print("[raw]")
    waiting = struct.unpack("i", fcntl.ioctl(terminal.slave, termios.FIONREAD, b"\0" * 4))[0]
    if waiting:
        print("[input of %d bytes]" % waiting)


main()
