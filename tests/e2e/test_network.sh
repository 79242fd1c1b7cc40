#!/bin/bash
# shellcheck disable=SC2154 # status is lib.sh's
# The private network of RUN. Each test has a network namespace of its own that plays the host, and
# another one behind it that is the world: nothing of this machine's network is touched.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

HOST_ADDRESS=198.18.0.2 WORLD_ADDRESS=198.18.0.1

# The rest of the test, by name, in a host of its own. Where it is done already: true.
on_a_host() {
    [ -z "${ON_A_HOST:-}" ] || return 0
    need_root
    need ip nft python3
    ON_A_HOST=1 unshare -n -m -- "$TOP/tests/e2e/test_network.sh" "${FUNCNAME[1]}" >"$TEST_TMP/host.log" 2>&1 || :
    cat "$TEST_TMP/host.log"
    local reason
    reason=$(sed -n 's/^ok 1 .* # SKIP //p' "$TEST_TMP/host.log")
    [ -z "$reason" ] || skip "$reason"
    grep -q '^ok 1' "$TEST_TMP/host.log" || fail "on its host"
    exit 0
}

make_world() {
    ip link set lo up
    unshare -n sleep $LONG &
    WORLD=$!
    while [ "$(readlink /proc/$WORLD/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
    ip link add up0 type veth peer name down0 netns $WORLD || skip "no veth here"
    ip addr add $HOST_ADDRESS/24 dev up0
    ip link set up0 up
    in_world ip addr add $WORLD_ADDRESS/24 dev down0
    in_world ip link set down0 up
    in_world ip link set lo up
    ip route add default via $WORLD_ADDRESS
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo "nameserver $WORLD_ADDRESS" >resolv.conf
    mount --bind resolv.conf /etc/resolv.conf
    nft list tables >/dev/null || skip "no packet filter here"
    # answers with the address that it is asked from
    cat >server.py <<'EOF'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("from " + self.client_address[0]).encode())
    def log_message(self, *args):
        pass
http.server.HTTPServer(("", 8080), Handler).serve_forever()
EOF
    in_world python3 server.py &
    SERVER=$!
    await answers 8080 in_world
    export CBUILD_NETWORK=veth
    import_busybox
}
answers() { ${2:-} bash -c "echo >/dev/tcp/127.0.0.1/$1" 2>/dev/null; } # PORT [in_world]
in_world() { nsenter -t "$WORLD" -n -- "$@"; }
teardown() { kill "${WORLD:-}" "${SERVER:-}" "${LOCAL:-}" 2>/dev/null || :; }
nothing_is_left() {
    equal "$(nft list tables)" "${1:-}" "tables of the packet filter"
    equal "$(interfaces)" '' "interfaces"
}
interfaces() { ip -o link | grep cbuild || :; } # of builds
# A RUN that ends when N have come to it, with the cache mount /c.
MEET='touch /c/$N; until [ $(ls /c | wc -l) = '

test_root_has_a_private_network_without_helpers() {
    on_a_host
    make_world
    printf 'FROM busybox\nRUN wget -qO- http://%s:8080/; ip -o addr\nRUN cat /etc/resolv.conf; ip route\nRUN readlink /proc/self/ns/net\nRUN readlink /proc/self/ns/net\n' $WORLD_ADDRESS >Dockerfile
    ok cbuild --no-cache --progress=plain -t x .
    err_lacks 'warning'
    equal "$(grep -o 'net:\[.*' "$TEST_TMP/err" | sort | uniq -c | sed 's/ net.*//')" '      2' "steps in one network"
    err_has "from $HOST_ADDRESS"
    err_has "nameserver $WORLD_ADDRESS"
    grep -qE ' eth0 +inet 10\.213\.' "$TEST_TMP/err" || { show; fail "no address"; }
    grep -q ' up0 ' "$TEST_TMP/err" && fail "the host's interfaces"
    nothing_is_left
    # and after a failing build
    printf 'FROM busybox\nRUN exit 3\n' >Dockerfile
    fails 1 cbuild -t x .
    nothing_is_left
}

test_a_step_reaches_nothing_of_the_host() {
    on_a_host
    make_world
    python3 server.py &
    LOCAL=$!
    await answers 8080
    cat >Dockerfile <<EOF
FROM busybox
RUN gateway=\$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'); \\
    for host in \$gateway 127.0.0.1 $HOST_ADDRESS; do ! timeout 2 wget -qO- http://\$host:8080/ || exit 9; done
EOF
    ok cbuild --no-cache --progress=plain -t x .
    # a name server alone
    kill $LOCAL
    sed 's/8080/53/' server.py >local.py
    python3 local.py &
    LOCAL=$!
    await answers 53
    printf 'FROM busybox\nRUN timeout 60 wget -qO- http://%s:53/\n' $HOST_ADDRESS >Dockerfile
    ok cbuild --no-cache --progress=plain -t x .
    err_has 'from 10.213.'
    # but asked for, by name, loopback included
    kill $LOCAL
    sed 's/("", 8080)/("127.0.0.1", 8080)/' server.py >local.py
    python3 local.py &
    LOCAL=$!
    await answers 8080
    printf 'FROM busybox\nRUN timeout 60 wget -qO- http://here:8080/\n' >Dockerfile
    ok cbuild --no-cache --progress=plain --add-host here:host-gateway -t x .
    err_has 'from '
    nothing_is_left
}

# On this machine's own network, which nothing else can stand in for.
test_helper_programs_lead_nobody_to_the_hosts_loopback() {
    need_root
    need python3
    import_busybox
    echo of-the-host >index.html
    python3 -u -m http.server --bind 127.0.0.1 0 >server.log 2>&1 &
    LOCAL=$!
    await_text 'port [0-9]' server.log
    local port kind tried=''
    port=$(sed -n 's/.* port \([0-9]*\).*/\1/p' server.log)
    cat >Dockerfile <<EOF
FROM busybox
RUN gateway=\$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'); for host in \$gateway 127.0.0.1; do timeout 1 wget -qO- http://\$host:$port/; done; true
EOF
    printf 'FROM busybox\nRUN timeout 60 wget -qO- http://here:%s/\n' "$port" >Dockerfile.asked
    for kind in pasta slirp4netns; do
        ok env CBUILD_NETWORK=$kind "$CBUILD" --no-cache --progress=plain -t x .
        ! grep "RUN uses the host's network" "$TEST_TMP/err" || continue
        err_lacks of-the-host
        tried="$tried $kind"
        ok env CBUILD_NETWORK=$kind "$CBUILD" --no-cache --progress=plain --add-host here:host-gateway -f Dockerfile.asked -t x .
        step_says of-the-host
    done
    [ -n "$tried" ] || skip "no helper makes a network here"
}

test_nobody_outside_reaches_a_step() {
    on_a_host
    make_world
    in_world ip route add 10.213.0.0/16 via $HOST_ADDRESS
    # shellcheck disable=SC2016 # the step's
    printf 'FROM busybox\nRUN ip -o -4 addr show eth0; (echo hi | nc -l -p 9999) & sleep 2; kill %%1\n' >Dockerfile
    cbuild --no-cache --progress=plain -t x . 2>err &
    pid=$!
    await_text 'inet 10' err
    address=$(sed -n 's/.* inet \(10[.0-9]*\).*/\1/p' err)
    ! in_world timeout 1 bash -c "echo >/dev/tcp/$address/9999" 2>/dev/null || fail "it is reached"
    wait $pid
}

test_a_killed_build_leaves_no_rules_and_no_interface() {
    on_a_host
    make_world
    printf 'FROM busybox\nRUN echo begun; sleep 1000\n' >Dockerfile
    for force in '' no-nft-owner; do
        : >err # not the last build's, which the next one's shell may not have emptied yet
        CBUILD_FORCE=$force cbuild --no-cache --progress=plain -t x . 2>err &
        pid=$!
        await_text ' begun$' err
        grep -q 'table inet cbuild-' <(nft list tables) || fail "no table: $(cat err)"
        # a shell function runs in a subshell, whose child it is
        kill -9 "$(pgrep -P $pid || echo $pid)"
        wait $pid 2>/dev/null || :
        becomes '' interfaces
        [ -z "$force" ] || break
        becomes '' nft list tables
        nothing_is_left
    done
    # what an older kernel leaves, the next build sweeps; what isn't ours stays
    nft add table inet cbuild-mine
    nft add table inet other
    grep -q 'table inet cbuild-[0-9]' <(nft list tables) || fail "it wasn't left"
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild --no-cache -t x .
    nothing_is_left $'table inet cbuild-mine\ntable inet other'
}

test_where_the_host_does_not_forward_another_way_is_taken() {
    on_a_host
    make_world
    printf 'FROM busybox\nRUN ip -o addr\n' >Dockerfile
    nft 'add table ip wall; add chain ip wall forward { type filter hook forward priority 0; policy drop; }'
    ok cbuild --no-cache --progress=plain -t x .
    err_has "RUN uses the host's network: a private one can't be made (veth: the host doesn't forward packets"
    nothing_is_left 'table ip wall'
    nft flush ruleset
    echo 0 >/proc/sys/net/ipv4/ip_forward
    ok cbuild --no-cache --progress=plain -t x .
    err_has "veth: the host doesn't forward packets"
    equal "$(cat /proc/sys/net/ipv4/ip_forward)" 0
    # a stub resolver is no good there, unless it tells whom it asks
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 'nameserver 127.0.0.53' >resolv.conf
    ok cbuild --no-cache --progress=plain -t x .
    err_has "veth: the host's name servers are reached from the host alone"
    fails 2 env CBUILD_NETWORK=bridge "$CBUILD" --no-cache .
    err_has 'CBUILD_NETWORK=bridge'
}

test_builds_at_once_have_networks_of_their_own() {
    on_a_host
    make_world
    printf 'FROM busybox\nARG N\nRUN --mount=type=cache,target=/c wget -qO- http://%s:8080/; ip -o -4 addr show eth0; %s 3 ]; do sleep 0.05; done\n' $WORLD_ADDRESS "$MEET" >Dockerfile
    for i in 1 2 3; do cbuild --build-arg N=$i --progress=plain -t x$i . 2>err.$i & pids="${pids:-} $!"; done
    for pid in $pids; do wait "$pid" || fail "$(cat err.?)"; done
    cat err.? >all
    ! grep warning all || { cat all; fail "another network"; }
    equal "$(grep -c "from $HOST_ADDRESS" all)" 3
    equal "$(sed -n 's/.* inet \(10[.0-9]*\).*/\1/p' all | sort -u | wc -l)" 3 "addresses"
    nothing_is_left
}

# As in containers that share the host's network.
test_builds_of_one_number_have_networks_of_their_own() {
    on_a_host
    make_world
    printf 'FROM busybox\nARG N\nRUN --mount=type=cache,target=/c wget -qO- http://%s:8080/; %s 2 ]; do sleep 0.05; done\n' $WORLD_ADDRESS "$MEET" >Dockerfile
    for i in 1 2; do
        unshare --pid --fork --mount-proc "$CBUILD" --build-arg N=$i --progress=plain -t x$i . 2>err.$i &
        pids="${pids:-} $!"
    done
    for pid in $pids; do wait "$pid" || fail "$(cat err.?)"; done
    cat err.? >all
    ! grep warning all || { cat all; fail "another network"; }
    equal "$(grep -c "from $HOST_ADDRESS" all)" 2
    nothing_is_left
}

run_tests "$@"
