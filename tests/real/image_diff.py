#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares two images as people see them: trees, configs and histories.

  image_diff.py [--since SECONDS] [--cache DIR] OURS THEIRS

OURS and THEIRS are `docker save` archives, or STORE@DIGEST, an OCI layout and a manifest in it. Each difference is a
line PATH TAB ASPECT TAB OURS TAB THEIRS; what isn't in a tree has PATH "config/KEY" or "history/N". Times of SECONDS
and later are "now", since both builders ran then. Compared of a file: type, mode, owner, size, link target, which
names are one file, device, extended attributes, content, time.
"""
import argparse, hashlib, json, os, pickle, re, sys, tarfile


class Store:
    def __init__(self, place):
        self.folder, digest = place.rsplit("@", 1)
        manifest = json.loads(self.read(digest))
        if "manifests" in manifest:
            manifest = json.loads(self.read(manifest["manifests"][0]["digest"]))
        self.config = json.loads(self.read(manifest["config"]["digest"]))
        self.layers = [layer["digest"] for layer in manifest["layers"]]

    def path(self, digest):
        return os.path.join(self.folder, "blobs", *digest.split(":"))

    def read(self, digest):
        with open(self.path(digest), "rb") as file:
            return file.read()

    def layer(self, name):
        return open(self.path(name), "rb")


class Archive:
    def __init__(self, place):
        self.tar = tarfile.open(place)
        manifest = json.load(self.tar.extractfile("manifest.json"))[0]
        self.config = json.load(self.tar.extractfile(manifest["Config"]))
        self.layers = manifest["Layers"]

    def layer(self, name):
        return self.tar.extractfile(name)


def content(tar, member):
    digest = hashlib.sha256()
    file = tar.extractfile(member)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def entries(stream):
    """A layer's entries in order: (path, record). A record is (type, mode, owner, size, target, device, xattrs, sum, time)."""
    found = []
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for m in tar:
            path = os.path.normpath("/" + m.name)[1:].lstrip("/")
            kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "h", tarfile.CHRTYPE: "c",
                    tarfile.BLKTYPE: "b", tarfile.FIFOTYPE: "p"}.get(m.type, "f")
            attributes = tuple(sorted((k, v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")))
            target = os.path.normpath("/" + m.linkname)[1:].lstrip("/") if kind == "h" else m.linkname
            found.append((path, [kind, oct(m.mode), f"{m.uid}:{m.gid}", m.size if kind == "f" else 0,
                                 target, (m.devmajor, m.devminor) if kind in "bc" else (0, 0), attributes,
                                 content(tar, m) if kind == "f" else "", int(m.mtime)]))
    return found


def cached(image, name, folder):
    place = os.path.join(folder, hashlib.sha256(name.encode()).hexdigest()) if folder else None
    if place and os.path.exists(place):
        with open(place, "rb") as file:
            return pickle.load(file)
    with image.layer(name) as stream:
        found = entries(stream)
    if place and len(found) > 1000:  # a base: it comes again
        with open(f"{place}.{os.getpid()}", "wb") as file:
            pickle.dump(found, file)
        os.replace(f"{place}.{os.getpid()}", place)
    return found


def remove_below(tree, folder):
    for path in [p for p in tree if p.startswith(folder + "/" if folder else "")]:
        del tree[path]


def apply(tree, layer):
    for path, _ in layer:  # whiteouts are about what lies below
        parent, name = os.path.split(path)
        if name == ".wh..wh..opq":
            remove_below(tree, parent)
        elif name.startswith(".wh."):
            gone = os.path.join(parent, name[4:])
            tree.pop(gone, None)
            remove_below(tree, gone)
    for path, record in layer:
        if os.path.basename(path).startswith(".wh.") or not path:
            continue
        if record[0] != "d" and tree.get(path, " ")[0] == "d":
            remove_below(tree, path)
        if record[0] == "h":
            tree[path] = tree[record[4]]  # the same list: one file
        else:
            tree[path] = list(record)


def tree_of(image, folder):
    tree = {}
    for name in image.layers:
        apply(tree, cached(image, name, folder))
    names = {}
    for path, record in sorted(tree.items()):
        names.setdefault(id(record), []).append(path)
    return {path: record + [names[id(record)][0]] for path, record in tree.items()}


ASPECTS = ["type", "mode", "owner", "size", "target", "device", "xattrs", "content", "time", "names"]


def compare_trees(ours, theirs, since):
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours or path not in theirs:
            yield path, "missing", path in ours, path in theirs
            continue
        for aspect, a, b in zip(ASPECTS, ours[path], theirs[path]):
            if aspect == "time" and since and a >= since and b >= since:
                continue
            if a != b:
                yield path, aspect, a, b


def history_text(ours, theirs):
    """The aspect of two created_by that differ. BuildKit's frontends have changed how they tell some instructions."""
    word = theirs.split(" ")[0]
    if word in ("EXPOSE", "HEALTHCHECK") and ours.startswith(word + " "):
        return f"created_by:{word}"  # what they say is in the config too
    if word == "ARG" and ours.split("=")[0] == theirs:
        return "created_by:ARG"
    if word == "RUN" and re.sub(r"^RUN \|[0-9]+ .*?(/bin/)", r"RUN \1", ours) == re.sub(
        r"^RUN \|[0-9]+ .*?(/bin/)", r"RUN \1", theirs
    ):
        return "created_by:arguments"
    return "created_by"


def compare_configs(ours, theirs):
    for key in ["architecture", "os", "variant", "author"]:
        if ours.get(key) != theirs.get(key):
            yield f"config/{key}", "value", ours.get(key), theirs.get(key)
    a, b = ours.get("config") or {}, theirs.get("config") or {}
    for key in sorted(a.keys() | b.keys()):
        if (a.get(key) or None) != (b.get(key) or None):
            yield f"config/{key}", "value", a.get(key), b.get(key)
    a, b = ours.get("history", []), theirs.get("history", [])
    if len(a) != len(b):
        yield "history", "length", len(a), len(b)
    for i, (one, two) in enumerate(zip(a, b)):
        for key in ["created_by", "empty_layer", "author"] + (["comment"] if i else []):
            a, b = ((x.get(key) or "") for x in (one, two))
            if isinstance(b, str) and key == "created_by":
                b = b.removesuffix(" # buildkit")  # as cbuild says it in "comment"
            if a != b:
                yield f"history/{i}", history_text(a, b) if key == "created_by" else key, a, b
    a, b = (len(x["rootfs"]["diff_ids"]) for x in (ours, theirs))
    if a != b:
        yield "layers", "number", a, b


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--since", type=int, default=0)
    parser.add_argument("--cache")
    parser.add_argument("images", nargs=2)
    options = parser.parse_args()
    ours, theirs = (Archive(x) if os.path.exists(x) else Store(x) for x in options.images)
    differences = list(compare_configs(ours.config, theirs.config))
    differences += compare_trees(tree_of(ours, options.cache), tree_of(theirs, options.cache), options.since)
    for fields in differences:
        print(*(str(x).replace("\t", "\\t").replace("\n", "\\n") for x in fields), sep="\t")


if __name__ == "__main__":
    main()
