/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/limit_values.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/options.h"
#include "tests/unit/test.h"

#define MAX_WORDS 8

static int parse(const char *line, struct limit_texts *texts, struct sandbox_limits *ret,
                 struct error **err)
{
    static const struct command_help help = { .usage = "x", .summary = "x" };
    AUTO(free) char *words = xstrdup(line);
    char *argv[MAX_WORDS] = { (char[]){ "x" } };
    size_t n = 1;
    for (char *save, *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[n++] = word;
    const struct option options[] = { LIMIT_OPTIONS(texts), OPT_END() };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    if (options_parse(options, &help, argv, &operands, err) < 0)
        return -1;
    int result = limits_parse(texts, ret, err);
    /* they belong to the words */
    strvec_push(&texts->resource_values, ret->group.cpuset_cpus ? ret->group.cpuset_cpus : "");
    ret->group.cpuset_cpus = texts->resource_values.items[texts->resource_values.n - 1];
    return result;
}

static const struct {
    const char *line, *limits;
} good[] = {
    { "", "memory 0 swap 0 quota 0 period 0 shares 0 cpus  pids 0" },
    { "-m 64m", "memory 67108864 swap 0 quota 0 period 0 shares 0 cpus  pids 0" },
    { "--memory=64m --memory-swap=1g",
      "memory 67108864 swap 1073741824 quota 0 period 0 shares 0 cpus  pids 0" },
    { "--memory 1m --memory-swap -1",
      "memory 1048576 swap -1 quota 0 period 0 shares 0 cpus  pids 0" },
    { "--cpus 1.5", "memory 0 swap 0 quota 150000 period 0 shares 0 cpus  pids 0" },
    { "--cpus .25", "memory 0 swap 0 quota 25000 period 0 shares 0 cpus  pids 0" },
    { "--cpus 0", "memory 0 swap 0 quota 0 period 0 shares 0 cpus  pids 0" },
    { "--cpu-quota 5000 --cpu-period 10000 -c 512",
      "memory 0 swap 0 quota 5000 period 10000 shares 512 cpus  pids 0" },
    { "--cpu-quota -1 --pids-limit -1 --memory -1",
      "memory 0 swap 0 quota 0 period 0 shares 0 cpus  pids 0" },
    { "--cpuset-cpus 0-2,5 --pids-limit 100",
      "memory 0 swap 0 quota 0 period 0 shares 0 cpus 0-2,5 pids 100" },
    { "--resource memory=2m,cpu-quota=2000",
      "memory 2097152 swap 0 quota 2000 period 0 shares 0 cpus  pids 0" },
    { "--resource cpuset-cpus=0,2,pids-limit=5 --resource memory=1m",
      "memory 1048576 swap 0 quota 0 period 0 shares 0 cpus 0,2 pids 5" },
};

static void options_become_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        AUTO(limit_texts_release) struct limit_texts texts = { .mode = NULL };
        AUTO(limits_release) struct sandbox_limits limits = { .ulimits = NULL };
        struct error *err = NULL;
        assert_ok(parse(good[i].line, &texts, &limits, &err), err);
        const struct cgroup_limits *group = &limits.group;
        AUTO(free)
        char *text =
            xasprintf("memory %llu swap %lld quota %llu period %llu shares %llu cpus %s "
                      "pids %llu",
                      (unsigned long long)group->memory, (long long)group->memory_swap,
                      (unsigned long long)group->cpu_quota, (unsigned long long)group->cpu_period,
                      (unsigned long long)group->cpu_shares, group->cpuset_cpus,
                      (unsigned long long)group->pids);
        assert_string_equal(text, good[i].limits);
    }
}

static const struct {
    const char *line, *error;
} bad[] = {
    { "--memory x", "--memory: \"x\" is no size" },
    { "--memory -2", "--memory: \"-2\" is no size" },
    { "--memory-swap 1g", "needs --memory" },
    { "--memory 2g --memory-swap 1g", "below --memory 2g" },
    { "--cpus 0.001", "at least 0.01" },
    { "--cpus 1,5", "expected a number like 1.5" },
    { "--cpus .", "expected a number like 1.5" },
    { "--cpus 1 --cpu-quota 1000", "--cpus and --cpu-quota exclude each other" },
    { "--cpus 1 --cpu-period 1000", "--cpus and --cpu-period exclude each other" },
    { "--cpu-quota 999", "expected a number from 1000" },
    { "--cpu-period 1000001", "expected a number from 1000 to 1000000" },
    { "--cpu-shares 1", "expected a number from 2 to 262144" },
    { "--pids-limit many", "--pids-limit many: expected a number" },
    { "--cpuset-cpus a", "expected a list like 0-2,5" },
    { "--resource memori=1m", "\"memori\" is no name" },
    { "--resource memory", "expected NAME=VALUE" },
    { "--limits maybe", "strict and best-effort" },
    { "--ulimit nofile", "expected NAME=SOFT[:HARD]" },
};

static void wrong_values_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        AUTO(limit_texts_release) struct limit_texts texts = { .mode = NULL };
        AUTO(limits_release) struct sandbox_limits limits = { .ulimits = NULL };
        AUTO(error_free) struct error *err = NULL;
        assert_int_equal(parse(bad[i].line, &texts, &limits, &err), -1);
        assert_true(error_is(err, ERR_USAGE));
        if (!strstr(error_message(err), bad[i].error))
            fail_msg("%s: %s", bad[i].line, error_message(err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_become_limits),
        cmocka_unit_test(wrong_values_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
