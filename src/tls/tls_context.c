/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_context.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_watch.h"
#include "base/log.h"

#define WATCHED_FILES 3

struct tls_context {
    atomic_uint users;
    struct tls_settings settings;
    char *path; /* of the configuration */
    struct tls_credentials *credentials;
    struct file_watch watches[WATCHED_FILES]; /* of who renews it */
};

/* NULL where there is none. */
static const char *watched_path(const struct tls_context *context, unsigned index)
{
    const char *const paths[WATCHED_FILES] = {
        context->settings.pem_cert.path,
        context->settings.pem_key.path,
        context->settings.pem_ca.path,
    };

    return paths[index];
}

static int load(struct tls_context *context, struct text *error)
{
    for (unsigned i = 0; i < WATCHED_FILES; i++) {
        const char *path = watched_path(context, i);
        if (path != NULL) {
            file_watch_begin(&context->watches[i], path);
        }
    }
    return tls_credentials_create(&context->credentials, &context->settings, context->path, error);
}

static int copy_names(struct tls_context *context, const struct tls_settings *settings,
                      const char *path, const char *host)
{
    int result = tls_settings_copy(settings, &context->settings);

    if (result == 0 && context->settings.is_client && context->settings.server_name == NULL) {
        context->settings.server_name = strdup(host);
        result = context->settings.server_name != NULL ? 0 : -ENOMEM;
    }
    if (result == 0) {
        context->path = strdup(path);
        result = context->path != NULL ? 0 : -ENOMEM;
    }
    return result;
}

static int tls_context_create(struct tls_context **out, const struct tls_settings *settings,
                              const char *path, const char *host, struct text *error)
{
    struct tls_context *context = calloc(1, sizeof *context);

    if (context == NULL) {
        return -ENOMEM;
    }
    atomic_init(&context->users, 1);
    int result = copy_names(context, settings, path, host);
    if (result == 0) {
        result = load(context, error);
    }
    if (result < 0) {
        tls_context_release(context);
        return result;
    }
    *out = context;
    return 0;
}

int tls_context_load(struct tls_context **out, const struct tls_settings *settings,
                     const char *path, const char *host, struct text *error)
{
    *out = NULL;
    return tls_settings_are_on(settings) ? tls_context_create(out, settings, path, host, error) : 0;
}

struct tls_context *tls_context_keep(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->users, 1, memory_order_relaxed);
    return context;
}

void tls_context_release(struct tls_context *context)
{
    if (context == NULL ||
        atomic_fetch_sub_explicit(&context->users, 1, memory_order_acq_rel) > 1) {
        return;
    }
    tls_credentials_free(context->credentials);
    tls_settings_deinit(&context->settings);
    free(context->path);
    free(context);
}

static bool is_outdated(struct tls_context *context)
{
    bool outdated = false;

    for (unsigned i = 0; i < WATCHED_FILES; i++) {
        const char *path = watched_path(context, i);
        outdated |= path != NULL && file_watch_is_due(&context->watches[i], path);
    }
    return outdated;
}

bool tls_context_renew(struct tls_context **context, struct text *error)
{
    struct tls_context *old = *context;

    if (!is_outdated(old)) {
        return false;
    }
    /* A client's has a server_name by now. */
    int result = tls_context_create(context, &old->settings, old->path, "", error);
    if (result < 0) {
        if (error->len == 0) {
            text_append_string(error, strerror(-result));
        }
        return false;
    }
    tls_context_release(old);
    return true;
}

void tls_context_renew_and_log(struct tls_context **context, const char *kind, const char *name)
{
    struct text error = {0};

    if (*context == NULL) {
        return;
    }
    if (tls_context_renew(context, &error)) {
        log_info("certificates loaded again, a file of them has changed", kind, name, NULL);
    } else if (error.len > 0) {
        log_error("a certificate has changed and cannot be used; what was loaded before stays in "
                  "force",
                  kind, name, "error", text_string(&error), NULL);
    }
    text_deinit(&error);
}

bool tls_context_is_client(const struct tls_context *context)
{
    return context->settings.is_client;
}

struct tls_credentials *tls_context_credentials(const struct tls_context *context)
{
    return context->credentials;
}
