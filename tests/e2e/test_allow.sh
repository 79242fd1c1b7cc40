#!/bin/bash
# shellcheck disable=SC2154 # variables of lib.sh and sources.sh
# What RUN may ask for only with --allow, and how it reaches this machine.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/sources.sh
. "$(dirname "$0")/sources.sh"

test_insecure_needs_allow_and_gets_everything() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --security=insecure grep -E "CapEff|Seccomp:" /proc/self/status >/s; cat /proc/sys/kernel/core_pattern >/c; mount -t tmpfs none /tmp && echo mounted >/m\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:2: RUN --security=insecure is not allowed'
    err_has 'hint: give --allow security.insecure to the build'
    ok cbuild -t x --allow security.insecure .
    image_tree x >/dev/null
    grep -qE 'CapEff:.0*1f' "$TEST_TMP/tree/s" || grep -qE "CapEff:.$(sed -n 's/CapBnd:.//p' /proc/self/status)" "$TEST_TMP/tree/s" ||
        fail "$(cat "$TEST_TMP/tree/s")"
    grep -q 'Seccomp:.0' "$TEST_TMP/tree/s" || grep -q 'Seccomp:.[12]' /proc/self/status
    equal "$(cat "$TEST_TMP/tree/m")" mounted
    # allowing changes no step that doesn't ask
    printf 'FROM busybox\nRUN grep -E "CapEff|Seccomp:" /proc/self/status >/s\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild -t x --allow security.insecure .
    err_has CACHED
    image_tree x >/dev/null
    grep -q 'CapEff:.00000000a80425fb' "$TEST_TMP/tree/s" || fail "$(cat "$TEST_TMP/tree/s")"
    # and insecure is another step than the same text without
    printf 'FROM busybox\nRUN --security=sandbox true\n' >Dockerfile
    ok cbuild -t x .
    printf 'FROM busybox\nRUN --security=insecure true\n' >Dockerfile
    ok cbuild -t x --allow=security.insecure .
    err_lacks CACHED
}

test_allow_names_what_there_is() {
    printf 'FROM scratch\n' >Dockerfile
    fails 2 cbuild --allow network.hots .
    err_has '--allow network.hots: network.host, security.insecure, device[=NAME] and buildx.local.delete are what there is'
    err_has 'did you mean --allow network.host?'
}

test_the_hosts_network_needs_allow() {
    need_run
    import_busybox
    serve
    echo here >www/files/f
    printf 'FROM busybox\nRUN --network=host wget -qO /f %s/files/f\n' "$URL" >Dockerfile
    fails 1 cbuild -t x .
    err_has 'RUN --network=host is not allowed'
    err_has 'give --allow network.host to the build'
    ok cbuild -t x --allow network.host .
    image_tree x | grep -q '^f f'
    printf 'FROM busybox\nRUN --network=host true\nRUN wget -qO /f %s/files/f || echo un""reachable\n' "$URL" >Dockerfile
    ok cbuild -t x --allow network.host .
    # a step that doesn't ask has its own network, where one can be made
    grep -q "RUN uses the host's network" "$TEST_TMP/err" || err_has ' unreachable'
}

test_add_host_reaches_this_machine_as_host_gateway() {
    need_run
    import_busybox
    serve
    echo here >www/files/f
    printf 'FROM busybox\nRUN cat /etc/hosts >/hosts; wget -qO /f %s/files/f\n' "${URL/127.0.0.1/here}" >Dockerfile
    ok cbuild -t x --add-host here:host-gateway --add-host other=192.0.2.7 --add-host 'six:[2001:db8::1]' \
        --add-host seven:2001:db8::2 .
    image_tree x | grep -q '^f f'
    for line in $'192.0.2.7\tother' $'2001:db8::1\tsix' $'2001:db8::2\tseven'; do
        grep -qx "$line" "$TEST_TMP/tree/hosts" || fail "$(cat "$TEST_TMP/tree/hosts")"
    done
    printf 'FROM busybox\nRUN wget -qO /f %s/files/f\n' "${URL/127.0.0.1/here}" >Dockerfile
    ok cbuild -t x --network host --add-host here=host-gateway .
    for bad in here :1.2.3.4 here:nowhere here:1.2.3.4.5 'he re:1.2.3.4' 'here:[1.2.3.4]'; do
        fails 2 cbuild --add-host "$bad" .
        err_has "--add-host $bad"
    done
}

# spec FILE KIND DEVICES [EDITS]
spec() {
    mkdir -p "$(dirname "$1")"
    printf '{"cdiVersion":"0.6.0","kind":"%s","devices":[%s],"containerEdits":{%s}}' "$2" "$3" "${4:-}" >"$1"
}
device() { printf '{"name":"%s","annotations":{"org.mobyproject.buildkit.device.class":"%s"},"containerEdits":{%s}}' "$@"; }

test_devices_come_from_specs_of_this_machine() {
    need_run
    import_busybox
    echo driver >driver
    spec "$PWD/low/a.json" acme.com/box "$(device zero zeros '"deviceNodes":[{"path":"/dev/acme/zero","hostPath":"/dev/zero"}],"env":["BOX=zero"]'),$(device null nulls '"deviceNodes":[{"path":"/dev/full"}]')" \
        '"env":["ALL=1"],"mounts":[{"hostPath":"'"$PWD"'/driver","containerPath":"/usr/lib/acme/driver","options":["ro","nosuid","nodev","bind"]}]'
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --device=acme.com/box=zero,required head -c 3 /dev/acme/zero | od -An -tx1; echo "$BOX $ALL"; cat /usr/lib/acme/driver; ! echo x 2>/dev/null >/usr/lib/acme/driver
RUN [ ! -e /dev/acme ] && [ ! -e /usr/lib/acme ] && [ -z "$BOX$ALL" ]
RUN --device=acme.com/box=* [ -c /dev/acme/zero ] && [ -c /dev/full ]
RUN --device=zeros [ -c /dev/acme/zero ]
RUN --device=acme.com/box [ ! -e /dev/acme/zero ]
RUN --device=acme.com/box=none --device=nothing [ ! -e /dev/acme/zero ]
EOT
    ok cbuild -t x --cdi-config-dir low --allow device .
    for text in ' 00 00 00' 'zero 1' ' driver'; do err_has "$text"; done
    image_tree x | grep -E 'acme' && fail "it leaves traces"
    fails 1 cbuild -t x --cdi-config-dir low .
    err_has 'Dockerfile:2: RUN --device=acme.com/box=zero is not allowed'
    err_has 'give --allow device'
    # a directory that comes later goes before
    spec "$PWD/high/b.json" acme.com/box "$(device zero zeros '"env":["BOX=high"]')"
    printf 'FROM busybox\nRUN --device=name=acme.com/box=zero,required=true echo "is $BOX$ALL"\n' >Dockerfile
    ok cbuild -t x --cdi-config-dir low --cdi-config-dir high --allow device=acme.com/box=zero .
    err_has ' is high'
}

test_devices_that_cant_be_given_are_told() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --device=acme.com/box=x,required true\n' >Dockerfile
    fails 3 cbuild --allow device --cdi-config-dir specs .
    err_has 'Dockerfile:2: device acme.com/box=x is required, and no spec describes it'
    # no guess at what a YAML spec would give; those of others don't matter
    mkdir specs
    printf 'cdiVersion: "0.6.0"\nkind: "acme.com/box"\ndevices:\n- name: x\n' >specs/a.yaml
    fails 1 cbuild --allow device --cdi-config-dir specs .
    err_has 'device acme.com/box=x: specs/a.yaml is YAML, and only JSON specs are read'
    printf 'kind: other.com/box\n' >specs/a.yaml
    fails 3 cbuild --allow device --cdi-config-dir specs .
    rm specs/a.yaml
    spec specs/a.json acme.com/box "$(device x y '"hooks":[]')"
    fails 1 cbuild --allow device --cdi-config-dir specs .
    err_has 'device spec specs/a.json: /containerEdits/hooks is not supported'
    spec specs/a.json acme.com/box "$(device x y '"deviceNodes":[{"path":"/etc/node","hostPath":"/dev/null"}]')"
    fails 1 cbuild --allow device --cdi-config-dir specs .
    err_has '/etc/node: not below /dev'
    spec specs/a.json acme.com/box "$(device x y '"deviceNodes":[{"path":"/dev/../etc/node","hostPath":"/dev/null"}]')"
    fails 1 cbuild --allow device --cdi-config-dir specs .
    spec specs/a.json acme.com/box "$(device x y '')"
    spec specs/b.json acme.com/box "$(device x y '')"
    fails 1 cbuild --allow device --cdi-config-dir specs .
    err_has 'device spec specs/b.json: specs/a.json describes it, too'
    echo '{' >specs/b.json
    fails 1 cbuild --allow device --cdi-config-dir specs .
    err_has 'device spec specs/b.json: '
    printf 'FROM busybox\nRUN --device=required true\n' >Dockerfile
    fails 1 cbuild --allow device .
    err_has 'Dockerfile:2: RUN: --device=required: no name'
    printf 'FROM busybox\nRUN --device=a/b=c,require true\n' >Dockerfile
    fails 1 cbuild --allow device .
    err_has '"require": required is the only option'
}

run_tests "$@"
