/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One build: from a Dockerfile and a context to an image in the store. The
 * public entry of this folder; cli fills the options and draws the progress.
 *
 * The order of work: read and parse the Dockerfile (an error there costs no
 * network), plan the stages that the target needs, resolve their bases, run the
 * steps (independent stages at the same time, layers streaming in the background),
 * write config and manifest when the last layer is in, tag.
 */
#ifndef CBUILD_BUILDER_BUILD_H
#define CBUILD_BUILDER_BUILD_H

#include "base/progress.h"
#include "base/strvec.h"
#include "layers/compress.h"
#include "oci/reference.h"
#include "oci/store.h"
#include "registry/session.h"
#include "runner/limits.h"
#include "runner/sandbox.h"

enum build_network { BUILD_NETWORK_DEFAULT, BUILD_NETWORK_NONE, BUILD_NETWORK_HOST };

/* --allow: what RUN may ask for beyond the sandbox; and what the command line itself may. */
enum build_allow {
    BUILD_ALLOW_NETWORK_HOST = 1 << 0,
    BUILD_ALLOW_INSECURE = 1 << 1,
    BUILD_ALLOW_DEVICE = 1 << 2,       /* any device */
    BUILD_ALLOW_LOCAL_DELETE = 1 << 3, /* --output mode=delete where it may be a mistake */
};

/* Where --annotation goes. */
enum annotation_place {
    ANNOTATION_MANIFEST,
    ANNOTATION_INDEX,               /* only where an index is written */
    ANNOTATION_MANIFEST_DESCRIPTOR, /* of the manifest, in the index and in the layout */
    ANNOTATION_INDEX_DESCRIPTOR,    /* of the index, in the layout */
};

struct build_annotation {
    enum annotation_place place;
    struct platform platform; /* os NULL: any */
    char *key, *value;
};

/* Times of files that the build adds, and of nothing that a base brought. */
enum build_times {
    BUILD_TIMES_CLAMP, /* none later than SOURCE_DATE_EPOCH */
    BUILD_TIMES_KEEP,  /* --rewrite-timestamp=false: as they are */
    BUILD_TIMES_SET,   /* --timestamp: all alike */
};

/* --secret: what RUN --mount=type=secret,id=ID gets. Values are read when a step asks for them. */
struct build_secret {
    char *id;
    bool is_env;
    char *source; /* path, or name of an environment variable */
};

struct terminal;

struct build_options {
    const char
        *context; /* a directory, or "-": a Dockerfile or a tar on stdin, told apart by content */
    const char *dockerfile; /* -f; NULL: Dockerfile, dockerfile or Containerfile in the context;
                               "-": stdin */
    int stdin_fd;
    const struct reference *tags; /* each with a tag */
    size_t n_tags;
    const struct strvec *build_args; /* "K=V" */
    const struct strvec *proxy_args; /* "K=V" of config.json: never in keys or history; or NULL */
    const struct strvec *labels;     /* "K=V" */
    const struct strvec *named_contexts; /* --build-context "NAME=VALUE", or NULL */
    const struct strvec *add_hosts;      /* "name:ip", or NULL */
    const struct build_secret *secrets;
    size_t n_secrets;
    const struct strvec *ssh;         /* "ID" or "ID=SOCKET", or NULL */
    const char *target;               /* stage name; NULL: the last stage */
    const struct platform *platforms; /* each once; several make an index, in this order */
    size_t n_platforms;               /* 0: the host's */
    enum build_network network;
    enum isolation isolation;             /* of RUN; in no key */
    unsigned allow;                       /* enum build_allow */
    const struct strvec *allowed_devices; /* by name, beside BUILD_ALLOW_DEVICE; or NULL */
    const struct strvec *cdi_dirs;        /* of device specs; NULL or empty: cdi.h's */
    const struct build_annotation *annotations;
    size_t n_annotations;
    unsigned jobs; /* RUNs at a time; 0: all that are ready; 1: stage after stage */
    bool no_cache;
    const struct strvec *no_cache_stages; /* the same for these stages, any case; or NULL */
    bool pull;
    bool explain;             /* tell of each step why it was or wasn't in the cache */
    bool git_modes;           /* --context-mode=git: context.h */
    const char *epoch_origin; /* who gave the build argument SOURCE_DATE_EPOCH, for messages */
    enum build_times times;
    int64_t timestamp; /* of BUILD_TIMES_SET: takes the place of SOURCE_DATE_EPOCH */
    struct compression compression;
    bool record_owners; /* of RUN, where they can't be made: owner_watch.h; not in keys */
    const struct sandbox_limits *limits; /* of RUN: not in keys; NULL: the usual ones */
    bool shell_on_error;                 /* a shell where a RUN failed, if there is a terminal */
    const char
        *shell_at; /* a stage's name or a line's number: a shell there, and no image; or NULL */
    const struct terminal *terminal; /* the user's, for these; needed with shell_at, or NULL */
    bool push;      /* upload layers of `tags` while later steps run, and the image at the end */
    bool push_only; /* with push: no name in the store, where layers of the base may be absent */
};

#define BUILD_OPTIONS_INIT                                                                         \
    {                                                                                              \
        .stdin_fd = -1                                                                             \
    }

struct build_warning {
    char *rule;  /* of DOCKERFILE.md section 10, or NULL */
    size_t line; /* of the Dockerfile; 0: none */
    char *text;  /* "Dockerfile:3: ..." */
};

struct build_result {
    bool has_image;          /* else a shell was all that was wanted: nothing below is set */
    struct descriptor image; /* the manifest, or the index that holds it, or several */
    struct digest config;    /* the manifest's config; not set where there are several */
    struct build_warning *warnings;
    size_t n_warnings, warnings_capacity;
    size_t n_steps, n_cached; /* steps that make layers */
};

void build_result_release(struct build_result *result);
DEFINE_AUTO_STRUCT(struct build_result, build_result_release)

/*
 * ERR_SYNTAX, ERR_NOT_FOUND, ERR_RUN, ERR_NETWORK and the rest as they come, each with the line of
 * the Dockerfile; nothing is tagged then.
 */
int build_run(struct store *store, struct registry_session *session,
              const struct build_options *options, struct progress *progress,
              struct build_result *ret, struct error **err) WARN_UNUSED;

#endif
