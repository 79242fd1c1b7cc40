/* SPDX-License-Identifier: Apache-2.0 */
/* One COPY in a line or two of a table, run on a context and trees made of lines. */
#ifndef CBUILD_TESTS_UNIT_COPY_CASE_H
#define CBUILD_TESTS_UNIT_COPY_CASE_H

#include "tests/unit/copy_fixture.h"

/* One COPY as its words, and the layer it gives (or the error). */
struct copy_case {
    const char *name;
    const char *context; /* lines on disk; NULL: as `from` says */
    const char *ignore;
    const char *from;  /* lines of the source image */
    const char *below; /* lines of the destination; NULL: scratch */
    const char *words; /* sources and destination, blanks between; \x20 can't be had */
    struct copy_spec spec;
    const char *exclude; /* patterns, blanks between */
    const char *layer;   /* NULL: fails with `error` */
    const char *error;
};

static inline void note_warning(void *data, const char *text)
{
    struct strbuf *warnings = data;
    strbuf_addf(warnings, "%s\n", text);
}

static inline void split_words(const char *text, struct strvec *sources, char **destination)
{
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, " ");
        strvec_pushn(sources, at, n);
        at += n + strspn(at + n, " ");
    }
    *destination = xstrdup(sources->items[sources->n - 1]);
    strvec_remove(sources, sources->n - 1);
}

/* Fills the copy's spec; makes context and trees. */
struct setting {
    struct context *context;
    struct tree *from, *below;
    struct strvec sources, excludes;
    char *destination;
    struct strbuf warnings;
    struct copy_spec spec;
};

static inline void setting_release(struct setting *setting)
{
    tree_unref(setting->from);
    tree_unref(setting->below);
    context_free(setting->context);
    strvec_release(&setting->sources);
    strvec_release(&setting->excludes);
    strbuf_release(&setting->warnings);
    free(setting->destination);
}
DEFINE_AUTO_STRUCT(struct setting, setting_release)

static inline void setting_init(struct setting *setting, struct fixture *fixture,
                                const struct copy_case *what)
{
    *setting = (struct setting){ .warnings = STRBUF_INIT };
    if (what->context)
        setting->context = fixture_context(fixture, what->context, what->ignore);
    if (what->from)
        setting->from = fixture_tree(fixture, NULL, what->from);
    setting->below =
        what->below ? fixture_tree(fixture, NULL, what->below) : tree_new(fixture->store);
    split_words(what->words, &setting->sources, &setting->destination);
    for (const char *at = what->exclude; at && *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        strvec_pushn(&setting->excludes, at, n);
        at += n;
    }
    setting->spec = what->spec;
    setting->spec.context = setting->context;
    setting->spec.from = setting->from;
    setting->spec.store = fixture->store;
    setting->spec.sources = &setting->sources;
    setting->spec.excludes = &setting->excludes;
    setting->spec.destination = setting->destination;
    setting->spec.working_dir = what->spec.working_dir ? what->spec.working_dir : "/";
    setting->spec.now = FIXTURE_NOW;
    setting->spec.warn = note_warning;
    setting->spec.warn_data = &setting->warnings;
}

static inline int run_copy(struct setting *setting, struct changeset *changeset, struct error **err)
{
    AUTO(copy_free) struct copy *copy = copy_new(&setting->spec, err);
    AUTO(inputs_release) struct inputs inputs = { 0 };
    if (!copy || copy_add_inputs(copy, &inputs, err) < 0)
        return -1;
    return copy_changeset(copy, setting->below, changeset, err);
}

static inline void check_case(const struct copy_case *what)
{
    void *state = NULL;
    assert_int_equal(fixture_setup(&state), 0);
    if (!state)
        return;
    struct error *err = NULL;
    {
        AUTO(setting_release) struct setting setting;
        setting_init(&setting, state, what);
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        int result = run_copy(&setting, &changeset, &err);
        check_layer(what->name, result, &changeset, what->layer, what->error, &err);
    }
    assert_int_equal(fixture_teardown(&state), 0);
}

static inline void check_cases(const struct copy_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_case(&cases[i]);
}

#endif
