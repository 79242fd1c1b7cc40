#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that plays faults by name, and keeps a log of what it was asked.

    fault_server.py DIR

prints its ports when it is ready, serves until its stdin is closed, and writes into DIR:

    ports       NAME=PORT lines, in the order printed: http, other (http, for redirects), https, odd (http, whose
                /v2/ is 405), socks (a SOCKS 5 proxy that leads everything to http)
    ca.crt      the authority that signed the https server's certificate
    log         a line per request: SERVER METHOD TARGET auth=SCHEME range=RANGE crange=RANGE body=SIZE -> STATUS

The first part of a repository's name is the fault, the rest is free: /v2/cut-blob/test7/manifests/1. Each
repository has a state of its own, and holds an image under every tag: a config, a layer of 1000000 bytes and one
of 3000. What is pushed is kept in memory. `grep '^@fault' fault_*.py` lists the faults;
fault_quirks.py has those that are habits of certain registries, fault_lists.py those of lists and referrers.
"""
import fcntl
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.parse

DIR = sys.argv[1] if len(sys.argv) > 1 else "."
OCI = "application/vnd.oci.image."
PORTS = {}
REPOS = {}
LOCK = threading.RLock()
HELD = threading.Condition()
FAULTS = {}


def fault(*names):
    def add(function):
        for name in names:
            FAULTS[name] = function
        return function
    return add


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def noise(seed, size):
    return b"".join(hashlib.sha256(b"%s %d" % (seed, at)).digest() for at in range(0, size, 32))[:size]


LARGE = noise(b"large", 1000000)


def unsent(connection):
    """Bytes that the other side hasn't got yet"""
    return struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]


def descriptor(media_type, data):
    return {"mediaType": OCI + media_type, "digest": digest(data), "size": len(data)}


class Repo:
    """One repository: blobs, manifests by digest, tags, upload sessions, counters."""

    def __init__(self, name):
        self.name, self.fault = name, name.split("/")[0]
        self.blobs, self.manifests, self.tags, self.uploads, self.counts = {}, {}, {}, {}, {}
        self.default = None
        if not self.fault.startswith("push-"):
            self.fill()

    def fill(self):
        layers = [LARGE, noise(b"small", 3000)]
        n_diff_ids = 2
        if self.fault == "layer-thrice":
            layers, n_diff_ids = [layers[0], layers[0], layers[1], layers[0]], 4
        if self.fault == "diff-ids":
            n_diff_ids = 1
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [digest(b"%d" % i) for i in range(n_diff_ids)]}})
        config = config.encode()
        if self.fault == "many-layers":
            layers = [layers[1]] * 10000
        entries = [descriptor("layer.v1.tar", layer) for layer in layers]
        if self.fault == "two-sizes":
            entries.append({**entries[0], "size": 5})
        if self.fault == "foreign":
            layers = layers[1:]
            entries[0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
            entries[0]["urls"] = ["http://user:pw@127.0.0.1:%d/storage/large" % PORTS["other"]]
        for data in layers + [config]:
            self.blobs[digest(data)] = data
        document = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                    "config": descriptor("config.v1+json", config), "layers": entries}
        self.default = self.add_manifest(json.dumps(document).encode())

    def add_manifest(self, data):
        self.manifests[digest(data)] = data
        return digest(data)

    def nth(self, key):
        with LOCK:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


def repo_of(name):
    with LOCK:
        if name not in REPOS:
            REPOS[name] = Repo(name)
        return REPOS[name]


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True # answers are several writes
    protocol_version = "HTTP/1.1"
    server_version = "faults"

    # answering

    def setup(self):
        self.request.settimeout(30)
        super().setup()

    def log_message(self, *args):
        pass

    def note(self, status):
        auth = self.headers.get("Authorization", "none").split(" ")[0]
        if self.headers.get("Proxy-Authorization"):
            auth += " proxy-auth=" + self.headers.get("Proxy-Authorization").split(" ")[0]
        line = "%s %s %s auth=%s range=%s crange=%s body=%d -> %s\n" % (
            self.server.name, self.command, self.path, auth, self.headers.get("Range", ""),
            self.headers.get("Content-Range", ""), len(self.body), status)
        with LOCK, open(os.path.join(DIR, "log"), "a") as log:
            log.write(line)

    def answer(self, status, body=b"", cut=None, **headers):
        """cut: bytes of the body after which the connection is reset"""
        self.note(status)
        if isinstance(body, (dict, list)):
            body, headers["Content_Type"] = json.dumps(body).encode(), "application/json"
        self.send_response(status)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name.replace("_", "-"), one)
        if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.reset()
        return True

    def reset(self):
        """RST instead of FIN, once what was written has come to the other side"""
        self.wfile.flush()
        end = time.monotonic() + 30
        while unsent(self.connection) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        return True

    def endless(self, **headers):
        self.note(200)
        self.send_response(200)
        headers["Transfer_Encoding"] = "chunked"
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        chunk = b"x" * 65536
        try:
            for _ in range(1 << 14):
                self.wfile.write(b"10000\r\n" + chunk + b"\r\n")
        except OSError:
            pass
        self.close_connection = True
        return True

    def error(self, status, code, message="", **headers):
        return self.answer(status, {"errors": [{"code": code, "message": message}]}, **headers)

    def redirect(self, where, status=307):
        return self.answer(status, Location=where)

    def at(self, server, target):
        scheme = "https" if server == "https" else "http"
        return "%s://127.0.0.1:%d%s" % (scheme, PORTS[server], target)

    # asking

    def first(self, key):
        return self.repo.nth(key) == 1

    def gets(self, kind):
        return self.kind == kind and self.command == "GET"

    def is_large(self):
        return self.kind == "blob" and len(self.repo.blobs.get(self.name, b"")) > 100000

    def bearer(self):
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value if scheme == "Bearer" else None

    # the registry proper

    def handle_any(self):
        self.body = b""
        self.kind, self.name, self.repo = "other", "", Repo("none")
        split = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        for kind, pattern in (("manifest", r"/v2/(.+)/manifests/([^/]+)"), ("upload", r"/v2/(.+)/blobs/uploads/([^/]*)"),
                              ("blob", r"/v2/(.+)/blobs/([^/]+)"), ("tags", r"/v2/(.+)/tags/(list)"),
                              ("referrers", r"/v2/(.+)/referrers/([^/]+)"),
                              ("storage", r"/storage/()(.+)"), ("token", r"/token/(.+)/()")):
            match = re.fullmatch(pattern, split.path)
            if match:
                self.kind, self.name = kind, match.group(2)
                self.repo = repo_of(match.group(1)) if match.group(1) else self.repo
                break
        if split.path == "/v2/":
            self.kind = "ping"
        early = getattr(FAULTS.get(self.repo.fault), "early", False)
        try:
            if early and FAULTS[self.repo.fault](self):
                return
            self.body = self.read_body()
            if not early and self.repo.fault in FAULTS and FAULTS[self.repo.fault](self):
                return
            getattr(self, "serve_" + self.kind)()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError, TimeoutError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def read_body(self):
        size = int(self.headers.get("Content-Length", "0"))
        return self.rfile.read(size) if size else b""

    def serve_other(self):
        self.error(404, "UNSUPPORTED")

    def serve_ping(self):
        self.answer(405 if self.server.name == "odd" else 200, {})

    def serve_tags(self):
        return fault_lists.serve_tags(self)

    def serve_referrers(self):
        return fault_lists.serve_referrers(self)

    def serve_storage(self):
        if self.server.name == "other" and (self.headers.get("Authorization") or self.headers.get("X-Meta-A")):
            return self.answer(400) # as S3 does with a second authentication scheme
        if self.name == "closed":
            return self.error(401, "UNAUTHORIZED", "who are you", WWW_Authenticate='Basic realm="storage"')
        data = LARGE if self.name == "large" else b"text of a file\n"
        if self.headers.get("If-None-Match") == '"one"':
            return self.answer(304, ETag='"one"')
        return self.serve_bytes(data, ETag='"one"', Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT",
                                Content_Disposition='attachment; filename="../../name.tar"')

    def serve_bytes(self, data, **headers):
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and int(match.group(1)) < len(data):
            first = int(match.group(1))
            headers["Content_Range"] = "bytes %d-%d/%d" % (first, len(data) - 1, len(data))
            return self.answer(206, data[first:], **headers)
        return self.answer(200, data, **headers)

    def serve_manifest(self):
        if self.command == "PUT":
            return self.put_manifest()
        if self.command == "DELETE":
            return fault_lists.serve_delete(self)
        name = self.repo.tags.get(self.name, self.repo.default) if ":" not in self.name else self.name
        data = self.repo.manifests.get(name)
        if data is None:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return self.answer(200, data, Docker_Content_Digest=name, Content_Type=json.loads(data)["mediaType"])

    def put_manifest(self):
        document = json.loads(self.body)
        for blob in document.get("layers", []) + [document["config"]] if "config" in document else []:
            if blob["digest"] not in self.repo.blobs:
                return self.error(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        name = self.repo.add_manifest(self.body)
        if ":" not in self.name:
            self.repo.tags[self.name] = name
        tags = re.findall(r"[?&]tag=([^&]*)", self.path) if self.repo.fault == "push-tags" else []
        for tag in tags:
            self.repo.tags[tag] = name
        more = {"OCI_Tag": ", ".join(tags)} if tags else {}
        return self.answer(201, Docker_Content_Digest=name, Location=self.path, **more)

    def serve_blob(self):
        data = self.repo.blobs.get(self.name)
        if data is None:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown")
        return self.serve_bytes(data, Docker_Content_Digest=self.name, Content_Type="application/octet-stream")

    def location(self, identity):
        return "/v2/%s/blobs/uploads/%s?_state=a%%20b+c%%2F&z=1" % (self.repo.name, identity)

    def serve_upload(self):
        if self.command == "POST":
            return self.open_upload()
        # the state must come back as it was given: signed URLs break otherwise
        if "_state=a%20b+c%2F&z=1" not in self.path:
            return self.error(400, "BLOB_UPLOAD_INVALID", "state changed: " + self.path)
        data = self.repo.uploads.get(self.name)
        if data is None:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
        headers = {"Location": self.location(self.name)}
        if self.command == "GET":
            return self.answer(204, Range="0-%d" % max(0, len(data) - 1), **headers)
        span = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        if span and int(span.group(1)) != len(data):
            return self.answer(416, Range="0-%d" % max(0, len(data) - 1), **headers)
        data += self.body
        self.repo.uploads[self.name] = data
        if self.command == "PATCH":
            return self.answer(202, Range="0-%d" % (len(data) - 1), **headers)
        wanted = self.query["digest"][0]
        if digest(data) != wanted:
            return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        del self.repo.uploads[self.name]
        self.repo.blobs[wanted] = data
        return self.answer(201, Docker_Content_Digest=wanted, Location="/v2/x")

    def open_upload(self, **headers):
        source = self.query.get("from")
        if source and self.query["mount"][0] in repo_of(source[0]).blobs:
            wanted = self.query["mount"][0]
            self.repo.blobs[wanted] = repo_of(source[0]).blobs[wanted]
            return self.answer(201, Docker_Content_Digest=wanted, Location="/v2/x")
        identity = "u%d" % self.repo.nth("upload")
        self.repo.uploads[identity] = b""
        headers.setdefault("Location", self.location(identity))
        return self.answer(202, Range="0-0", **headers)

    def serve_token(self):
        self.answer(200, {"token": "t%d" % self.repo.nth("token")})


# Faults. A function answers and returns True, or lets the registry proper do it.

def early(function):
    """Called before the request's body is read"""
    function.early = True
    return function


@fault("cut-blob")
def cut_blob(h):
    if h.gets("blob") and h.is_large() and h.first("cut"):
        return h.answer(200, h.repo.blobs[h.name], cut=120000)


@fault("cut-blob-often")
def cut_blob_often(h):
    if h.gets("blob") and h.is_large():
        first = int((re.findall(r"\d+", h.headers.get("Range", "")) or ["0"])[0])
        data = h.repo.blobs[h.name]
        if first + 70000 < len(data):
            return h.answer(206 if first else 200, data[first:], cut=70000,
                            Content_Range="bytes %d-%d/%d" % (first, len(data) - 1, len(data)))


@fault("cut-ten-times")
def cut_ten_times(h):
    """Too little each time for one process"""
    if h.gets("blob") and h.is_large() and h.repo.nth("cut") <= 10:
        first = int((re.findall(r"\d+", h.headers.get("Range", "")) or ["0"])[0])
        data = h.repo.blobs[h.name]
        return h.answer(206 if first else 200, data[first:], cut=10000,
                        Content_Range="bytes %d-%d/%d" % (first, len(data) - 1, len(data)))


@fault("cut-no-range")
def cut_no_range(h):
    if h.gets("blob") and h.is_large():
        return h.answer(200, h.repo.blobs[h.name], cut=120000 if h.first("cut") else None)


@fault("cut-wrong-range")
def cut_wrong_range(h):
    if h.gets("blob") and h.is_large():
        data = h.repo.blobs[h.name]
        if h.first("cut"):
            return h.answer(200, data, cut=120000)
        if h.headers.get("Range"):
            return h.answer(206, data[5:], Content_Range="bytes 5-%d/%d" % (len(data) - 1, len(data)))


@fault("cut-416")
def cut_416(h):
    if h.gets("blob") and h.is_large():
        if h.first("cut"):
            return h.answer(200, h.repo.blobs[h.name], cut=120000)
        if h.headers.get("Range"):
            return h.answer(416)


@fault("cut-manifest")
def cut_manifest(h):
    if h.gets("manifest") and h.first("cut"):
        return h.answer(200, h.repo.manifests[h.repo.default], cut=100, Content_Type=OCI + "manifest.v1+json")


@fault("reset-first")
def reset_first(h):
    if h.kind in ("manifest", "blob") and h.first(h.kind + h.name):
        h.note("reset")
        return h.reset()


@fault("stall")
def stall(h):
    if h.gets("blob") and h.is_large() and h.first("stall"):
        h.note(200)
        h.send_response(200)
        h.send_header("Content-Length", str(len(LARGE)))
        h.end_headers()
        h.wfile.write(h.repo.blobs[h.name][:50000])
        h.wfile.flush()
        time.sleep(60)
        h.close_connection = True
        return True


@fault("busy")
def busy(h):
    if h.kind in ("manifest", "blob") and h.repo.nth("busy " + h.name) <= 2:
        return h.error(429, "TOOMANYREQUESTS", "slow down", Retry_After="0")


@fault("busy-for-ever")
def busy_for_ever(h):
    if h.kind == "manifest":
        return h.error(429, "TOOMANYREQUESTS", "slow down", Retry_After="86400", RateLimit_Remaining="0;w=21600")


@fault("busy-blobs")
def busy_blobs(h):
    if h.kind == "blob":
        return h.error(429, "TOOMANYREQUESTS", "slow down", Retry_After="86400")


@fault("unavailable")
def unavailable(h):
    if h.kind in ("manifest", "blob") and h.repo.nth("busy " + h.name) <= 3:
        return h.answer(503, b"<html>away</html>", Content_Type="text/html")


@fault("down")
def down(h):
    return h.error(500, "UNKNOWN", "out of order")


@fault("wrong-blob")
def wrong_blob(h):
    if h.gets("blob") and h.is_large():
        return h.answer(200, b"Y" + h.repo.blobs[h.name][1:])


@fault("wrong-blob-once-cut")
def wrong_blob_once_cut(h):
    if h.gets("blob") and h.is_large() and h.first("cut"):
        return h.answer(200, b"Y" + h.repo.blobs[h.name][1:], cut=120000)


@fault("wrong-manifest")
def wrong_manifest(h):
    if h.gets("manifest"):
        data = h.repo.manifests[h.repo.default]
        return h.answer(200, data + b" ", Docker_Content_Digest=digest(data), Content_Type=OCI + "manifest.v1+json")


@fault("long-blob")
def long_blob(h):
    if h.gets("blob") and h.is_large():
        return h.answer(200, h.repo.blobs[h.name] + b"x")


@fault("short-blob")
def short_blob(h):
    if h.gets("blob") and h.is_large():
        return h.answer(200, h.repo.blobs[h.name][:-1])


@fault("endless-blob")
def endless_blob(h):
    if h.gets("blob") and h.is_large():
        return h.endless()


@fault("endless-manifest")
def endless_manifest(h):
    if h.gets("manifest"):
        return h.endless(Content_Type=OCI + "manifest.v1+json")


@fault("endless-error")
def endless_error(h):
    if h.gets("manifest"):
        return h.answer(403, b"a" * (8 << 20))


@fault("colourful-error")
def colourful_error(h):
    if h.gets("manifest"):
        return h.error(400, "BAD\x1b[31m", "\x1b]0;title\x07red\u009b " + "x" * 5000)


@fault("html-error")
def html_error(h):
    if h.gets("manifest"):
        return h.answer(404, b"<html><body>nginx</body></html>", Content_Type="text/html")


@fault("head-405")
def head_405(h):
    if h.command == "HEAD":
        return h.answer(405)


@fault("head-403")
def head_403(h):
    if h.command == "HEAD":
        return h.answer(403)


@fault("no-digest")
def no_digest(h):
    if h.kind == "manifest":
        return h.answer(200, h.repo.manifests[h.repo.default], Content_Type=OCI + "manifest.v1+json")


@fault("odd-type")
def odd_type(h):
    if h.kind == "manifest":
        return h.answer(200, h.repo.manifests[h.repo.default], Content_Type="text/plain; charset=utf-8",
                        Docker_Content_Digest=h.repo.default)


@fault("schema1")
def schema1(h):
    if h.kind == "manifest":
        return h.answer(200, {"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": [],
                              "signatures": []})


@fault("warning")
def warning(h):
    if h.kind == "manifest":
        data = h.repo.manifests[h.repo.default]
        return h.answer(200, data, Docker_Content_Digest=h.repo.default, Content_Type=OCI + "manifest.v1+json",
                        Warning='299 - "this tag goes away\x1b[31m"')


# Redirects

def needs_basic(h):
    if not h.headers.get("Authorization", "").startswith("Basic "):
        return h.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="faults"')
    return None


@fault("redirect-storage")
def redirect_storage(h):
    if needs_basic(h):
        return True
    if h.gets("blob") and h.is_large():
        return h.redirect(h.at("other", "/storage/large?X-Signature=a%20b+c"))


@fault("needs-header")
def needs_header(h):
    if h.headers.get("X-Meta-A") != "b c":
        return h.error(403, "DENIED", "X-Meta-A is missing")
    return redirect_storage(h)


@fault("redirect-relative")
def redirect_relative(h):
    if h.gets("blob") and h.is_large():
        return h.redirect("/storage/large", 302)


@fault("redirect-loop")
def redirect_loop(h):
    if h.gets("blob") and h.is_large():
        return h.redirect(h.path)


@fault("redirect-plain")
def redirect_plain(h):
    if h.gets("blob") and h.is_large():
        return h.redirect(h.at("http", "/storage/large"))


@fault("redirect-scheme")
def redirect_scheme(h):
    if h.gets("blob") and h.is_large():
        return h.redirect("file:///etc/passwd")


# Tokens

def challenge(h, **extra):
    realm = h.at(h.server.name, "/token/%s/" % h.repo.name)
    parts = {"realm": realm, "service": "the faults", "scope": "repository:%s:pull" % h.repo.name}
    parts.update(extra)
    return "Bearer " + ",".join('%s="%s"' % item for item in parts.items())


def unauthorized(h, header):
    return h.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=header)


@fault("token")
def token(h):
    if h.kind in ("manifest", "blob", "upload") and not h.bearer():
        return unauthorized(h, ["Negotiate", "Basic realm=\"b\", " + challenge(h)])


@fault("token-unquoted")
def token_unquoted(h):
    if h.kind in ("manifest", "blob") and not h.bearer():
        return unauthorized(h, "bearer SCOPE=repository:%s:pull,push , service=faults, Realm=%s" %
                            (h.repo.name, h.at(h.server.name, "/token/%s/" % h.repo.name)))


@fault("token-expires", "push-token-expires")
def token_expires(h):
    """Each token is good for four requests"""
    if h.kind in ("manifest", "blob", "upload"):
        value = h.bearer()
        if not value or h.repo.nth("use " + value) > 4:
            return unauthorized(h, challenge(h, error="invalid_token"))


@fault("token-never")
def token_never(h):
    if h.kind in ("manifest", "blob"):
        return unauthorized(h, challenge(h))


@fault("token-insufficient")
def token_insufficient(h):
    """The second token is good: it was asked for the wider scope"""
    if h.kind == "token":
        h.repo.scopes = h.query.get("scope", [])
    if h.kind == "manifest":
        if not h.bearer():
            return unauthorized(h, challenge(h))
        if not any(s.endswith(":pull,special") for s in getattr(h.repo, "scopes", [])):
            return unauthorized(h, challenge(h, error="insufficient_scope",
                                             scope="repository:%s:pull,special" % h.repo.name))


@fault("token-plain-elsewhere")
def token_plain_elsewhere(h):
    """The token server is on another machine, and without TLS"""
    return unauthorized(h, challenge(h, realm="http://192.0.2.1:9/token/"))


@fault("token-plain-realm")
def token_plain_realm(h):
    if h.kind == "token":
        return None
    realm = h.at("http", "/token/%s/" % h.repo.name)
    return None if h.bearer() else unauthorized(h, 'Bearer realm="%s",service="s"' % realm)


@fault("token-oauth")
def token_oauth(h):
    """Identity tokens by POST only"""
    if h.kind == "token":
        form = urllib.parse.parse_qs(h.body.decode())
        if h.command != "POST" or form.get("refresh_token") != ["identity+/="]:
            return h.answer(400, {"error": "invalid_grant"})
        return h.answer(200, {"access_token": "t", "expires_in": 300})
    return token(h)


@fault("token-oauth-404")
def token_oauth_404(h):
    """No OAuth2: GET with Basic"""
    if h.kind == "token":
        if h.command == "POST":
            return h.answer(404)
        return h.answer(200, {"token": "t"}) if h.headers.get("Authorization") else h.answer(401)
    return token(h)


@fault("token-refused")
def token_refused(h):
    if h.kind == "token":
        return h.answer(401, {"details": "incorrect username or password"})
    return token(h)


@fault("basic")
def basic(h):
    return needs_basic(h)


# Pushing

@fault("push-relative", "push-plain")
def push_plain(h):
    return None


@fault("push-other-host")
def push_other_host(h):
    """Sessions live on another host, which refuses credentials"""
    if h.server.name == "other" and h.headers.get("Authorization"):
        return h.answer(400)
    if h.server.name == "http" and needs_basic(h):
        return True
    if h.kind == "upload" and h.command == "POST":
        identity = "u%d" % h.repo.nth("upload")
        h.repo.uploads[identity] = b""
        return h.answer(202, Location=h.at("other", h.location(identity)))


@fault("push-plain-location")
def push_plain_location(h):
    """TLS ends at a proxy, and the registry behind it doesn't know"""
    if h.kind == "upload" and h.command == "POST":
        identity = "u%d" % h.repo.nth("upload")
        h.repo.uploads[identity] = b""
        return h.answer(202, Location="http://127.0.0.1:%d%s" % (PORTS["https"], h.location(identity)))


@fault("push-no-put")
def push_no_put(h):
    """Artifactory once: a PUT with the blob isn't taken"""
    if h.kind == "upload" and h.command == "PUT" and h.body:
        return h.error(404, "BLOB_UPLOAD_UNKNOWN", "no")


@fault("push-small-bodies")
def push_small_bodies(h):
    """A proxy that takes at most 4 MiB"""
    if len(h.body) > 4 << 20:
        return h.answer(413)


@fault("push-chunks-stuck")
def push_chunks_stuck(h):
    """ECR: Range stays at the first chunk"""
    if len(h.body) > 4 << 20:
        return h.answer(413)
    if h.kind == "upload" and h.command == "PATCH":
        h.repo.uploads[h.name] += h.body
        return h.answer(202, Range="0-%d" % ((4 << 20) - 1), Location=h.location(h.name))


@fault("push-chunk-cut")
def push_chunk_cut(h):
    """The second chunk's answer is lost, its bytes are not"""
    if len(h.body) > 4 << 20:
        return h.answer(413)
    if h.kind == "upload" and h.command == "PATCH" and h.repo.nth("patch") == 2:
        h.repo.uploads[h.name] += h.body
        h.note("reset")
        return h.reset()


@fault("push-cut")
@early
def push_cut(h):
    """Reset after 100000 bytes of the first blob"""
    size = int(h.headers.get("Content-Length", "0"))
    if h.kind == "upload" and h.command == "PUT" and size > 100000 and h.first("cut"):
        h.rfile.read(100000)
        h.note("reset")
        return h.reset()


@fault("push-answer-lost")
def push_answer_lost(h):
    """The blob is stored, the answer is not seen"""
    if h.kind == "upload" and h.command == "PUT" and len(h.body) > 100000:
        h.repo.blobs[h.query["digest"][0]] = h.body
        h.note("reset")
        return h.reset()


@fault("push-session-lost")
def push_session_lost(h):
    if h.kind == "upload" and h.command == "PUT" and h.first("lost" + h.query["digest"][0]):
        return h.error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


@fault("push-held")
def push_held(h):
    """Answers no upload before four are at it; the file at-once says how many were"""
    if h.kind != "upload" or h.command != "PUT":
        return None
    counts = h.repo.counts
    with HELD:
        counts["at it"] = counts.get("at it", 0) + 1
        counts["most"] = max(counts.get("most", 0), counts["at it"])
        HELD.notify_all()
        HELD.wait_for(lambda: counts["most"] >= 4, 60)
        HELD.wait_for(lambda: counts["most"] > 4, 0.3) # for one more than may be
        with open(os.path.join(DIR, "at-once"), "w") as out:
            out.write("%d\n" % counts["most"])
        counts["at it"] -= 1


@fault("push-head-405")
def push_head_405(h):
    if h.command == "HEAD":
        return h.answer(405)


@fault("push-no-digest")
def push_no_digest(h):
    """Answers that don't say what they are of"""
    data = h.repo.manifests.get(h.repo.tags.get(h.name, h.name)) if h.kind == "manifest" else None
    if data and h.command == "HEAD":
        return h.answer(200, data, Content_Type=json.loads(data)["mediaType"])


@fault("push-head-404")
def push_head_404(h):
    """No manifest is there for HEAD"""
    if h.kind == "manifest" and h.command == "HEAD":
        return h.error(404, "MANIFEST_UNKNOWN", "manifest unknown")


@fault("push-mount-refused")
def push_mount_refused(h):
    """202 opens a session that is to be used"""
    if h.kind == "upload" and h.command == "POST":
        h.query.pop("from", None)


@fault("push-mount-denied")
def push_mount_denied(h):
    if h.kind == "upload" and h.command == "POST" and h.query.get("from"):
        return h.error(401, "UNAUTHORIZED", "project not found")


@fault("push-immutable")
def push_immutable(h):
    if h.kind == "manifest" and h.command == "PUT" and h.name in h.repo.tags:
        return h.error(400, "TAG_INVALID", "the tag is immutable")


@fault("push-blob-vanishes")
def push_blob_vanishes(h):
    """A group of registries: HEAD finds what the member that takes the manifest lacks"""
    if h.kind == "blob" and h.command == "HEAD":
        return h.answer(200, b"x" * 10)


@fault("push-denied")
def push_denied(h):
    if h.kind == "upload":
        return h.error(403, "DENIED", "requested access to the resource is denied")


@fault("push-busy")
def push_busy(h):
    if h.kind in ("upload", "manifest") and h.repo.nth("busy " + h.command) <= 2:
        return h.error(503, "UNAVAILABLE", "later")


@fault("push-wrong-digest")
def push_wrong_digest(h):
    if h.kind == "upload" and h.command == "PUT":
        return h.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")


# Serving

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128 # who isn't taken yet asks again after seconds

    def __init__(self, name, tls=None):
        self.name, self.tls = name, tls
        super().__init__(("127.0.0.1", 0), Handler)
        PORTS[name] = self.server_address[1]

    def finish_request(self, request, client_address):
        if self.tls: # the handshake belongs to the connection's own thread
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


def make_certificate():
    key, crt, conf = (os.path.join(DIR, n) for n in ("tls.key", "ca.crt", "tls.conf"))
    with open(conf, "w") as out:
        out.write("[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=ext\n[dn]\nCN=faults\n"
                  "[ext]\nsubjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:true\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-config", conf, "-keyout", key, "-out", crt], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context


def main():
    servers = [Server("http"), Server("other"), Server("https", make_certificate()), Server("odd")]
    fault_quirks.socks_start()
    open(os.path.join(DIR, "log"), "w").close()
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(DIR, "ports"), "w") as out:
        out.write("".join("%s=%d\n" % item for item in PORTS.items()))
    print(*PORTS.values(), flush=True)
    sys.stdin.read()


sys.modules["fault_server"] = sys.modules[__name__]
sys.dont_write_bytecode = True
import fault_lists # their faults are made with what stands above
import fault_quirks

if __name__ == "__main__":
    main()
