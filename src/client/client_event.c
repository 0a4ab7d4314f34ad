/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_event.h"

#define IPV6_LEN           16 /* bytes (RFC 4291) */

#define OUTSIDE_LABELS_MAX 8 /* of an outside name; chosen */

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
    out->address = address;
    out->has_host = false;
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
    out->has_outside_len = false;
    out->zone_len = dns->zone_len;
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

COLD static uint32_t lists_of(const struct client_event_rules *rules,
                              const struct dns_name_suffixes *suffixes)
{
    uint32_t lists = 0;

    for (unsigned i = 0; i < rules->block_list_count; i++) {
        lists |= (uint32_t)name_list_has(rules->block_lists[i], suffixes) << i;
    }
    return lists;
}

static void read_as(enum client_event_outcome outcome, const struct client_event_rules *rules,
                    const struct event *event, const struct dns_name_suffixes *suffixes,
                    uint64_t qname_hash, struct client_event *out)
{
    out->outcome = outcome;
    out->qtype = event->dns.qtype;
    out->message_size = event->message.len;
    out->is_udp = event->transport == TRANSPORT_UDP;
    out->addresses = event->dns.addresses;
    read_client(rules, event->query_address, out);
    out->role_is_client = event->role == ROLE_CLIENT;
    read_name(rules, &event->dns, suffixes, qname_hash, out);
    out->block_lists = 0;
    if (rules->block_list_count > 0 && outcome == CLIENT_EVENT_QUERY && out->role_is_client &&
        out->has_name) {
        out->block_lists = lists_of(rules, suffixes);
    }
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
                                 .message_size = event->message.len};
    read_client(rules, event->query_address, out);
}

NOINLINE void client_event_look_up_suffix(struct client_event *event)
{
    event->suffix = suffix_table_match(event->rules->suffixes, event->qname, event->suffixes);
    event->has_suffix = true;
}

NOINLINE void client_event_look_up_host(struct client_event *event)
{
    const struct client_event_rules *rules = event->rules;
    struct client_host *host = &event->host;

    event->has_host = true;
    host->key = event->client;
    host->hash = event->client_hash;
    if (event->is_ipv6 && rules->host_privacy.ipv6_prefix < rules->privacy.ipv6_prefix &&
        client_key_read(&rules->host_privacy, &rules->secret, event->address, &host->key)) {
        host->hash = client_key_hash(&rules->secret, &host->key);
    }
    host->is_forwarder = false;
    for (size_t i = 0; i < rules->forwarder_count; i++) {
        host->is_forwarder |= network_contains(&rules->forwarders[i], event->address);
    }
}

static uint64_t hash_of_end(const struct client_event *event, size_t len)
{
    const struct hash_key *secret = &event->rules->secret;
    struct dns_name_suffixes suffixes;

    dns_name_sum(secret, (struct bytes){event->name.data + event->name.len - len, len}, &suffixes);
    return hash_finish(secret, suffixes.sums[0]);
}

static bool label_is(const uint8_t *label, const char *text)
{
    return label[0] == strlen(text) && memcmp(label + 1, text, label[0]) == 0;
}

/* The last label of a name that is not the root. */
static const uint8_t *last_label(struct bytes name)
{
    const uint8_t *label = name.data;

    while (label[label[0] + 1] != 0) {
        label += label[0] + 1;
    }
    return label;
}

/* Namecoin, Emercoin and OpenNIC: malware registers there, where nobody can take a name away. */
static bool is_of_alternative_root(struct bytes name)
{
    static const char *const top_levels[] = {
        "bazar", "bbs", "bit",   "chan", "coin", "cyb", "dyn", "emc",    "geek",  "gopher",
        "indy",  "lib", "libre", "neo",  "null", "oss", "oz",  "parody", "pirate"};
    bool is_one = false;

    for (size_t i = 0; i < sizeof top_levels / sizeof top_levels[0]; i++) {
        is_one |= label_is(last_label(name), top_levels[i]);
    }
    return is_one;
}

bool client_event_denies_domain(struct client_event *event)
{
    const struct suffix_match *suffix = client_event_suffix(event);

    if (event->zone_len == 0 || event->zone_len >= suffix->domain.len ||
        suffix->domain.len <= suffix->domain.data[0] + (size_t)2) {
        return false;
    }
    return event->zone_len == 1 ? is_of_alternative_root(suffix->domain) : suffix->has_rule;
}

uint64_t client_event_zone_hash(const struct client_event *event)
{
    return hash_of_end(event, event->zone_len);
}

uint64_t client_event_parent_hash(struct client_event *event)
{
    const struct bytes domain = client_event_suffix(event)->domain;
    size_t label = domain.data[0];

    return hash_of_end(event, label > 0 ? domain.len - label - 1 : domain.len);
}

/* Whether the label may be the last one of an outside name: a top-level domain behind what may be
 * registered below it. Two labels alone, as in cdn.cloud.example, are more often a name of the
 * domain's own, unless that is a search domain for sure. */
static bool ends_outside_name(struct client_event *event, const uint8_t *label,
                              const uint8_t *before, unsigned labels)
{
    const struct bytes text = {label + 1, label[0]};
    bool is_common = label_is(label, "com") || label_is(label, "net") || label_is(label, "org");

    return suffix_table_has_top_level(event->rules->suffixes, text) && before[1] != '_' &&
           (labels > 2 || is_common || event->suffix.allowed) &&
           !label_is(label, "ad"); /* so many call the domain of their Active Directory */
}

NOINLINE void client_event_look_for_outside(struct client_event *event)
{
    const uint8_t *name = event->name.data;
    const uint8_t *end = client_event_suffix(event)->domain.data + (event->zone_len == 1);
    const uint8_t *before = name;
    const uint8_t *label = name + name[0] + 1;

    event->has_outside_len = true;
    event->outside_len = 0;
    for (unsigned labels = 2; label < end && labels <= OUTSIDE_LABELS_MAX; labels++) {
        if (ends_outside_name(event, label, before, labels)) {
            event->outside_len = (uint8_t)(label - name + label[0] + 1);
        }
        before = label;
        label += label[0] + 1;
    }
}

uint64_t client_event_outside_hash(const struct client_event *event, size_t outside_len)
{
    const struct hash_key *secret = &event->rules->secret;
    struct dns_name_suffixes suffixes;
    uint8_t outside[DNS_NAME_MAX];

    memcpy(outside, event->name.data, outside_len);
    outside[outside_len] = 0;
    dns_name_sum(secret, (struct bytes){outside, outside_len + 1}, &suffixes);
    return hash_finish(secret, suffixes.sums[0]);
}
