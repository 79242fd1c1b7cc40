# shellcheck shell=bash
# Debian's docker-registry on a free loopback port, for tests that source this file.
#
#   registry_start [--tls|--client-certificates] [--htpasswd USER PASSWORD] [--token [USER PASSWORD]] [--lifetime SECONDS]
#   registry_stop
#
# --token: a token server (token_server.py) that knows USER (default: ann, secret); who is nobody may pull from
# public/ only. --lifetime: of its tokens. Sets
#
#   REGISTRY_HOST      localhost:PORT
#   REGISTRY_CERT_DIR  holds ca.crt, for --cert-dir, or SSL_CERT_FILE=$REGISTRY_CERT_DIR/ca.crt
#   REGISTRY_DIR       holds client.crt and client.key, which --client-certificates asks for
#   REGISTRY_DATA      what it stores: $REGISTRY_DATA/docker/registry/v2/blobs/sha256/AB/ABCD.../data
#   REGISTRY_LOG       its log, with a line per request
#   REGISTRY_TOKEN_LOG that of the token server
#
#   faults_start       a registry that misbehaves as repositories' names say (fault_server.py), with its log, and what
#                      else it writes, in ./faults; sets FAULTS_HOST. registry_stop ends it, too.
#
# All lies in a folder of its own below $TEST_TMP (or /tmp), which registry_stop removes.

REGISTRY_E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

registry_program() {
    "$REGISTRY_E2E/../../.ci/registry" 2>/dev/null || command -v docker-registry
}

# A CA, and a certificate of it for localhost, or for NAME; server.crt holds the chain. client.crt and client.key are
# of the same CA.
registry_make_certificates() { # DIR [NAME]
    local dir=$1 name=DNS:localhost,IP:127.0.0.1
    [ -z "${2:-}" ] || name=DNS:$2
    mkdir -p "$dir/certs"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=test CA" \
        -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign \
        -keyout "$dir/ca.key" -out "$dir/certs/ca.crt" 2>/dev/null &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
            -keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null &&
        openssl x509 -req -in "$dir/server.csr" -CA "$dir/certs/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
            -extfile <(printf 'subjectAltName=%s\n' "$name") -out "$dir/server.crt" 2>/dev/null &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=client" \
            -keyout "$dir/client.key" -out "$dir/client.csr" 2>/dev/null &&
        openssl x509 -req -in "$dir/client.csr" -CA "$dir/certs/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
            -extfile <(printf 'extendedKeyUsage=clientAuth\n') -out "$dir/client.crt" 2>/dev/null
}

# bcrypt, the only kind that docker-registry takes
registry_password_line() { # USER PASSWORD
    if command -v htpasswd >/dev/null; then
        htpasswd -Bbn -C 5 "$1" "$2" 2>/dev/null | head -n 1
    else
        # shellcheck disable=SC2016 # perl's variables
        perl -e 'my @c = ("a".."z", "A".."Z", 0..9); my $salt = join "", map { $c[rand @c] } 1..21;
                 print "$ARGV[0]:", crypt($ARGV[1], "\$2y\$05\$${salt}e"), "\n"' "$1" "$2"
    fi
}

# Waits until a growing file has a match, for at most two minutes; prints it.
registry_wait_for() { # PID FILE PATTERN
    timeout 120 tail -n +1 -f --pid="$1" "$2" 2>/dev/null | grep -m1 -Eo -- "$3"
}

registry_start_token_server() { # TLS LIFETIME
    local args=(--users "$REGISTRY_DIR/users" --key "$REGISTRY_DIR/token.key" --cert "$REGISTRY_DIR/token.crt"
        --log "$REGISTRY_TOKEN_LOG" --lifetime "$2")
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=token signer" \
        -keyout "$REGISTRY_DIR/token.key" -out "$REGISTRY_DIR/token.crt" 2>/dev/null || return 1
    [ "$1" = 0 ] || args+=(--tls-key "$REGISTRY_DIR/server.key" --tls-cert "$REGISTRY_DIR/server.crt")
    : >"$REGISTRY_DIR/token.out"
    python3 "$REGISTRY_E2E/token_server.py" "${args[@]}" >"$REGISTRY_DIR/token.out" 2>&1 </dev/null &
    REGISTRY_TOKEN_PID=$!
    REGISTRY_REALM=$(registry_wait_for "$REGISTRY_TOKEN_PID" "$REGISTRY_DIR/token.out" 'https?://[^ ]*') || {
        cat "$REGISTRY_DIR/token.out" >&2
        return 1
    }
}

registry_write_config() { # TLS HTPASSWD TOKEN CLIENT_CERTIFICATES
    {
        printf 'version: 0.1\nlog:\n  level: info\n'
        printf 'storage:\n  filesystem:\n    rootdirectory: %s\n  delete:\n    enabled: true\n' "$REGISTRY_DATA"
        printf 'validation:\n  manifests:\n    urls:\n      allow: ["^https://"]\n' # of foreign layers
        printf 'http:\n  addr: 127.0.0.1:0\n'
        [ "$1" = 0 ] || printf '  tls:\n    certificate: %s\n    key: %s\n' "$REGISTRY_DIR/server.crt" "$REGISTRY_DIR/server.key"
        [ "$4" = 0 ] || printf '    clientcas:\n      - %s\n' "$REGISTRY_CERT_DIR/ca.crt"
        [ "$2" = 0 ] || printf 'auth:\n  htpasswd:\n    realm: test\n    path: %s\n' "$REGISTRY_DIR/htpasswd"
        [ "$3" = 0 ] || printf 'auth:\n  token:\n    realm: %s\n    service: test registry\n    issuer: test issuer\n    rootcertbundle: %s\n' \
            "$REGISTRY_REALM" "$REGISTRY_DIR/token.crt"
    } >"$REGISTRY_DIR/config.yml"
}

registry_start() {
    local tls=0 htpasswd=0 token=0 client=0 user=ann password=secret lifetime=300 program port
    while [ $# -gt 0 ]; do
        case $1 in
        --tls) tls=1 ;;
        --client-certificates) tls=1 client=1 ;;
        --htpasswd) htpasswd=1 user=$2 password=$3; shift 2 ;;
        --token)
            token=1
            case ${2:---} in --*) ;; *) user=$2 password=$3; shift 2 ;; esac ;;
        --lifetime) lifetime=$2; shift ;;
        *) echo "registry_start: unknown option $1" >&2; return 2 ;;
        esac
        shift
    done
    program=$(registry_program) || { echo "registry_start: no docker-registry" >&2; return 1; }
    REGISTRY_DIR=$(mktemp -d "${TEST_TMP:-/tmp}/registry.XXXXXX") || return 1
    REGISTRY_DATA=$REGISTRY_DIR/data REGISTRY_LOG=$REGISTRY_DIR/log REGISTRY_CERT_DIR=$REGISTRY_DIR/certs
    REGISTRY_TOKEN_LOG=$REGISTRY_DIR/token.log REGISTRY_TOKEN_PID='' REGISTRY_REALM='' REGISTRY_PID=''
    mkdir -p "$REGISTRY_DATA" "$REGISTRY_CERT_DIR"
    : >"$REGISTRY_LOG"
    [ $tls = 0 ] || registry_make_certificates "$REGISTRY_DIR" || { echo "registry_start: no certificates" >&2; return 1; }
    registry_password_line "$user" "$password" >"$REGISTRY_DIR/htpasswd"
    printf '%s:%s\n' "$user" "$password" >"$REGISTRY_DIR/users"
    if [ $token = 1 ]; then registry_start_token_server $tls "$lifetime" || return 1; fi
    registry_write_config $tls $htpasswd $token $client
    # it takes REGISTRY_* of the environment for settings
    env -i PATH="$PATH" "$program" serve "$REGISTRY_DIR/config.yml" >>"$REGISTRY_LOG" 2>&1 </dev/null &
    REGISTRY_PID=$!
    port=$(registry_wait_for "$REGISTRY_PID" "$REGISTRY_LOG" 'listening on 127\.0\.0\.1:[0-9]+') || {
        cat "$REGISTRY_LOG" >&2
        registry_stop
        return 1
    }
    # shellcheck disable=SC2034 # for who sources this file
    REGISTRY_HOST=localhost:${port##*:}
}

faults_start() {
    local port
    mkdir faults
    : >faults/log
    : >faults/out
    mkfifo faults/stdin
    python3 "$REGISTRY_E2E/fault_server.py" faults <faults/stdin >faults/out 2>&1 &
    FAULTS_PID=$!
    exec 9>faults/stdin
    port=$(registry_wait_for "$FAULTS_PID" faults/out '^[0-9]+') || {
        cat faults/out >&2
        return 1
    }
    # shellcheck disable=SC2034 # for who sources this file
    FAULTS_HOST=localhost:$port
}

registry_stop() {
    local pid
    for pid in ${REGISTRY_PID:-} ${REGISTRY_TOKEN_PID:-} ${FAULTS_PID:-}; do
        kill "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    REGISTRY_PID='' REGISTRY_TOKEN_PID='' FAULTS_PID=''
    [ -z "${REGISTRY_DIR:-}" ] || rm -rf "$REGISTRY_DIR"
    REGISTRY_DIR=''
}
