/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * health_internal.h - whether DNS is healthy, and whether that is measured: a few indicators
 *
 * Each says in one line what is wrong, for whom, with the number. They judge the last minutes by
 * the thresholds of the alerts in deploy/prometheus: the table here is the one that
 * tests/lint/check_rules.py compares with them.
 */

#include "base/attr.h"
#include "history_internal.h"
#include "scrape_internal.h"

#define HEALTH_TEXT_SIZE 256

/** Name, value from which there is a warning, value from which it is critical (0: never), and the
 * alerts of these two. */
#define HEALTH_THRESHOLDS(X)                                                                       \
    X(servfail, 0.05, 0.25, "DnstapServfailsHigh", "DnstapServfailsCritical")                      \
    X(refused, 0.8, 0, "DnstapRefusedHigh", NULL)                                                  \
    X(unanswered, 0.05, 0, "DnstapQueriesUnanswered", NULL)                                        \
    X(upstream_unanswered, 0.3, 0, "DnstapUpstreamUnanswered", NULL)                               \
    X(upstream_silent, 0.5, 0, "DnstapUpstreamServerSilent", NULL)                                 \
    X(upstream_failures, 5, 0, "DnstapUpstreamServerSilent", NULL) /* in the window */             \
    X(upstream_seconds, 0.5, 0, "DnstapUpstreamServerSlow", NULL)  /* the mean */                  \
    X(upstream_time_ratio, 5, 0, "DnstapUpstreamServerSlow", NULL) /* to that of others */         \
    X(unmatched, 0.1, 0, "DnstapResponsesUnmatched", NULL)                                         \
    X(failures, 20, 100, "DnstapServfailsHigh", "DnstapServfailsCritical") /* in ten minutes */    \
    X(response_time_ratio, 3, 0, "DnstapResponseTimeHigh", NULL)           /* to what is normal */ \
    X(response_time_seconds, 0.05, 0, "DnstapResponseTimeHigh", NULL)                              \
    X(rejected, 0.01, 0, "DnstapFramesRejected", NULL)                                             \
    X(ingest_delay_seconds, 5, 0, "DnstapIngestDelayHigh", NULL)                                   \
    X(certificate_seconds, 604800, 86400, "DnstapExporterCertificateExpiring",                     \
      "DnstapExporterCertificateExpiresCritical") /* left: fewer are worse */

#define HEALTH_THRESHOLD_INDEX(name, warning, critical, alert, critical_alert) HEALTH_##name,
enum health_threshold_index {
    /* clang-format off */
    HEALTH_THRESHOLDS(HEALTH_THRESHOLD_INDEX)
    /* clang-format on */
    HEALTH_THRESHOLD_COUNT
};

struct health_threshold {
    const char *name;
    double warning, critical;
    const char *alert, *critical_alert;
};

extern const struct health_threshold health_thresholds[HEALTH_THRESHOLD_COUNT];

/** From the worst on. */
enum health_level { HEALTH_CRITICAL, HEALTH_WARNING, HEALTH_UNKNOWN, HEALTH_GOOD };

extern const char *const health_level_names[];

struct health_indicator {
    const char *name;
    const char *title;
    const char *section; /* of the status page that has the details */
    enum health_level level;
    char text[HEALTH_TEXT_SIZE];
};

#define HEALTH_INDICATORS_MAX 17

/** Judge all, the worst first. Returns how many there are. */
NONNULL size_t health_judge(const struct scrape *scrape, const struct history *history,
                            struct health_indicator out[HEALTH_INDICATORS_MAX]);
