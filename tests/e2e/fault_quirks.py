# SPDX-License-Identifier: Apache-2.0
"""What real registries do, each by the name of who does it; part of fault_server.py.

Names that begin with push- are for repositories that are empty at first.
"""
import gzip
import json
import select
import socket
import struct
import threading
import time

from fault_server import (DIR, LOCK, OCI, PORTS, challenge, digest, fault, needs_basic, token,
                          unauthorized)

CHUNK_MIN = 6 << 20


# Pulling

@fault("type-parameters")
def type_parameters(h):
    """Content-Type with parameters, in upper case"""
    if h.kind == "manifest":
        return h.answer(200, h.repo.manifests[h.repo.default], Docker_Content_Digest=h.repo.default,
                        Content_Type="Application/vnd.oci.image.manifest.v1+JSON; charset=utf-8")


@fault("gzip-on-the-fly")
def gzip_on_the_fly(h):
    """A proxy that compresses for who doesn't say that he wants the bytes as they are"""
    if h.command == "GET" and h.kind in ("manifest", "blob") and h.headers.get("Accept-Encoding") != "identity":
        data = h.repo.manifests[h.repo.default] if h.kind == "manifest" else h.repo.blobs[h.name]
        return h.answer(200, gzip.compress(data), Content_Encoding="gzip")


@fault("head-401")
def head_401(h):
    """Artifactory: HEAD without a right, and no word of how to get it"""
    if h.command == "HEAD":
        return h.answer(401)


@fault("private-404")
def private_404(h):
    """GHCR: what is private isn't there"""
    if h.kind == "manifest" and not h.headers.get("Authorization"):
        return h.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    return None


@fault("hub-limit")
def hub_limit(h):
    if h.gets("manifest"):
        return h.error(429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit.",
                       ratelimit_limit="100;w=21600", ratelimit_remaining="0;w=21600", Retry_After="3600",
                       docker_ratelimit_source="192.0.2.1")


@fault("detailed")
def detailed(h):
    if needs_basic(h):
        return True
    if h.gets("manifest"):
        return h.answer(403, {"errors": [{"code": "DENIED", "message": "not for you", "detail": {"policy": "eu-only"}}]})


@fault("page-for-json")
def page_for_json(h):
    """A captive portal: 200 and a page"""
    if h.gets("manifest"):
        return h.answer(200, b"<html>log in to the wireless network</html>", Content_Type="text/html")


@fault("token-no-life")
def token_no_life(h):
    """No expires_in: 60 seconds"""
    return token(h)


@fault("token-short")
def token_short(h):
    """Tokens that say that they end in a second, and an answer that takes longer"""
    if h.kind == "token":
        return h.answer(200, {"token": "t%d" % h.repo.nth("token"), "expires_in": 1})
    if h.gets("manifest") and h.bearer():
        time.sleep(1.2) # as long as its life, and the answer is late
    return token(h)


@fault("token-other-realm")
def token_other_realm(h):
    """The token server is another host, as auth.docker.io is: credentials go there, and the token back"""
    if h.kind in ("manifest", "blob") and not h.bearer():
        return unauthorized(h, challenge(h, realm=h.at("other", "/token/%s/" % h.repo.name)))


@fault("read-only-token")
def read_only_token(h):
    """Push scopes are refused with 403, as some do to who may only read"""
    if h.kind == "token" and any("push" in scope for scope in h.query.get("scope", [])):
        return h.error(403, "DENIED", "requested access to the resource is denied")
    return token(h)


@fault("foreign-challenge")
def foreign_challenge(h):
    """Storage that asks for credentials itself: they aren't its business"""
    if h.server.name == "other":
        return None
    if needs_basic(h):
        return True
    if h.gets("blob") and h.is_large():
        return h.redirect("http://user:hidden@127.0.0.1:%d/storage/closed?X-Signature=hidden" % PORTS["other"])


@fault("loop-elsewhere")
def loop_elsewhere(h):
    """Redirects between two hosts without an end"""
    if h.gets("blob") and h.is_large():
        return h.redirect(h.at("other" if h.server.name == "http" else "http", h.path), 302)


@fault("accept-all")
def accept_all(h):
    """What isn't asked for by its type isn't there"""
    types = ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
             "application/vnd.docker.distribution.manifest.list.v2+json",
             "application/vnd.docker.distribution.manifest.v2+json")
    asked = [one.split(";")[0].strip() for one in h.headers.get("Accept", "").split(",")]
    if h.kind == "manifest" and not set(types) <= set(asked):
        return h.error(404, "MANIFEST_UNKNOWN", "OCI manifest found, but Accept header does not support OCI manifests")


def other_manifest(h, change):
    data = change(json.loads(h.repo.manifests[h.repo.default]))
    return h.answer(200, data, Docker_Content_Digest=digest(data), Content_Type=OCI + "manifest.v1+json")


@fault("four-megabytes")
def four_megabytes(h):
    """A manifest of 4,000,000 bytes, as registries have to take"""
    def change(document):
        document["annotations"] = {"x": ""}
        document["annotations"]["x"] = "x" * (4000000 - len(json.dumps(document)))
        return json.dumps(document).encode()
    if h.kind == "manifest":
        return other_manifest(h, change)


@fault("huge-config")
def huge_config(h):
    def change(document):
        document["config"]["size"] = 5 << 20
        return json.dumps(document).encode()
    if h.kind == "manifest":
        return other_manifest(h, change)


@fault("token-huge")
def token_huge(h):
    """A token server that doesn't end"""
    if h.kind == "token":
        return h.endless(Content_Type="application/json")
    return token(h)


# Pushing

@fault("push-head-403")
def push_head_403(h):
    """HEAD of what is absent is forbidden"""
    if h.command == "HEAD" and h.name not in h.repo.blobs and h.name not in h.repo.tags:
        return h.answer(403)


@fault("push-length")
def push_length(h):
    """POST and PUT without a body still have a length"""
    if h.command in ("POST", "PUT") and h.headers.get("Content-Length") is None:
        return h.answer(411)


@fault("push-ghcr")
def push_ghcr(h):
    """A PATCH takes at most 4 MiB; a PUT anything"""
    if h.kind == "upload" and h.command == "PATCH" and len(h.body) > 4 << 20:
        return h.answer(416)


@fault("push-ghcr-no-put")
def push_ghcr_no_put(h):
    if h.kind == "upload" and h.command == "PUT" and h.body:
        return h.error(404, "BLOB_UPLOAD_UNKNOWN", "no")
    return push_ghcr(h)


@fault("push-gar")
def push_gar(h):
    """Monolithic uploads only"""
    if h.kind == "upload" and h.command == "PATCH":
        return h.error(405, "UNSUPPORTED", "chunked uploads are not supported")


@fault("push-acr")
def push_acr(h):
    """Chunks, whose Content-Range is taken to the letter"""
    if len(h.body) > 4 << 20:
        return h.answer(413)
    if h.kind == "upload" and h.command == "PATCH" and not h.headers.get("Content-Range", "0")[0].isdigit():
        return h.error(400, "BLOB_UPLOAD_INVALID", "Content-Range")


@fault("push-chunk-min")
def push_chunk_min(h):
    """OCI-Chunk-Min-Length: all chunks but the last have it; nothing is taken whole"""
    if h.kind != "upload":
        return None
    if h.command == "POST":
        identity = "u%d" % h.repo.nth("upload")
        h.repo.uploads[identity] = b""
        return h.answer(202, Location=h.location(identity), OCI_Chunk_Min_Length=str(CHUNK_MIN))
    if h.command == "PUT" and h.body:
        return h.answer(413)
    if h.command == "PATCH" and not h.headers.get("Content-Range"):
        return h.answer(413)
    if h.command == "PATCH" and len(h.repo.uploads[h.name]) % CHUNK_MIN:
        return h.error(400, "SIZE_INVALID", "a chunk before this one was too short")


@fault("push-quay")
def push_quay(h):
    """mount without from is an error, and nobody may cancel"""
    if h.kind == "upload" and "mount" in h.query and not h.query.get("from"):
        return h.error(400, "NAME_INVALID", "from is missing")
    if h.command == "DELETE":
        return h.error(403, "UNAUTHORIZED", "no right to cancel")
    h.query.pop("from", None)


@fault("push-no-manifest")
def push_no_manifest(h):
    """Of no type whatever"""
    if h.kind == "manifest" and h.command == "PUT":
        return h.error(400, "MANIFEST_INVALID", "manifest invalid")


@fault("push-mount-lies")
def push_mount_lies(h):
    """201, and the blob isn't there"""
    if h.kind == "upload" and h.command == "POST" and "mount" in h.query:
        return h.answer(201, Location="/v2/%s/blobs/%s" % (h.repo.name, h.query["mount"][0]))


@fault("push-mount-scope")
def push_mount_scope(h):
    """A token for the other repository is refused: the scope that names it has to go, too"""
    if h.kind == "token" and len(h.query.get("scope", [])) > 1:
        return h.error(403, "DENIED", "project not found")
    return token(h)


@fault("push-redirect")
def push_redirect(h):
    """307 to storage that doesn't want our credentials, for PATCH and PUT alike"""
    if h.server.name == "other":
        return h.answer(400) if h.headers.get("Authorization") else None
    if needs_basic(h):
        return True
    if h.kind == "upload" and h.command == "PUT":
        return h.redirect(h.at("other", h.path))


@fault("push-inside-name")
def push_inside_name(h):
    """Artifactory: Location with the name that the server has inside"""
    if h.kind == "upload" and h.command == "POST":
        identity = "u%d" % h.repo.nth("upload")
        h.repo.uploads[identity] = b""
        return h.answer(202, Location="http://artifactory.invalid:8081" + h.location(identity))


@fault("push-no-repository")
def push_no_repository(h):
    """ECR: repositories are made beforehand"""
    if needs_basic(h):
        return True
    if h.command == "HEAD":
        return h.answer(404)
    return h.error(404, "NAME_UNKNOWN", "The repository with name 'x' does not exist in the registry with id '1'")


@fault("push-no-project")
def push_no_project(h):
    """Harbor: 401 for a project that isn't there, whoever asks"""
    if h.kind == "upload" and h.command == "POST":
        return h.error(401, "UNAUTHORIZED", "project nowhere not found",
                       WWW_Authenticate='Basic realm="harbor"')


@fault("push-read-only")
def push_read_only(h):
    """Harbor: a proxy-cache project"""
    if h.kind == "upload":
        return h.error(405, "UNSUPPORTED", "can not push artifact to a proxy project")


@fault("push-quota")
def push_quota(h):
    """Harbor: 412"""
    if h.kind == "manifest" and h.command == "PUT":
        return h.error(412, "PRECONDITION", "will exceed the configured upper limit of 10.0 GiB")


@fault("push-old-types")
def push_old_types(h):
    """Quay once: Docker's types alone"""
    if h.kind == "manifest" and h.command == "PUT" and OCI in h.headers.get("Content-Type", ""):
        return h.error(415, "MANIFEST_INVALID", "manifest schema version not supported")


@fault("push-nexus-index")
def push_nexus_index(h):
    """Nexus: an index of what isn't images"""
    if h.kind == "manifest" and h.command == "PUT":
        return h.error(400, "BLOB_UPLOAD_INVALID", "blob upload invalid")


@fault("push-race")
def push_race(h):
    """Another job pushes the same: by our PUT its blob is there, and ours is refused"""
    if h.kind == "upload" and h.command == "PUT" and len(h.body) > 100000:
        h.repo.blobs[h.query["digest"][0]] = h.body
        return h.error(409, "CONFLICT", "the blob exists")


@fault("push-types")
def push_types(h):
    """Content-Type is what the document calls itself, and its bytes are those that were named"""
    if h.kind == "manifest" and h.command == "PUT":
        if json.loads(h.body).get("mediaType") != h.headers.get("Content-Type"):
            return h.error(400, "MANIFEST_INVALID", "Content-Type is not the document's")
        if ":" in h.name and h.name != digest(h.body):
            return h.error(400, "DIGEST_INVALID", "other bytes than those named")


@fault("push-location-moves")
def push_location_moves(h):
    """Each answer names another place; those before are forgotten. In chunks, so that there are several."""
    if len(h.body) > 4 << 20:
        return h.answer(413)
    if h.kind == "upload" and h.command == "PATCH":
        data = h.repo.uploads.pop(h.name, None)
        if data is None:
            return h.error(404, "BLOB_UPLOAD_UNKNOWN", "not here any more")
        identity = "u%d" % h.repo.nth("upload")
        h.repo.uploads[identity] = data + h.body
        return h.answer(202, Location=h.location(identity), Range="0-%d" % (len(data + h.body) - 1))


@fault("push-stores-other")
def push_stores_other(h):
    """A registry that says that it stored something else"""
    if h.kind == "upload" and h.command == "PUT":
        return h.answer(201, Docker_Content_Digest=digest(h.body + b"x"))


@fault("push-tiny")
def push_tiny(h):
    """A proxy before it that takes next to nothing"""
    if len(h.body) > 1000:
        return h.answer(413, b"<html>413 Request Entity Too Large</html>", Content_Type="text/html")


# A SOCKS 5 proxy, which leads everything to the http server

def socks_note(text):
    with LOCK:
        with open(DIR + "/log", "a", encoding="utf-8") as log:
            log.write(text + "\n")


def socks_relay(client, upstream):
    peers = {client: upstream, upstream: client}
    while True:
        for ready in select.select(list(peers), [], [], 30)[0] or [None]:
            data = ready.recv(65536) if ready else b""
            if not data:
                return
            peers[ready].sendall(data)


def socks_serve(client):
    with client:
        _, n = client.recv(2)
        methods = client.recv(n)
        user = b""
        if 2 in methods:
            client.sendall(b"\x05\x02")
            client.recv(1)
            user = client.recv(client.recv(1)[0])
            client.recv(client.recv(1)[0])
            client.sendall(b"\x01\x00")
        else:
            client.sendall(b"\x05\x00")
        kind = client.recv(4)[3]
        host = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
        port = struct.unpack(">H", client.recv(2))[0]
        socks_note("socks CONNECT %s:%d user=%s" % (host, port, user.decode()))
        with socket.create_connection(("127.0.0.1", PORTS["http"])) as upstream:
            client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", PORTS["http"]))
            socks_relay(client, upstream)


def socks_start():
    server = socket.create_server(("127.0.0.1", 0))
    PORTS["socks"] = server.getsockname()[1]

    def accept():
        while True:
            client, _ = server.accept()
            threading.Thread(target=socks_serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
