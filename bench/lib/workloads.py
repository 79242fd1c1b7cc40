# SPDX-License-Identifier: Apache-2.0
"""
W1 to W9: what they are, the floor of each as pipelines of other programs, and the goal.

A floor's CPU seconds are what to compare with, since its pipelines run one after the other. Names in braces are files
and folders of the run.
"""
import collections

PEERS = ("buildah", "buildkit", "docker", "skopeo")

WALK = "find {dir} -printf '%s %T@ %C@ %i %m\\n' >/dev/null"
READ = "find {dir} -type f -print0 | xargs -0 cat >/dev/null"
DIFF_ID = "openssl dgst -sha256 {tar}"
PACK = "libdeflate-gzip -3 -c {tar} >{out}"
DIGEST = "openssl dgst -sha256 {out}"
STEP = ("for i in $(seq {steps}); do unshare --mount --pid --ipc --uts --fork sh -c "
        "\"mount -t overlay -o lowerdir={base},upperdir={upper},workdir={upper}.work none {merged} && mount -t proc proc {merged}/proc && "
        "exec chroot {merged} /bin/sh -c 'echo N >/fN'\"; done")
FETCH = "curl -sf --cacert {ca} -o {out} {blob}"
UNTAR = "igzip -d -c {out} | tar -xf - -C {fresh}"
SEND = "curl -sf --cacert {ca} -X PUT -T {layer} -H 'Content-Type: application/octet-stream' \"$(curl -sfi --cacert {ca} -X POST -d '' {uploads} | " \
       "tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')&digest=sha256:{digest}\" -o /dev/null"

class Goal(collections.namedtuple("Goal", "floor ahead wall_ms cpu_ahead peak", defaults=(None,) * 5)):
    """
    floor: CPU at most so many times the floor's; ahead: the best peer's wall is at least so many times ours; cpu_ahead:
    its CPU; wall_ms: our wall at most; peak: entries of the context, for 32 MiB and 64 bytes each.
    """


Work = collections.namedtuple("Work", "title floor goal")

WORKLOADS = {
    "W1": Work("COPY of a tree, cold, ready to push", [WALK, READ, DIFF_ID, PACK, DIGEST], Goal(floor=1.5, ahead=8, peak=1)),
    "W2": Work("the same again, nothing changed", [WALK], Goal(floor=1.5, ahead=10, peak=1)),
    "W3": Work("one file changed, ready to push", [WALK, READ, DIFF_ID, "head -c 1M {tar} | libdeflate-gzip -3 >{small}", DIGEST],
               Goal(floor=1.5, ahead=15, peak=1)),
    "W4": Work("COPY of one file, half random, cold, ready to push",
               ["cat {large} >/dev/null", "openssl dgst -sha256 {large}", "libdeflate-gzip -3 -c {half} >{out}",
                "cat {random} >>{out}", DIGEST], Goal(floor=1.3, ahead=3.5, peak=1)),
    "W5": Work("30 RUN steps", [STEP], Goal(ahead=8, wall_ms=300)),
    "W5 cached": Work("the same again", ["true"], Goal(wall_ms=20)),
    "W6": Work("a RUN that writes three copies of /usr",
               ["for i in 1 2 3; do cp -a {base}/usr {fresh}/$i; done",
                "find {fresh} -type f -print0 | xargs -0 cat >/dev/null", DIFF_ID, PACK, DIGEST], Goal(floor=1.5)),
    "W7": Work("four stages of sleep 2 and 0.3 s of work",
               ["for i in 1 2 3 4; do sh -c 'sleep 2; {burn}' & done; wait"], Goal(wall_ms=2800)),
    "W8 push": Work("push of W1's image, its layer ready", [SEND], Goal(ahead=1, cpu_ahead=1)),
    "W8 push again": Work("the same again", ["curl -sf --cacert {ca} -I {blob} >/dev/null"], Goal(ahead=1)),
    "W8 pull": Work("pull of W1's image, stored", [FETCH, DIGEST], Goal(ahead=1, cpu_ahead=1)),
    "W8 copy": Work("W1's image to an OCI layout", [FETCH, DIGEST], Goal(ahead=1, cpu_ahead=1)),
    "W8 unpacked": Work("pull of W1's image, laid out", [FETCH, DIGEST, DIFF_ID, UNTAR], Goal(floor=1.3)),
    "W8 large push": Work("push of W4's image", [SEND], Goal(ahead=1, cpu_ahead=1)),
    "W8 large pull": Work("pull of W4's image, stored", [FETCH, DIGEST], Goal(ahead=1, cpu_ahead=1)),
    "W9": Work("pull of the Debian base and first RUN", [FETCH, DIGEST, DIFF_ID, UNTAR, STEP], Goal(floor=1.5, ahead=5)),
}
