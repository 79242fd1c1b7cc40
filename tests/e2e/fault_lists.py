# SPDX-License-Identifier: Apache-2.0
"""Lists that come page by page, referrers, and deleting; part of fault_server.py.

A repository has the tags t0 to t6, in pages of two (the third is empty), and referrers of everything: ten, of the types
application/x-0 and application/x-1 by turns, in pages of four.
"""
import json

from fault_server import OCI, PORTS, digest, fault, needs_basic

INDEX = OCI + "index.v1+json"
PAGES = [["t0", "t1"], ["t2", "t3"], [], ["t4", "t5"], ["t6"]]


def page(h, link, body, **headers):
    """link: where the next page is, or None"""
    if link:
        headers["Link"] = '<%s>; rel="next"' % link
    return h.answer(200, body, **headers)


def number(h):
    return int(h.query.get("last", ["0"])[0])


def tags_page(h, where, pages=None):
    pages, n = pages or PAGES, number(h)
    target = "/v2/%s/tags/list?n=2&last=%d" % (h.repo.name, n + 1)
    return page(h, where(target) if n + 1 < len(pages) else None, {"name": h.repo.name, "tags": pages[n] or None})


def serve_tags(h):
    return tags_page(h, lambda target: target)


@fault("list-absolute")
def list_absolute(h):
    return tags_page(h, lambda target: h.at(h.server.name, target)) if h.kind == "tags" else None


@fault("list-odd-link")
def list_odd_link(h):
    """Relative to the page's own folder, with other links around it"""
    if h.kind == "tags":
        n = number(h)
        link = '</first>; rel="first", <list?last=%d>; title="a, b; c"; rel="last next"' % (n + 1)
        return h.answer(200, {"tags": PAGES[n] or []}, **({"Link": link} if n + 1 < len(PAGES) else {}))


@fault("list-plain-link")
def list_plain_link(h):
    """TLS ends at a proxy, and the registry behind it doesn't know"""
    if h.kind == "tags":
        return tags_page(h, lambda target: "http://127.0.0.1:%d%s" % (PORTS["https"], target))


@fault("list-elsewhere")
def list_elsewhere(h):
    """The second page on another host, which must see no credentials"""
    if h.kind == "tags" and h.server.name == "http":
        return needs_basic(h) or tags_page(h, lambda target: h.at("other", target))


@fault("list-loop")
def list_loop(h):
    if h.kind == "tags":
        return page(h, "/v2/%s/tags/list?last=%d" % (h.repo.name, (number(h) + 1) % 3), {"tags": ["a"]})


@fault("list-endless")
def list_endless(h):
    """Ever new pages of a few names"""
    if h.kind == "tags":
        return page(h, "/v2/%s/tags/list?last=%d" % (h.repo.name, number(h) + 1), {"tags": ["a"]})


@fault("list-heavy")
def list_heavy(h):
    """Ever new pages of 12 MiB"""
    if h.kind == "tags":
        body = b'{"tags":["' + b"x" * (12 << 20) + b'"]}'
        return page(h, "/v2/%s/tags/list?last=%d" % (h.repo.name, number(h) + 1), body)


@fault("list-broken")
def list_broken(h):
    """The second page isn't there"""
    if h.kind == "tags" and number(h):
        return h.error(400, "PAGINATION_NUMBER_INVALID", "no")


@fault("list-control")
def list_control(h):
    if h.kind == "tags":
        return h.answer(200, {"tags": ["a\x1b[31m", "b\nc", "d"]})


@fault("list-text")
def list_text(h):
    return h.answer(200, b"<html>tags</html>") if h.kind == "tags" else None


@fault("list-numbers")
def list_numbers(h):
    return h.answer(200, {"tags": ["a", 1]}) if h.kind == "tags" else None


# Referrers

def entries(h):
    made = []
    for n in range(10):
        data = ("%s %d" % (h.repo.name, n)).encode()
        made.append({"mediaType": OCI + "manifest.v1+json", "digest": digest(data), "size": len(data),
                     "artifactType": "application/x-%d" % (n % 2)})
    return made


def index_of(manifests):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()


def serve_referrers(h):
    """Those that were put, and listed by subject"""
    found = []
    for name, data in h.repo.manifests.items():
        document = json.loads(data)
        if document.get("subject", {}).get("digest") == h.name:
            found.append({"mediaType": document["mediaType"], "digest": name, "size": len(data),
                          "artifactType": document["artifactType"]})
    return h.answer(200, index_of(found), Content_Type=INDEX)


@fault("referrers")
def referrers(h):
    if h.kind == "referrers":
        n, all_of_them = number(h), entries(h)
        link = "/v2/%s/referrers/%s?last=%d" % (h.repo.name, h.name, n + 4) if n + 4 < len(all_of_them) else None
        return page(h, link, index_of(all_of_them[n:n + 4]), Content_Type=INDEX)


@fault("referrers-filtered")
def referrers_filtered(h):
    if h.kind == "referrers":
        wanted = h.query.get("artifactType", [None])[0]
        found = [e for e in entries(h) if wanted in (None, e["artifactType"])]
        return page(h, None, index_of(found), Content_Type=INDEX, OCI_Filters_Applied="artifactType")


def tagged(h):
    """Referrers of everything stand under its tag"""
    if h.kind == "manifest" and h.name.startswith("sha256-") and h.name not in h.repo.tags:
        h.repo.tags[h.name] = h.repo.add_manifest(index_of(entries(h)[:3]))


@fault("referrers-404")
def referrers_404(h):
    return h.error(404, "NOT_FOUND") if h.kind == "referrers" else tagged(h)


@fault("referrers-page")
def referrers_page(h):
    """A page for people"""
    return h.answer(200, b"<html>", Content_Type="text/html") if h.kind == "referrers" else tagged(h)


@fault("referrers-none")
def referrers_none(h):
    """Neither listed nor tagged"""
    if h.kind == "referrers" or (h.kind == "manifest" and h.name.startswith("sha256-")):
        return h.error(404, "MANIFEST_UNKNOWN")


@fault("referrers-denied")
def referrers_denied(h):
    return h.error(403, "DENIED", "no") if h.kind == "referrers" else None


def says_subject(h):
    if h.kind == "manifest" and h.command == "PUT":
        name = h.repo.add_manifest(h.body)
        if ":" not in h.name:
            h.repo.tags[h.name] = name
        subject = json.loads(h.body).get("subject", {}).get("digest")
        return h.answer(201, Docker_Content_Digest=name, **({"OCI_Subject": subject} if subject else {}))


@fault("attach")
def attach(h):
    return says_subject(h)


@fault("attach-by-tag", "attach-forgets")
def attach_by_tag(h):
    """No tags but those that were put. attach-forgets: another writer is quicker the first time"""
    if h.kind == "referrers":
        return h.error(404, "NOT_FOUND")
    if h.kind == "manifest" and h.name.startswith("sha256-"):
        if h.command == "PUT":
            if h.repo.fault == "attach-forgets" and h.first("forgotten"):
                h.repo.tags[h.name] = h.repo.add_manifest(index_of(entries(h)[:1]))
                return h.answer(201, Docker_Content_Digest=digest(h.body))
        elif h.name not in h.repo.tags:
            return h.error(404, "MANIFEST_UNKNOWN")


@fault("attach-ecr")
def attach_ecr(h):
    """ECR: says OCI-Subject and lists nothing"""
    return says_subject(h) or attach_by_tag(h)


# Deleting

@fault("delete-disabled")
def delete_disabled(h):
    return h.error(405, "UNSUPPORTED", "The operation is unsupported.") if h.command == "DELETE" else None


@fault("delete-by-digest")
def delete_by_digest(h):
    if h.command == "DELETE" and ":" not in h.name:
        return h.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")


def serve_delete(h):
    if ":" in h.name:
        found = h.repo.manifests.pop(h.name, None)
        h.repo.tags = {tag: name for tag, name in h.repo.tags.items() if name != h.name}
    else:
        found = h.repo.tags.pop(h.name, h.repo.default)
    return h.answer(202) if found else h.error(404, "MANIFEST_UNKNOWN")
