/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf and daemon.json: any rule that parses can be asked for and rewrites names. */
#include "registry/registries_conf.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct registries_conf *conf, const char *name)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(reference_release) struct reference reference = { 0 }, got = { 0 };
    if (reference_parse(name, &reference, &err) < 0)
        abort();
    const struct registry_rule *rule = registries_conf_find(conf, &reference);
    if (rule && registry_rule_rewrite(rule, rule->location, &reference, &got, &err) == 0 &&
        (!*got.domain || !*got.path))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "debian", "localhost:5000/a", "a.example/b/c:1" };
    const char *text = (const char *)data;
    AUTO(registries_conf_release) struct registries_conf conf;
    registries_conf_init(&conf);
    AUTO(error_free) struct error *bad = NULL;
    AUTO(error_free) struct error *bad_docker = NULL;
    int result = registries_conf_add(&conf, "fuzz", text, size, &bad);
    int docker = registries_conf_add_docker(&conf, "fuzz", text, size, &bad_docker);
    for (size_t i = 0; (result == 0 || docker == 0) && i < ARRAY_SIZE(names); i++)
        ask(&conf, names[i]);
    return 0;
}
