# SPDX-License-Identifier: Apache-2.0
"""Where a bench works: a folder of its own on a file system with a journal, seen by nobody else."""
import ctypes, os, shutil, signal, subprocess, sys, tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CBUILD = os.path.join(TOP, "build/release/cbuild")
IMAGE_GIB = 60  # sparse
AGAIN = "CBUILD_BENCH_NAMESPACE"
os.environ.setdefault("CBUILD_NETWORK", "pasta,slirp4netns")  # the host's firewall is left alone


def cache_folder():
    """Inputs are kept there between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("CBUILD_BENCH_CACHE") or os.path.join(base, "cbuild-bench")


def enter_namespace():
    """By root: the script again in a mount namespace of its own; what is mounted goes with it."""
    if os.geteuid() == 0 and os.environ.get(AGAIN) != "1":
        os.environ[AGAIN] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def has_no_journal(folder):
    """ext4 without one: there, many files after many deleted ones take ten times as long."""
    device = os.stat(folder).st_dev
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
    name = os.path.basename(os.path.realpath("/dev/block/%d:%d" % (os.major(device), os.minor(device))))
    journals = os.listdir("/proc/fs/jbd2") if os.path.isdir("/proc/fs/jbd2") else []
    return kind == "ext2/ext3" and not any(each.rpartition("-")[0] == name for each in journals)


class Place:
    """with Place(folder) as place: place.path(NAME) lies below a folder that goes at the end."""

    def __init__(self, below):
        self.below, self.image = below, None

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what stands below goes then, too
        self.work = self.outer = tempfile.mkdtemp(prefix="cbuild-bench-", dir=self.below)
        self.kind = "as it is"
        if os.geteuid() == 0 and has_no_journal(self.outer):
            self.mount_image()
        return self

    def mount_image(self):
        self.image, inner = os.path.join(self.outer, "image"), os.path.join(self.outer, "fs")
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_GIB << 30)
        os.mkdir(inner)
        try:
            subprocess.run(["mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", self.image], check=True)
            subprocess.run(["mount", "-o", "loop", self.image, inner], check=True)
        except (OSError, subprocess.CalledProcessError):
            print("no journal on %s, and no loop device: many files after many deleted ones are slow there" % self.below)
            return
        self.work, self.kind = inner, "an ext4 image with a journal, as %s has none" % self.below

    def path(self, *names):
        return os.path.join(self.work, *names)

    def folder(self, *names):
        os.makedirs(self.path(*names), exist_ok=True)
        return self.path(*names)

    def settle(self):
        """What was written so far goes to the disk: who syncs next doesn't pay for others."""
        folder = os.open(self.work, os.O_RDONLY | os.O_DIRECTORY)
        ctypes.CDLL(None).syncfs(folder)
        os.close(folder)

    def give_back(self):
        """The image's file keeps the blocks of what was removed: several rounds would fill the disk below it. They can
        be told once the journal has their removal."""
        if self.work != self.outer:
            self.settle()
            if subprocess.run(["fstrim", self.work]).returncode != 0:
                print("what a round removed still takes place on %s" % self.below, file=sys.stderr)

    def __exit__(self, *_):
        if self.work != self.outer:
            subprocess.run(["umount", "-R", "-l", self.work], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.outer, ignore_errors=True)


class Services:
    """services.sh: inputs, registries, dockerd; whatever can't be had is None, with the reason in `missing`."""

    def __init__(self, place):
        env = dict(os.environ, TEST_CACHE=cache_folder(), TMPDIR=place.folder("services"))
        os.makedirs(cache_folder(), exist_ok=True)
        self.log, self.missing = place.path("services.log"), {}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([os.path.join(TOP, "bench/lib/services.sh")], env=env, text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if answer and answer[0] != "error":
            return answer
        with open(self.log, errors="replace") as log:
            self.missing[words[0]] = " ".join(answer[1:]) or log.read()[-800:] or "services.sh ended"
        return None

    def need(self, *words):
        return self.ask(*words) or sys.exit("no %s: %s" % (words[0], self.missing[words[0]]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
