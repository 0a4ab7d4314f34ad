/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * watch.h - which clients and domains are in a burst of NXDOMAIN
 *
 * Both detectors are threshold random walks (Jung et al. 2004; for DNS: Krishnan, Taylor, Monrose,
 * McHugh, "Crossing the threshold", DSN 2013): the different names of the last minute are evidence,
 * those that fail, and did not fail in the minute before, that there is a burst, those that exist
 * that there is none. With Wald's bound for one false alarm and one miss in a hundred, the walk
 * decides at ln 99. On top of it a burst needs
 *   - a least number of failing names in the last minute,
 *   - three times the key's own normal, a moving average (5 minutes) of the minutes before,
 *   - failing names in at least three of the six intervals: one flurry is none.
 * It ends when a minute brought fewer than half of the least number.
 *
 *                           client                         domain (registered domain)
 *   what it finds           DGA, broken search domain      random-subdomain attack
 *   names                   that the client looked up      below the domain, by anybody
 *   a name fails, normally  with probability 0.2           0.6
 *   in a burst              0.6                            0.95
 *   least number            30 a minute, configurable      300 a minute, configurable
 *
 * A client whose failures are mostly below domains in a burst takes part in that and does not begin
 * one of its own. A name that many ask for is one name, a name asked for often is one name.
 *
 * Memory is taken when a watch is made. Where more clients or domains have failures than it has
 * room for, those with the fewest are not watched, which is counted. One thread at a time uses it.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "detect/evidence.h"

enum detector {
    DETECTOR_NXDOMAIN_CLIENT,
    DETECTOR_NXDOMAIN_DOMAIN,
    DETECTOR_COUNT,
};

/** "nxdomain_client" and so on: label values and keys of JSON. */
extern const char *const detector_names[DETECTOR_COUNT];

/** Evidence is judged once an interval. */
#define WATCH_INTERVAL_NS (10 * NS_PER_SECOND)

struct watch_setup {
    unsigned detectors;                   /* a bit for each that is on */
    size_t capacity;                      /* clients, and domains, watched; and that of evidence */
    unsigned least_names[DETECTOR_COUNT]; /* failing names a minute */
};

#define BURST_EXAMPLES 3

/** A name in wire format; len 0: none. */
struct watch_name {
    uint8_t len;
    uint8_t data[DNS_NAME_MAX];
};

/** A burst, as of the last interval. */
struct burst {
    enum detector detector;
    struct client_key client; /* none, with len 0, for a domain */
    struct watch_name domain; /* of a client: where most of its failures are, or none */
    double score;             /* failing names by the least number: 1 or more when it begins */
    double failing;           /* different failing names in the last minute, about */
    double found;             /* different names that exist, likewise */
    double normal;            /* failing names a minute, before the burst */
    double clients;           /* of a domain: different clients in the last interval, about */
    uint64_t messages;        /* NXDOMAIN responses in the last minute */
    uint64_t began_ns;        /* when it was found, on the clock of watch_advance() */
    struct watch_name examples[BURST_EXAMPLES]; /* names that failed, the latest first, then none */
};

/** A burst's names as text; "" for none. */
struct burst_text {
    char client[CLIENT_KEY_TEXT_SIZE];
    char domain[DNS_NAME_TEXT_SIZE];
    char examples[BURST_EXAMPLES][DNS_NAME_TEXT_SIZE];
};

/** Write the names of a burst, whose client is one under this privacy. */
NONNULL void burst_print(const struct burst *burst, const struct client_privacy *privacy,
                         struct burst_text *out);

struct watch; /* opaque: src/detect/watch.c */

/** Bytes that a watch takes. */
NONNULL size_t watch_memory(const struct watch_setup *setup);

/** Make a watch; on success the caller frees *out. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int watch_create(struct watch **out, const struct watch_setup *setup);

void watch_free(struct watch *watch);

/** Take in evidence, of the watch's capacity, for the interval under way. */
NONNULL void watch_add(struct watch *watch, const struct evidence *evidence);

/** Called for each burst that begins or ends, at `when_ns`. */
typedef void (*watch_report)(void *context, const struct burst *burst, bool begins,
                             uint64_t when_ns);

/** Time has come to `now_ns`: judge what was taken in, if an interval has ended. A clock that went
 * back by a minute, or an hour on, ends all bursts. */
NONNULL void watch_advance(struct watch *watch, uint64_t now_ns, watch_report report,
                           void *context);

/** Bursts that began since the watch was made, and those that last. */
NONNULL uint64_t watch_begun(const struct watch *watch, enum detector detector);
NONNULL size_t watch_active(const struct watch *watch, enum detector detector);

/** Keys with evidence that the detector had no room for, each once an interval. */
NONNULL uint64_t watch_overflows(const struct watch *watch, enum detector detector);

/** Write at most `count` of the bursts that last, those with the highest scores first. Returns how
 *  many there are. */
NONNULL size_t watch_list(const struct watch *watch, struct burst *out, size_t count);
