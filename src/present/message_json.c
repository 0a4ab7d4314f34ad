/* SPDX-License-Identifier: Apache-2.0 */
#include "message_text_internal.h"

#include "count/dns_mnemonic.h"
#include "count/label_values.h"
#include "present/message_filter.h"
#include "present/record_text.h"

/* In JSON a name's byte is \\DDD at the most. */
#define NAME_JSON_SIZE (5 * DNS_NAME_MAX)

/* What a message has at the most besides its records: its question, labels that may be all quotes,
 * three times and some hundred bytes of members' names. */
#define FIXED_SIZE (NAME_JSON_SIZE + 4 * LABEL_SIZE + 3 * TIME_SIZE + 1500)

/* And a record besides its data. */
#define RECORD_SIZE (NAME_JSON_SIZE + 2 * DNS_MNEMONIC_SIZE + 100)

static char *put_json_name(char *at, struct bytes wire)
{
    return escape_json(at, put_name(at, wire));
}

/* --- Where the message was seen --- */

static char *put_observer(struct message_text *state, char *at, const struct event *event)
{
    const char *server = message_server(state, event->identity);
    char version[LABEL_SIZE];

    if (server[0] == '\0' && event->version.len == 0) {
        return at;
    }
    at = PUT(at, ",\"observer\":{");
    if (server[0] != '\0') {
        at = PUT(at, "\"name\":\"");
        at = escape_json(at, put_string(at, server));
        at = PUT(at, "\"");
    }
    if (event->version.len > 0) {
        label_write(event->version, version);
        at = server[0] != '\0' ? PUT(at, ",") : at;
        at = PUT(at, "\"version\":\"");
        at = escape_json(at, put_string(at, version));
        at = PUT(at, "\"");
    }
    return PUT(at, "}");
}

/* "ip" and "port", of which there is one at least. */
static char *put_peer(char *at, struct bytes address, uint16_t port)
{
    if (address.len > 0) {
        at = PUT(at, "\"ip\":\"");
        at = field_put_address(address, at);
        at = PUT(at, "\"");
    }
    if (port > 0) {
        at = address.len > 0 ? PUT(at, ",") : at;
        at = PUT(at, "\"port\":");
        at = put_number(at, port);
    }
    return PUT(at, "}");
}

static char *put_peers(char *at, const struct event *event)
{
    if (event->query_address.len > 0 || event->query_port > 0) {
        at = PUT(at, ",\"client\":{");
        at = put_peer(at, event->query_address, event->query_port);
    }
    if (event->response_address.len > 0 || event->response_port > 0) {
        at = PUT(at, ",\"server\":{");
        at = put_peer(at, event->response_address, event->response_port);
    }
    return at;
}

/* ECS has UDP and TCP here; `dnstap.transport` has DoT, DoQ and so on. */
static char *put_packet_transport(char *at, enum transport transport)
{
    switch (transport) {
    case TRANSPORT_UDP:
    case TRANSPORT_DNSCRYPT_UDP:
    case TRANSPORT_DOQ:
        return PUT(at, ",\"transport\":\"udp\"");
    case TRANSPORT_TCP:
    case TRANSPORT_DOT:
    case TRANSPORT_DNSCRYPT_TCP:
        return PUT(at, ",\"transport\":\"tcp\"");
    case TRANSPORT_DOH: /* HTTP/3 has UDP */
    case TRANSPORT_UNKNOWN:
    case TRANSPORT_COUNT:
        break;
    }
    return at;
}

static char *put_network(char *at, const struct event *event)
{
    at = PUT(at, "\"network\":{\"protocol\":\"dns\"");
    at = put_packet_transport(at, event->transport);
    if (event->family != FAMILY_UNKNOWN) {
        at = PUT(at, ",\"type\":\"");
        at = put_string(at, label_family.texts[event->family]);
        at = PUT(at, "\"");
    }
    return PUT(at, "}");
}

/* --- The DNS message --- */

static char *put_flags(char *at, uint16_t flags)
{
    static const struct {
        uint16_t flag;
        char text[6];
    } names[] = {{DNS_FLAG_AA, ",\"AA\""}, {DNS_FLAG_TC, ",\"TC\""}, {DNS_FLAG_RD, ",\"RD\""},
                 {DNS_FLAG_RA, ",\"RA\""}, {DNS_FLAG_AD, ",\"AD\""}, {DNS_FLAG_CD, ",\"CD\""}};

    at = PUT(at, ",\"header_flags\":[");
    char *start = at;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags & names[i].flag) != 0) {
            size_t comma = at == start; /* the first has none */
            memcpy(at, names[i].text + comma, 5 - comma);
            at += 5 - comma;
        }
    }
    return PUT(at, "]");
}

static char *put_header(char *at, const struct event *event)
{
    const struct dns_message *dns = &event->dns;

    at = PUT(at, ",\"id\":\"");
    at = put_number(at, dns->id);
    at = PUT(at, "\",\"op_code\":\"");
    (void)dns_mnemonic_opcode(dns->opcode, at);
    at = PUT(at + strlen(at), "\"");
    at = put_flags(at, dns->flags);
    if (event->kind == KIND_RESPONSE) {
        at = PUT(at, ",\"response_code\":\"");
        (void)dns_mnemonic_rcode(dns->rcode, at);
        at = PUT(at + strlen(at), "\"");
    }
    return at;
}

static char *put_question(char *at, const struct dns_message *dns)
{
    at = PUT(at, ",\"question\":{\"name\":\"");
    at = put_json_name(at, (struct bytes){dns->qname, dns->qname_len});
    at = PUT(at, "\",\"type\":\"");
    at = put_qtype(at, dns->qtype);
    at = PUT(at, "\",\"class\":\"");
    at = put_class(at, dns->qclass);
    return PUT(at, "\"}");
}

/* --- Records --- */

/* The name of the owner. Most records point to the question, whose name is right behind the
 * header. A name that cannot be read is left out. */
static char *put_owner(char *at, const struct event *event, const struct dns_record *record)
{
    static const uint8_t question[] = {0xc0, DNS_HEADER_SIZE};
    const struct dns_message *dns = &event->dns;
    uint8_t name[DNS_NAME_MAX];
    struct bytes wire = {dns->qname, dns->qname_len};

    if (!dns->has_question || record->owner.len != sizeof question ||
        memcmp(record->owner.data, question, sizeof question) != 0) {
        wire = (struct bytes){name, dns_record_owner(record, event->message, name)};
    }
    if (wire.len == 0) {
        return at;
    }
    at = PUT(at, "\"name\":\"");
    at = put_json_name(at, wire);
    return PUT(at, "\",");
}

static bool is_address(const struct dns_record *record)
{
    return (record->type == DNS_TYPE_A && record->data.len == 4) ||
           (record->type == DNS_TYPE_AAAA && record->data.len == 16);
}

static void append_data(const struct event *event, const struct dns_record *record,
                        struct text *out)
{
    size_t start = out->len;

    (void)record_text_data(record, event->message, out);
    if (!is_address(record) && text_room(out, out->len - start) != NULL) {
        text_added(out, escape_json(out->data + start, out->data + out->len));
    }
}

static void append_record(const struct event *event, const struct dns_record *record,
                          struct text *out)
{
    char *at = text_room(out, RECORD_SIZE);

    if (at == NULL) {
        return;
    }
    at = PUT(at, "{");
    at = put_owner(at, event, record);
    at = PUT(at, "\"type\":\"");
    at = put_qtype(at, record->type);
    at = PUT(at, "\",\"class\":\"");
    at = put_class(at, record->class);
    at = PUT(at, "\",\"ttl\":");
    at = put_number(at, record->ttl);
    at = PUT(at, ",\"data\":\"");
    text_added(out, at);
    append_data(event, record, out);
    text_append_string(out, "\"}");
}

/* The records of a message, one after the other. */
struct section_reader {
    struct dns_record_reader reader;
    struct dns_record record; /* if there is one */
    bool has_record;
};

static void section_next(struct section_reader *sections)
{
    do {
        sections->has_record = dns_record_next(&sections->reader, &sections->record);
    } while (sections->has_record &&
             sections->record.type == DNS_TYPE_OPT); /* no data of the zone */
}

static bool section_has_record(const struct section_reader *sections, enum dns_section section)
{
    return sections->has_record && sections->record.section == section;
}

static void section_begin(struct section_reader *sections, const struct event *event)
{
    sections->has_record = false;
    if (event->dns.records_offset > 0) {
        dns_record_reader_init(&sections->reader, event->message, event->dns.records_offset);
        section_next(sections);
    }
}

/* The section as an array, if it has records. `member` is its name with what is around it. */
static void append_section(struct section_reader *sections, const struct event *event,
                           enum dns_section section, const char *member, struct text *out)
{
    if (!section_has_record(sections, section)) {
        return;
    }
    text_append_string(out, member);
    for (;;) {
        append_record(event, &sections->record, out);
        section_next(sections);
        if (!section_has_record(sections, section)) {
            break;
        }
        text_append_char(out, ',');
    }
    text_append_char(out, ']');
}

static void append_resolved(const struct event *event, struct text *out)
{
    struct section_reader sections;
    bool is_first = true;

    if (event->dns.opcode != DNS_OPCODE_QUERY) {
        return; /* an UPDATE has prerequisites there (RFC 2136 section 2.2) */
    }
    section_begin(&sections, event);
    for (; section_has_record(&sections, DNS_SECTION_ANSWER); section_next(&sections)) {
        char *at = is_address(&sections.record) ? text_room(out, FIELD_ADDRESS_SIZE + 32) : NULL;
        if (at != NULL) {
            at = is_first ? PUT(at, ",\"resolved_ip\":[\"") : PUT(at, ",\"");
            text_added(out, PUT(field_put_address(sections.record.data, at), "\""));
            is_first = false;
        }
    }
    if (!is_first) {
        text_append_char(out, ']');
    }
}

/* --- The line --- */

static char *put_dnstap(struct message_text *state, char *at, const struct event *event)
{
    at = PUT(at, "},\"dnstap\":{\"type\":\"");
    at = put_string(at, message_type(event));
    at = PUT(at, "\"");
    if (event->transport != TRANSPORT_UNKNOWN) {
        at = PUT(at, ",\"transport\":\"");
        at = put_string(at, label_transport.texts[event->transport]);
        at = PUT(at, "\"");
    }
    if (event->query_time_ns > 0) {
        at = PUT(at, ",\"query_time\":\"");
        at = put_time(state, at, event->query_time_ns);
        at = PUT(at, "\"");
    }
    if (event->response_time_ns > 0) {
        at = PUT(at, ",\"response_time\":\"");
        at = put_time(state, at, event->response_time_ns);
        at = PUT(at, "\"");
    }
    at = PUT(at, ",\"message_size\":");
    at = put_number(at, event->message.len);
    if (event->dns.defect != DNS_DEFECT_NONE) {
        at = PUT(at, ",\"malformed\":\"");
        at = put_string(at, label_defect.texts[event->dns.defect]);
        at = PUT(at, "\"");
    }
    return at;
}

static char *put_beginning(struct message_text *state, char *at, const struct event *event)
{
    uint64_t time_ns = message_time_ns(event);
    uint64_t duration_ns;

    at = PUT(at, "{");
    if (time_ns > 0) {
        at = PUT(at, "\"@timestamp\":\"");
        at = put_time(state, at, time_ns);
        at = PUT(at, "\",");
    }
    at = put_network(at, event);
    at = put_observer(state, at, event);
    at = put_peers(at, event);
    if (message_duration(event, &duration_ns)) {
        at = PUT(at, ",\"event\":{\"duration\":");
        at = put_number(at, duration_ns);
        at = PUT(at, "}");
    }
    at = event->kind == KIND_QUERY ? PUT(at, ",\"dns\":{\"type\":\"query\"")
                                   : PUT(at, ",\"dns\":{\"type\":\"answer\"");
    at = event->dns.has_header ? put_header(at, event) : at;
    return event->dns.has_question ? put_question(at, &event->dns) : at;
}

void message_text_json(struct message_text *state, const struct event *event, struct text *out)
{
    struct section_reader sections;
    char *at = text_room(out, FIXED_SIZE);

    if (at == NULL) {
        return;
    }
    text_added(out, put_beginning(state, at, event));
    section_begin(&sections, event);
    append_section(&sections, event, DNS_SECTION_ANSWER, ",\"answers\":[", out);
    append_resolved(event, out);
    at = text_room(out, FIXED_SIZE);
    if (at == NULL) {
        return;
    }
    text_added(out, put_dnstap(state, at, event));
    append_section(&sections, event, DNS_SECTION_AUTHORITY, ",\"authorities\":[", out);
    append_section(&sections, event, DNS_SECTION_ADDITIONAL, ",\"additionals\":[", out);
    text_append_string(out, "}}\n");
}
