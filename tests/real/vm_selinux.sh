#!/bin/bash
# Where SELinux is enforced; for tests/real/test_vm.sh's machine alone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

label_of() { getfattr --only-values -n security.selinux "$1" 2>/dev/null | tr -d '\0'; }

# What the layers' tars hold, and which of it has a label.
labels_in_layers() { # IMAGE
    cbuild save --format oci -o image.tar "$1"
    python3 - <<'END'
import tarfile

with tarfile.open("image.tar") as image:
    for blob in filter(tarfile.TarInfo.isfile, image):
        try:
            layer = tarfile.open(fileobj=image.extractfile(blob))
        except tarfile.ReadError:
            continue
        for entry in layer:
            print("entry", entry.name)
            if any("security.selinux" in key for key in entry.pax_headers):
                print("label", entry.name)
END
}

check_builds() {
    equal "$(cat /sys/fs/selinux/enforce)" 1
    import_busybox
    mkdir context
    echo content >context/file
    case $(label_of context/file) in system_u:object_r:*) ;; *) fail "files get no label here" ;; esac
    cat >context/Dockerfile <<'EOT'
FROM busybox AS one
RUN mkdir -p /a && echo one >/a/f && ln -s f /a/s && chown -R 1000:50 /a
FROM busybox
COPY file /copied
COPY --from=one /a /a
RUN echo more >>/copied && mv /a/f /a/g && rm /bin/wget
RUN --mount=type=cache,target=/cache echo kept >/cache/k && chmod 755 /bin
RUN --mount=type=cache,target=/cache --mount=type=bind,target=/in --mount=type=tmpfs,target=/scratch \
    grep kept /cache/k && cmp /in/file /in/file && touch /scratch/x
RUN echo "domain $(cat /proc/self/attr/current)"
EOT
    ok cbuild --progress plain -t x context
    err_has "domain $(tr -d '\0' </proc/self/attr/current)"
    # the tree that was mounted had labels, its layers have none
    [ -n "$(find "$CBUILD_ROOT/layers" -type f -exec getfattr --absolute-names -n security.selinux {} + 2>/dev/null | head -n 1)" ] ||
        fail "the store's trees have no labels: this shows nothing"
    labels_in_layers x >listed
    grep -q '^entry a/g$' listed || fail "no layers were read: $(cat listed)"
    ! grep '^label' listed || fail "labels in layers"
    # and a step that changed nothing but labels has an empty one
    cbuild inspect -f '{{json .RootFS.Layers}}' x | jq -r '.[-3:][]' | sort -u >last
    equal "$(cat last)" sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
    store_verifies
}

test_builds_work_and_no_label_enters_a_layer() {
    need_root
    check_builds
}

test_builds_of_an_ordinary_user_work_the_same() {
    [ "$(id -u)" = 0 ] || { check_builds && return; }
    again_as_test_user -- test_builds_of_an_ordinary_user_work_the_same >log 2>&1 || {
        status=$?
        [ $status != 77 ] || skip "CBUILD_TEST_USER names no ordinary user"
        cat log >&2
        fail "status $status"
    }
    grep -q '^ok' log || fail "$(cat log)"
}

test_doctor_says_that_steps_get_no_label() {
    run cbuild doctor
    grep -F 'SELinux (enforcing): steps stay in cbuild'\''s own domain, ' "$TEST_TMP/out" >line || { show; fail "not said"; }
    grep -qF "$(tr -d '\0' </proc/self/attr/current)" line || fail "$(cat line)"
}

run_tests "$@"
