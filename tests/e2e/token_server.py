#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token server for docker-registry: JWTs signed with RS256, by the openssl program.

    token_server.py --users FILE --key KEY --cert CRT [--tls-key KEY --tls-cert CRT] [--log FILE] [--lifetime S]

Prints its realm ("http://localhost:PORT/token") when it listens. FILE holds USER:PASSWORD lines; who is nobody may
pull from public/ only. GET answers as the "Token Authentication Specification" says, POST as the OAuth2 one does
(grant types password and refresh_token; the refresh token of USER is "refresh-USER").
"""
import argparse
import base64
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

LOCK = threading.Lock()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(args, claims):
    certificate = ssl.PEM_cert_to_DER_cert(open(args.cert).read())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(certificate).decode()]}
    text = b".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", args.key], input=text, check=True,
                               capture_output=True).stdout
    return (text + b"." + base64url(signature)).decode()


def granted(scope, user):
    """What of repository:NAME:ACTIONS is given"""
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    actions = actions.split(",")
    if not user:
        actions = ["pull"] if kind == "repository" and name.startswith("public/") and "pull" in actions else []
    return {"type": kind, "name": name, "actions": actions}


class Handler(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True # answers are several writes
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, user, scopes):
        if self.args.log:
            with LOCK, open(self.args.log, "a") as log:
                log.write("%s user=%s scopes=%s\n" % (self.command, user or "", " ".join(scopes)))

    def basic_user(self):
        """None: wrong password; "": nobody"""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return ""
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user if self.args.passwords.get(user) == password else None

    def give(self, user, service, scopes, name):
        self.note(user, scopes)
        if user is None:
            return self.answer(401, {"details": "incorrect username or password"})
        now = int(time.time())
        claims = {"iss": "test issuer", "sub": user, "aud": service, "exp": now + self.args.lifetime, "nbf": now - 10,
                  "iat": now, "jti": str(uuid.uuid4()), "access": [granted(scope, user) for scope in scopes]}
        answer = {name: sign(self.args, claims), "expires_in": self.args.lifetime}
        return self.answer(200, answer)

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.give(self.basic_user(), query.get("service", [""])[0], query.get("scope", []), "token")

    def do_POST(self):
        size = int(self.headers.get("Content-Length", "0"))
        form = {k: v[0] for k, v in urllib.parse.parse_qs(self.rfile.read(size).decode()).items()}
        user = None
        if form.get("grant_type") == "password":
            user = form.get("username")
            user = user if self.args.passwords.get(user) == form.get("password") else None
        elif form.get("grant_type") == "refresh_token":
            user = form.get("refresh_token", "").removeprefix("refresh-")
            user = user if user in self.args.passwords else None
        self.give(user, form.get("service", ""), form.get("scope", "").split(), "access_token")


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128 # who isn't taken yet asks again after seconds


def main():
    parser = argparse.ArgumentParser()
    for name in ("--users", "--key", "--cert", "--tls-key", "--tls-cert", "--log"):
        parser.add_argument(name)
    parser.add_argument("--lifetime", type=int, default=300)
    args = parser.parse_args()
    args.passwords = dict(line.rstrip("\n").split(":", 1) for line in open(args.users))
    Handler.args = args
    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if args.tls_key:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls_cert, args.tls_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    print("%s://localhost:%d/token" % (scheme, server.server_address[1]), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
