/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * detect.h - all detectors together: the part of a worker, and the evaluation
 *
 * Memory is taken when a part or the evaluation is made.
 */

#include "base/attr.h"
#include "client/network.h"
#include "config/config_value.h"
#include "detect/detector.h"
#include "detect/findings.h"

struct detect;      /* the evaluators and the findings: src/detect/detect.c */
struct detect_part; /* the parts of one worker */

#define FORWARDERS_MAX 1000 /* chosen */

/* clang-format off */
#define DETECTION_KEYS(KEY, S)                                                                     \
    KEY(S, number, capacity, "detection.capacity", "500", .least = 10, .most = 5000,               \
        .help = "Suspects that each detector follows closely at the same time, rounded up to a "   \
                "power of two (10 KB for one of each).")                                           \
    KEY(S, number, max_series, "detection.max_series", "50", .least = 1, .most = 1000,             \
        .help = "Series of dnstap_detection_score.")                                               \
    KEY(S, number, client_ipv6_prefix, "detection.client_ipv6_prefix", "64", .least = 16, .most = 128, \
        .help = "Bits of an IPv6 address that detectors take for one client: hosts change the "    \
                "rest. privacy.client_ipv6_prefix may keep fewer.")                                \
    KEY(S, strings, forwarders, "detection.forwarders", NULL, .most = FORWARDERS_MAX,              \
        .check = detection_is_network, .expected = "an address or a network, as 192.0.2.0/24",     \
        .help = "Clients that ask for many hosts, such as other resolvers and NAT gateways. "      \
                "Detectors do not report them: each has more of everything than a host.")

#define BLOCK_LIST_LIMIT_KEYS(KEY, S)                                                              \
    KEY(S, number, block_list_names_max, "detection.block_list.max_names", "1000000",              \
        .least = 1, .most = 50000000, .live = true,                                                \
        .help = "Names that each list may have (12 MiB a million, twice while it is read again).")
/* clang-format on */

/** A check of rows (config/config_row.h): an address or a network. */
NONNULL bool detection_is_network(const char *text);

struct detection_settings {
    DETECTION_KEYS(CONFIG_MEMBER, )
    BLOCK_LIST_LIMIT_KEYS(CONFIG_MEMBER, )
};

/** Of a struct detection_settings. */
extern const struct config_rows detection_rows, block_list_limit_rows;

struct detect_setup {
    struct detector_settings detectors[DETECTOR_COUNT];
};

/** The networks of `forwarders`: [*count], which the caller frees. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int detection_forwarders(const struct detection_settings *settings,
                                          struct network **out, size_t *count);

/** Make what parts and evaluators share, before the first of them; the caller ends with
 *  detect_unshare(). Returns 0 or -ENOMEM. */
NONNULL MUST_USE int detect_share(struct detect_setup *setup);

/** Free what they shared. */
NONNULL void detect_unshare(struct detect_setup *setup);

/** The file in which new_domain keeps what it knows: the configured one, or one in the folder that
 * systemd gives (STATE_DIRECTORY, systemd.exec(5)), whose path is written to *space. NULL: none. */
NONNULL const char *detect_state_file(const struct detector_settings *settings, struct text *space);

/** Whether any detector is on. */
NONNULL bool detect_is_on(const struct detect_setup *setup);

/** Bytes that a detector takes, with `parts` parts; 0 where it is off. */
NONNULL size_t detect_memory_of(const struct detect_setup *setup, unsigned parts,
                                unsigned detector);

/** Bytes that the findings, and what detectors share, take besides. */
NONNULL size_t detect_memory_shared(const struct detect_setup *setup, unsigned parts);

/** Make the parts of one worker; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int detect_part_create(struct detect_part **out, const struct detect_setup *setup);

void detect_part_free(struct detect_part *part);

/** Show the event to every detector that is on. Hot path: no allocation, no failure. */
NONNULL void detect_part_record(struct detect_part *part, struct client_event *event);

/** Make the evaluators; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int detect_create(struct detect **out, const struct detect_setup *setup);

void detect_free(struct detect *detect);

/** Whether an evaluation is due at `now_ns`: then parts are to be taken before it. */
NONNULL bool detect_is_due(const struct detect *detect, uint64_t now_ns);

/** Take in what a worker has seen until `now_ns`, and empty its part. */
NONNULL void detect_merge(struct detect *detect, struct detect_part *part, uint64_t now_ns);

/** Time has come to `now_ns`: make the evaluations that are due. A clock that went back by a
 * minute, or an hour on, ends all findings. */
NONNULL void detect_evaluate(struct detect *detect, uint64_t now_ns,
                             const struct findings_listener *listener);

NONNULL const struct findings *detect_findings(const struct detect *detect);

/** Keys that the detector had no room for, so far. */
NONNULL uint64_t detect_overflows(const struct detect *detect, unsigned detector);
