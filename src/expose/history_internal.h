/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * history_internal.h - what each server did in each role in the last hour, step by step
 *
 * So that a page that is opened after the trouble shows the trouble, and that the present has
 * something to be compared with. Memory is fixed; that of servers and roles that send nothing is
 * never touched. Not synchronized: under the registry's lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "scrape_internal.h"

#define HISTORY_STEP_NS (15 * NS_PER_SECOND)
#define HISTORY_STEPS   256 /* 64 minutes */

/** One step of a server in a role. */
struct history_step {
    uint32_t queries;
    uint32_t responses;
    uint32_t servfails;
    uint32_t refused;
    uint32_t unanswered; /* queries */
    uint32_t unmatched;  /* responses */
    float p90_seconds;   /* of the response time; below 0: there is none */
    float p99_seconds;
};

/** What the exporter has counted until the end of a step. */
struct history_totals {
    uint64_t time_ns; /* monotonic */
    uint64_t frames;
    uint64_t rejected;
    uint64_t limits[LIMIT_COUNT];
    uint64_t matching_evictions;
    uint64_t dropped;         /* by outputs */
    uint64_t archive_dropped; /* frames */
    uint64_t log_lines_lost;
    double delay_p90_seconds; /* of the step's ingest delays, of the worst input; below 0: none */
};

struct history; /* opaque: src/expose/history.c */

/** Bytes that the history of so many pairs of a server and a role, and inputs, takes. */
size_t history_memory(size_t pairs, unsigned input_count);

/** Make an empty history for numbers of servers below `server_count`. On success the caller frees
 * *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int history_create(struct history **out, unsigned server_count,
                                    unsigned input_count);

void history_free(struct history *history);

/** End a step: what was counted since the one before. At the first call, nothing is. */
NONNULL void history_take(struct history *history, const struct scrape *scrape, uint64_t now_ns);

/** The steps so far, at most HISTORY_STEPS. */
NONNULL size_t history_count(const struct history *history);

/** The step of a pair (counters_index()) that ended `age` steps before the last, below
 * history_count(). */
NONNULL const struct history_step *history_step_at(const struct history *history, size_t pair,
                                                   size_t age);

/** The totals at the end of that step; with history_count(), those at which the first one began. */
NONNULL const struct history_totals *history_totals_at(const struct history *history, size_t age);

/** What a pair did in several steps. */
struct history_sum {
    size_t steps;
    uint64_t queries, responses, servfails, refused, unanswered, unmatched;
    double p90_seconds; /* the mean of the steps' by their responses; below 0: there is none */
    double p99_seconds;
};

/** Whether the pair's steps are those of the server that has this generation: not yet, where it has
 * just come. */
NONNULL bool history_is_of(const struct history *history, size_t pair, uint32_t generation);

/** What is normal for a pair's p90 of the response time, in seconds: a mean of the logarithms, of
 * some hours, so that neither an hour of trouble nor a peak becomes normal. Below 0: not known yet,
 * after fewer than ten minutes with responses. */
NONNULL double history_normal_p90(const struct history *history, size_t pair);

/** Whether a server sends messages, in any role. */
struct history_presence {
    bool is_regular;       /* it sends so often that none in five minutes means something */
    uint64_t silent_steps; /* since its last message */
};

NONNULL struct history_presence history_presence_of(const struct history *history, unsigned server,
                                                    uint32_t generation);

/** Add up `steps` steps, or as many as there are, of which the last ended `age` steps ago. */
NONNULL struct history_sum history_sum(const struct history *history, size_t pair, size_t age,
                                       size_t steps);

/** Findings that have begun in the last day, or since the start. */
NONNULL uint64_t history_day_findings(const struct history *history, const struct scrape *scrape);
