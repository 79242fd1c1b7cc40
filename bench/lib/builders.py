# SPDX-License-Identifier: Apache-2.0
"""cbuild and its peers behind one interface. Each has a folder of its own, and a new one after fresh()."""
import json, os, shutil, subprocess

from measure import measured, together

IMAGE = "bench:1"


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]


class Builder:
    flags = ""  # worth knowing by who compares
    compresses = True  # a build, or ready(), leaves layers as they are pushed

    def __init__(self, name, place, certificates):
        self.name, self.place, self.memory, self.n = name, place, False, 0
        self.log = place.path(name + ".log")
        self.env = dict(os.environ, HOME=place.folder("home"), DOCKER_CONFIG=place.folder("home"), SSL_CERT_FILE=certificates,
                        CONTAINERS_REGISTRIES_CONF="/dev/null", TMPDIR=place.folder("tmp"))

    def call(self, *command, **options):
        self.place.settle()
        return measured(list(command), self.log, env=self.env, memory=self.memory, **options)

    def fresh(self):
        """Forgets all; what was before stays on the disk until clean()."""
        self.n += 1
        self.store = self.place.path("%s-%d" % (self.name, self.n))

    def clean(self):
        subprocess.run(["umount", "-R", "-l", os.path.join(self.store, "overlay")], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.store, ignore_errors=True)

    def ready(self, context):
        """A build whose layers lie there compressed."""
        return self.build(context)


class Cbuild(Builder):
    flags = "build --network=host"

    def __init__(self, program, name, place, certificates):
        super().__init__(name, place, certificates)
        self.program = os.path.abspath(program)

    def version(self):
        return first_line(self.program, "version")

    def fresh(self):
        super().fresh()
        self.env["CBUILD_ROOT"] = self.store

    def run(self, *arguments):
        return self.call(self.program, *arguments)

    def load(self, archive):
        self.run("load", "-q", "-i", archive)

    def build(self, context, *flags):
        return self.run("build", "-q", *(flags or ("--network=host",)), "-t", IMAGE, context)

    def push(self, remote):
        self.run("tag", IMAGE, remote)
        return lambda: self.run("push", "-q", remote)

    def pull(self, remote):
        return self.run("pull", "-q", remote)

    def copied(self, remote):
        """Stored as an OCI layout, as skopeo does: nothing is inflated, no diff_id compared."""
        os.makedirs(self.store)
        return self.run("copy", "-q", "docker://" + remote, "oci:%s/copy:1" % self.store)

    def unpacked(self, remote, context):
        """Pulled, and laid out: by the first step that looks into it."""
        return self.build(context)


def cbuilds(programs, place, certificates):
    """Of "FILE" or "FILE=NAME" each."""
    pairs = [program.partition("=") for program in programs]
    return [Cbuild(file, name or "cbuild", place, certificates) for file, _, name in pairs]


class Buildah(Builder):
    flags = "bud --layers --isolation chroot --network host, overlay driver; ready: with a push to a folder"

    def version(self):
        return first_line("buildah", "--version")

    def fresh(self):
        super().fresh()
        self.storage = ["--root", self.store, "--runroot", self.store + "-run", "--storage-driver", "overlay"]

    def clean(self):
        super().clean()
        for suffix in ("-run", "-out"):
            shutil.rmtree(self.store + suffix, ignore_errors=True)

    def run(self, *arguments):
        return self.call("buildah", *self.storage, *arguments)

    def load(self, archive):
        self.run("pull", "-q", "docker-archive:" + archive)

    def build(self, context, *flags):
        return self.run("bud", "--isolation", "chroot", "--network", "host", "--layers", *flags, "-t", IMAGE, context)

    def ready(self, context):
        shutil.rmtree(self.store + "-out", ignore_errors=True)
        return together(self.build(context), self.run("push", "-q", IMAGE, "dir:" + self.store + "-out"))

    def push(self, remote):
        return lambda: self.run("push", "-q", IMAGE, "docker://" + remote)

    def unpacked(self, remote, _):
        return self.run("pull", "-q", "docker://" + remote)


class Docker(Builder):
    """
    Debian 13's dockerd: "buildkit" with containerd's store, whose layers are compressed by the build; "docker" with
    overlay2, which leaves that to the push: for steps alone. One runs at a time, after fresh().
    """

    KINDS = {"buildkit": {"features": {"containerd-snapshotter": True}}, "docker": {"storage-driver": "overlay2"}}

    def __init__(self, kind, place, certificates, services):
        super().__init__(kind, place, certificates)
        self.services, self.compresses = services, kind == "buildkit"
        self.flags = "%s, build --network host, DOCKER_BUILDKIT=1" % json.dumps(self.KINDS[kind])
        self.root, self.daemon = services.need("docker")
        self.env.update(DOCKER_BUILDKIT="1", HOME="/root", DOCKER_CONFIG="/root", TMPDIR="/tmp")
        shared = os.path.join(self.root, "t/in")
        if not os.path.isdir(shared):
            os.makedirs(shared)
            subprocess.run(["mount", "--bind", place.folder("in"), shared], check=True)

    def version(self):
        client = subprocess.run(["chroot", self.root, "/usr/bin/docker", "--host", "unix:///t/docker.sock", "version",
                                 "--format", "{{.Server.Version}}"], capture_output=True, text=True).stdout.strip()
        return "docker %s, %s" % (client, first_line("chroot", self.root, "/usr/bin/docker", "buildx", "version"))

    def fresh(self):
        self.n += 1
        with open(os.path.join(self.root, "etc/daemon.json"), "w") as file:
            json.dump(self.KINDS[self.name], file)
        self.root, self.daemon = self.services.need("docker_fresh", "%s-%d" % (self.name, self.n))
        self.store = os.path.join(self.root, "t", "%s-%d" % (self.name, self.n))

    def clean(self):
        pass  # the daemon has it mounted; it goes with all at the end

    def run(self, *arguments):
        return self.call("chroot", self.root, "/usr/bin/docker", "--host", "unix:///t/docker.sock", *arguments,
                         daemon=int(self.daemon))

    def inside(self, path):
        """Name, in its chroot, of what lies in the folder of inputs."""
        return "/t/in/" + os.path.relpath(path, self.place.path("in"))

    def load(self, archive):
        self.run("load", "-q", "-i", self.inside(archive))

    def build(self, context, *flags):
        return self.run("build", "-q", "--network", "host", *flags, "-t", IMAGE, self.inside(context))

    def push(self, remote):
        self.run("tag", IMAGE, remote)
        return lambda: self.run("push", "-q", remote)

    def unpacked(self, remote, _):
        return self.run("pull", "-q", remote)


class Skopeo(Builder):
    """For transfers alone: of an image that cbuild saved as an OCI layout."""

    flags = "copy, to and from OCI layouts"

    def version(self):
        return first_line("skopeo", "--version")

    def push(self, remote):
        return lambda: self.call("skopeo", "copy", "-q", "oci:%s:1" % self.layout, "docker://" + remote)

    def pull(self, remote):
        return self.call("skopeo", "copy", "-q", "docker://" + remote, "oci:%s:1" % self.store)

    copied = pull
