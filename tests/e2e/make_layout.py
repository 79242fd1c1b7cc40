#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OCI layout with images of every kind, for tests that copy them.

    make_layout.py DIR [--big BYTES]

Tags: image (OCI, one platform), docker (schema 2), six (an index of six platforms with one more index
in it, an attestation and annotations, written with odd white space), artifact (unknown types, a
subject), foreign (a layer that is elsewhere), list (Docker's manifest list), zstd (when there is a
zstd program). --big: a tag more, with one layer of so many bytes that don't compress.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
PLATFORMS = [("linux", "amd64"), ("linux", "arm64"), ("linux", "arm", "v7"), ("linux", "386"),
             ("linux", "riscv64"), ("linux", "s390x")]


class Layout:
    def __init__(self, path):
        self.path = path
        self.entries = []
        os.makedirs(os.path.join(path, "blobs", "sha256"))

    def blob(self, data, media_type, **more):
        hexa = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.path, "blobs", "sha256", hexa), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": "sha256:" + hexa, "size": len(data), **more}

    def document(self, value, indent=None):
        return self.blob(json.dumps(value, indent=indent).encode(), value["mediaType"])

    def layer(self, name, text, media_type):
        tar = tar_of(name, text)
        diff_id = "sha256:" + hashlib.sha256(tar).hexdigest()
        if media_type.endswith("gzip"):
            packed = gzip.compress(tar, mtime=0)
        elif media_type.endswith("zstd"):
            packed = subprocess.run(["zstd", "-qc"], input=tar, stdout=subprocess.PIPE, check=True).stdout
        else:
            packed = tar
        return self.blob(packed, media_type), diff_id

    def tag(self, name, entry):
        self.entries.append({**entry, "annotations": {"org.opencontainers.image.ref.name": name}})

    def finish(self):
        write(os.path.join(self.path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}')
        write(os.path.join(self.path, "index.json"), json.dumps({"schemaVersion": 2, "manifests": self.entries}))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def tar_of(name, text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def platform_of(parts):
    return dict(zip(("os", "architecture", "variant"), parts))


def config_of(platform, diff_ids):
    return json.dumps({**platform, "config": {"Env": ["A=b"]}, "created": "2020-01-01T00:00:00Z",
                       "rootfs": {"type": "layers", "diff_ids": diff_ids}}, indent=1).encode()


def image(layout, texts, platform=None, docker=False, compression="gzip", **more):
    platform = platform or platform_of(PLATFORMS[0])
    if docker:
        kind, config_type = DOCKER + "image.rootfs.diff.tar.gzip", DOCKER + "container.image.v1+json"
        media_type = DOCKER + "distribution.manifest.v2+json"
    else:
        kind, config_type = OCI + "layer.v1.tar+" + compression, OCI + "config.v1+json"
        media_type = OCI + "manifest.v1+json"
    layers = [layout.layer(f"f{i}", text, kind) for i, text in enumerate(texts)]
    config = layout.blob(config_of(platform, [diff_id for _, diff_id in layers]), config_type)
    entry = layout.document({"schemaVersion": 2, "mediaType": media_type, "config": config,
                             "layers": [layer for layer, _ in layers], **more}, indent=3)
    return {**entry, "platform": platform}


def attestation(layout, subject):
    layer = layout.blob(b'{"predicateType":"https://slsa.dev/provenance/v0.2"}', "application/vnd.in-toto+json")
    config = layout.blob(config_of({"os": "unknown", "architecture": "unknown"}, [layer["digest"]]), OCI + "config.v1+json")
    entry = layout.document({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": [layer]})
    return {**entry, "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest",
                            "vnd.docker.reference.digest": subject["digest"]}}


def index(layout, entries, media_type=OCI + "index.v1+json", **more):
    return layout.document({"mediaType": media_type, "schemaVersion": 2, "manifests": entries, **more}, indent=5)


def big(layout, size):
    """One layer of `size` bytes, made a MiB at a time."""
    block, diff_id, path = os.urandom(1 << 20), hashlib.sha256(), os.path.join(layout.path, "blobs", "sha256", "big")
    info = tarfile.TarInfo("big")
    info.size = size
    with open(path, "wb") as file:
        def put(data):
            diff_id.update(data)
            file.write(data)
        put(info.tobuf(tarfile.GNU_FORMAT))
        for n in range(size >> 20):
            put(n.to_bytes(8, "little") + block[8:])
        put(bytes(1024))
        total = file.tell()
    digest = "sha256:" + diff_id.hexdigest()
    os.rename(path, os.path.join(layout.path, "blobs", "sha256", diff_id.hexdigest()))
    config = layout.blob(config_of(platform_of(PLATFORMS[0]), [digest]), OCI + "config.v1+json")
    layer = {"mediaType": OCI + "layer.v1.tar", "digest": digest, "size": total}
    return layout.document({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": [layer]})


def main():
    layout = Layout(sys.argv[1])
    if sys.argv[2:3] == ["--big"]:
        layout.tag("big", big(layout, int(sys.argv[3])))
        layout.finish()
        return
    layout.tag("image", image(layout, ["one", "two"], annotations={"key": "value"}))
    layout.tag("docker", image(layout, ["one", "three"], docker=True))
    six = [image(layout, ["base", f"for {'/'.join(parts)}"], platform_of(parts)) for parts in PLATFORMS]
    nested = {**index(layout, [image(layout, ["nested"])]), "platform": {"os": "linux", "architecture": "mips64le"}}
    layout.tag("six", index(layout, six + [nested, attestation(layout, six[0])], annotations={"of": "six"}))
    layout.tag("plain", index(layout, six, annotations={"of": "plain"}))
    docker = [image(layout, ["docker", f"for {'/'.join(parts)}"], platform_of(parts), docker=True) for parts in PLATFORMS[:2]]
    layout.tag("list", index(layout, docker, DOCKER + "distribution.manifest.list.v2+json"))
    empty = layout.blob(b"{}", "application/vnd.oci.empty.v1+json")
    subject = {key: six[0][key] for key in ("mediaType", "digest", "size")}
    layout.tag("artifact", layout.document({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "artifactType": "application/vnd.example.thing",
        "config": empty, "layers": [layout.blob(b"anything", "application/vnd.example.part")],
        "subject": subject, "unknown": {"member": [1, 2.5]}}))
    foreign = {"mediaType": OCI + "layer.nondistributable.v1.tar+gzip", "digest": "sha256:" + "ab" * 32, "size": 99,
               "urls": ["https://127.0.0.1:1/nowhere"]}
    layer, diff_id = layout.layer("f", "text", OCI + "layer.v1.tar+gzip")
    config = layout.blob(config_of(platform_of(PLATFORMS[0]), ["sha256:" + "cd" * 32, diff_id]), OCI + "config.v1+json")
    layout.tag("foreign", layout.document({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config,
                                           "layers": [foreign, layer]}))
    layout.finish()


main()
