#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A web server for files and git repositories on loopback.

    file_server.py DIR

writes its port to DIR/port when it is ready, serves until its stdin is closed, and appends a line
"METHOD PATH STATUS" per request to DIR/log.

    /files/NAME     DIR/files/NAME, with an ETag of its content; conditional requests are answered
    /plain/NAME     the same without a word to ask by
    /dumb/REPO/...  DIR/repos/REPO as files (after git update-server-info)
    /smart/REPO/... DIR/repos/REPO through git http-backend
    /guarded/NAME   as files, for "Authorization: Bearer sesame"
    /private/REPO   as smart, for "Authorization: Basic" of x-access-token:sesame or me:sesame
"""
import base64
import hashlib
import http.server
import os
import subprocess
import sys
import threading

DIR = os.path.abspath(sys.argv[1])
ALLOWED = {"Basic " + base64.b64encode(t.encode()).decode() for t in ("x-access-token:sesame", "me:sesame")}


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True # answers are several writes
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        path = self.path.split("?")[0]
        with open(os.path.join(DIR, "log"), "a") as log:
            log.write(f"{self.command} {path} {status}\n")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    def file(self, path, etag):
        try:
            with open(path, "rb") as f:
                body = f.read()
        except OSError:
            return self.answer(404)
        if not etag:
            return self.answer(200, body)
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        headers = [("ETag", tag), ("Last-Modified", "Sun, 13 Sep 2020 12:26:40 GMT"),
                   ("Content-Disposition", 'attachment; filename="other"')]  # which nobody obeys
        if self.headers.get("If-None-Match") == tag:
            return self.answer(304, headers=headers)
        return self.answer(200, body, headers)

    def backend(self, rest):
        path, _, query = rest.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = dict(os.environ, GIT_PROJECT_ROOT=os.path.join(DIR, "repos"), GIT_HTTP_EXPORT_ALL="1",
                   PATH_INFO="/" + path, QUERY_STRING=query, REQUEST_METHOD=self.command,
                   CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
                   GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""))
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.answer(status, body, headers)

    def do_GET(self):
        kind, _, rest = self.path.lstrip("/").partition("/")
        if kind.partition("?")[0] == "":
            self.file(os.path.join(DIR, "files", "f.txt"), True)
            return
        if kind in ("files", "plain"):
            self.file(os.path.join(DIR, "files", rest.partition("?")[0]), kind == "files")
        elif kind == "guarded" and self.headers.get("Authorization") != "Bearer sesame":
            self.answer(401)
        elif kind == "guarded":
            self.file(os.path.join(DIR, "files", rest), True)
        elif kind == "dumb":
            self.file(os.path.join(DIR, "repos", rest.partition("?")[0]), False)
        elif kind == "private" and self.headers.get("Authorization") not in ALLOWED:
            self.answer(401, headers=[("WWW-Authenticate", 'Basic realm="private"')])
        elif kind in ("smart", "private"):
            self.backend(rest)
        else:
            self.answer(404)

    do_POST = do_GET
    do_HEAD = do_GET


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128 # who isn't taken yet asks again after seconds


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(DIR, "port.new"), "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
    print("ready", flush=True)
    sys.stdin.read()


main()
