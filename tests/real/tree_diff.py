#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the paths in which two trees differ, and how: tree_diff.py ONE TWO

Compared are type, mode, owner, size, link target, modification time and content; sizes of directories are not.
"""
import filecmp, os, stat, sys


def entries(top):
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = os.lstat(path)
    return found


def difference(one, two, path, a, b):
    if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
        return "type"
    if (a.st_mode, a.st_uid, a.st_gid) != (b.st_mode, b.st_uid, b.st_gid):
        return "mode or owner"
    one, two = os.path.join(one, path), os.path.join(two, path)
    if stat.S_ISLNK(a.st_mode) and os.readlink(one) != os.readlink(two):
        return "link target"
    if stat.S_ISREG(a.st_mode) and not filecmp.cmp(one, two, shallow=False):
        return "content"
    if int(a.st_mtime) != int(b.st_mtime):
        return "time"
    return None


def main():
    one, two = sys.argv[1:]
    a, b = entries(one), entries(two)
    for path in sorted(a.keys() | b.keys()):
        if path not in a or path not in b:
            print(path, "missing in one", sep="\t")
            continue
        found = difference(one, two, path, a[path], b[path])
        if found:
            print(path, found, sep="\t")


if __name__ == "__main__":
    main()
