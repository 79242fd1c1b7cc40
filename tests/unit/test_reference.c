/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define D64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* tag is not defaulted here */
static const struct {
    const char *text, *normal, *familiar, *error;
} cases[] = {
    { "alpine", "docker.io/library/alpine", "alpine", NULL },
    { "alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19", NULL },
    { "alpine@sha256:" HEX, "docker.io/library/alpine@sha256:" HEX, "alpine@sha256:" HEX, NULL },
    { "alpine:3@sha256:" HEX, "docker.io/library/alpine:3@sha256:" HEX, "alpine:3@sha256:" HEX,
      NULL },
    { "user/app:1.0", "docker.io/user/app:1.0", "user/app:1.0", NULL },
    { "docker.io/alpine", "docker.io/library/alpine", "alpine", NULL },
    { "index.docker.io/user/app", "docker.io/user/app", "user/app", NULL },
    { "docker.io/library/alpine", "docker.io/library/alpine", "alpine", NULL },
    { "library/a/b", "docker.io/library/a/b", "library/a/b", NULL },
    { "localhost/app", "localhost/app", "localhost/app", NULL },
    { "localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000/a/b:1", NULL },
    { "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000", NULL },
    { "a:1/2", "a:1/2", "a:1/2", NULL },
    { "127.0.0.1:5000/x", "127.0.0.1:5000/x", "127.0.0.1:5000/x", NULL },
    { "[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000/a:1", NULL },
    { "[fc00::1]/a", "[fc00::1]/a", "[fc00::1]/a", NULL },
    { "ghcr.io/o/a_b__c-d--e.f:T_1.x-", "ghcr.io/o/a_b__c-d--e.f:T_1.x-",
      "ghcr.io/o/a_b__c-d--e.f:T_1.x-", NULL },
    { "Host/app", "Host/app", "Host/app", NULL },
    { "xn--n3h.com/a", "xn--n3h.com/a", "xn--n3h.com/a", NULL },
    /* short, these would be read as a registry and as an id */
    { "docker.io/foo.bar/x", "docker.io/foo.bar/x", "docker.io/foo.bar/x", NULL },
    { "docker.io/localhost/x", "docker.io/localhost/x", "docker.io/localhost/x", NULL },
    { "docker.io/library/" D64, "docker.io/library/" D64, "library/" D64, NULL },
    { "sha256:abcd", "docker.io/library/sha256:abcd", "sha256:abcd", NULL },

    { "", NULL, NULL, "reference: empty" },
    { "Alpine", NULL, NULL, "repository name \"Alpine\": must be lower case" },
    { "user/App:1", NULL, NULL, "repository name \"user/App\": must be lower case" },
    { "ghcr.io/User/app", NULL, NULL, "repository name \"User/app\": must be lower case" },
    { D64, NULL, NULL, "64 hex digits are an image id" },
    { ":1", NULL, NULL, "repository name missing" },
    { "localhost:5000/", NULL, NULL, "repository name missing" },
    { "a//b", NULL, NULL, "repository name \"a//b\"" },
    { "/a", NULL, NULL, "repository name \"/a\"" },
    { "a/", NULL, NULL, "repository name \"a/\"" },
    { "a..b", NULL, NULL, "repository name \"a..b\"" },
    { "a___b", NULL, NULL, "repository name \"a___b\"" },
    { "-a", NULL, NULL, "repository name \"-a\"" },
    { "a-", NULL, NULL, "repository name \"a-\"" },
    { "a b", NULL, NULL, "repository name \"a b\"" },
    { "a\xc3\xa4", NULL, NULL, "repository name" },
    { "a:", NULL, NULL, "tag \"\"" },
    { "a:-1", NULL, NULL, "tag \"-1\"" },
    { "a:x/b", NULL, NULL, "registry \"a:x\": expected HOST[:PORT]" },
    { "-x.com/a", NULL, NULL, "registry \"-x.com\"" },
    { "x..com/a", NULL, NULL, "registry \"x..com\"" },
    { "x.com-/a", NULL, NULL, "registry \"x.com-\"" },
    { "[::1/a", NULL, NULL, "registry \"[::1\"" },
    { "[]:1/a", NULL, NULL, "registry \"[]:1\"" },
    { "[::1]x/a", NULL, NULL, "registry \"[::1]x\"" },
    { "https://x.com/a", NULL, NULL, "registry \"https:\"" },
    { "a@", NULL, NULL, "expected sha256:HEX" },
    { "a@sha256:12", NULL, NULL, "64 lower-case hex digits" },
    { "a@sha512:" HEX HEX, NULL, NULL, "only sha256 is supported" },
    { "../a", NULL, NULL, "registry \"..\"" },
};

static void names_become_normal_and_familiar(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(reference_release) struct reference reference = { 0 };
        AUTO(error_free) struct error *err = NULL;
        int parsed = reference_parse(cases[i].text, &reference, &err);
        if (cases[i].error) {
            if (parsed == 0 || !strstr(error_message(err), cases[i].error))
                fail_msg("\"%s\": \"%s\", expected \"%s\"", cases[i].text, error_message(err),
                         cases[i].error);
            continue;
        }
        if (parsed < 0)
            fail_msg("\"%s\": %s", cases[i].text, error_message(err));
        AUTO(free) char *normal = reference_format(&reference);
        AUTO(free) char *familiar = reference_familiar(&reference);
        assert_string_equal(normal, cases[i].normal);
        assert_string_equal(familiar, cases[i].familiar);
        AUTO(reference_release) struct reference again = { 0 };
        assert_ok(reference_parse(familiar, &again, &err), err);
        AUTO(free) char *normal_again = reference_format(&again);
        assert_string_equal(normal_again, normal);
    }
}

static void lengths_are_limited(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (int i = 0; i < 256 - 2; i++)
        strbuf_addc(&text, 'a');
    strbuf_insert(&text, 1, "/", 1);
    assert_ok(reference_parse(text.data, &reference, &err), err);
    strbuf_addc(&text, 'a');
    AUTO(reference_release) struct reference other = { 0 };
    assert_fails(reference_parse(text.data, &other, &err), err, ERR_INVALID,
                 "longer than 255 characters");
    strbuf_reset(&text);
    strbuf_adds(&text, "a:");
    for (int i = 0; i < 128; i++)
        strbuf_addc(&text, 'a');
    assert_true(reference_tag_is_valid(text.data + 2));
    strbuf_addc(&text, 'a');
    assert_fails(reference_parse(text.data, &other, &err), err, ERR_INVALID, "at most 128");
    for (int i = 0; i < 2000; i++)
        strbuf_addc(&text, 'a');
    assert_fails(reference_parse(text.data, &other, &err), err, ERR_INVALID,
                 "longer than 1024 characters");
}

static void tag_defaults_to_latest(void **state UNUSED)
{
    static const struct {
        const char *text, *normal;
    } defaults[] = {
        { "alpine", "docker.io/library/alpine:latest" },
        { "alpine:1", "docker.io/library/alpine:1" },
        { "alpine@sha256:" HEX, "docker.io/library/alpine@sha256:" HEX },
    };
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        struct error *err = NULL;
        AUTO(reference_release) struct reference reference = { 0 };
        AUTO(reference_release) struct reference copy = { 0 };
        assert_ok(reference_parse(defaults[i].text, &reference, &err), err);
        reference_copy(&copy, &reference);
        reference_default_tag(&copy);
        AUTO(free) char *text = reference_format(&copy);
        AUTO(free) char *repository = reference_repository(&copy);
        AUTO(free) char *familiar = reference_familiar_repository(&copy);
        assert_string_equal(text, defaults[i].normal);
        assert_string_equal(repository, "docker.io/library/alpine");
        assert_string_equal(familiar, "alpine");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_normal_and_familiar),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(tag_defaults_to_latest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
