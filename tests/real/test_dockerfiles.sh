#!/bin/bash
# Dockerfiles of real projects: cbuild and BuildKit (judge.sh) make the same tree and config of each. The table beside,
# `dockerfiles`, says what they are and how they are built; `dockerfiles.differences` what may differ, and why.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/real/judge.sh
. "$(dirname "$0")/judge.sh"
HERE=$TOP/tests/real
TABLE=$HERE/dockerfiles
BASES=$JUDGE/t/bases
trap 'judge_stop; chmod -R u+rwx "$SHARED" 2>/dev/null; rm -rf "$SHARED"' EXIT

stanza() { awk -v RS= -v name="$1" '$1 == "name:" && $2 == name' "$TABLE"; }
field() { # NAME KEY: lines that begin with a blank go on
    stanza "$1" | awk -v key="$2:" '
        /^[^ ]/ { here = $1 == key }
        here { sub(/^[^ ]+: */, ""); sub(/^ +/, ""); print }'
}
names() { sed -n 's/^name: //p' "$TABLE"; }

# apt-get that knows Debian 13's packages and sources, whatever this system is.
apt_of_13() {
    local dir=$CACHE/apt13 suite=http://deb.debian.org/debian
    (
        flock 9
        [ -z "$(find "$dir/ready" -mmin -720 2>/dev/null)" ] || exit 0 # packages move on
        need_mirror $suite/
        mkdir -p "$dir"/{lists/partial,archives/partial}
        printf 'deb %s trixie main\ndeb-src %s trixie main\n' $suite $suite >"$dir/sources.list"
        cat >"$dir/conf" <<END
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$dir/lists";
Dir::State::status "/dev/null";
Dir::Cache "$dir";
APT::Sandbox::User "root";
END
        APT_CONFIG=$dir/conf apt-get -qq update >&2
        touch "$dir/ready"
    ) 9>"$CACHE/apt13.lock"
    APT_CONFIG=$dir/conf "$@"
}

# The archives of "source: PACKAGE [PART]", "deb: PACKAGE" or "npm: PACKAGE@VERSION", into the current directory.
download() { # NAME
    local package part uri file sum
    read -r package part < <(field "$1" source) || :
    if [ -n "$package" ]; then
        apt_of_13 apt-get source -qq --print-uris --download-only "$package" | tr -d "'" |
            while read -r uri file _ sum; do
                case $file in
                *.orig"${part:+-$part}".tar.*.asc) ;;
                *.orig"${part:+-$part}".tar.*) apt_of_13 /usr/lib/apt/apt-helper -qq download-file "$uri" "$PWD/$file" "$sum" ;;
                esac
            done
        return
    fi
    package=$(field "$1" deb)
    if [ -n "$package" ]; then
        apt_of_13 apt-get download -qq "$package"
    else
        need npm
        need_mirror https://registry.npmjs.org/
        npm pack --silent "$(field "$1" npm)" >/dev/null
    fi
}

# $CONTEXT: the project's files, kept in the cache until the stanza changes; the Dockerfile's text is the stanza's.
fetch() { # NAME
    local name=$1 work root globs
    CONTEXT=$CACHE/dockerfiles/$name-$(stanza "$name" | grep -E '^(source|deb|npm|root|files| )' | sha256sum | cut -c1-12)
    if [ ! -d "$CONTEXT" ]; then
        work=$(mktemp -d -p "$SHARED")
        (cd "$work" && download "$name" >&2)
        root=$(field "$name" root)
        mapfile -t globs < <(field "$name" files | tr -s ' ' '\n')
        [ ${#globs[@]} = 0 ] || globs+=(.dockerignore "$(field "$name" dockerfile)")
        python3 "$HERE/unpack_some.py" "$work"/* "${root:-*}" "$work/context" "${globs[@]}"
        mkdir -p "$CACHE/dockerfiles"
        mv -T "$work/context" "$CONTEXT" || [ -d "$CONTEXT" ] # another run's
    fi
    equal "$(sha256sum <"$CONTEXT/$(field "$name" dockerfile)" | cut -d' ' -f1)" "$(field "$name" sha256)" "the text's sum"
}

# --- bases

STANDINS="adduser addgroup apk bash-completion cargo cmake cpanm crontab curl dnf docsgen gem gcc git go gotestsum
    jq make meson ninja npm pip pip3 python3 rustup setup skopeo strip tdnf tree update-ca-certificates wget xx-apk
    xx-apt-get xx-clang xx-go xx-info xx-verify yarn yum zypper"

standins() { # FOLDER PROGRAM...
    local folder=$1 program
    shift
    mkdir -p "$folder"
    install -m 755 "$HERE/standin" "$folder/standin"
    for program; do ln -s standin "$folder/$program"; done
}

# base NAME: $BASES/NAME, a folder that is laid over another one's tar
base_files() {
    local dir=$BASES/$1
    mkdir -p "$dir"
    # shellcheck disable=SC2086 # words
    case $1 in
    debian) ;;
    tools) standins "$dir/usr/local/bin" $STANDINS ;;
    offline) standins "$dir/usr/local/bin" $STANDINS apt apt-get mk-build-deps ;;
    busybox) # with what runc would else make in a layer: the places of its mounts
        make_busybox_rootfs "$dir"
        echo 'docker:x:1001:1001::/:/bin/sh' >>"$dir/etc/passwd"
        echo 'docker:x:1001:' >>"$dir/etc/group"
        mkdir "$dir/dev" "$dir/proc" "$dir/sys"
        touch "$dir/etc/hosts" "$dir/etc/resolv.conf" ;;
    xx) standins "$dir/usr/bin" xx-apk xx-apt-get xx-clang xx-go xx-info xx-verify ;;
    programs) # what images of single programs have, each in its place
        local file
        for file in bin/registry buildx docker-compose usr/bin/buildkitd usr/bin/buildctl usr/bin/golangci-lint vpnkit \
            app/addlicense osxsdk/README xx-sdk/README opt/bin/minio usr/bin/mc usr/local/go/bin/go binfmt; do
            mkdir -p "$(dirname "$dir/$file")"
            printf '#!/bin/sh\necho %s\n' "$file" >"$dir/$file"
            chmod 755 "$dir/$file"
        done ;;
    esac
    find "$dir" -exec touch -h -d @1577836800 {} +
}

make_base() { # NAME
    local tar=$BASES/$1.tar only=()
    base_files "$1"
    case $1 in
    debian | tools | offline) # its folders are there already, and docker import takes no name twice
        only=(! -type d)
        cp --reflink=auto "$CACHE/dockerfiles-base.tar" "$tar" ;;
    *) tar -cf "$tar" -T /dev/null ;;
    esac
    (cd "$BASES/$1" && find . -mindepth 1 "${only[@]}" -printf '%P\n' | sort |
        tar --no-recursion --owner 0 --group 0 --numeric-owner -rf "$tar" -T -)
    SOURCE_DATE_EPOCH=1577836800 cbuild import --compression uncompressed "$tar" "base/$1" >/dev/null
    judge import "/t/bases/$1.tar" "base/$1" >/dev/null
}

debian_base_tar() {
    (
        flock 9
        [ -f "$CACHE/dockerfiles-base.tar" ] && exit 0
        need mmdebstrap
        need_mirror http://deb.debian.org/debian/
        # shellcheck disable=SC2016 # expanded by the hook's shell
        mmdebstrap --quiet --variant=minbase --include=ca-certificates,file,libcap2-bin,rsync,sudo,uidmap \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --customize-hook='chroot "$1" useradd --system --create-home postgres' \
            --customize-hook='mkdir -p "$1/go/bin" "$1/go/src" && touch "$1/etc/hosts" "$1/etc/resolv.conf"' \
            bookworm "$CACHE/dockerfiles-base.tmp.tar" >&2
        mv "$CACHE/dockerfiles-base.tmp.tar" "$CACHE/dockerfiles-base.tar"
    ) 9>"$CACHE/dockerfiles-base.lock"
    [ ! -s "${TEST_SKIP:-}" ] || exit 0
    [ -f "$CACHE/dockerfiles-base.tar" ]
}

set_up() {
    need_root
    in_shared_store
    [ ! -f "$SHARED/ready" ] || return 0
    need jq
    debian_base_tar
    judge_tar
    judge_start
    mkdir -p "$BASES"
    date +%s >"$SHARED/ready"
}

bases() { # NAME: imports what the stanza names
    local image base
    for image in $(field "$1" bases); do
        base=${image#*=} image=${image%%=*}
        [ -e "$BASES/$base.tar" ] || make_base "$base"
        cbuild tag "base/$base" "$image" >/dev/null
        judge tag "base/$base" "$image"
    done
}

# --- builds

with_our_bases() { sed -E '/^[[:space:]]*(FROM|COPY)/I s/@sha256:[0-9a-f]{64}//'; }
# the frontend of the syntax line can't be fetched; the one in dockerd knows these files' language
without_syntax() { sed -E '1 s/^#[[:space:]]*syntax[[:space:]]*=/# without syntax: /'; }

options() { # NAME: what both builders take
    local arg
    while read -r arg; do [ -z "$arg" ] || printf '%s\n%s\n' --build-arg "$arg"; done < <(field "$1" args)
    [ -z "$(field "$1" target)" ] || printf '%s\n%s\n' --target "$(field "$1" target)"
}

agrees() { # NAME
    local name=$1 file opts since judge_status=0
    set_up
    fetch "$name"
    bases "$name"
    file=$(field "$name" dockerfile)
    mapfile -t opts < <(options "$name")
    with_our_bases <"$CONTEXT/$file" >Dockerfile
    mkdir -p "$JUDGE/t/$name"
    cp -a "$CONTEXT" "$JUDGE/t/$name/context"
    without_syntax <Dockerfile >"$JUDGE/t/$name/Dockerfile"
    since=$(cat "$SHARED/ready") # steps may come from the caches that the tests share
    DOCKER_BUILDKIT=1 judge build --network host -q -t "$name:judge" "${opts[@]}" -f "/t/$name/Dockerfile" \
        "/t/$name/context" >judge.out 2>&1 &
    ok cbuild build --compression uncompressed -t "$name:1" "${opts[@]}" -f "$PWD/Dockerfile" "$CONTEXT"
    wait $! || judge_status=$?
    [ $judge_status = 0 ] || { cat judge.out >&2; fail "BuildKit doesn't build it"; }
    judge save -o "/t/$name/image.tar" "$name:judge"
    python3 "$HERE/image_diff.py" --since "$since" --cache "$SHARED" "$CBUILD_ROOT@$(image_id "$name:1")" \
        "$JUDGE/t/$name/image.tar" >differences
    unexplained "$name" <differences >unexplained
    rm -rf "${JUDGE:?}/t/$name"
    [ ! -s unexplained ] || { head -n 40 unexplained >&2; fail "$(wc -l <unexplained) differences"; }
}

# Lines that dockerfiles.differences doesn't explain: its fields are NAMES PATHS ASPECTS reason, the first three patterns.
unexplained() { # NAME
    local path aspect rest names paths aspects _ known
    while IFS=$'\t' read -r path aspect rest; do
        known=0
        while read -r names paths aspects _; do
            # shellcheck disable=SC2053 # patterns
            if [[ $1 == @($names) && $path == @($paths) && $aspect == @($aspects) ]]; then known=1; break; fi
        done < <(grep -v -E '^(#|$)' "$HERE/dockerfiles.differences")
        [ $known = 1 ] || printf '%s\t%s\t%s\n' "$path" "$aspect" "$rest"
    done
}

while read -r name; do eval "test_$name() { agrees $name; }"; done < <(names)

run_tests "$@"
