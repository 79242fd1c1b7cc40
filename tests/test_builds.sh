#!/bin/bash
# Builds of cbuild, whatever their mode, make the same images (`make check-builds`).
#
# One Dockerfile with something of each kind of layer, in gzip, zstd and uncompressed, in a store of each one's own.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/e2e/lib.sh"
PROGRAMS=(build/release/cbuild build/debug/cbuild build/asan/cbuild)

context() {
    mkdir -p ctx/tree/empty ctx/packed
    seq 800000 >ctx/tree/numbers
    head -c 3000000 /dev/zero | openssl enc -aes-128-ctr -K 0 -iv 0 2>/dev/null >ctx/tree/noise
    for i in $(seq 200); do seq "$i" >"ctx/tree/f$i"; done
    ln ctx/tree/f1 ctx/tree/hard
    ln -s f2 ctx/tree/soft
    chmod 4755 ctx/tree/f3
    echo packed >ctx/packed/file
    find ctx -exec touch -h -d @1600000000 {} +
    tar --sort=name --owner=5 --group=6 --numeric-owner -C ctx -cf ctx/packed.tar packed
    cat >ctx/Dockerfile <<'END'
ARG BASE=busybox
FROM $BASE AS made
WORKDIR /w/deep
RUN seq 300000 >numbers && mkdir -p sub/a && ln numbers sub/link && rm /etc/group
RUN --mount=type=bind,target=/context cp -r /context/tree/f1* sub/ && chmod 700 sub && touch -d "2020-01-01 00:00:00" sub/f1

FROM $BASE
COPY --chown=7:8 tree /tree
ADD packed.tar /packed/
COPY --from=made --chmod=u=rwX,go=rX /w /w
COPY --link tree/f1 tree/f2 /linked/
COPY <<EOF /heredoc
text of $BASE
EOF
ENV A="b c" D=$PATH
LABEL one=1 two="2 3"
RUN touch -d "2021-01-01 00:00:00" /last && rm -rf /tree/empty
VOLUME /data
EXPOSE 80 443/udp
HEALTHCHECK --interval=5s CMD true
ONBUILD RUN echo on
USER 7:8
ENTRYPOINT ["/bin/sh", "-c"]
CMD echo done
END
}

test_images_are_the_same_whatever_the_build() {
    need_run
    need openssl
    context
    export SOURCE_DATE_EPOCH=1700000000
    local kind program i expected
    for kind in gzip zstd uncompressed; do
        expected=
        for i in "${!PROGRAMS[@]}"; do
            program=$(realpath "$TOP/${PROGRAMS[i]}")
            export CBUILD_ROOT=$TEST_TMP/store$i-$kind CBUILD=$program
            import_busybox
            ok cbuild -q --compression $kind -t x ctx
            expected=${expected:-$(cat "$TEST_TMP/out")}
            equal "$(cat "$TEST_TMP/out")" "$expected" "$kind by ${PROGRAMS[i]}"
        done
        echo "# $kind $expected" >&2
    done
}

run_tests "$@"
