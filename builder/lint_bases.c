/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lint_bases.h"

#include "base/mem.h"
#include "builder/executor.h"

void lint_bases_init(struct lint_bases *bases, struct store *store, const struct stage_graph *graph)
{
    *bases = (struct lint_bases){ .store = store, .n_stages = graph->n_stages };
    bases->images = xcalloc(graph->n_stages, sizeof(*bases->images));
    bases->is_read = xcalloc(graph->n_stages, sizeof(*bases->is_read));
}

void lint_bases_release(struct lint_bases *bases)
{
    for (size_t i = 0; i < bases->n_stages; i++)
        if (bases->is_read[i])
            image_release(&bases->images[i]);
    free(bases->images);
    free(bases->is_read);
    *bases = (struct lint_bases){ .store = NULL };
}

const struct image_config *lint_bases_config(void *data, const struct stage *stage)
{
    struct lint_bases *bases = data;
    struct image *image = &bases->images[stage->index];
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* the build will tell; here less is known */
    if (!bases->store || stage->base.kind != STAGE_SOURCE_IMAGE ||
        reference_parse(stage->base.name, &reference, &ignored) < 0)
        return NULL;
    if (!bases->is_read[stage->index] &&
        base_image_read_local(bases->store, &reference, &stage->platform, image, &ignored) <= 0)
        return NULL;
    bases->is_read[stage->index] = true;
    return &image->config;
}
