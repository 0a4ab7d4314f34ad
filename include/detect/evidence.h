/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * evidence.h - whose names fail, over one short interval: what the watch decides by
 *
 * For each client and each registered domain with NXDOMAIN responses: how many different names
 * failed, how many were found, and an example. A distinct counter behind each of the heaviest keys
 * is the cache of Afek et al., "Mitigating DNS random subdomain DDoS attacks by distinct heavy
 * hitters" (HotWeb 2016, arXiv 1612.02636). Where there are more clients or domains than the
 * tables hold, those with the fewest failures go.
 *
 * Two kinds of names are not evidence: those that the suffix table allows, and look-ups in DNS
 * block lists. Evidence adds up, that of several workers to that of all. Memory is taken when it is
 * made. One thread owns it.
 */

#include "base/attr.h"
#include "sketch/distinct.h"
#include "sketch/heavy_hitters.h"
#include "client/client_event.h"

#define EVIDENCE_PRECISION         8 /* of failing names: standard error 6.5 % */
#define EVIDENCE_SAMPLED_PRECISION 6 /* 13 % */
#define EVIDENCE_SAMPLING          8 /* one name in so many, chosen by its hash */

/** What both kinds of keys carry: names that were looked up by a client, or below a domain. */
struct evidence_names {
    uint8_t failing[DISTINCT_SIZE(EVIDENCE_PRECISION)];
    uint8_t found[DISTINCT_SIZE(EVIDENCE_PRECISION)]; /* of a domain: of one name in
                                                         EVIDENCE_SAMPLING */
    uint64_t messages;                                /* NXDOMAIN responses */
    uint8_t example_len;                              /* 0: none yet */
    uint8_t domain_offset;                            /* of its registered domain */
    uint8_t example[DNS_NAME_MAX];                    /* a name that failed */
};

/** A client's, which is a host and not a resolver; the domain that most of its failures are in is
 * found by the majority vote of Boyer and Moore (1981), and its example is in that domain. */
struct client_evidence {
    struct evidence_names names;
    uint64_t domain_hash;
    uint64_t domain_votes; /* failures for it, less those that voted against it */
};

/** A domain's. */
struct domain_evidence {
    struct evidence_names names;
    uint8_t clients[DISTINCT_SIZE(EVIDENCE_SAMPLED_PRECISION)]; /* whose look-ups failed */
};

struct evidence {
    struct heavy_hitters *clients; /* by failures; payload: struct client_evidence */
    struct heavy_hitters *domains; /* by failures; payload: struct domain_evidence */
};

/** Bytes that evidence of this capacity takes. */
size_t evidence_memory(size_t capacity);

/** Make room for `capacity` clients and as many domains, and a third more; ends with
 * evidence_deinit(). Returns 0 or -ENOMEM. */
NONNULL MUST_USE int evidence_init(struct evidence *evidence, size_t capacity);

NONNULL void evidence_deinit(struct evidence *evidence);

/** Forget everything. */
NONNULL void evidence_clear(struct evidence *evidence);

/** Note a client event, if it says anything. Hot path: no allocation, no failure. */
NONNULL void evidence_record(struct evidence *evidence, const struct client_event_rules *rules,
                             const struct client_event *event);

/** Add all that `from`, of the same capacity, has noted. */
NONNULL void evidence_add(struct evidence *to, const struct evidence *from);
