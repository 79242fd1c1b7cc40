/* SPDX-License-Identifier: Apache-2.0 */
/* The target stage's state, of each platform, becomes config and manifest. image-spec v1.1,
 * config.md, manifest.md */
#include "base/array.h"
#include "base/mem.h"
#include "builder/build_args.h"
#include "builder/executor.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/store_ingest.h"

#include <string.h>

#define DOCKER_MAX_LAYERS 127 /* moby: maxLayerDepth less the one it writes to */

/* A layer of a base in Docker's media types gets OCI's: the bytes are the same. */
static const char *oci_layer_type(const char *media_type)
{
    static const struct {
        const char *docker, *oci;
    } types[] = {
        { MEDIA_TYPE_DOCKER_LAYER, MEDIA_TYPE_OCI_LAYER },
        { MEDIA_TYPE_DOCKER_LAYER_GZIP, MEDIA_TYPE_OCI_LAYER_GZIP },
    };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (!strcmp(media_type, types[i].docker))
            return types[i].oci;
    return media_type;
}

static int add_layers(struct stage_run *run, struct image_config *config, struct manifest *manifest,
                      struct error **err)
{
    free(config->diff_ids);
    config->diff_ids = NULL;
    config->n_diff_ids = config->diff_ids_capacity = 0;
    for (size_t i = 0; i < tree_n_layers(run->tree); i++) {
        AUTO(descriptor_release) struct descriptor blob = { 0 };
        struct digest diff_id;
        if (layer_wait(tree_layer(run->tree, i), &blob, &diff_id, err) < 0)
            return error_wrap(err, "layer %zu", i + 1);
        /* of a base that no step looked into */
        if (!run->build->options->push_only && layer_fetch(tree_layer(run->tree, i), err) < 0)
            return -1;
        image_config_add_diff_id(config, &diff_id);
        struct descriptor *layer = ARRAY_PUSH(manifest, layers);
        descriptor_copy(layer, &blob);
        free(layer->media_type);
        layer->media_type = xstrdup(oci_layer_type(blob.media_type));
    }
    if (manifest->n_layers > MANIFEST_MAX_LAYERS)
        return error_set(err, ERR_LIMIT,
                         "%zu layers: more than %d can't be mounted; join RUN steps",
                         manifest->n_layers, MANIFEST_MAX_LAYERS);
    if (manifest->n_layers > DOCKER_MAX_LAYERS)
        build_warn(run->build, NULL, NULL,
                   "%zu layers: docker runs images of at most %d; join RUN steps",
                   manifest->n_layers, DOCKER_MAX_LAYERS);
    return 0;
}

static void add_labels(struct build *build, struct image_config *config)
{
    const struct strvec *labels = build->options->labels;
    for (size_t i = 0; labels && i < labels->n; i++) {
        size_t size = strcspn(labels->items[i], "=");
        AUTO(free) char *key = xstrndup(labels->items[i], size);
        image_config_set_label(config, key,
                               labels->items[i][size] ? labels->items[i] + size + 1 : "");
    }
}

static void annotate_base(const struct stage_run *run, struct manifest *manifest)
{
    if (!run->base)
        return;
    AUTO(free) char *name = reference_format(&run->base->reference);
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&run->base->digest, digest);
    manifest_annotate(manifest, "org.opencontainers.image.base.name", name);
    manifest_annotate(manifest, "org.opencontainers.image.base.digest", digest);
}

/* --- annotations ----------------------------------------------------------------------------- */

static bool has_annotations(const struct build *build, enum annotation_place place)
{
    for (size_t i = 0; i < build->options->n_annotations; i++)
        if (build->options->annotations[i].place == place)
            return true;
    return false;
}

static bool is_meant(const struct build_annotation *annotation, const struct platform *platform)
{
    return !annotation->platform.os || platform_match(&annotation->platform, platform) > 0;
}

static void annotate_manifest(const struct build *build, const struct platform *platform,
                              struct manifest *manifest)
{
    for (size_t i = 0; i < build->options->n_annotations; i++) {
        const struct build_annotation *annotation = &build->options->annotations[i];
        if (annotation->place == ANNOTATION_MANIFEST && is_meant(annotation, platform))
            manifest_annotate(manifest, annotation->key, annotation->value);
    }
}

static void annotate_descriptor(const struct build *build, enum annotation_place place,
                                const struct platform *platform, struct descriptor *descriptor)
{
    for (size_t i = 0; i < build->options->n_annotations; i++) {
        const struct build_annotation *annotation = &build->options->annotations[i];
        if (annotation->place == place && is_meant(annotation, platform))
            descriptor_annotate(descriptor, annotation->key, annotation->value);
    }
}

static void warn_other_platforms(struct build *build, const struct index *images)
{
    for (size_t i = 0; i < build->options->n_annotations; i++) {
        const struct build_annotation *annotation = &build->options->annotations[i];
        AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
        bool is_used = false;
        for (size_t j = 0; j < images->n_manifests && !is_used; j++)
            is_used = is_meant(annotation, &images->manifests[j].platform);
        if (is_used)
            continue;
        platform_format(&annotation->platform, &name);
        build_warn(build, NULL, NULL, "--annotation %s: no image for %s is built", annotation->key,
                   name.data);
    }
}

/* --- an index around it ---------------------------------------------------------------------- */

/* One platform needs no index, unless somebody asks for it, or has annotations for it. */
static bool wants_index(const struct build *build)
{
    return build->n_targets > 1 || build_args_is_on(build, "BUILDKIT_MULTI_PLATFORM") ||
           has_annotations(build, ANNOTATION_INDEX) ||
           has_annotations(build, ANNOTATION_INDEX_DESCRIPTOR);
}

static int write_index(struct build *build, struct index *index, struct descriptor *ret,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index->media_type = xstrdup(MEDIA_TYPE_OCI_INDEX);
    for (size_t i = 0; i < build->options->n_annotations; i++) {
        const struct build_annotation *annotation = &build->options->annotations[i];
        if (annotation->place == ANNOTATION_INDEX)
            index_annotate(index, annotation->key, annotation->value);
    }
    index_format(index, &text);
    ret->media_type = xstrdup(MEDIA_TYPE_OCI_INDEX);
    if (store_put_blob(build->store, text.data, text.size, ret, err) < 0)
        return error_wrap(err, "writing image index");
    for (size_t i = 0; i < index->n_manifests; i++)
        annotate_descriptor(build, ANNOTATION_INDEX_DESCRIPTOR, &index->manifests[i].platform, ret);
    return 0;
}

/* --- the image ------------------------------------------------------------------------------- */

/* Of one platform: `ret` becomes the manifest's descriptor. */
static int write_image(struct build *build, struct stage_run *run, struct descriptor *ret,
                       struct digest *ret_config, struct error **err)
{
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(manifest_release) struct manifest manifest = { 0 };
    image_config_copy(&config, &run->config);
    if (add_layers(run, &config, &manifest, err) < 0)
        return -1;
    add_labels(build, &config);
    annotate_base(run, &manifest);
    annotate_manifest(build, &config.platform, &manifest);
    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    manifest.config.media_type = xstrdup(MEDIA_TYPE_OCI_CONFIG);

    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    image_config_format(&config, &text);
    if (text.size > IMAGE_CONFIG_MAX_SIZE)
        return error_set(err, ERR_LIMIT, "image config: %zu bytes, registries take 4 MiB",
                         text.size);
    if (store_put_blob(build->store, text.data, text.size, &manifest.config, err) < 0)
        return error_wrap(err, "writing image config");
    strbuf_reset(&text);
    manifest_format(&manifest, &text);
    ret->media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    if (store_put_blob(build->store, text.data, text.size, ret, err) < 0)
        return error_wrap(err, "writing image manifest");
    platform_copy(&ret->platform, &config.platform);
    annotate_descriptor(build, ANNOTATION_MANIFEST_DESCRIPTOR, &config.platform, ret);
    *ret_config = manifest.config.digest;
    return 0;
}

/* Two images of one platform in an index, and the second couldn't be had. */
static int refuse_twice(const struct build *build, const struct index *index, struct error **err)
{
    size_t last = index->n_manifests - 1;
    for (size_t i = 0; i < last; i++) {
        if (!platform_equal(&index->manifests[i].platform, &index->manifests[last].platform))
            continue;
        AUTO(strbuf_release) struct strbuf both = STRBUF_INIT;
        platform_format(&index->manifests[last].platform, &both);
        error_set_(err, ERR_INVALID, "the images for %s and %s are both for %s",
                   build->targets[i].name, build->targets[last].name, both.data);
        error_hint(err, "the last stage is FROM an image that was built for that platform only, or "
                        "has a --platform of its own");
        return -1;
    }
    return 0;
}

int image_write(struct build *build, struct build_result *ret, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    struct digest config = { 0 };
    for (size_t i = 0; i < build->n_targets; i++) {
        struct build_target *target = &build->targets[i];
        struct descriptor *image = ARRAY_PUSH(&index, manifests);
        if (write_image(build, &target->runs[target->graph->target], image, &config, err) < 0)
            return target_wrap(target, build, err);
        if (refuse_twice(build, &index, err) < 0)
            return -1;
    }
    warn_other_platforms(build, &index);
    if (build->n_targets == 1)
        ret->config = config;
    descriptor_release(&ret->image);
    if (wants_index(build))
        return write_index(build, &index, &ret->image, err);
    descriptor_copy(&ret->image, &index.manifests[0]);
    return 0;
}
