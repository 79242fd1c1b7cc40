/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/app.h"

#include "layers/snapshot.h"
#include "runner/userns.h"

#include <string.h>

void app_release(struct app *app)
{
    registry_session_free(app->session);
    store_close(app->store);
    strvec_release(&app->insecure);
    render_release(&app->render);
    memset(app, 0, sizeof(*app));
}

static void tell_wait(void *data, const char *name, const char *holder)
{
    progress_note(data, 0, "waiting for %s, held by %s", name, holder);
}

struct store *app_store(struct app *app, struct error **err)
{
    if (!app->store) {
        app->store = store_open(app->root, err);
        if (app->store && app->progress)
            store_set_wait(app->store,
                           &(struct lock_wait){ .waiting = tell_wait, .data = app->progress });
    }
    return app->store;
}

int app_own_forms(struct app *app, struct error **err)
{
    AUTO(error_free) struct error *lacking = NULL;
    if (!userns_can_enter() || !snapshot_has_mapped(app->store))
        return 0;
    if (userns_enter(&lacking, err) < 0)
        return -1;
    if (!lacking || !snapshot_has_other_maps(app->store))
        return 0;
    error_move(err, TAKE(lacking));
    return error_wrap(err, "directory forms were made with subordinate ids");
}

struct registry_session *app_session(struct app *app)
{
    if (!app->session) {
        app->registry.insecure = &app->insecure;
        app->registry.no_tls_verify = !app->tls_verify;
        app->registry.progress = app->progress;
        app->session = registry_session_new(&app->registry);
    }
    return app->session;
}

int app_set_progress(struct app *app, const char *style, struct error **err)
{
    const char *origin = style ? "--progress" : "$BUILDKIT_PROGRESS";
    if (!style)
        style = getenv("BUILDKIT_PROGRESS");
    if (!style || !*style)
        style = "auto";
    struct render render = { .ops = NULL };
    if (render_init(&render, style, origin, err) < 0)
        return -1;
    render_release(&app->render);
    app->render = render;
    app->progress = render.progress;
    return 0;
}
