#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An image of an OCI layout, its layers applied in memory.

  tests/conformance/image.py DIR TAG     its merged tree: path, type, mode, owner, size, link
"""
import gzip, hashlib, io, json, os, subprocess, sys, tarfile

NOW = 1704067200  # 2024-01-01: later times are "now"


def escape(raw):
    """Paths as the README writes them."""
    out = ""
    for char in raw.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char == "\\":
            out += "\\\\"
        elif 0xDC80 <= code <= 0xDCFF:
            out += "\\x%02x" % (code - 0xDC00)
        elif code < 0x20 or code == 0x7F:
            out += "\\x%02x" % code
        else:
            out += char
    return out


class Image:
    """An image of an OCI layout, its layers applied in memory."""

    def __init__(self, store, digest):
        self.store = store
        manifest = self.json(digest)
        self.config = self.json(manifest["config"]["digest"])
        self.layers = manifest["layers"]
        self.tree = {b"": {"t": "d", "m": "0755", "o": "0:0"}}
        self.names = []
        self.inode = 0
        for layer in self.layers:
            self.names.append(self.apply(self.blob(layer["digest"])))

    def blob(self, digest):
        with open(os.path.join(self.store, "blobs", *digest.split(":")), "rb") as f:
            data = f.read()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == digest, "blob " + digest
        return data

    def json(self, digest):
        return json.loads(self.blob(digest))

    def remove(self, path):
        for p in [p for p in self.tree if p == path or p.startswith(path + b"/")]:
            del self.tree[p]

    def apply(self, data):
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        elif data[:4] == b"\x28\xb5\x2f\xfd":
            data = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
        tar = tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape")
        names, added = [], set()
        for entry in tar:
            raw = entry.name.encode("utf-8", "surrogateescape")
            while raw.startswith((b"./", b"/")):
                raw = raw[1:] if raw[:1] == b"/" else raw[2:]
            raw = raw.rstrip(b"/")
            if raw in (b"", b"."):
                names.append("./")
                self.tree[b""] = self.entry(tar, entry, b"")
                continue
            names.append(escape(raw) + ("/" if entry.isdir() else ""))
            parent, _, base = raw.rpartition(b"/")
            if base == b".wh..wh..opq":
                for p in [p for p in self.tree if p.startswith(parent + b"/") and p not in added]:
                    self.tree.pop(p, None)
                continue
            if base.startswith(b".wh."):
                self.remove((parent + b"/" if parent else b"") + base[4:])
                continue
            old = self.tree.get(raw)
            if old and not (old["t"] == "d" and entry.isdir()):
                self.remove(raw)
            self.tree[raw] = self.entry(tar, entry, raw)
            added.add(raw)
            while parent:  # a directory that no layer names
                self.tree.setdefault(parent, {"t": "d", "m": "0755", "o": "0:0"})
                added.add(parent)
                parent = parent.rpartition(b"/")[0]
        return names

    def entry(self, tar, e, raw):
        if e.islnk():
            target = e.linkname.encode("utf-8", "surrogateescape").lstrip(b"/")
            if target.startswith(b"./"):
                target = target[2:]
            return self.tree[target]  # the same object: a hard link
        kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.FIFOTYPE: "p", tarfile.CHRTYPE: "c",
                tarfile.BLKTYPE: "b"}.get(e.type, "f")
        out = {"t": kind, "o": "%d:%d" % (e.uid, e.gid)}
        if kind != "l":
            out["m"] = "%04o" % (e.mode & 0o7777)
        else:
            out["l"] = escape(e.linkname.encode("utf-8", "surrogateescape"))
        if kind == "f":
            content = tar.extractfile(e).read()
            out["s"] = len(content)
            out["h"] = hashlib.sha256(content).hexdigest()
        if kind in "cb":
            out["d"] = "%d,%d" % (e.devmajor, e.devminor)
        mtime = int(e.mtime // 1)
        out["mt"] = "now" if mtime >= NOW else mtime
        xattrs = {k[len("SCHILY.xattr."):]: v.encode("utf-8", "surrogateescape").hex()
                  for k, v in e.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        if xattrs:
            out["x"] = xattrs
        return out


def main(layout, tag):
    with open(os.path.join(layout, "index.json")) as f:
        digests = [m["digest"] for m in json.load(f)["manifests"]
                   if m.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
    image = Image(layout, digests[0])
    for path, entry in image.tree.items():
        print(os.fsdecode(path), entry["t"], entry.get("m", "777").lstrip("0") or "0", entry["o"], entry.get("s", 0),
              entry.get("l", ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
