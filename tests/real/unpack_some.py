#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks some of a source archive: unpack_some.py ARCHIVE ROOT DESTINATION [GLOB...]

ROOT is the folder in the archive that becomes DESTINATION, as a glob ("*" is the top folder that most archives have).
Without GLOB everything below it is taken, else what matches one, or lies in a folder that does. ARCHIVE may be a .deb.
Times and modes are the archive's.
"""
import fnmatch, io, os, subprocess, sys, tarfile


def wanted(path, globs):
    parts = path.split("/")
    return not globs or any(fnmatch.fnmatchcase("/".join(parts[:n]), g) for g in globs for n in range(1, len(parts) + 1))


def main():
    archive, root, destination, *globs = sys.argv[1:]
    if archive.endswith(".deb"):
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, stdout=subprocess.PIPE).stdout
        tar = tarfile.open(fileobj=io.BytesIO(data))
    else:
        tar = tarfile.open(archive)
    depth = len([part for part in root.split("/") if part not in ("", ".")])
    folders = []
    with tar:
        for m in tar:
            parts = [part for part in m.name.split("/") if part not in ("", ".")]
            path = "/".join(parts[depth:])
            if not path or not fnmatch.fnmatchcase("/".join(parts[:depth]), root) or not wanted(path, globs):
                continue
            m.name, m.uid, m.gid, m.uname, m.gname = path, os.getuid(), os.getgid(), "", ""
            if m.islnk():  # of another name of the archive
                m.linkname = "/".join([part for part in m.linkname.split("/") if part not in ("", ".")][depth:])
            tar.extract(m, destination)
            if m.isdir():
                folders.append(m)
    for m in reversed(folders):
        os.utime(os.path.join(destination, m.name), (m.mtime, m.mtime))


if __name__ == "__main__":
    main()
