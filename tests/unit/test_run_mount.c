/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_mount.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

static void describe(const struct run_mount *mount, struct strbuf *buf)
{
    static const char *const sharing[] = { "shared", "private", "locked" };
    strbuf_addf(buf, "%s %s", run_mount_type_name(mount->type), mount->read_only ? "ro" : "rw");
    const struct {
        const char *name, *value;
    } texts[] = { { "from", mount->from },
                  { "source", mount->source },
                  { "target", mount->target },
                  { "id", mount->id },
                  { "env", mount->env } };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i].value)
            strbuf_addf(buf, " %s=%s", texts[i].name, texts[i].value);
    }
    if (mount->type == RUN_MOUNT_CACHE)
        strbuf_addf(buf, " %s", sharing[mount->sharing]);
    if (mount->required)
        strbuf_adds(buf, " required");
    if (mount->uid || mount->gid || mount->mode)
        strbuf_addf(buf, " %u:%u %o", mount->uid, mount->gid, mount->mode);
    if (mount->size)
        strbuf_addf(buf, " size=%llu", (unsigned long long)mount->size);
    if (mount->unexpanded)
        strbuf_adds(buf, " unexpanded");
}

static void options_are_typed(void **state UNUSED)
{
    static const struct {
        const char *spec, *expected, *error;
    } cases[] = {
        { "target=/t", "bind ro target=/t", NULL },
        { "type=bind,from=b,src=/s,dst=/t,rw", "bind rw from=b source=/s target=/t", NULL },
        { "TYPE=Bind,Destination=t,readonly=false", "bind rw target=t", NULL },
        { "target=/t,rw=false", "bind ro target=/t", NULL },
        { "type=cache,target=/c", "cache rw target=/c id=/c shared 0:0 755", NULL },
        { "type=cache,target=/c,id=x,sharing=LOCKED,ro,uid=1,gid=2,mode=0700",
          "cache ro target=/c id=x locked 1:2 700", NULL },
        { "type=tmpfs,target=/t,size=64m", "tmpfs rw target=/t size=67108864", NULL },
        { "type=secret,id=a", "secret ro id=a 0:0 400", NULL },
        { "type=secret,target=/run/x/key,required",
          "secret ro target=/run/x/key id=key required 0:0 400", NULL },
        { "type=secret,source=a,env=TOKEN,required=true,mode=440",
          "secret ro source=a id=a env=TOKEN required 0:0 440", NULL },
        { "required,type=secret,id=a", "secret ro id=a required 0:0 400", NULL },
        { "type=ssh", "ssh ro id=default 0:0 600", NULL },
        { "\"target=/a,b\",rw", "bind rw target=/a,b", NULL },
        { "target=/$X", "bind rw unexpanded", NULL },
        { "type=bind", "bind ro target=.", NULL },
        { "from=b,target=", "bind ro from=b target=.", NULL },
        { "type=cache", "cache rw target=. id=. shared 0:0 755", NULL },
        { "target=/", NULL, "is the root directory" },
        { "target=/x/..", NULL, "is the root directory" },
        { "type=secret", NULL, "needs an id or a target" },
        { "type=secret,id=a,source=b", NULL, "only one of them" },
        { "target=/t,uid=1", NULL, "uid isn't an option of type=bind" },
        { "target=/t,required", NULL, "required isn't an option of type=bind" },
        { "type=cache,target=/c,size=1", NULL, "size isn't an option of type=cache" },
        { "target", NULL, "target needs a value" },
        { "targt=/t", NULL, "unknown option \"targt\"" },
        { "type=cahce,target=/c", NULL, "type \"cahce\" is unknown" },
        { "type=cache,target=/c,sharing=x", NULL, "sharing \"x\" is unknown" },
        { "type=cache,target=/c,mode=9", NULL, "mode \"9\" is no number" },
        { "type=cache,target=/c,uid=4294967296", NULL, "uid \"4294967296\" is no number" },
        { "target=/t,ro=perhaps", NULL, "ro: \"perhaps\" is neither true nor false" },
        { "from=$X,target=/t", NULL, "variables aren't expanded here" },
        { "target=\"/t", NULL, "misplaced quote" },
        { "", NULL, "unknown option \"\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(run_mount_release) struct run_mount mount = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct error *err = NULL;
        int result = run_mount_parse(cases[i].spec, NULL, &mount, &err);
        if (cases[i].error) {
            assert_fails(result, err, ERR_SYNTAX, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        describe(&mount, &text);
        if (strcmp(text.data, cases[i].expected) != 0)
            fail_msg("%s: %s, expected %s", cases[i].spec, text.data, cases[i].expected);
    }
}

static void unknown_options_get_a_suggestion(void **state UNUSED)
{
    struct run_mount mount;
    AUTO(error_free) struct error *err = NULL;
    assert_int_equal(run_mount_parse("type=cache,taget=/x", NULL, &mount, &err), -1);
    assert_string_equal(error_hint_text(err), "did you mean target?");
    AUTO(error_free) struct error *other = NULL;
    assert_int_equal(run_mount_parse("type=cahce,target=/x", NULL, &mount, &other), -1);
    assert_string_equal(error_hint_text(other), "did you mean type=cache?");
}

static void options_of_buildah_are_taken_when_true_else_refused(void **state UNUSED)
{
    static const struct {
        const char *options, *error;
        enum error_code code;
    } cases[] = {
        { "z", NULL, 0 },
        { "Z", NULL, 0 },
        { "relabel=shared", NULL, 0 },
        { "relabel=private", NULL, 0 },
        { "private", NULL, 0 },
        { "rprivate", NULL, 0 },
        { "bind-propagation=rprivate", NULL, 0 },
        { "bind-nonrecursive", NULL, 0 },
        { "nodev", NULL, 0 },
        { "suid,exec", NULL, 0 },
        { "notmpcopyup", NULL, 0 },
        { "U", "U is not supported: owners are given with uid and gid", ERR_UNSUPPORTED },
        { "U=true", "U is not supported", ERR_UNSUPPORTED },
        { "shared", "shared is not supported: mounts of a build are private", ERR_UNSUPPORTED },
        { "bind-propagation=rslave", "bind-propagation is not supported", ERR_UNSUPPORTED },
        { "nosuid", "nosuid is not supported", ERR_UNSUPPORTED },
        { "noexec", "noexec is not supported", ERR_UNSUPPORTED },
        { "dev", "dev is not supported", ERR_UNSUPPORTED },
        { "tmpcopyup", "tmpcopyup is not supported", ERR_UNSUPPORTED },
        { "relabel=maybe", "unknown option \"relabel\"", ERR_SYNTAX },
        { "z=1", "unknown option \"z\"", ERR_SYNTAX },
        { "u", "unknown option \"u\"", ERR_SYNTAX },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(run_mount_release) struct run_mount mount = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        AUTO(free) char *spec = xasprintf("type=bind,target=/t,%s", cases[i].options);
        struct error *err = NULL;
        int result = run_mount_parse(spec, NULL, &mount, &err);
        if (cases[i].error) {
            assert_fails(result, err, cases[i].code, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        describe(&mount, &text);
        assert_string_equal(text.data, "bind ro target=/t");
    }
}

static void what_counts_has_one_form(void **state UNUSED)
{
    static const struct {
        const char *spec, *expected;
    } cases[] = {
        { "target=/t", "type=bind,ro" },
        { "type=bind,from=stage,dst=/u,source=/./s/,readonly=true", "type=bind,source=s,ro" },
        { "target=/t,source=/,rw", "type=bind,rw" },
        { "type=cache,target=/c", "type=cache,id=/c,sharing=shared,rw" },
        { "type=cache,target=/d,id=/c,mode=755,uid=0,sharing=SHARED,from=x",
          "type=cache,id=/c,sharing=shared,rw" },
        { "type=cache,target=/c,mode=0700,uid=1,gid=2,sharing=locked,ro",
          "type=cache,id=/c,sharing=locked,ro,uid=1,gid=2,mode=0700" },
        { "type=secret,source=s", "type=secret,id=s" },
        { "type=secret,id=s,env=E,required", "type=secret,id=s,required,env=E" },
        { "type=secret,id=s,mode=0444", "type=secret,id=s,mode=0444" },
        { "type=tmpfs,target=/t,size=1k", "type=tmpfs,size=1024" },
        { "type=ssh", "type=ssh,id=default" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(run_mount_release) struct run_mount mount = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct error *err = NULL;
        assert_ok(run_mount_parse(cases[i].spec, NULL, &mount, &err), err);
        run_mount_format(&mount, &text);
        assert_string_equal(text.data, cases[i].expected);
    }
}

static void variables_are_expanded_by_the_executor(void **state UNUSED)
{
    AUTO(env_release) struct env env = ENV_INIT;
    env_add(&env, "T=/tgt");
    env_add(&env, "K=cache");
    struct words_expander expander = { .escape = '\\',
                                       .lookup = words_lookup_env,
                                       .context = &env };
    AUTO(run_mount_release) struct run_mount mount = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    struct error *err = NULL;
    assert_ok(run_mount_parse("type=$K,target=${T}/x,mode=${M:-700}", &expander, &mount, &err),
              err);
    describe(&mount, &text);
    assert_string_equal(text.data, "cache rw target=/tgt/x id=/tgt/x shared 0:0 700");
    AUTO(run_mount_release) struct run_mount other = { 0 };
    assert_ok(run_mount_parse("target=$NONE", &expander, &other, &err), err);
    assert_string_equal(other.target, ".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_typed),
        cmocka_unit_test(unknown_options_get_a_suggestion),
        cmocka_unit_test(options_of_buildah_are_taken_when_true_else_refused),
        cmocka_unit_test(what_counts_has_one_form),
        cmocka_unit_test(variables_are_expanded_by_the_executor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
