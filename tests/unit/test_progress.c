/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include "base/strbuf.h"
#include "tests/unit/test.h"

struct recorder {
    struct progress progress;
    struct strbuf log;
    unsigned last;
};

static void record(struct progress *progress, const struct progress_event *e)
{
    struct recorder *recorder = (struct recorder *)progress;
    strbuf_addf(&recorder->log, "%d:%u:%s:%s:%.*s:%d:%d/%d\n", (int)e->kind, e->vertex,
                e->name ? e->name : "", e->text ? e->text : "", (int)e->size,
                e->data ? (const char *)e->data : "", e->error_stream, (int)e->done, (int)e->total);
}

static unsigned new_vertex(struct progress *progress)
{
    return ++((struct recorder *)progress)->last;
}

static void tell_all(struct progress *progress)
{
    unsigned vertex = progress_vertex(progress);
    progress_started(progress, vertex, "RUN make");
    progress_log(progress, vertex, "text", 3, true);
    progress_transfer(progress, vertex, "blob", 5, 9);
    progress_warning(progress, 0, "%d of %s", 1, "these");
    progress_note(progress, vertex, "100%%");
    progress_failed(progress, vertex, "exit status 1");
    progress_simple(progress, PROGRESS_CACHED, vertex);
}

static void events_carry_their_fields(void **state UNUSED)
{
    struct recorder recorder = { { record, new_vertex }, STRBUF_INIT, 0 };
    tell_all(&recorder.progress);
    assert_string_equal(recorder.log.data, "0:1:RUN make:::0:0/0\n"
                                           "2:1:::tex:1:0/0\n"
                                           "3:1:blob:::0:5/9\n"
                                           "7:0::1 of these::0:0/0\n"
                                           "8:1::100%::0:0/0\n"
                                           "5:1::exit status 1::0:0/0\n"
                                           "1:1::::0:0/0\n");
    strbuf_release(&recorder.log);
}

static void nobody_listening_is_silence(void **state UNUSED)
{
    tell_all(NULL);
    assert_int_equal(progress_vertex(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_carry_their_fields),
        cmocka_unit_test(nobody_listening_is_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
