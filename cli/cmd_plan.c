/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "builder/forecast.h"
#include "cli/build_command.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild plan [OPTIONS] CONTEXT|URL|-",
    .summary = "Shows what a build would do: what is cached, what would run and why, what would be "
               "pulled.",
    .more = "Takes the options of build. Runs, pulls and writes nothing; a context that isn't on "
            "this machine is "
            "fetched.",
};

static void print_steps(const struct forecast *forecast, size_t stage)
{
    for (size_t i = 0; i < forecast->n_steps; i++) {
        const struct forecast_step *step = &forecast->steps[i];
        if (step->stage != stage)
            continue;
        printf("  %-7s %s\n", step->cached ? "cached" : "run", step->text);
        for (size_t j = 0; j < step->reasons.n; j++)
            printf("            %s\n", step->reasons.items[j]);
    }
}

static void print_stages(const struct forecast *forecast)
{
    for (size_t i = 0; i < forecast->n_stages; i++) {
        const struct forecast_stage *stage = &forecast->stages[i];
        printf("stage %s, ", stage->label);
        if (stage->platforms)
            printf("for %s, ", stage->platforms);
        printf("%s %s%s\n", stage->goes_on ? "going on from" : "from",
               stage->goes_on ? "the above" : stage->from,
               stage->skipped ? ": skipped, the target doesn't need it" : "");
        print_steps(forecast, i);
    }
}

static void print_images(const struct forecast *forecast)
{
    for (size_t i = 0; i < forecast->n_images; i++) {
        const struct forecast_image *image = &forecast->images[i];
        if (image->is_here)
            printf("image %s: in the store\n", image->name);
        else if (image->size_is_known)
            printf("image %s: not in the store, %llu bytes to pull\n", image->name,
                   (unsigned long long)image->size);
        else
            printf("image %s: not in the store, its size isn't known\n", image->name);
    }
}

static void print_sum(const struct forecast *forecast)
{
    size_t n_cached = 0;
    for (size_t i = 0; i < forecast->n_steps; i++)
        n_cached += forecast->steps[i].cached;
    printf("%zu step%s cached, %zu to run\n", n_cached, n_cached == 1 ? "" : "s",
           forecast->n_steps - n_cached);
}

int cmd_plan(struct app *app, char *const *argv, struct error **err)
{
    AUTO(build_command_release) struct build_command command = BUILD_COMMAND_INIT;
    AUTO(forecast_release) struct forecast forecast = { 0 };
    int parsed = build_command_parse(app, &help, argv, &command, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    if (command.shell_at)
        return error_set(err, ERR_USAGE, "--shell-at opens a shell, and plan runs nothing");
    if (!app_store(app, err) ||
        build_foresee(app->store, app_session(app), &command.options, &forecast, err) < 0)
        return -1;
    print_images(&forecast);
    print_stages(&forecast);
    print_sum(&forecast);
    return 0;
}
