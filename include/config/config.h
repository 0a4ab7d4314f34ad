/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config.h - the settings: built-in defaults, then the configuration file, then the command line
 *
 * Every key has a default, so that no file at all works. A mistake is one message that names the
 * file, the line, the key and what was expected.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/log.h"
#include "base/text.h"
#include "config/config_value.h"

#define CONFIG_INPUTS_MAX        64   /* chosen: a bit for each in a uint64_t */
#define CONFIG_ALLOW_MAX         1000 /* chosen */
#define CONFIG_ID_KEEP           UINT32_MAX

#define CONFIG_WEB_ADDRESSES_MAX 8 /* chosen */

/** Where the socket is when nothing says otherwise. */
#define CONFIG_DEFAULT_DIRECTORY "/run/dnstap_exporter"
#define CONFIG_DEFAULT_SOCKET    CONFIG_DEFAULT_DIRECTORY "/dnstap.sock"

/** Debian's, from the package publicsuffix. */
#define CONFIG_DEFAULT_SUFFIX_LIST "/usr/share/publicsuffix/public_suffix_list.dat"

/** A listener: unix where `path` is set, TCP where `address` is. */
struct config_input {
    char *name;        /* the label `input` */
    char *path;        /* of the socket, or NULL */
    char *address;     /* HOST:PORT, or NULL */
    unsigned mode;     /* permission bits of the socket */
    unsigned sampling; /* its servers send one in so many messages; 1: all of them */
    uint32_t uid;      /* its owner; CONFIG_ID_KEEP leaves it */
    uint32_t gid;      /* its group; CONFIG_ID_KEEP leaves it */
};

#define CONFIG_OUTPUTS_MAX 8 /* chosen */

/** A further receiver: unix where `path` is set, TCP where `address` is. */
struct config_output {
    char *name;      /* the label `output` */
    char *path;      /* of the socket, or NULL */
    char *address;   /* HOST:PORT, or NULL */
    uint64_t inputs; /* a bit for each input whose frames it gets */
    unsigned queue;  /* bytes */
};

/** Which lists and counts there are, in the order of their keys. */
#define CONFIG_TOP_LISTS       9
#define CONFIG_DISTINCT_COUNTS 4

/** The detectors: name of the section detection.<name>, and its min_names by default. */
#define CONFIG_DETECTOR_LIST(X)                                                                    \
    X(nxdomain_client, "30")                                                                       \
    X(nxdomain_domain, "300")

enum config_detector {
#define CONFIG_DETECTOR_ENUM(name, min_names) CONFIG_DETECTOR_##name,
    /* clang-format off */
    CONFIG_DETECTOR_LIST(CONFIG_DETECTOR_ENUM)
    /* clang-format on */
    CONFIG_DETECTORS
};

/** The names of the detectors, by enum config_detector. */
extern const char *const config_detector_names[CONFIG_DETECTORS];

struct config {
    struct config_input inputs[CONFIG_INPUTS_MAX]; /* the first input_count; strings are owned */
    unsigned input_count;
    bool default_input; /* nothing named an input: the one here is the built-in */
    struct config_output outputs[CONFIG_OUTPUTS_MAX]; /* the first output_count; owned strings */
    unsigned output_count;
    unsigned workers;
    char *web_addresses[CONFIG_WEB_ADDRESSES_MAX]; /* HOST:PORT; an empty HOST is every address */
    unsigned web_address_count;
    unsigned web_connections;
    uint64_t web_timeout_ns;
    char *web_config_file; /* see web_config.h; empty: none */
    bool web_lifecycle;
    bool web_systemd_socket; /* in place of the addresses */
    unsigned servers_max;
    unsigned series_max;
    uint64_t server_expiry_ns;
    unsigned unassigned_qtypes_max;
    unsigned connections_max;
    unsigned frame_size_max; /* bytes */
    uint64_t handshake_timeout_ns;
    unsigned matching_capacity;
    uint64_t matching_timeout_ns;
    unsigned native_schema; /* of native histograms */
    uint64_t window_ns;
    unsigned top_max_series;
    unsigned top_capacity;
    bool top_lists[CONFIG_TOP_LISTS];
    bool distinct_counts[CONFIG_DISTINCT_COUNTS];
    unsigned client_ipv4_prefix, client_ipv6_prefix; /* bits; 0: clients are left out */
    bool client_hash;
    char *suffix_list; /* path; empty: none */
    bool detectors[CONFIG_DETECTORS];
    unsigned detection_min_names[CONFIG_DETECTORS]; /* a minute */
    unsigned detection_capacity;
    unsigned detection_max_series;
    bool allow_known;          /* the built-in list of names is allowed */
    struct config_name *allow; /* [allow_count], owned, the built-in ones first */
    unsigned allow_count;
    enum log_level log_level;
    enum log_format log_format;
};

/** A setting from the command line. Borrowed from argv. */
struct config_override {
    const char *key;  /* as in the file, sections joined by dots: "log.level" */
    const char *flag; /* for messages: "--log.level" */
    const char *value;
};

#define CONFIG_OVERRIDES_MAX 8 /* flags that set a key */

/** What the command line says. Borrowed from argv. */
struct config_flags {
    const char *file; /* NULL: none */
    struct config_override overrides[CONFIG_OVERRIDES_MAX];
    unsigned override_count;
    const char *unix_paths[CONFIG_INPUTS_MAX];
    unsigned unix_path_count;
    const char *tcp_addresses[CONFIG_INPUTS_MAX];
    unsigned tcp_address_count;
    const char *web_addresses[CONFIG_WEB_ADDRESSES_MAX];
    unsigned web_address_count;
};

/** Put the settings together. Returns 0 and a *config for config_deinit(); or -EINVAL and one line
 * in *error that says what is wrong where, without a newline; or -ENOMEM. */
NONNULL MUST_USE int config_load(struct config *config, const struct config_flags *flags,
                                 struct text *error);

/** Free what the settings hold; all-zero ones are fine. */
NONNULL void config_deinit(struct config *config);

/** Move from `fresh` to `running` what can change while the program runs: the log
 * settings, the limits on connections and their handshakes, the permissions of sockets, the suffix
 * list and the names that are allowed. Calls `needs_restart` with the
 * key of each other setting that differs, which stays as it is in `running`. */
NONNULL void config_adopt(struct config *running, struct config *fresh,
                          void (*needs_restart)(const char *key));

/** Add the settings to *out as a configuration file that would give the same. */
NONNULL void config_print(const struct config *config, struct text *out);
