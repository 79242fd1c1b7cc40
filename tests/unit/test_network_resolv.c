/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network_resolv.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static const struct {
    const char *host, *systemd, *expected; /* NULL: none of them is any good */
} cases[] = {
    { "search a\nnameserver 10.1.1.1\n", "", "search a\nnameserver 10.1.1.1\n" },
    { "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch a.b\n",
      "# from DHCP\nnameserver 192.168.1.1\nsearch other\n",
      "options edns0 trust-ad\nsearch a.b\nnameserver 192.168.1.1\n" },
    { "nameserver 127.0.0.1\nnameserver 9.9.9.9", "nameserver 1.1.1.1\n", "nameserver 9.9.9.9\n" },
    { "nameserver fe80::1%eth0\nnameserver ::1\nnameserver 10.0.0.1\n", "",
      "nameserver 10.0.0.1\n" },
    { "nameserver 127.0.0.53\n", "nameserver 127.0.0.1\n", NULL },
    { "nameserver 127.0.0.1\n", "", NULL },
    { "nameserver ::1\n", "", NULL },
    { "", "", "" },
    { "search a\n", "", "search a\n" },
};

static void servers_that_others_reach_are_kept(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        bool good = network_resolv_of_others(cases[i].host, cases[i].systemd, &text);
        assert_int_equal(good, cases[i].expected != NULL);
        if (good)
            assert_string_equal(text.data, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(servers_that_others_reach_are_kept) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
