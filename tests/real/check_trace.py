#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges the strace of a cached rebuild: check_trace.py TRACE CONTEXT

Files of the context may be opened as directories, or be the Dockerfile or the ignore file; there is no socket of the
internet and no look-up of names (databases, caching daemon, resolver), and no process is started.
"""
import os, re, sys

ALLOWED = {"Dockerfile", ".dockerignore", "Dockerfile.dockerignore"}
CALL = re.compile(r"^\d+ +(\w+)\((.*)")
OPENED = re.compile(r"= \d+<([^>]*)>$")
LOOKUPS = re.compile(r"nsswitch\.conf|resolv\.conf|host\.conf|/etc/hosts|gai\.conf|nscd|libnss_|/etc/(passwd|group)")


def whole_calls(lines):
    """Joins what strace splits where threads interleave."""
    begun = {}
    for line in lines:
        pid = line.split(" ", 1)[0]
        if line.endswith(" <unfinished ...>"):
            begun[pid] = line[: -len(" <unfinished ...>")]
            continue
        resumed = re.match(r"\d+ +<\.\.\. \w+ resumed>(.*)", line)
        yield begun.pop(pid, "") + resumed.group(1) if resumed else line


def complaints(lines, context):
    n_calls = started = 0
    for line in lines:
        call = CALL.match(line)
        if not call:
            continue
        n_calls += 1
        name, rest = call.groups()
        if name == "execve":
            started += 1
            if started > 1:
                yield "a process was started: " + line
        elif name in ("socket", "connect"):
            if re.search(r"AF_INET|AF_NETLINK|nscd", rest):
                yield "a socket: " + line
        elif name.startswith("open"):
            if LOOKUPS.search(rest) and "= -1" not in rest:
                yield "a look-up: " + line
            opened = OPENED.search(line)
            if opened and "O_DIRECTORY" not in rest and "O_PATH" not in rest:
                path = opened.group(1)
                inside = os.path.relpath(path, context)
                if not inside.startswith("..") and inside not in ALLOWED:
                    yield "a context file was opened: " + line
    if n_calls < 10:
        yield "the trace has %d calls only" % n_calls


def main():
    context = os.path.realpath(sys.argv[2])
    with open(sys.argv[1], errors="surrogateescape") as trace:
        found = list(complaints(whole_calls(line.rstrip("\n") for line in trace), context))
    for text in found[:20]:
        print(text)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
