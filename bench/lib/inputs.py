# SPDX-License-Identifier: Apache-2.0
"""The contexts of the workloads, from real data, the same each time. All lie in place/in."""
import hashlib, os, random, shutil, subprocess

BASE = "docker.io/library/base:1"
N_STEPS, N_STAGES = 30, 4
BURN = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"  # of one core, about 0.3 s


def write(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)
    return folder


def listing(folder):
    """[(path, size)] of what isn't a folder, sorted."""
    found = []
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            found.append((os.path.relpath(path, folder), os.lstat(path).st_size))
    return sorted(found)


def describe(name, folder):
    files = listing(folder)
    names = hashlib.sha256("".join("%s %d\n" % each for each in files).encode()).hexdigest()
    print("%s: %d files, %d MiB, names and sizes sha256:%s" % (name, len(files), sum(size for _, size in files) >> 20, names[:12]))
    return files


def tree_context(place, source):
    """A real node_modules; (context, a file of middle size that may change)."""
    folder = write(place.path("in/tree"), "Dockerfile", "FROM scratch\nCOPY in /in\n")
    shutil.copytree(source, os.path.join(folder, "in"), symlinks=True)
    files = describe("tree", os.path.join(folder, "in"))
    regular = [path for path, size in files if size > 2000 and not os.path.islink(os.path.join(folder, "in", path))]
    return folder, os.path.join(folder, "in", regular[len(regular) // 2])


def large_context(place, mib):
    """One file, the first half words, the second random; (context, file of the first half)."""
    folder = write(place.path("in/large"), "Dockerfile", "FROM scratch\nCOPY in /in\n")
    os.mkdir(os.path.join(folder, "in"))
    chance, half = random.Random(2), place.path("half")
    words = ["%x" % chance.getrandbits(chance.randint(8, 40)) for _ in range(5000)]
    with open(half, "w") as file:
        for _ in range(mib // 2):
            file.write(" ".join(chance.choices(words, k=300000))[:1 << 20])
    with open(os.path.join(folder, "in", "file"), "wb") as file, open(half, "rb") as text:
        shutil.copyfileobj(text, file)
        for _ in range(mib // 2):
            file.write(chance.randbytes(1 << 20))
    describe("large", os.path.join(folder, "in"))
    return folder, half


def step_contexts(place, registry_base):
    """Contexts of W5, W6, W7 and W9, and `warm`, that has a builder lay out the base."""
    steps = "".join("RUN echo %d > /f%d\n" % (i, i) for i in range(N_STEPS))
    copies = " && ".join("cp -a /usr /opt/%d" % i for i in range(3))
    stages = "".join("FROM %s AS s%d\nRUN sleep 2; %s; echo %d > /f%d\n" % (BASE, i, BURN, i, i) for i in range(N_STAGES))
    joined = "".join("COPY --from=s%d /f%d /\n" % (i, i) for i in range(N_STAGES))
    texts = {"warm": "FROM %s\nRUN true\n" % BASE, "W5": "FROM %s\n%s" % (BASE, steps), "W6": "FROM %s\nRUN %s\n" % (BASE, copies),
             "W7": stages + "FROM %s\n" % BASE + joined, "W9": "FROM %s\nRUN echo first > /f\n" % registry_base}
    return {name: write(place.path("in", name), "Dockerfile", text) for name, text in texts.items()}


def unpack_context(place, remote):
    """A step that looks into a pulled image, which may have no shell."""
    folder = write(place.path("in/unpack"), "Dockerfile",
                   'FROM %s\nCOPY busybox /.bench/busybox\nRUN ["/.bench/busybox", "true"]\n' % remote)
    shutil.copy("/bin/busybox", folder)
    return folder


def base_archive(place, program, tar):
    """The Debian system as an archive that all can load; what cbuild made of it, so that all have the same layer."""
    env = dict(os.environ, CBUILD_ROOT=place.path("base-store"), SOURCE_DATE_EPOCH="1700000000")
    archive = os.path.join(place.folder("in"), "base.tar")
    for arguments in (["import", tar, BASE], ["save", "--format", "docker", "-o", archive, BASE]):
        subprocess.run([program, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
    return archive
