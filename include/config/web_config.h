/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_config.h - the file of --web.config.file: TLS, users and headers of the web server
 *
 * The format is that of Prometheus' exporters (exporter-toolkit's web configuration), so that one
 * file serves them all and `promtool check web-config` checks it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/tls_settings.h"

#define WEB_HEADERS_MAX 5 /* the headers that exporter-toolkit allows */

struct web_header {
    char *name, *value;
};

struct web_user {
    char *name;
    char *hash; /* bcrypt's, "$2y$10$..." */
};

/** The settings of the file; all zero: plain HTTP for everybody. Strings are owned. */
struct web_config {
    char *path;
    struct tls_settings tls;
    struct web_header headers[WEB_HEADERS_MAX];
    size_t header_count;
    struct web_user *users; /* [user_count] */
    size_t user_count;
    uint64_t rate_interval_ns; /* between two requests; 0: no limit */
    unsigned rate_burst;
};

/** Read the file. Returns 0 and *config for web_config_deinit(), or -EINVAL and one line in *error
 *  that names file, line and key, or -ENOMEM. */
NONNULL MUST_USE int web_config_load(struct web_config *config, const char *path,
                                     struct text *error);

/** Free what the settings hold; all-zero ones are fine. */
NONNULL void web_config_deinit(struct web_config *config);

/** Add the settings to *out in YAML, with every secret as `<secret>`. */
NONNULL void web_config_print(const struct web_config *config, struct text *out);
