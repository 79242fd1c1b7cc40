# SPDX-License-Identifier: Apache-2.0
"""
The series of bench/growth: what grows, and what is measured at each n.

A method of Growth is one point of its series: it makes the input for n, runs cbuild some rounds, and removes it.
"""
import hashlib, json, os, random, shutil, subprocess, sys, tarfile, time

import inputs
from measure import measured

LONG = 20  # s: a point that took so long isn't measured again
BUSYBOX = "/bin/busybox"


def tree_of(folder, n):
    """n files of about 600 bytes, 20 in a folder."""
    for i in range(n):
        at = os.path.join(folder, "d%d" % (i // 1000), "e%d" % (i // 20 % 50))
        if i % 20 == 0:
            os.makedirs(at)
        with open(os.path.join(at, "f%d" % i), "w") as file:
            file.write("%d " % i * 100)


def tar_of(path, n):
    """An archive of n small files, 1000 in a folder."""
    with open(path, "wb") as file:
        for i in range(n):
            if i % 1000 == 0:
                folder = tarfile.TarInfo("d%d" % (i // 1000))
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                file.write(folder.tobuf(tarfile.USTAR_FORMAT))
            content = b"%d " % i * 20
            member = tarfile.TarInfo("d%d/file%d" % (i // 1000, i))
            member.size = len(content)
            file.write(member.tobuf(tarfile.USTAR_FORMAT) + content.ljust(512, b"\0"))
        file.write(bytes(1024))
    return path


class Growth:
    """services: of place.Services, or None where there are none."""

    def __init__(self, options, place, services):
        self.options, self.place, self.services, self.rows = options, place, services, []
        self.program, self.log = os.path.abspath(options.cbuild), place.path("log")
        self.n_stores, self.registry = 0, None
        self.env = dict(os.environ)

    def call(self, *arguments):
        env = dict(self.env, CBUILD_ROOT=self.store())
        return measured([self.program, *arguments], self.log, env=env, memory=True, append=False)

    def build(self, context, *flags):
        return self.call("build", "-q", "--network=host", *flags, "-t", "growth:1", context)

    def store(self):
        return self.place.path("store-%d" % self.n_stores)

    def fresh(self):
        shutil.rmtree(self.store(), ignore_errors=True)
        self.n_stores += 1

    def note(self, series, n, number, figures):
        self.rows.append((series, n, number, figures))

    def rounds(self):
        start = time.monotonic()
        for number in range(self.options.rounds):
            if number and time.monotonic() - start > LONG:
                return
            yield number

    def context(self, text, **files):
        folder = inputs.write(self.place.path("context"), "Dockerfile", text)
        for name, content in files.items():
            inputs.write(folder, name, content)
        return folder

    def with_busybox(self, text):
        folder = self.context("FROM scratch\nCOPY busybox /bin/\n" + text)
        shutil.copy(BUSYBOX, folder)
        return folder

    def cold_and_again(self, series, n, context, no_cache=False, changed=None):
        for number in self.rounds():
            self.fresh()
            time.sleep(0.1)  # a file as young as the clock's tick is read again
            self.note(series + ", cold", n, number, self.build(context))
            self.note(series + ", again", n, number, self.build(context))
            if changed:
                inputs.write(context, changed, "of round %d\n" % number)
                time.sleep(0.1)
                self.note(series + ", one changed", n, number, self.build(context))
            if no_cache:
                self.note(series + ", --no-cache", n, number, self.build(context, "--no-cache"))
        shutil.rmtree(context)

    # --- each takes n

    def files(self, n):
        context = self.context("FROM scratch\nCOPY in /in\n")
        tree_of(os.path.join(context, "in"), n)
        self.cold_and_again("files", n, context, changed="in/d0/e0/f7")

    def size(self, mib):
        context = self.context("FROM scratch\nCOPY in /in\n")
        chance = random.Random(mib)
        words = ["%x" % chance.getrandbits(chance.randint(8, 40)) for _ in range(5000)]
        pages = " ".join(chance.choices(words, k=1200000)).encode()
        with open(os.path.join(context, "in"), "wb") as file:
            for i in range(mib):
                at = chance.randrange(len(pages) - (1 << 20))
                file.write(chance.randbytes(1 << 20) if i % 2 else pages[at : at + (1 << 20)])
        self.cold_and_again("size, MiB", mib, context)

    def archive(self, n):
        context = self.context("FROM scratch\nADD in.tar /in/\n")
        tar_of(os.path.join(context, "in.tar"), n)
        self.cold_and_again("ADD of an archive, entries", n, context)

    def replaced(self, n):
        """n / 3 directories, a file in each, then a file in the place of each."""
        context = self.context("FROM scratch\nADD in.tar /in/\n")
        with open(os.path.join(context, "in.tar"), "wb") as file:
            for kind, form in ((tarfile.DIRTYPE, "d%d"), (tarfile.REGTYPE, "d%d/f"), (tarfile.REGTYPE, "d%d")):
                for i in range(n // 3):
                    member = tarfile.TarInfo(form % i)
                    member.type = kind
                    file.write(member.tobuf(tarfile.USTAR_FORMAT))
            file.write(bytes(1024))
        self.cold_and_again("ADD that replaces directories, entries", n, context)

    def written(self, n):
        loop = "i=0; while [ $i -lt %d ]; do [ $((i %% 1000)) != 0 ] || { d=/d$i; /bin/busybox mkdir $d; }; echo $i >$d/f$i; i=$((i+1)); done" % n
        context = self.with_busybox("RUN %s\n" % json.dumps([BUSYBOX, "sh", "-c", loop]))
        self.cold_and_again("RUN writes files", n, context)

    def pulled(self, n):
        """A layer of n entries from a registry, unpacked by the first step that looks into it."""
        if not self.registry:
            self.registry, _, self.env["SSL_CERT_FILE"] = self.services.need("registry")
        remote = "%s/growth/n%d:1" % (self.registry, n)
        tar = tar_of(self.place.path("layer.tar"), n)
        self.fresh()
        self.call("import", tar, remote)
        self.call("push", "-q", remote)
        os.unlink(tar)
        context = self.with_busybox('RUN ["/bin/busybox", "true"]\n')
        inputs.write(context, "Dockerfile", 'FROM %s\nCOPY busybox /bin/\nRUN ["/bin/busybox", "true"]\n' % remote)
        for number in self.rounds():
            self.fresh()
            self.note("pull and unpack, entries", n, number, self.build(context))
        shutil.rmtree(context)

    def steps(self, n):
        context = self.with_busybox("".join('RUN ["/bin/busybox", "touch", "/f%d"]\n' % i for i in range(n)))
        self.cold_and_again("RUN steps", n, context, no_cache=True)

    def copies(self, n):
        files = {"f%d" % i: "%d\n" % i for i in range(n)}
        context = self.context("FROM scratch\n" + "".join("COPY f%d /\n" % i for i in range(n)), **files)
        self.cold_and_again("COPY steps", n, context, no_cache=True)

    def variables(self, n):
        context = self.context("FROM scratch\n" + "".join("ENV A%d=b\n" % i for i in range(n)) + "COPY f /f\n", f="content\n")
        self.cold_and_again("variables", n, context)

    def stages(self, n):
        text = "".join("FROM scratch AS s%d\nCOPY f /f%d\n" % (i, i) for i in range(n)) + "FROM scratch\n"
        text += "".join("COPY --from=s%d /f%d /\n" % (i, i) for i in range(n))
        self.cold_and_again("stages", n, self.context(text, f="content\n"))

    def chain(self, n):
        text = "FROM scratch AS s0\nCOPY f /f\n" + "".join("FROM s%d AS s%d\nCOPY f /f%d\n" % (i - 1, i, i) for i in range(1, n))
        self.cold_and_again("stages, a chain", n, self.context(text, f="content\n"), no_cache=True)

    def heirs(self, n):
        """Of one stage, which has many variables and labels."""
        text = "FROM scratch AS parent\n" + "".join("ENV A%d=%d\nLABEL l%d=%d\n" % (i, i, i, i) for i in range(200))
        text += "".join("FROM parent AS s%d\nCOPY f /f%d\n" % (i, i) for i in range(n)) + "FROM scratch\n"
        text += "".join("COPY --from=s%d /f%d /\n" % (i, i) for i in range(n))
        self.cold_and_again("heirs of a stage", n, self.context(text, f="content\n"))

    def images(self, n):
        context = self.context("FROM scratch\nCOPY f /f\n", f="content\n")
        self.fresh()
        self.build(context)
        self.multiply_image(n)
        self.call("images", "-q")  # index.json, once
        for number in self.rounds():
            self.note("images: list", n, number, self.call("images"))
            self.note("images: tag", n, number, self.call("tag", "growth:1", "new:%d" % number))
            self.note("images: cached build", n, number, self.build(context))
            self.note("images: df", n, number, self.call("df"))
            self.note("images: prune", n, number, self.call("prune"))
        shutil.rmtree(context)

    def multiply_image(self, n):
        """n - 1 more images, as docs/FORMAT.md says: the same layer, a config and a manifest of their own."""
        store = self.store()
        manifest = json.loads(subprocess.run([self.program, "inspect", "--raw", "growth:1"], env=dict(self.env, CBUILD_ROOT=store),
                                             capture_output=True, check=True).stdout)
        config = self.read_blob(store, manifest["config"]["digest"])
        for i in range(n - 1):
            config["author"] = str(i)
            manifest["config"].update(self.put_blob(store, config))
            name = "docker.io/library/i%d:1" % i
            tag = {"descriptor": {"mediaType": manifest["mediaType"], **self.put_blob(store, manifest)}, "name": name, "tagged": 1700000000}
            with open(os.path.join(store, "tags", hashlib.sha256(name.encode()).hexdigest()), "w") as file:
                file.write(json.dumps(tag, sort_keys=True, separators=(",", ":")))

    def read_blob(self, store, digest):
        with open(os.path.join(store, "blobs/sha256", digest[7:])) as file:
            return json.load(file)

    def put_blob(self, store, document):
        text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(text).hexdigest()
        with open(os.path.join(store, "blobs/sha256", digest), "wb") as file:
            file.write(text)
        return {"digest": "sha256:" + digest, "size": len(text)}

    def builds(self, n):
        """All at once, in one store: each of 200 files and ten steps of its own."""
        for i in range(n):
            context = self.place.path("contexts", str(i))
            inputs.write(context, "Dockerfile", "FROM scratch\n" + "COPY in /in\n" + "".join("WORKDIR /w%d\n" % j for j in range(9)))
            for j in range(200):
                inputs.write(os.path.join(context, "in"), "f%d" % j, "%d %d " % (i, j) * 1000)
        script = 'for i in $(seq 0 %d); do "$0" build -q -t at:$i "$1/$i" & done; wait' % (n - 1)
        for number in self.rounds():
            self.fresh()
            env = dict(self.env, CBUILD_ROOT=self.store())
            figures = measured(["sh", "-c", script, self.program, self.place.path("contexts")], self.log, env=env, memory=True, append=False)
            self.note("builds at once", n, number, figures)
        shutil.rmtree(self.place.path("contexts"))


ENTRIES = [1000, 3000, 10000, 30000, 100000], [300000, 1000000]

# name: (points, those that --full adds)
SERIES = {
    "files": ENTRIES,
    "archive": ENTRIES,
    "replaced": ([1000, 3000, 10000, 30000, 100000], []),
    "pulled": ENTRIES,
    "written": ENTRIES,
    "size": ([1, 4, 16, 64, 256], [1024, 4096, 8192]),
    "steps": ([1, 15, 30, 60, 120], []),
    "copies": ([1, 15, 30, 60, 120], [480]),
    "variables": ([1, 1250, 2500, 5000, 10000, 20000], []),
    "stages": ([1, 25, 50, 100, 200], []),
    "chain": ([1, 25, 50, 100, 200], []),
    "heirs": ([1, 25, 50, 100, 200], []),
    "images": ([1, 10, 100, 1000, 10000], []),
    "builds": ([1, 2, 4, 8, 16], []),
}
OF_ENTRIES = {"files", "ADD of an archive, entries", "pull and unpack, entries", "RUN writes files"}
