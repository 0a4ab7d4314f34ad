/* SPDX-License-Identifier: Apache-2.0 */
#include "present/message_filter.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "config/config_value.h"
#include "count/dns_mnemonic.h"
#include "count/label.h"
#include "count/label_values.h"

/* --- Values --- */

static bool find_mnemonic(const char *text, unsigned most,
                          bool (*print)(uint16_t code, char label[DNS_MNEMONIC_SIZE]),
                          uint16_t *out)
{
    char label[DNS_MNEMONIC_SIZE];

    for (unsigned code = 0; code <= most; code++) {
        (void)print((uint16_t)code, label);
        if (strcasecmp(label, text) == 0) {
            *out = (uint16_t)code;
            return true;
        }
    }
    return false;
}

/* RFC 3597 section 5: TYPE1 is A. */
static bool read_type_number(const char *value, uint16_t *out)
{
    uint64_t number;

    if (strncasecmp(value, "TYPE", 4) != 0 || !config_parse_number(value + 4, &number) ||
        number > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)number;
    return true;
}

static bool set_type(struct message_filter *filter, const char *value)
{
    uint16_t *type = &filter->types[filter->type_count++];

    return find_mnemonic(value, UINT16_MAX, dns_mnemonic_qtype, type) ||
           read_type_number(value, type);
}

#define RCODE_MAX 0xfff /* with EDNS' bits (RFC 6891 section 6.1.3) */

static bool set_rcode(struct message_filter *filter, const char *value)
{
    return find_mnemonic(value, RCODE_MAX, dns_mnemonic_rcode,
                         &filter->rcodes[filter->rcode_count++]);
}

static bool set_role(struct message_filter *filter, const char *value)
{
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (strcmp(label_role.texts[role], value) == 0) {
            filter->roles |= 1U << role;
            return true;
        }
    }
    return false;
}

static bool read_name(struct filter_name *name, const char *value)
{
    if (strcmp(value, ".") == 0) {
        name->wire[0] = 0;
        name->len = 1;
        return true;
    }
    name->len = dns_name_parse(value, name->wire);
    return name->len > 0;
}

/* As events have the addresses (decode/event.h). */
static void unmap(struct network *network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (network->len == 16 && network->prefix >= 8 * sizeof mapped &&
        memcmp(network->address, mapped, sizeof mapped) == 0) {
        memmove(network->address, network->address + sizeof mapped, 4);
        network->len = 4;
        network->prefix = (uint8_t)(network->prefix - 8 * sizeof mapped);
    }
}

static bool set_client(struct message_filter *filter, const char *value)
{
    struct network *client = &filter->clients[filter->client_count++];
    bool is_network = network_parse(value, client);

    if (is_network) {
        unmap(client);
    }
    return is_network;
}

static bool set_name(struct message_filter *filter, const char *value)
{
    return read_name(&filter->names[filter->name_count++], value);
}

/* No top-level domain is a number, and no name of a host has a colon. */
static bool is_meant_as_network(const char *value)
{
    bool is_number = value[0] >= '0' && value[0] <= '9' &&
                     strspn(value, "0123456789./") == strlen(value);

    return is_number || strchr(value, ':') != NULL;
}

static bool set_answer(struct message_filter *filter, const char *value)
{
    if (network_parse(value, &filter->answer_networks[filter->answer_network_count])) {
        filter->answer_network_count++;
        return true;
    }
    return !is_meant_as_network(value) &&
           read_name(&filter->answer_names[filter->answer_name_count++], value);
}

static bool set_server(struct message_filter *filter, const char *value)
{
    filter->servers[filter->server_count++] = value;
    return true;
}

static bool set_slow(struct message_filter *filter, const char *value)
{
    return config_parse_duration(value, &filter->slow_ns) && filter->slow_ns > 0;
}

/* --- Times --- */

/* The number that two digits say, or -1. */
static int two_digits(const char *text)
{
    bool are_digits = text[0] >= '0' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9';

    return are_digits ? 10 * (text[0] - '0') + (text[1] - '0') : -1;
}

/* "+02:00", "-01:30" or "Z" (RFC 3339 section 5.6), in seconds. */
static bool read_offset(const char *text, int64_t *seconds)
{
    *seconds = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0 || text[0] == '\0') {
        return true;
    }
    if (strlen(text) != sizeof "+02:00" - 1 || (text[0] != '+' && text[0] != '-') ||
        text[3] != ':') {
        return false;
    }
    int hours = two_digits(text + 1);
    int minutes = two_digits(text + 4);
    *seconds = (int64_t)(text[0] == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

/* Behind the seconds: ".5" is half of one. Digits beyond nanoseconds are passed over. */
static const char *read_fraction(const char *text, uint64_t *ns)
{
    uint64_t digit = NS_PER_SECOND / 10;

    *ns = 0;
    if (text[0] != '.') {
        return text;
    }
    const char *first = ++text;
    for (; *text >= '0' && *text <= '9'; text++) {
        *ns += (uint64_t)(*text - '0') * digit;
        digit /= 10;
    }
    return text > first ? text : NULL;
}

/* Without an offset it is UTC; without a time of day midnight. */
static bool read_timestamp(const char *text, uint64_t *out)
{
    struct tm utc = {0};
    int64_t offset;
    uint64_t fraction_ns = 0;
    const char *rest = strptime(text, "%Y-%m-%d", &utc);

    if (rest != NULL && (rest[0] == 'T' || rest[0] == 't' || rest[0] == ' ')) {
        rest = strptime(rest + 1, "%H:%M:%S", &utc);
        rest = rest != NULL ? read_fraction(rest, &fraction_ns) : NULL;
    }
    if (rest == NULL || !read_offset(rest, &offset)) {
        return false;
    }
    int day = utc.tm_mday;
    int64_t seconds = (int64_t)timegm(&utc) -
                      offset; /* makes the 3rd of March of a 31st of February */
    *out = (uint64_t)seconds * NS_PER_SECOND + fraction_ns;
    return utc.tm_mday == day && seconds > 0 &&
           seconds < (int64_t)(INT64_MAX / NS_PER_SECOND); /* dnstap's times are below, too */
}

static bool read_time(const char *text, uint64_t now_ns, uint64_t *out)
{
    uint64_t before_ns;

    if (text[0] != '-') {
        return read_timestamp(text, out);
    }
    if (!config_parse_duration(text + 1, &before_ns) || before_ns >= now_ns) {
        return false;
    }
    *out = now_ns - before_ns;
    return true;
}

/* --- Setting them --- */

static const struct {
    const char *name;
    bool (*set)(struct message_filter *filter, const char *value);
    const char *expected;
} filters[FILTER_COUNT] = {
    {"client", set_client, "an address, or a network such as 192.0.2.0/24"},
    {"name", set_name, "a domain name"},
    {"type", set_type, "a type such as AAAA"},
    {"rcode", set_rcode, "a response code such as NXDOMAIN"},
    {"role", set_role, "auth, resolver, client, forwarder, stub, tool or update"},
    {"answer", set_answer, "an address, a network or a domain name"},
    {"server", set_server, "a server's name"},
    {"slow", set_slow, "a duration such as 500ms"},
};

static int set_listed(struct message_filter *filter, unsigned index, const char *value,
                      struct text *error)
{
    if (filter->given[index]++ == FILTER_VALUES_MAX) {
        text_append_format(error, "--%s: more than %d of them", filters[index].name,
                           FILTER_VALUES_MAX);
        return -EINVAL;
    }
    if (!filters[index].set(filter, value)) {
        text_append_format(error, "--%s: expected %s, got '%s'", filters[index].name,
                           filters[index].expected, value);
        return -EINVAL;
    }
    return 0;
}

int message_filter_set(struct message_filter *filter, const char *name, const char *value,
                       uint64_t now_ns, struct text *error)
{
    uint64_t *time_ns = strcmp(name, "from") == 0 ? &filter->from_ns : &filter->until_ns;
    unsigned index = 0;

    while (index < FILTER_COUNT && strcmp(filters[index].name, name) != 0) {
        index++;
    }
    if (index < FILTER_COUNT) {
        return set_listed(filter, index, value, error);
    }
    if (!read_time(value, now_ns, time_ns)) {
        text_append_format(error,
                           "--%s: expected a time such as 2026-11-29T10:00:00Z, or -2h, got '%s'",
                           name, value);
        return -EINVAL;
    }
    if (filter->from_ns > 0 && filter->until_ns > 0 && filter->until_ns <= filter->from_ns) {
        text_append_string(error, "--until: expected a time after that of --from");
        return -EINVAL;
    }
    return 0;
}

/* --- Matching --- */

uint64_t message_time_ns(const struct event *event)
{
    return event->kind == KIND_RESPONSE && event->response_time_ns > 0 ? event->response_time_ns
                                                                       : event->query_time_ns;
}

bool message_duration(const struct event *event, uint64_t *out_ns)
{
    bool has_both = event->kind == KIND_RESPONSE && event->query_time_ns > 0 &&
                    event->response_time_ns >= event->query_time_ns;

    if (has_both) {
        *out_ns = event->response_time_ns - event->query_time_ns;
    }
    return has_both;
}

static bool in_networks(const struct network *networks, unsigned count, struct bytes address)
{
    for (unsigned i = 0; i < count; i++) {
        if (network_contains(&networks[i], address)) {
            return true;
        }
    }
    return false;
}

static bool at_or_below_any(const struct filter_name *names, unsigned count, struct bytes name)
{
    for (unsigned i = 0; i < count; i++) {
        if (dns_name_is_at_or_below(name, (struct bytes){names[i].wire, names[i].len})) {
            return true;
        }
    }
    return false;
}

static bool has_code(const uint16_t *codes, unsigned count, uint16_t code)
{
    for (unsigned i = 0; i < count; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static bool is_of_server(const struct message_filter *filter, struct bytes identity)
{
    char label[LABEL_SIZE];

    label_write(identity, label);
    for (unsigned i = 0; i < filter->server_count; i++) {
        if (strcmp(filter->servers[i], label) == 0) {
            return true;
        }
    }
    return false;
}

static bool record_matches(const struct message_filter *filter, const struct dns_record *record,
                           struct bytes message)
{
    uint8_t name[DNS_NAME_MAX];
    size_t address_len = record->type == DNS_TYPE_A ? 4 : record->type == DNS_TYPE_AAAA ? 16 : 0;

    if (address_len > 0) {
        return record->data.len == address_len &&
               in_networks(filter->answer_networks, filter->answer_network_count, record->data);
    }
    size_t len = filter->answer_name_count > 0 ? dns_record_target(record, message, name) : 0;
    return len > 0 && at_or_below_any(filter->answer_names, filter->answer_name_count,
                                      (struct bytes){name, len});
}

static bool answer_matches(const struct message_filter *filter, const struct event *event)
{
    struct dns_record_reader reader;
    struct dns_record record;

    if (event->kind != KIND_RESPONSE || event->dns.records_offset == 0) {
        return false;
    }
    dns_record_reader_init(&reader, event->message, event->dns.records_offset);
    while (dns_record_next(&reader, &record) && record.section == DNS_SECTION_ANSWER) {
        if (record_matches(filter, &record, event->message)) {
            return true;
        }
    }
    return false;
}

static bool is_slow(const struct message_filter *filter, const struct event *event)
{
    uint64_t duration_ns;

    return message_duration(event, &duration_ns) && duration_ns >= filter->slow_ns;
}

static bool time_matches(const struct message_filter *filter, const struct event *event)
{
    uint64_t time_ns = message_time_ns(event);

    return (filter->from_ns == 0 || time_ns >= filter->from_ns) &&
           (filter->until_ns == 0 || (time_ns > 0 && time_ns < filter->until_ns));
}

bool message_filter_matches_dnstap(const struct message_filter *filter, const struct event *event)
{
    return (filter->client_count == 0 ||
            in_networks(filter->clients, filter->client_count, event->query_address)) &&
           (filter->roles == 0 || (filter->roles >> event->role & 1) != 0) &&
           (filter->server_count == 0 || is_of_server(filter, event->identity)) &&
           (filter->slow_ns == 0 || is_slow(filter, event)) && time_matches(filter, event) &&
           (filter->rcode_count == 0 || event->kind == KIND_RESPONSE);
}

bool message_filter_matches_dns(const struct message_filter *filter, const struct event *event)
{
    const struct dns_message *dns = &event->dns;

    return (filter->name_count == 0 ||
            (dns->has_question && at_or_below_any(filter->names, filter->name_count,
                                                  (struct bytes){dns->qname, dns->qname_len}))) &&
           (filter->type_count == 0 ||
            (dns->has_question && has_code(filter->types, filter->type_count, dns->qtype))) &&
           (filter->rcode_count == 0 ||
            (dns->has_header && has_code(filter->rcodes, filter->rcode_count, dns->rcode))) &&
           (filter->answer_network_count + filter->answer_name_count == 0 ||
            answer_matches(filter, event));
}

/* --- Files --- */

static bool may_have_clients(const struct message_filter *filter, const struct archive_index *index)
{
    for (unsigned i = 0; i < filter->client_count; i++) {
        if (archive_index_may_have_client(index, &filter->clients[i])) {
            return true;
        }
    }
    return filter->client_count == 0;
}

static bool may_have_names(const struct message_filter *filter, const struct archive_index *index)
{
    for (unsigned i = 0; i < filter->name_count; i++) {
        const struct filter_name *name = &filter->names[i];
        if (archive_index_may_have_name(index, (struct bytes){name->wire, name->len})) {
            return true;
        }
    }
    return filter->name_count == 0;
}

static bool may_have_answers(const struct message_filter *filter, const struct archive_index *index)
{
    for (unsigned i = 0; i < filter->answer_network_count; i++) {
        if (archive_index_may_have_answer_address(index, &filter->answer_networks[i])) {
            return true;
        }
    }
    for (unsigned i = 0; i < filter->answer_name_count; i++) {
        const struct filter_name *name = &filter->answer_names[i];
        if (archive_index_may_have_answer_name(index, (struct bytes){name->wire, name->len})) {
            return true;
        }
    }
    return filter->answer_network_count + filter->answer_name_count == 0;
}

bool message_filter_may_match(const struct message_filter *filter,
                              const struct archive_index *index)
{
    return (filter->from_ns == 0 || archive_index_last_ns(index) >= filter->from_ns) &&
           (filter->until_ns == 0 || archive_index_first_ns(index) < filter->until_ns) &&
           may_have_clients(filter, index) && may_have_names(filter, index) &&
           may_have_answers(filter, index);
}
