#!/bin/bash
# Large inputs, whole. Nothing is timed here (bench/parse is): where cost grew with the square of the size, the
# test's time limit would end it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# N TEXT: from scratch, and TEXT N times with its number for %g
stage() {
    echo "FROM scratch"
    seq -f "$2" "$1"
}

test_a_hundred_thousand_lines_are_checked() {
    stage 100000 'LABEL a%g=b' >Dockerfile
    ok cbuild --check .
    stage 100000 'ENV A%g=b' >Dockerfile
    ok cbuild --check .
    stage 50000 'ARG A%g=b' >Dockerfile
    ok cbuild --check --call=outline .
    { seq -f 'ARG A%g=$A1' 2 100000 | sed '1i ARG A1=x' && echo FROM scratch; } >Dockerfile
    ok cbuild --check .
    { stage 100000 'a%g=b \' | sed '2s/^/LABEL /' && echo c=d; } >Dockerfile
    ok cbuild --check .
}

test_ten_thousand_heredocs_are_planned() {
    stage 10000 'COPY <<E%g /f' | sed -n 'p; s/COPY <<\(E[0-9]*\) .*/text\n\1/p' >Dockerfile
    ok cbuild plan .
    { echo FROM scratch && echo "COPY $(seq -f '<<E%g' 10000 | tr '\n' ' ') /d/" && seq -f 'E%g' 10000; } >Dockerfile
    ok cbuild plan .
}

test_settings_of_one_stage_are_all_in_the_image() {
    {
        stage 20000 'ENV A%g=b'
        seq -f 'LABEL l%g=b' 5000
        seq -f 'VOLUME /v%g' 2000
        echo EXPOSE 1-20000/tcp 10000-20000/tcp 7/udp
    } >Dockerfile
    ok cbuild -q -t x .
    ok cbuild inspect x
    python3 - "$TEST_TMP/out" <<'EOF' || fail "not all of it"
import json, sys
text = open(sys.argv[1]).read()
config = json.loads(text)
config = (config[0] if isinstance(config, list) else config)
config = config.get("Config") or config["config"]
assert len(config["Env"]) == 20001, len(config["Env"]) # and PATH
assert config["Env"][-1] == "A20000=b", config["Env"][-1]
assert len(config["Labels"]) == 5000, len(config["Labels"])
assert len(config["Volumes"]) == 2000, len(config["Volumes"])
assert len(config["ExposedPorts"]) == 20001, len(config["ExposedPorts"])
EOF
}

test_two_thousand_stages_are_planned_and_built() {
    {
        echo "FROM scratch AS s0"
        for ((i = 1; i <= 2000; i++)); do
            echo "FROM s$((i - 1)) AS s$i"
            echo "ENV A$i=b"
        done
    } >Dockerfile
    ok cbuild plan .
    ok cbuild -q -t x .
    ok cbuild inspect x
    out_has "A2000=b"
    out_has "A1=b"
    {
        seq -f 'FROM scratch AS s%g' 2000
        stage 2000 'COPY --from=s%g /a /b'
    } >Dockerfile
    ok cbuild plan .
}

test_stages_of_one_parent_have_what_it_has_each() {
    cat >Dockerfile <<'EOF'
FROM scratch AS base
ARG N=1
ENV A=a
LABEL l=base
FROM base AS one
ENV B=one${N:?lost}
FROM base AS two
ENV B=two${A:?lost}
FROM one AS last
LABEL l=last
COPY --from=two . /
EOF
    ok cbuild -q -t x .
    ok cbuild inspect x
    out_has "B=one1"
    out_has "A=a"
    ok cbuild -q -t y --target two .
    ok cbuild inspect y
    out_has "B=twoa"
    out_has "base"
}

test_ten_thousand_ignore_patterns_hold() {
    mkdir -p a/b
    touch a/b/x9999 a/b/kept
    { seq -f '**/x%g' 10000 && echo Dockerfile && echo .dockerignore; } >.dockerignore
    printf 'FROM scratch\nCOPY a /\n' >Dockerfile
    ok cbuild -q -t x .
    ok cbuild save -o x.tar x
    mkdir image && tar -xf x.tar -C image
    found=$(find image -type f -exec sh -c 'tar -tf "$1" 2>/dev/null' sh {} \;)
    case $found in *kept*) ;; *) fail "kept isn't there" ;; esac
    case $found in *x9999*) fail "x9999 is there" ;; esac
}

test_a_line_of_a_hundred_megabytes_is_refused_unread() {
    { printf 'FROM scratch\nRUN ' && head -c 100000000 /dev/zero | tr '\0' x; } >Dockerfile
    fails 1 cbuild --check .
    err_has "more than 16777216 bytes"
    { printf 'FROM scratch\nRUN ' && head -c 16000000 /dev/zero | tr '\0' x; } >Dockerfile
    ok cbuild --check .
}

test_an_archive_may_replace_all_its_directories_by_files() {
    python3 - <<'END'
import tarfile
with tarfile.open("a.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
    for kind, form in ((tarfile.DIRTYPE, "d%d"), (tarfile.REGTYPE, "d%d/f"), (tarfile.REGTYPE, "d%d")):
        for i in range(20000):
            entry = tarfile.TarInfo(form % i)
            entry.type = kind
            tar.addfile(entry)
END
    printf 'FROM scratch\nADD a.tar /o/\n' >Dockerfile
    ok cbuild -q -t replaced .
    ok cbuild save --format oci -o image.tar replaced
    ok python3 - <<'END'
import gzip, io, json, tarfile
image = tarfile.open("image.tar")
blob = lambda digest: image.extractfile("blobs/sha256/" + digest.partition(":")[2]).read()
manifest = json.loads(blob(json.load(image.extractfile("index.json"))["manifests"][0]["digest"]))
layer = tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(manifest["layers"][0]["digest"]))))
members = [member for member in layer if member.name != "o"]
assert len(members) == 20000 and all(member.isreg() for member in members), len(members)
END
}

# Lowers of the root of a RUN, as its mount table shows them.
count_lowers='grep -o "lowerdir+\?=[^,]*" /proc/self/mountinfo | tr : "\n" | wc -l'

test_a_long_chain_is_mounted_as_merged_forms() {
    need_run
    import_busybox
    { echo 'FROM busybox'; for i in $(seq 69); do echo "RUN echo $i >/f\$(($i % 50)); rm -f /f\$(($i - 60))"; done; } >Dockerfile
    ok cbuild -q -t long --network none .
    ls "$CBUILD_ROOT"/layers/u-*/ >forms
    grep -q '^m-' forms || fail "nothing was merged"
    printf 'FROM long\nRUN %s >/n; ls -l --time-style=+ / 2>/dev/null || ls / >/list; cat /f* | sort -n >/sum\n' "$count_lowers" >Dockerfile.on
    ok cbuild -q -t on --network none -f Dockerfile.on .
    image_tree on >/dev/null
    [ "$(cat "$TEST_TMP/tree/n")" -le 10 ] || fail "$(cat "$TEST_TMP/tree/n") lowers"
    cp "$TEST_TMP/tree/sum" merged
    # the same without them
    rm -rf "$CBUILD_ROOT"/layers/u-*/m-*
    ok cbuild -q -t on --no-cache --network none -f Dockerfile.on .
    image_tree on >/dev/null
    [ "$(cat "$TEST_TMP/tree/n")" -gt 60 ] || fail "$(cat "$TEST_TMP/tree/n") lowers"
    cmp merged "$TEST_TMP/tree/sum"
    store_verifies
}

# By how much the peak grows with the entries: what a build needs anyway, and what a file system keeps, are in both.
test_a_rebuild_keeps_little_of_each_file() {
    need python3
    case ${MODE:-} in asan | tsan) skip "an instrumented binary" ;; esac
    local n
    for n in 300 30000; do
        python3 - $n <<'EOF'
import os, sys
n = int(sys.argv[1])
for i in range(n // 300):
    at = f"{n}/many/directory{i}/a-file-of-some-name-"
    os.makedirs(os.path.dirname(at))
    open(at + "0", "w").write(str(i))
    for k in range(1, 300):
        os.link(at + "0", at + str(k))
EOF
        printf 'FROM scratch\nCOPY many /many\n' >$n/Dockerfile
        ok cbuild -q --compression uncompressed $n
    done
    peak() { # N: KiB
        python3 - "$CBUILD" -q --jobs 2 --compression uncompressed "$1" <<'EOF'
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss if status == 0 else "failed")
EOF
    }
    local few many
    few=$(peak 300) many=$(peak 30000)
    [ $((many - few)) -le $((30000 * 100 / 1024)) ] || fail "$few KiB for 300 files, $many KiB for 30000"
}

run_tests "$@"
