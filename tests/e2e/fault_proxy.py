#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A proxy that ends TLS before a real registry and spoils what passes.

fault_proxy.py http|https:UPSTREAM_PORT KEY CERT DIR [intercept]: prints its URL. With "intercept" it is a proxy for
CONNECT that answers TLS itself, with CERT, whatever host is asked for. DIR/fault holds the name of the fault to play, read
at each request; DIR/log gets a line per request: METHOD PATH range=... auth=... body=... -> STATUS [what was done].
A fault that happens N times happens to N requests in all, whatever their paths; DIR/fault written anew counts anew.
"""
import http.client
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPSTREAM, KEY, CERT, DIR = sys.argv[1:5]
INTERCEPTS = sys.argv[5:] == ["intercept"]
LOCK = threading.Lock()
COUNTS = {}
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
FAULTS = {}


def fault(name):
    def add(function):
        FAULTS[name] = function
        return function
    return add


def current():
    """The fault's name, and what tells one writing of the file from another."""
    path = os.path.join(DIR, "fault")
    try:
        with open(path) as file:
            return file.read().strip(), os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return "", 0


class Proxy(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True # answers are several writes
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    def note(self, status, what=""):
        auth = self.headers.get("Authorization", "none").split(" ")[0]
        with LOCK, open(os.path.join(DIR, "log"), "a") as log:
            log.write("%s %s range=%s auth=%s body=%d -> %s %s\n" % (
                self.command, self.path, self.headers.get("Range", ""), auth, len(self.body), status, what))

    def times(self, n):
        """True the first n times that this fault asks."""
        with LOCK:
            COUNTS[self.fault] = COUNTS.get(self.fault, 0) + 1
            return COUNTS[self.fault] <= n

    def gets(self, kind):
        return self.command == "GET" and "/%s/" % kind in self.path

    def is_upload(self):
        return "/blobs/uploads/" in self.path

    def read_body(self, limit=None):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if not size:
                    return b"".join(parts)
        size = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(size if limit is None else min(size, limit))

    def forward(self):
        scheme, port = UPSTREAM.split(":")
        if scheme == "https":
            upstream = http.client.HTTPSConnection("127.0.0.1", int(port), timeout=60,
                                                   context=ssl._create_unverified_context())
        else:
            upstream = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "transfer-encoding",
                                                                              "content-length", "expect")}
        headers["X-Forwarded-Proto"] = "https"
        if self.body or self.command in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(self.body))
        upstream.request(self.command, self.path, self.body, headers)
        response = upstream.getresponse()
        data = response.read()
        # what one says once stands once, and none of the connection's own
        answer = [(k, v) for k, v in response.getheaders()
                  if k.lower() not in ("connection", "transfer-encoding", "content-length")]
        size = response.getheader("Content-Length")
        upstream.close()
        return response.status, answer, data, int(size) if size else len(data)

    def answer(self, status, headers=(), data=b"", size=None, what="", cut=None):
        self.note(status, what)
        self.send_response_only(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.wfile.flush()
            self.reset()

    def reset(self):
        self.close_connection = True
        sock = self.connection
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket.close(sock)

    def serve(self):
        self.body = b""
        name, stamp = current()
        self.fault = "%s %d" % (name, stamp)
        play = FAULTS.get(name)
        try:
            if getattr(play, "before_body", False) and play(self):
                return
            self.body = self.read_body()
            if play and not getattr(play, "before_body", False) and play(self):
                return
            status, headers, data, size = self.forward()
            self.answer(status, headers, data, size)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError, OSError, ValueError):
            self.close_connection = True

    def do_CONNECT(self):
        self.body = b""
        self.note(200, "intercepted")
        self.send_response_only(200)
        self.end_headers()
        self.request = self.connection = TLS.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.close_connection = False

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve


def before_body(function):
    function.before_body = True
    return function


def changed(h, edit, what):
    """Passes the answer on with other headers."""
    status, headers, data, size = h.forward()
    h.answer(status, edit(headers), data, size, what)
    return True


@fault("cut-download")
def cut_download(h):
    if h.gets("blobs") and h.times(3):
        status, headers, data, size = h.forward()
        if len(data) > 1000:
            h.answer(status, headers, data, size, "cut", cut=len(data) // 2)
            return True
    return False


@fault("cut-upload")
@before_body
def cut_upload(h):
    if h.is_upload() and h.command in ("PUT", "PATCH") and h.times(2):
        h.body = h.read_body(limit=1000)
        h.note("none", "cut")
        h.reset()
        return True
    return False


@fault("alter-blob")
def alter_blob(h):
    if h.gets("blobs"):
        status, headers, data, size = h.forward()
        h.answer(status, headers, bytes([data[0] ^ 1]) + data[1:] if data else data, size, "altered")
        return True
    return False


@fault("alter-manifest")
def alter_manifest(h):
    if h.gets("manifests"):
        status, headers, data, size = h.forward()
        h.answer(status, headers, data.replace(b'"size"', b'"sIze"', 1), size, "altered")
        return True
    return False


@fault("truncate-manifest")
def truncate_manifest(h):
    if h.gets("manifests"):
        status, headers, data, size = h.forward()
        h.answer(status, headers, data[:len(data) // 2], None, "truncated")
        return True
    return False


@fault("storm-429")
def storm_429(h):
    if h.times(3):
        h.answer(429, [("Retry-After", "0")], b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', what="storm")
        return True
    return False


@fault("storm-503")
def storm_503(h):
    if h.times(4):
        h.answer(503, [("Content-Type", "text/html")], b"<html>down</html>", what="storm")
        return True
    return False


@fault("head-405")
def head_405(h):
    if h.command == "HEAD":
        h.answer(405, what="refused")
        return True
    return False


@fault("no-digest-header")
def no_digest_header(h):
    return changed(h, lambda headers: [x for x in headers if x[0].lower() != "docker-content-digest"], "digest dropped")


@fault("relative-location")
def relative_location(h):
    def edit(headers):
        return [(k, re.sub(r"^https?://[^/]*", "", v) if k.lower() == "location" else v) for k, v in headers]
    return changed(h, edit, "location relative")


@fault("internal-location")
def internal_location(h):
    """As a registry behind a proxy that was not told of TLS names itself."""
    def edit(headers):
        return [(k, v.replace("https://", "http://") if k.lower() == "location" else v) for k, v in headers]
    return changed(h, edit, "location http")


@fault("session-lost")
def session_lost(h):
    if h.is_upload() and h.command in ("PUT", "PATCH") and h.times(1):
        h.answer(404, [], b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"upload unknown"}]}', what="lost")
        return True
    return False


@fault("mount-refused")
def mount_refused(h):
    if h.command == "POST" and "mount=" in h.path:
        h.path = h.path.split("?")[0]
        status, headers, data, size = h.forward()
        h.answer(status, headers, data, size, "not mounted")
        return True
    return False


@fault("no-whole-put")
def no_whole_put(h):
    if h.is_upload() and h.command == "PUT" and h.body:
        h.answer(400, [], b'{"errors":[{"code":"UNSUPPORTED","message":"no single PUT"}]}', what="refused")
        return True
    return False


@fault("small-requests")
def small_requests(h):
    """GHCR takes 4 MiB a PATCH, and such a proxy before it nothing larger at all."""
    if h.is_upload() and len(h.body) > 4 << 20:
        h.answer(413, [], b"", what="too large")
        return True
    return False


@fault("slow")
def slow(h):
    time.sleep(0.3)
    return False


@fault("stall")
def stall(h):
    if h.gets("blobs") and h.times(1):
        status, headers, data, size = h.forward()
        h.note(status, "stalled")
        h.send_response_only(status)
        h.send_header("Content-Length", str(size))
        h.end_headers()
        h.wfile.write(data[:100])
        h.wfile.flush()
        time.sleep(40)
        h.reset()
        return True
    return False


@fault("answer-lost")
def answer_lost(h):
    """The registry has it; the client doesn't hear of it."""
    if h.is_upload() and h.command == "PUT" and h.times(1):
        status, _, _, _ = h.forward()
        h.note(status, "answer lost")
        h.reset()
        return True
    return False


@fault("manifest-answer-lost")
def manifest_answer_lost(h):
    if h.command == "PUT" and "/manifests/" in h.path and h.times(1):
        status, _, _, _ = h.forward()
        h.note(status, "answer lost")
        h.reset()
        return True
    return False


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def main():
    server = Server(("127.0.0.1", 0), Proxy)
    TLS.load_cert_chain(CERT, KEY)
    if not INTERCEPTS:
        server.socket = TLS.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print("%s://localhost:%d" % ("http" if INTERCEPTS else "https", server.server_address[1]), flush=True)
    server.serve_forever()


main()
