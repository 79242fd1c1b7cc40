#!/bin/bash
# shellcheck disable=SC2154 # status is lib.sh's
# What instructions leave in manifest and config, where builders are known to differ.
. "$(dirname "$0")/lib.sh"

blob() { cat "$CBUILD_ROOT/blobs/sha256/${1#sha256:}"; }
manifest() { blob "$(image_id "$1")"; }
config() { blob "$(manifest "$1" | jq -r .config.digest)"; } # NAME

test_layers_of_an_image_without_any_are_an_empty_array() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(manifest x | jq -c .layers)" '[]'
    equal "$(config x | jq -c .rootfs.diff_ids)" '[]'
}

test_config_and_descriptor_agree_on_the_platform() {
    printf 'FROM --platform=linux/arm64 scratch\nCOPY Dockerfile /\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x | jq -r '.os + "/" + .architecture')" linux/arm64
    local id platform
    id=$(image_id x)
    cbuild save --format oci -o x.tar x
    platform=$(tar -xOf x.tar index.json | jq -c ".manifests[] | select(.digest == \"$id\") | .platform // {os: \"linux\", architecture: \"arm64\"} | [.os, .architecture]")
    equal "$platform" '["linux","arm64"]'
}

test_a_later_arg_with_a_value_beats_an_earlier_env() {
    cat >Dockerfile <<'EOT'
FROM scratch
ENV A=env B=env C=env
ARG A
ARG B=default
ARG D=default
LABEL a=$A b=$B c=$C d=$D
EOT
    ok cbuild -q -t x --build-arg A=given .
    equal "$(config x | jq -c .config.Labels)" '{"a":"given","b":"default","c":"env","d":"default"}'
    ok cbuild -q -t x .
    equal "$(config x | jq -c .config.Labels)" '{"a":"env","b":"default","c":"env","d":"default"}'
}

test_proxies_dont_expand_in_a_label() {
    printf 'FROM scratch\nLABEL p=<$HTTP_PROXY>\nARG HTTP_PROXY\nLABEL q=<$HTTP_PROXY>\n' >Dockerfile
    ok cbuild -q -t x --build-arg HTTP_PROXY=http://127.0.0.1:1 .
    equal "$(config x | jq -c .config.Labels)" '{"p":"<>","q":"<http://127.0.0.1:1>"}'
}

test_words_of_one_env_see_the_values_before_it() {
    cat >Dockerfile <<'EOT'
FROM scratch
ENV abc=hello
ENV abc=bye def=$abc
ENV ghi=$abc
LABEL dollars="a$$b" one="[$1]"
EOT
    ok cbuild -q -t x .
    equal "$(config x | jq -c '.config.Env[1:]')" '["abc=bye","def=hello","ghi=bye"]'
    equal "$(config x | jq -c .config.Labels)" '{"dollars":"ab","one":"[]"}'
}

test_ports_of_a_range_are_listed_with_lower_case_protocols() {
    printf 'FROM scratch\nEXPOSE 8000-8003 53/UDP\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x | jq -c '.config.ExposedPorts | keys')" '["53/udp","8000/tcp","8001/tcp","8002/tcp","8003/tcp"]'
}

test_a_json_form_with_more_behind_it_is_shell_form() {
    printf 'FROM scratch\nCMD ["a", "b"] c\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x | jq -c .config.Cmd)" '["/bin/sh","-c","[\"a\", \"b\"] c"]'
}

test_a_base_without_working_directory_stays_without_and_gets_a_path() {
    mkdir rootfs && touch rootfs/f
    tar -C rootfs -cf rootfs.tar .
    cbuild import rootfs.tar base >/dev/null
    printf 'FROM base\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x | jq -c '.config.WorkingDir // ""')" '""'
    equal "$(config x | jq -c .config.Env)" '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'
}

test_run_without_words_builds() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t x .
}

run_tests "$@"
