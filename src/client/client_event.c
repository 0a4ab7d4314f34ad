/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_event.h"

#include "base/cursor.h"

#define IPV6_LEN 16 /* bytes (RFC 4291) */

bool client_event_counts(const struct event *event)
{
    return event->role == ROLE_CLIENT || event->role == ROLE_AUTH;
}

static enum client_event_outcome client_event_outcome_of(const struct event *event)
{
    if (event->kind == KIND_QUERY) {
        return CLIENT_EVENT_QUERY;
    }
    switch (event->dns.outcome) {
    case DNS_OUTCOME_ANSWER:
    case DNS_OUTCOME_NODATA:
    case DNS_OUTCOME_REFERRAL:
        return CLIENT_EVENT_EXISTS;
    case DNS_OUTCOME_NXDOMAIN:
        return CLIENT_EVENT_NXDOMAIN;
    case DNS_OUTCOME_SERVFAIL:
        return CLIENT_EVENT_SERVFAIL;
    case DNS_OUTCOME_REFUSED:
    case DNS_OUTCOME_OTHER:
    case DNS_OUTCOME_COUNT:
        break;
    }
    return CLIENT_EVENT_OTHER;
}

static void read_client(const struct client_event_rules *rules, struct bytes address,
                        struct client_event *out)
{
    out->has_client = client_key_read(&rules->privacy, &rules->secret, address, &out->client);
    out->is_ipv6 = address.len == IPV6_LEN;
    if (out->has_client) {
        out->client_hash = client_key_hash(&rules->secret, &out->client);
    }
}

/* The name that does not exist, behind the alias that was asked for. */
COLD static void read_target(const struct client_event_rules *rules, const struct dns_message *dns,
                             struct client_event *out)
{
    struct dns_name_suffixes suffixes;

    out->name = (struct bytes){dns->target, dns->target_len};
    dns_name_sum(&rules->secret, out->name, &suffixes);
    out->name_hash = hash_finish(&rules->secret, suffixes.sums[0]);
    out->suffix = suffix_table_match(rules->suffixes, out->name, &suffixes);
    out->has_suffix = true;
}

static void read_name(const struct client_event_rules *rules, const struct dns_message *dns,
                      const struct dns_name_suffixes *suffixes, uint64_t qname_hash,
                      struct client_event *out)
{
    out->has_name = dns->has_question;
    out->qname = out->name = (struct bytes){dns->qname, dns->qname_len};
    out->suffixes = suffixes;
    out->rules = rules;
    out->has_suffix = false;
    if (!out->has_name) {
        return;
    }
    out->qname_hash = out->name_hash = qname_hash;
    if (out->outcome == CLIENT_EVENT_NXDOMAIN && dns->target_len > 0) {
        read_target(rules, dns, out);
    } else if (out->outcome != CLIENT_EVENT_EXISTS && out->outcome != CLIENT_EVENT_OTHER) {
        out->suffix = suffix_table_match(rules->suffixes, out->qname, suffixes);
        out->has_suffix = true;
    }
}

static void read_as(enum client_event_outcome outcome, const struct client_event_rules *rules,
                    const struct event *event, const struct dns_name_suffixes *suffixes,
                    uint64_t qname_hash, struct client_event *out)
{
    out->outcome = outcome;
    out->message_size = event->message_size;
    read_client(rules, event->query_address, out);
    out->role_is_client = event->role == ROLE_CLIENT;
    read_name(rules, &event->dns, suffixes, qname_hash, out);
}

void client_event_read(const struct client_event_rules *rules, const struct event *event,
                       const struct dns_name_suffixes *suffixes, uint64_t qname_hash,
                       struct client_event *out)
{
    read_as(client_event_outcome_of(event), rules, event, suffixes, qname_hash, out);
}

void client_event_read_query(const struct client_event_rules *rules, const struct event *event,
                             const struct dns_name_suffixes *suffixes, uint64_t qname_hash,
                             struct client_event *out)
{
    read_as(CLIENT_EVENT_QUERY, rules, event, suffixes, qname_hash, out);
}

void client_event_read_duplicate(const struct client_event_rules *rules, const struct event *event,
                                 struct client_event *out)
{
    *out = (struct client_event){.outcome = CLIENT_EVENT_OTHER,
                                 .message_size = event->message_size};
    read_client(rules, event->query_address, out);
}

NOINLINE void client_event_look_up_suffix(struct client_event *event)
{
    event->suffix = suffix_table_match(event->rules->suffixes, event->qname, event->suffixes);
    event->has_suffix = true;
}

/* A decimal number up to 255 without leading zeros. */
static bool is_octet(struct bytes label)
{
    unsigned value = 0;

    if (label.len == 0 || label.len > 3 || (label.data[0] == '0' && label.len > 1)) {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (label.data[i] < '0' || label.data[i] > '9') {
            return false;
        }
        value = 10 * value + (label.data[i] - '0');
    }
    return value <= 255;
}

static bool is_nibble(struct bytes label)
{
    uint8_t c = label.len == 1 ? label.data[0] : 0;

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Whether the name begins with `count` labels that pass, and goes on. */
static bool client_event_begins_with(struct bytes qname, unsigned count,
                                     bool (*passes)(struct bytes label))
{
    struct cursor cursor = cursor_over(qname);

    for (unsigned i = 0; i < count; i++) {
        if (!passes(cursor_take(&cursor, cursor_u8(&cursor)))) {
            return false;
        }
    }
    return cursor_u8(&cursor) != 0;
}

bool client_event_is_block_list_query(struct bytes qname)
{
    return client_event_begins_with(qname, 4, is_octet) ||
           client_event_begins_with(qname, 32, is_nibble);
}
