/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registries_conf.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static int add(struct registries_conf *conf, const char *text, struct error **err)
{
    return registries_conf_add(conf, "a.conf", text, strlen(text), err);
}

static void parse_reference(const char *text, struct reference *reference)
{
    struct error *err = NULL;
    assert_ok(reference_parse(text, reference, &err), err);
}

static void the_longest_prefix_wins(void **state UNUSED)
{
    static const char text[] = "[[registry]]\nprefix = \"example.com\"\n"
                               "[[registry]]\nprefix = \"example.com/org\"\n"
                               "[[registry]]\nprefix = \"example.com/org/app:1\"\n"
                               "[[registry]]\nlocation = \"localhost:5000\"\n"
                               "[[registry]]\nprefix = \"*.wild.example\"\n"
                               "[[registry]]\nprefix = \"docker.io/library\"\n";
    static const struct {
        const char *name, *prefix;
    } cases[] = {
        { "example.com/x", "example.com" },
        { "example.com/org/x", "example.com/org" },
        { "example.com/organ/x", "example.com" },
        { "example.com/org", "example.com/org" },
        { "example.com/org/app:1", "example.com/org/app:1" },
        { "example.com/org/app:2", "example.com/org" },
        { "example.com:5000/x", NULL },
        { "example.community/x", NULL },
        { "localhost:5000/x", "localhost:5000" },
        { "localhost:50001/x", NULL },
        { "a.wild.example/x", "*.wild.example" },
        { "a.b.wild.example/x", "*.wild.example" },
        { "wild.example/x", NULL },
        { "debian", "docker.io/library" },
        { "someone/debian", NULL },
    };
    struct error *err = NULL;
    AUTO(registries_conf_release) struct registries_conf conf;
    registries_conf_init(&conf);
    assert_ok(add(&conf, text, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(reference_release) struct reference reference = { 0 };
        parse_reference(cases[i].name, &reference);
        const struct registry_rule *rule = registries_conf_find(&conf, &reference);
        const char *prefix = rule ? rule->prefix : "none";
        if (strcmp(prefix, cases[i].prefix ? cases[i].prefix : "none") != 0)
            fail_msg("%s: %s", cases[i].name, prefix);
    }
}

static void a_location_stands_in_place_of_the_prefix(void **state UNUSED)
{
    static const struct {
        const char *prefix, *location, *name, *expected;
    } cases[] = {
        { "docker.io", "mirror.example", "debian:12", "mirror.example/library/debian:12" },
        { "docker.io", "mirror.example/hub", "a/b", "mirror.example/hub/a/b" },
        { "docker.io/library", "localhost:5000/base", "debian", "localhost:5000/base/debian" },
        { "example.com/a/b", "in.example/c", "example.com/a/b:1", "in.example/c:1" },
        { "*.example.com", "in.example", "x.example.com/a", "in.example/a" },
        { "example.com", NULL, "example.com/a", "example.com/a" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(reference_release) struct reference reference = { 0 }, got = { 0 };
        AUTO(free) char *prefix = xstrdup(cases[i].prefix);
        const struct registry_rule rule = { .file = prefix, .prefix = prefix };
        parse_reference(cases[i].name, &reference);
        assert_ok(registry_rule_rewrite(&rule, cases[i].location, &reference, &got, &err), err);
        AUTO(free) char *name = reference_format(&got);
        assert_string_equal(name, cases[i].expected);
    }
    struct error *err = NULL;
    AUTO(reference_release) struct reference reference = { 0 }, got = { 0 };
    char prefix[] = "example.com/a", file[] = "a.conf";
    const struct registry_rule rule = { .file = file, .prefix = prefix };
    parse_reference("example.com/a", &reference);
    assert_fails(registry_rule_rewrite(&rule, "in.example", &reference, &got, &err), err,
                 ERR_INVALID, "a.conf: location \"in.example\": no path is left");
}

static void later_files_replace_and_add(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(registries_conf_release) struct registries_conf conf;
    registries_conf_init(&conf);
    assert_ok(add(&conf,
                  "unqualified-search-registries = [\"a.example\", \"b.example/x/\"]\n"
                  "short-name-mode = \"enforcing\"\n"
                  "[aliases]\none = \"a.example/one\"\ntwo = \"a.example/two\"\n"
                  "[[registry]]\nlocation = \"a.example\"\nblocked = true\n"
                  "[[registry]]\nlocation = \"b.example\"\ninsecure = true\n",
                  &err),
              err);
    assert_int_equal(conf.search.n, 2);
    assert_string_equal(conf.search.items[1], "b.example/x");
    assert_true(conf.enforcing);
    assert_ok(add(&conf,
                  "unqualified-search-registries = [\"c.example\"]\n"
                  "[aliases]\none = \"\"\nthree = \"c.example/three\"\n"
                  "[[registry]]\nlocation = \"a.example\"\n"
                  "[[registry.mirror]]\nlocation = \"m.example:80/x\"\ninsecure = true\n"
                  "pull-from-mirror = \"tag-only\"\n",
                  &err),
              err);
    assert_int_equal(conf.search.n, 1);
    assert_true(conf.enforcing);
    assert_null(hashmap_get(&conf.aliases, "one"));
    assert_string_equal(hashmap_get(&conf.aliases, "two"), "a.example/two");
    assert_string_equal(hashmap_get(&conf.aliases, "three"), "c.example/three");
    assert_int_equal(conf.n_rules, 2);
    assert_false(conf.rules[0].blocked);
    assert_int_equal(conf.rules[0].n_mirrors, 1);
    assert_int_equal(conf.rules[0].mirrors[0].use, MIRROR_TAG_ONLY);
    assert_true(strvec_has(&conf.insecure, "b.example"));
    assert_true(strvec_has(&conf.insecure, "m.example:80"));
    assert_false(strvec_has(&conf.insecure, "a.example"));
}

static void what_is_wrong_names_its_place_and_changes_nothing(void **state UNUSED)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "[[registry]]\nblocked = true", "/registry/0: neither prefix nor location" },
        { "[[registry]]\nlocation = \"https://x.example\"", "/registry/0/location: " },
        { "[[registry]]\nlocation = \"/x\"", "expected HOST[:PORT][/PATH]" },
        { "[[registry]]\nlocation = 1", "/registry/0/location: expected a string" },
        { "[[registry]]\nlocation = \"x\"\ninsecure = \"yes\"", "/registry/0/insecure: expected" },
        { "[[registry]]\nprefix = \"*.x/y\"", "a path can't follow *.DOMAIN" },
        { "[[registry]]\nlocation = \"x\"\n[[registry.mirror]]\ninsecure = true",
          "/registry/0/mirror/0/location: missing" },
        { "[[registry]]\nlocation = \"x\"\n[[registry.mirror]]\nlocation = \"y\"\n"
          "pull-from-mirror = \"never\"",
          "expected all, digest-only or tag-only" },
        { "[registry]\nlocation = \"x\"", "/registry: expected an array" },
        { "short-name-mode = \"strict\"", "expected enforcing, permissive or disabled" },
        { "[aliases]\na = 1", "/aliases/a: expected a string" },
        { "[aliases]\na = \"x.example\"", "/aliases/a: \"x.example\": expected HOST/PATH" },
        { "[registries.search]\nregistries = []", "version 1 of the format" },
    };
    AUTO(registries_conf_release) struct registries_conf conf;
    registries_conf_init(&conf);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(free)
        char *text =
            xasprintf("unqualified-search-registries = [\"q.example\"]\n%s", cases[i].text);
        assert_fails(add(&conf, text, &err), err, ERR_INVALID, cases[i].message);
        assert_int_equal(conf.n_rules + conf.search.n + conf.insecure.n, 0);
    }
    struct error *err = NULL;
    assert_fails(add(&conf, "a = 1\nb", &err), err, ERR_SYNTAX, "line 2");
}

static int add_docker(struct registries_conf *conf, const char *text, struct error **err)
{
    return registries_conf_add_docker(conf, "daemon.json", text, strlen(text), err);
}

static void docker_mirrors_are_docker_hubs(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(registries_conf_release) struct registries_conf conf;
    registries_conf_init(&conf);
    assert_ok(
        add_docker(&conf,
                   "{\"registry-mirrors\": [\"https://m.example/\", \"http://n.example:5000\"],"
                   "\"insecure-registries\": [\"10.0.0.0/8\"], \"debug\": true}",
                   &err),
        err);
    assert_int_equal(conf.n_rules, 1);
    assert_string_equal(conf.rules[0].prefix, "docker.io");
    assert_string_equal(conf.rules[0].mirrors[0].location, "m.example");
    assert_string_equal(conf.rules[0].mirrors[1].location, "n.example:5000");
    assert_true(strvec_has(&conf.insecure, "10.0.0.0/8"));
    assert_true(strvec_has(&conf.insecure, "n.example:5000"));
    assert_false(strvec_has(&conf.insecure, "m.example"));
    assert_fails(add_docker(&conf, "{\"registry-mirrors\": 1}", &err), err, ERR_INVALID,
                 "/registry-mirrors: expected an array");
}

static void a_rule_for_docker_hub_beats_docker_mirrors(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(registries_conf_release) struct registries_conf conf;
    registries_conf_init(&conf);
    assert_ok(add(&conf, "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n", &err), err);
    assert_ok(add_docker(&conf, "{\"registry-mirrors\": [\"https://m.example\"]}", &err), err);
    assert_int_equal(conf.n_rules, 1);
    assert_true(conf.rules[0].blocked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_wins),
        cmocka_unit_test(a_location_stands_in_place_of_the_prefix),
        cmocka_unit_test(later_files_replace_and_add),
        cmocka_unit_test(what_is_wrong_names_its_place_and_changes_nothing),
        cmocka_unit_test(docker_mirrors_are_docker_hubs),
        cmocka_unit_test(a_rule_for_docker_hub_beats_docker_mirrors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
