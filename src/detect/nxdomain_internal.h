/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * nxdomain_internal.h - bursts of names that do not exist: what the detectors of clients and of
 * domains share
 *
 * Both are threshold random walks (Jung et al. 2004; for DNS: Krishnan, Taylor, Monrose, McHugh,
 * "Crossing the threshold", DSN 2013) over the different names of the last minute. A name that
 * fails, and did not fail in the minute before, is evidence for a burst; a name that exists is
 * evidence against it. With Wald's bound for one false alarm and one miss in a hundred, the walk
 * decides at ln 99. On top of it a burst needs
 *   - a least number of failing names in the last minute: the threshold,
 *   - three times the key's own baseline, a moving average (5 minutes) of the minutes before,
 *   - failing names in at least three of the six intervals of the minute: one flurry is none.
 * It ends when a minute brought fewer than half of the threshold.
 *
 *                           client                         domain (registered domain)
 *   what it finds           DGA, broken search domain      random-subdomain attack
 *   names                   that the client looked up      below the domain, by anybody
 *   a name fails, normally  with probability 0.2           0.6
 *   in a burst              0.6                            0.95
 *
 * A name that many ask for is one name, a name asked for often is one name. A distinct counter
 * behind each of the heaviest keys is the cache of Afek et al., "Mitigating DNS random subdomain
 * DDoS attacks by distinct heavy hitters" (HotWeb 2016, arXiv 1612.02636).
 */

#include "base/attr.h"
#include "base/clock.h"
#include "detect/detector.h"
#include "sketch/distinct.h"
#include "sketch/heavy_hitters.h"

#define NXDOMAIN_PRECISION         8 /* of failing names: standard error 6.5 % */
#define NXDOMAIN_SAMPLED_PRECISION 6 /* 13 % */

#define NXDOMAIN_INTERVAL_NS       (10 * NS_PER_SECOND) /* chosen */
#define NXDOMAIN_INTERVALS         6                    /* a minute: what is evaluated together */

/** What a part has of a key: names that were looked up by a client, or below a domain. First in the
 * payload of a detector's heavy hitters. */
struct nxdomain_names {
    uint8_t failing[DISTINCT_SIZE(NXDOMAIN_PRECISION)];
    uint8_t found[DISTINCT_SIZE(NXDOMAIN_PRECISION)]; /* they may be sampled */
    uint64_t messages;                                /* NXDOMAIN responses */
    uint8_t example_len;                              /* 0: none yet */
    uint8_t domain_offset;                            /* of its registered domain */
    uint8_t example[DNS_NAME_MAX];                    /* a name that failed */
};

/** Of domains, one existing name in so many counts, chosen by its hash: it takes a look-up to know
 * the domain. */
#define NXDOMAIN_SAMPLING 8

struct nxdomain_domain_part {
    struct nxdomain_names names;                                /* first */
    uint8_t clients[DISTINCT_SIZE(NXDOMAIN_SAMPLED_PRECISION)]; /* whose look-ups failed */
};

/** The domain that most of a client's failures are below is found by the majority vote of Boyer and
 * Moore (1981); the example is below that domain. */
struct nxdomain_client_part {
    struct nxdomain_names names; /* first */
    uint64_t domain_hash;
    uint64_t domain_votes; /* failures below it, less those that voted against it */
};

/** Count a failing name, of this hash. */
NONNULL void nxdomain_add_failing(struct nxdomain_names *names, const struct client_event *event,
                                  uint64_t name_hash);

/** Take the event's name as the example. */
NONNULL void nxdomain_set_example(struct nxdomain_names *names, const struct client_event *event);

/** Take the other's example instead. */
NONNULL void nxdomain_names_take_example(struct nxdomain_names *to,
                                         const struct nxdomain_names *from);

/** Add what another part has of the same key. */
NONNULL void nxdomain_names_merge(struct nxdomain_names *to, const struct nxdomain_names *from);

/** Add one payload to another, of the same key. */
NONNULL void nxdomain_domain_join(void *to, const void *from);
NONNULL void nxdomain_client_join(void *to, const void *from);

/** A client or a domain. Of the arrays by interval, [0] is the latest. */
struct tracked_key {
    uint64_t hash;
    uint8_t key_len;
    uint8_t key[DNS_NAME_MAX];
    bool active;
    bool ends; /* with the last interval */
    /* A failing name is new that was not there in this minute or the one before: what fails again
     * and again is no news. A name that exists counts in each minute. */
    uint8_t failing_this_minute[DISTINCT_SIZE(NXDOMAIN_PRECISION)];
    struct known_names {
        uint8_t counter[DISTINCT_SIZE(NXDOMAIN_PRECISION)];
        double count; /* about */
    } failing,        /* of this minute and the one before */
        found;        /* of this minute */
    double new_failing[NXDOMAIN_INTERVALS];
    double new_found[NXDOMAIN_INTERVALS];
    uint64_t messages[NXDOMAIN_INTERVALS];
    double baseline; /* new failing names a minute, in the minutes before the last */
    double clients;  /* of a domain: different ones in the last interval */
    uint64_t domains[NXDOMAIN_INTERVALS]; /* of a client: hash of the one that won the vote */
    struct finding_name domain; /* of a client: the latest, or when the burst began; or none */
    struct finding_name examples[FINDING_EXAMPLES_MAX]; /* the latest first */
};

struct nxdomain_tracker;

/** What tells the detectors apart. */
struct nxdomain_kind {
    const struct detector *detector;
    double fails_normally; /* the probability that a name fails */
    double fails_in_burst;
    double found_weight; /* names that exist stand for so many */
    size_t key_max, payload_size;
    heavy_hitters_join join; /* of payloads */
    /** Take in what else the payload says of a key. */
    void (*take)(struct tracked_key *key, const void *payload);
    /** The failing names that may begin a burst. */
    double (*own_failing)(const struct tracked_key *key, const struct findings *findings);
    /** Write who it is. */
    void (*identify)(const struct tracked_key *key, struct finding *finding);
};

/** The details of the findings, in the order of detector->details. */
#define NXDOMAIN_DETAILS 5
extern const struct finding_detail nxdomain_details[NXDOMAIN_DETAILS];

/** The shape of a part's heavy hitters, by failures. */
NONNULL struct heavy_hitters_shape nxdomain_shape(const struct nxdomain_kind *kind,
                                                  const struct detector_settings *settings);

/** As detector->memory. */
NONNULL size_t nxdomain_memory(const struct nxdomain_kind *kind,
                               const struct detector_settings *settings, unsigned parts);

/* The part of both detectors is their heavy hitters. */
NONNULL void nxdomain_part_clear(void *part);
void nxdomain_part_free(void *part);
NONNULL uint64_t nxdomain_part_overflows(const void *part);

/* The evaluator of both detectors is a tracker. */
NONNULL MUST_USE int nxdomain_tracker_create(struct nxdomain_tracker **out,
                                             const struct nxdomain_kind *kind,
                                             const struct detector_settings *settings);
void nxdomain_tracker_free(void *tracker);
NONNULL void nxdomain_tracker_merge(void *tracker, const void *part);
NONNULL void nxdomain_tracker_evaluate(void *tracker, const struct evaluation *evaluation);
NONNULL bool nxdomain_tracker_is_idle(const void *tracker);
NONNULL uint64_t nxdomain_tracker_overflows(const void *tracker);
