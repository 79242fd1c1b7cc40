/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image_config.h"

#include "base/json.h"
#include "tests/unit/conformance.h"

#define HEX "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#define ROOTFS "\"rootfs\":{\"diff_ids\":[\"sha256:" HEX "\"],\"type\":\"layers\"}"

static int parse(const char *data, size_t size, struct error **err)
{
    AUTO(image_config_release) struct image_config config = { 0 };
    return image_config_parse(data, size, &config, err);
}

static void spec_cases(void **state UNUSED)
{
    static const char *const none[] = { NULL };
    conformance_run("image-spec/cases", "config-", none, parse);
    conformance_run("image-spec/examples", "config-", none, parse);
}

static void faults_name_their_place(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "{}", "/rootfs" },
        { "{\"rootfs\":{\"type\":\"btrfs\",\"diff_ids\":[]}}", "/rootfs/type" },
        { "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}", "/rootfs/diff_ids/0" },
        { "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}", "/rootfs/diff_ids/0" },
        { "{\"config\":{\"Cmd\":\"sh\"}," ROOTFS "}", "/config/Cmd" },
        { "{\"config\":{\"Labels\":{\"a\":1}}," ROOTFS "}", "/config/Labels/a" },
        { "{\"config\":{\"Env\":[\"A=1\",\"B\"]}," ROOTFS "}", "/config/Env/1" },
        { "{\"config\":{\"Healthcheck\":{\"Interval\":\"1s\"}}," ROOTFS "}",
          "/config/Healthcheck/Interval" },
        { "{\"history\":[{\"empty_layer\":1}]," ROOTFS "}", "/history/0/empty_layer" },
        { "{\"history\":[1]," ROOTFS "}", "/history/0" },
        { "{\"os\":1," ROOTFS "}", "/os" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_fails(parse(cases[i].text, strlen(cases[i].text), &err), err, ERR_INVALID,
                     cases[i].error);
    }
}

/* As docker, BuildKit, buildah and kaniko write them: nulls, old members, missing parts. */
static void configs_of_the_field_are_read(void **state UNUSED)
{
    static const char *const texts[] = {
        "{\"architecture\":\"amd64\",\"config\":{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":"
        "\"\","
        "\"AttachStdin\":false,\"Tty\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"sha256:1\","
        "\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null,"
        "\"ExposedPorts\":null},\"container\":\"ab\",\"container_config\":{\"Cmd\":[\"x\"]},"
        "\"docker_version\":\"20.10\",\"os\":\"linux\"," ROOTFS "}",
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":"
        "null},"
        "\"history\":null}",
        "{\"config\":null,\"created\":null," ROOTFS "}",
        "{\"architecture\":\"\",\"os\":\"\",\"config\":{}," ROOTFS "}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error *err = NULL;
        assert_ok(parse(texts[i], strlen(texts[i]), &err), err);
    }
}

static const char full[] =
    "{\"architecture\":\"arm\",\"author\":\"me\",\"config\":{\"ArgsEscaped\":true,\"Cmd\":[],"
    "\"CpuShares\":5,\"Entrypoint\":[\"/e\"],\"Env\":[\"B=2\",\"A=1\"],\"ExposedPorts\":{\"53/"
    "udp\":{},"
    "\"80/tcp\":{}},\"Healthcheck\":{\"Interval\":30000000000,\"Retries\":3,\"StartInterval\":4,"
    "\"StartPeriod\":5,\"Test\":[\"CMD\",\"true\"],\"Timeout\":6},\"Labels\":{\"k\":\"v\"},"
    "\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/bash\",\"-c\"],\"StopSignal\":\"SIGINT\","
    "\"StopTimeout\":7,\"User\":\"u\",\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/w\"},"
    "\"created\":\"2015-10-31T22:22:56.015925234Z\",\"history\":[{\"author\":\"a\",\"comment\":"
    "\"c\","
    "\"created\":\"2015-10-31T22:22:54.690851953Z\",\"created_by\":\"RUN "
    "<&\"},{\"empty_layer\":true}],"
    "\"moby.buildkit.cache.v0\":{\"x\":[1]},\"os\":\"linux\",\"os.features\":[\"f\"],"
    "\"os.version\":\"1\"," ROOTFS ",\"variant\":\"v6\"}";

static void what_was_read_is_written_again(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(image_config_release) struct image_config copy = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(image_config_parse(full, strlen(full), &config, &err), err);
    image_config_copy(&copy, &config);
    image_config_format(&copy, &text);
    assert_string_equal(text.data, full);
    assert_true(copy.has_cmd);
    assert_int_equal(copy.cmd.n, 0);
    assert_int_equal(copy.healthcheck.interval_ns, 30000000000);
    AUTO(json_decref) json_t *container = image_config_container_json(&copy);
    assert_int_equal(json_integer_value(json_object_get(container, "StopTimeout")), 7);
}

static void absent_and_empty_lists_differ(void **state UNUSED)
{
    static const struct {
        const char *text, *written;
        bool has;
    } cases[] = {
        { "{\"config\":{\"Cmd\":null}," ROOTFS "}", "{\"config\":{}," ROOTFS "}", false },
        { "{\"config\":{\"Cmd\":[]}," ROOTFS "}", "{\"config\":{\"Cmd\":[]}," ROOTFS "}", true },
        { "{" ROOTFS "}", "{\"config\":{}," ROOTFS "}", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(image_config_release) struct image_config config = { 0 };
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        assert_ok(image_config_parse(cases[i].text, strlen(cases[i].text), &config, &err), err);
        assert_int_equal(config.has_cmd, cases[i].has);
        image_config_format(&config, &text);
        assert_string_equal(text.data, cases[i].written);
    }
}

static void layers_diff_ids_and_history_pair(void **state UNUSED)
{
    struct error *err = NULL;
    struct digest digest = digest_of("x", 1);
    AUTO(image_config_release) struct image_config config = { 0 };
    image_config_add_diff_id(&config, &digest);
    assert_ok(image_config_check_layers(&config, 1, &err), err);
    assert_fails(image_config_check_layers(&config, 2, &err), err, ERR_INVALID,
                 "2 layers in the manifest, 1 diff_ids in the config");
    image_config_add_history(&config, NULL, "ENV A=1", "cbuild", true);
    assert_fails(image_config_check_layers(&config, 1, &err), err, ERR_INVALID,
                 "1 layers, but 0 history entries");
    image_config_add_history(&config, "2015-10-31T22:22:54Z", "RUN x", "cbuild", false);
    assert_ok(image_config_check_layers(&config, 1, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spec_cases),
        cmocka_unit_test(faults_name_their_place),
        cmocka_unit_test(configs_of_the_field_are_read),
        cmocka_unit_test(what_was_read_is_written_again),
        cmocka_unit_test(absent_and_empty_lists_differ),
        cmocka_unit_test(layers_diff_ids_and_history_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
