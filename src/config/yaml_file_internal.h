/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * yaml_file_internal.h - the configuration file as strings
 *
 * The only user of libcyaml. The schema fixes which keys there are and how they nest; every value
 * is a string here and gets its meaning in config.c, so that file and command line share one check.
 */

#include "base/attr.h"
#include "config/config.h"
#include "base/text.h"
#include "yaml_source_internal.h"

/** One entry of `inputs`; NULL where the key is absent. */
struct yaml_input {
    char *name, *unix_path, *tcp, *mode, *owner, *group, *sampling;
};

/** One entry of `outputs`; NULL where the key is absent. */
struct yaml_output {
    char *name, *unix_path, *tcp, *queue;
    char **inputs; /* [inputs_count] */
    unsigned inputs_count;
};

struct yaml_web {
    char **listen_addresses;
    unsigned listen_addresses_count;
    char *connections, *timeout, *config_file, *enable_lifecycle, *systemd_socket;
};

struct yaml_limits {
    char *servers, *series, *server_expiry, *unassigned_qtypes, *connections, *frame_size;
    char *handshake_timeout;
};

struct yaml_matching {
    char *capacity, *timeout;
};

struct yaml_top {
    char *max_series, *capacity;
    char **lists;
    unsigned lists_count;
};

struct yaml_distinct {
    char **counts;
    unsigned counts_count;
};

struct yaml_privacy {
    char *client_ipv4_prefix, *client_ipv6_prefix, *client_hash;
};

struct yaml_detector {
    char *enabled, *min_names;
};

struct yaml_detection {
#define YAML_DETECTOR(name, min_names) struct yaml_detector name;
    CONFIG_DETECTOR_LIST(YAML_DETECTOR)
    char *capacity, *max_series, *allow_known;
    char **allow;
    unsigned allow_count;
};

struct yaml_log {
    char *level, *format;
};

/** The file; NULL where a key is absent. */
struct yaml_settings {
    struct yaml_input *inputs;
    unsigned inputs_count;
    struct yaml_output *outputs;
    unsigned outputs_count;
    char *workers;
    struct yaml_web web;
    struct yaml_limits limits;
    struct yaml_matching matching;
    char *native_histogram_schema, *window, *public_suffix_list;
    struct yaml_top top;
    struct yaml_distinct distinct;
    struct yaml_privacy privacy;
    struct yaml_detection detection;
    struct yaml_log log;
};

struct yaml_file {
    struct yaml_source source;
    struct yaml_settings *settings; /* NULL for a file without any key */
};

/** Read the file at `path`. Returns 0 and *file for yaml_file_deinit(), or -EINVAL and one line in
 *  *error that names file, line and key, or -ENOMEM. */
NONNULL MUST_USE int yaml_file_load(struct yaml_file *file, const char *path, struct text *error);

NONNULL void yaml_file_deinit(struct yaml_file *file);
