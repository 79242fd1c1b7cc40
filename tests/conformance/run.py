#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the conformance cases and compares each image with its expected.json. Prints TAP.

  tests/conformance/run.py [--cbuild FILE] [--data DIR] [--keep] [CASE...]

The README of the data says what a dump compares. Differences that are meant stand in
tests/conformance/differences: CASE, then the reason.
"""
import argparse, hashlib, http.client, json, os, re, shutil, socket, subprocess, sys, tempfile, time

from image import NOW, Image, escape

HERE = os.path.dirname(os.path.abspath(__file__))
BASES = ["library/busybox", "library/alpine", "conf/rich", "conf/onbuild", "conf/layers", "conf/multi"]


def fold(text):
    text = re.sub(r"\s+", " ", text or "").strip()
    text = re.sub(r" ?# buildkit$", "", text)
    return re.sub(r"^(RUN )?\|(\d+) .*", lambda m: strip_args(text), text)


def strip_args(text):
    prefix = "RUN " if text.startswith("RUN ") else ""
    words = text[len(prefix):].split(" ")
    return prefix + " ".join(words[1 + int(words[0][1:]):])


def config_of(config):
    c = config.get("config") or {}
    health = c.get("Healthcheck")
    return {
        "Env": c.get("Env") or [], "Cmd": c.get("Cmd") or None, "Entrypoint": c.get("Entrypoint") or None,
        "WorkingDir": c.get("WorkingDir") or "", "User": c.get("User") or "",
        "ExposedPorts": sorted(c.get("ExposedPorts") or {}), "Volumes": sorted(c.get("Volumes") or {}),
        "Labels": c.get("Labels") or {}, "StopSignal": c.get("StopSignal") or "",
        "Healthcheck": {k: v for k, v in health.items() if v} if health else None,
        "Shell": c.get("Shell") or None, "OnBuild": c.get("OnBuild") or None,
    }


def dump_tree(image, base):
    """rootfs relative to base, and the topmost paths of the base that are gone"""
    first = {}
    for path in sorted(image.tree):
        if image.tree[path]["t"] != "d":
            first.setdefault(id(image.tree[path]), path)
    out = {}
    for path, entry in image.tree.items():
        entry = dict(entry)
        if entry["t"] != "d" and first[id(image.tree[path])] != path:
            entry["hl"] = "/" + escape(first[id(image.tree[path])])
        out["/" + escape(path)] = entry
    if base is None:
        return out, []
    gone = sorted(p for p in base if p not in out)
    top = [p for p in gone if os.path.dirname(p) not in gone]
    return {p: e for p, e in out.items() if base.get(p) != e}, top


class Runner:
    def __init__(self, options, work, have):
        self.o, self.work = options, work
        self.env = dict(os.environ, CBUILD_ROOT=os.path.join(work, "store"), HOME=work)
        for name in ("SOURCE_DATE_EPOCH", "DOCKER_CONFIG", "BUILDKIT_PROGRESS"):
            self.env.pop(name, None)
        self.bases = {}
        self.as_root = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
        if self.as_root and "ids" in have:
            self.as_root.append("--map-auto")

    def cbuild(self, *args, **kw):
        return subprocess.run([self.o.cbuild, *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=600, **kw)

    def load_bases(self):
        out = os.path.join(self.work, "bases")
        for _ in range(20): # its port may be taken by another program before it has it
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            self.server = subprocess.Popen([sys.executable, os.path.join(self.o.data, "mkbase.py"), "--out", out,
                                            "--serve", "127.0.0.1:%d" % port], stdout=subprocess.DEVNULL)
            if self.is_served(port):
                break
        for repo in BASES:
            name = repo[len("library/"):] if repo.startswith("library/") else repo
            remote = "127.0.0.1:%d/%s:latest" % (port, repo)
            flags = ["--all-platforms"] if name == "conf/multi" else []
            for args in (["pull", *flags, remote], ["tag", remote, name]):
                done = self.cbuild(*args)
                if done.returncode:
                    raise SystemExit("Bail out! cbuild %s: %s" % (" ".join(args), done.stdout.decode()))
        self.load_expected_bases()

    def is_served(self, port):
        """By our server: one that couldn't have the port has ended."""
        while self.server.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", "/v2/")
                connection.getresponse()
                return self.server.poll() is None
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        return False

    def load_expected_bases(self):
        with open(os.path.join(self.env["CBUILD_ROOT"], "index.json")) as f:
            for entry in json.load(f)["manifests"]:
                name = entry.get("annotations", {}).get("io.containerd.image.name", "")
                name = re.sub(r"^docker.io/(library/)?", "", name).replace(":latest", "")
                if not name or name.startswith("127."):
                    continue
                digests = [entry["digest"]]
                if "index" in entry["mediaType"] or "list" in entry["mediaType"]:
                    with open(os.path.join(self.env["CBUILD_ROOT"], "blobs", *entry["digest"].split(":"))) as g:
                        digests = [m["digest"] for m in json.load(g)["manifests"]]
                for digest in digests:
                    image = Image(self.env["CBUILD_ROOT"], digest)
                    platform = "%s/%s" % (image.config["os"], image.config["architecture"])
                    self.bases[(name, platform)] = dump_tree(image, None)[0]

    @staticmethod
    def own(path):
        if os.geteuid() == 0:  # owners in contexts count only in tars that are made of them
            os.lchown(path, 0, 0)

    def prepare(self, case):
        src = os.path.join(self.o.data, "cases", case)
        top = tempfile.mkdtemp(prefix=case + ".", dir=self.work)
        context = os.path.join(top, "context")
        if os.path.isdir(os.path.join(src, "context")):
            shutil.copytree(os.path.join(src, "context"), context, symlinks=True)
        else:
            os.mkdir(context)
        for root, dirs, files in os.walk(context):
            self.own(root)
            os.chmod(root, 0o755)
            for name in files:
                path = os.path.join(root, name)
                self.own(path)
                if not os.path.islink(path):
                    os.chmod(path, 0o755 if os.stat(path).st_mode & 0o111 else 0o644)
        setup = os.path.join(src, "setup.sh")
        if os.path.exists(setup):
            # as root of a namespace of this user's, where it isn't root itself: tars have root's files then
            subprocess.run([*self.as_root, "sh", "-c", "umask 022; sh -eu %s" % setup], cwd=context, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for root, dirs, files in os.walk(context.encode(), topdown=False):
            for name in files + dirs:
                path = os.path.join(root, name)
                if os.lstat(path).st_mtime > NOW:
                    os.utime(path, (1600000000, 1600000000), follow_symlinks=False)
        os.chmod(context, 0o755)
        os.utime(context, (1600000000, 1600000000))
        for name in ("Dockerfile", "Dockerfile.dockerignore"):
            if os.path.exists(os.path.join(src, name)):
                shutil.copy(os.path.join(src, name), top)
        return src, top, context

    def flags(self, src, context):
        path = os.path.join(src, "flags")
        out = []
        for line in open(path).read().splitlines() if os.path.exists(path) else []:
            m = re.match(r"(--secret=.*src=)(.*)$", line)
            if m:
                line = m.group(1) + os.path.join(context, m.group(2))
            m = re.match(r"(--build-context=[^=]*=)(.*)$", line)
            if m and "://" not in m.group(2):
                line = m.group(1) + os.path.join(context, m.group(2))
            if line:
                out.append(line)
        return out

    def run(self, case):
        """None when it agrees, else what differs."""
        src, top, context = self.prepare(case)
        iid = os.path.join(top, "iid")
        done = self.cbuild("build", "--no-cache", "--iidfile", iid, *self.flags(src, context), "-f",
                           os.path.join(top, "Dockerfile"), context)
        log = done.stdout.decode("utf-8", "replace")
        if "Sanitizer" in log:
            return log
        expect = open(os.path.join(src, "expect")).read().strip()
        if expect == "fail":
            bad = done.returncode == 0 or done.returncode < 0 or os.path.exists(iid)
            return "expected a failure, exit status %d\n%s" % (done.returncode, log) if bad else None
        if done.returncode:
            return "exit status %d\n%s" % (done.returncode, log)
        return self.compare(case, src, open(iid).read().strip())

    def compare(self, case, src, digest):
        expected = json.load(open(os.path.join(src, "expected.json")))
        image = Image(self.env["CBUILD_ROOT"], digest)
        platform = image.config["os"] + "/" + image.config["architecture"]
        if image.config.get("variant"):
            platform += "/" + image.config["variant"]
        n_base = 0
        base = None
        if expected["base"] != "scratch":
            base = self.bases.get((expected["base"], "/".join(platform.split("/")[:2])))
            if base is None:
                return "no base %s for %s" % (expected["base"], platform)
        rootfs, removed = dump_tree(image, base)
        busybox = hashlib.sha256(open("/bin/busybox", "rb").read()).hexdigest()
        for entry in rootfs.values():
            if entry.get("h") == busybox:
                entry["h"] = "@busybox"
        got = {
            "platform": platform, "author": image.config.get("author") or "", "config": config_of(image.config),
            "layers": len(image.layers), "rootfs": rootfs, "removed": removed,
            "history": [{"by": fold(h.get("created_by")), "empty": bool(h.get("empty_layer"))}
                        for h in image.config.get("history") or []],
            "layer_entries": image.names[len(image.layers) - len(expected["layer_entries"]):],
        }
        lines = []
        for key, value in got.items():
            want = expected[key]
            if key == "layer_entries":  # the set of names counts; whiteouts stand first in ours
                value, want = [sorted(v) for v in value], [sorted(v) for v in want]
            if value == want:
                continue
            if isinstance(want, dict):
                for name in sorted(set(want) | set(value)):
                    if (case, name) in self.o.untimed:
                        for tree in (want, value):
                            tree[name] = dict(tree.get(name) or base.get(name) or {}, mt=None)
                    if want.get(name) != value.get(name):
                        lines.append("%s %s: got %s, expected %s" % (key, name, json.dumps(value.get(name)),
                                                                     json.dumps(want.get(name))))
            else:
                lines.append("%s: got %s\n  expected %s" % (key, json.dumps(value), json.dumps(want)))
        return "\n".join(lines) or None


def abilities(work):
    """What this user can do that cases may need."""
    have = set()
    for name, act in (("devices", lambda path: os.mknod(path, 0o20600, os.makedev(1, 3))),
                      ("owners", lambda path: (open(path, "w").close(), os.chown(path, 1000, 1000)))):
        path = os.path.join(work, name)
        try:
            act(path)
            have.add(name)
        except OSError:
            pass
        if os.path.exists(path):
            os.unlink(path)
    with open("/proc/self/uid_map") as f:
        if os.geteuid() == 0 and sum(int(line.split()[2]) for line in f) == 4294967295:
            have.add("any-id")
    map_all = ["unshare", "--user", "--map-auto", "--map-root-user", "true"]
    if os.geteuid() == 0 or subprocess.run(map_all, stderr=subprocess.DEVNULL).returncode == 0:
        have.add("ids")
    return have


def read_needs():
    """CASE: what it needs, by tests/conformance/needs."""
    needs = {}
    for line in open(os.path.join(HERE, "needs")):
        if line.strip() and not line.startswith("#"):
            words = line.split()
            needs[words[0]] = set(words[1].split(","))
    return needs


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--cbuild", default=os.environ.get("CBUILD", os.path.join(HERE, "../../build/release/cbuild")))
    a.add_argument("--data", default=os.environ.get("CBUILD_CONFORMANCE",
                                                    os.path.join(HERE, "../../../shared/conformance")))
    a.add_argument("--keep", action="store_true")
    a.add_argument("cases", nargs="*")
    o = a.parse_args()
    o.cbuild, o.data = os.path.abspath(o.cbuild), os.path.abspath(o.data)
    if not os.path.isdir(os.path.join(o.data, "cases")):
        print("1..1\nok 1 - conformance_cases # SKIP no conformance data at %s" % o.data)
        return 0
    needs = read_needs()
    meant, o.untimed = {}, set()
    for line in open(os.path.join(HERE, "differences")):
        if line.strip() and not line.startswith("#"):
            case, reason = line.split(None, 1)
            case, _, path = case.partition(":")
            if path:
                o.untimed.add((case, path))
            else:
                meant[case] = reason.strip()
    cases = o.cases or sorted(os.listdir(os.path.join(o.data, "cases")))
    work = tempfile.mkdtemp(prefix="cbuild-conformance.")
    have = abilities(work)
    runner = Runner(o, work, have)
    failed = 0
    try:
        runner.load_bases()
        print("1..%d" % len(cases))
        for number, case in enumerate(cases, 1):
            try:
                missing = needs.get(case, set()) - have
                if missing:
                    print("ok %d - %s # SKIP needs %s" % (number, case, " and ".join(sorted(missing))), flush=True)
                    continue
                difference = runner.run(case)
            except subprocess.TimeoutExpired:
                difference = "the build didn't end within 120 s"
            except Exception as error:  # a dump that can't be made is a difference
                difference = "%s: %s" % (type(error).__name__, error)
            if case in meant:
                ok, note = difference is not None, " (differs on purpose: %s)" % meant[case]
                difference = difference if ok else "agrees, but tests/conformance/differences lists it"
            else:
                ok, note = difference is None, ""
            print("%s %d - %s%s" % ("ok" if ok else "not ok", number, case, note), flush=True)
            if not ok:
                failed += 1
                print("\n".join("# " + line for line in difference.splitlines()[-40:]), flush=True)
    finally:
        if getattr(runner, "server", None):
            runner.server.terminate()
            runner.server.wait()
        if not o.keep:
            runner.cbuild("prune", "--all")
            shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
