/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * message_filter.h - which dnstap messages are wanted
 *
 * A message has to match every filter that is set; of one that is set again, any of its values.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "client/archive_index.h"
#include "client/network.h"
#include "decode/event.h"

#define FILTER_VALUES_MAX 16 /* of one filter; chosen */
#define FILTER_COUNT      8  /* filters but for times */

struct filter_name {
    uint8_t wire[DNS_NAME_MAX]; /* lower case */
    size_t len;
};

/** All zero: every message. */
struct message_filter {
    struct network clients[FILTER_VALUES_MAX];
    unsigned client_count;
    struct filter_name names[FILTER_VALUES_MAX];
    unsigned name_count;
    uint16_t types[FILTER_VALUES_MAX];
    unsigned type_count;
    uint16_t rcodes[FILTER_VALUES_MAX];
    unsigned rcode_count;
    unsigned roles; /* a bit for each enum role; 0: any */
    struct network answer_networks[FILTER_VALUES_MAX];
    unsigned answer_network_count;
    struct filter_name answer_names[FILTER_VALUES_MAX];
    unsigned answer_name_count;
    const char *servers[FILTER_VALUES_MAX]; /* borrowed */
    unsigned server_count;
    uint64_t from_ns, until_ns;   /* since 1970; 0: any */
    uint64_t slow_ns;             /* response time, at least; 0: any */
    unsigned given[FILTER_COUNT]; /* how often each was set */
};

/** Set a filter by its name, "client", "name", "type", "rcode", "role", "answer", "server", "from",
 * "until" or "slow"; `now_ns`, since 1970, is what times such as "-2h" are counted from. `value` is
 * borrowed. Returns 0, or -EINVAL and what was expected in *error. */
NONNULL MUST_USE int message_filter_set(struct message_filter *filter, const char *name,
                                        const char *value, uint64_t now_ns, struct text *error);

/** Whether the message of `event` may be wanted, by all but what its DNS message says: `dns` need
 * not be read yet. */
NONNULL bool message_filter_matches_dnstap(const struct message_filter *filter,
                                           const struct event *event);

/** Whether it is wanted, if it may be. */
NONNULL bool message_filter_matches_dns(const struct message_filter *filter,
                                        const struct event *event);

/** Whether a dnstap file with this index may have a message that is wanted. */
NONNULL bool message_filter_may_match(const struct message_filter *filter,
                                      const struct archive_index *index);

/** When a message was sent, in ns since 1970, by its server: a response's time, or a query's. 0:
 * its server does not say. */
NONNULL uint64_t message_time_ns(const struct event *event);

/** Write the response time in ns, where the message is a response that has both times. Returns
 * whether it is. */
NONNULL bool message_duration(const struct event *event, uint64_t *out_ns);
