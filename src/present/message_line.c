/* SPDX-License-Identifier: Apache-2.0 */
#include "message_text_internal.h"

#include "base/clock.h"
#include "count/dns_mnemonic.h"
#include "count/label_values.h"
#include "present/message_filter.h"
#include "present/record_text.h"

/* What a message has at the most besides its records. */
#define FIXED_SIZE (DNS_NAME_TEXT_SIZE + 4 * LABEL_SIZE + 2 * FIELD_ADDRESS_SIZE + 400)

static char *put_server(struct message_text *state, char *at, const struct event *event)
{
    const char *server = message_server(state, event->identity);

    if (server[0] == '\0') {
        return PUT(at, "-");
    }
    for (; *server != '\0'; server++) {
        if (*server == ' ') { /* which separates columns */
            at = PUT(at, "\\x20");
        } else {
            *at++ = *server;
        }
    }
    return at;
}

static char *put_line_question(char *at, const struct dns_message *dns)
{
    if (!dns->has_question) {
        return PUT(at, "- -");
    }
    at = put_name(at, (struct bytes){dns->qname, dns->qname_len});
    at = PUT(at, " ");
    return put_qtype(at, dns->qtype);
}

static char *put_rcode(char *at, const struct event *event)
{
    if (event->kind != KIND_RESPONSE || !event->dns.has_header) {
        return PUT(at, "-");
    }
    (void)dns_mnemonic_rcode(event->dns.rcode, at);
    return at + strlen(at);
}

/* Milliseconds to three decimals. */
static char *put_duration(char *at, const struct event *event)
{
    uint64_t duration_ns;

    if (!message_duration(event, &duration_ns)) {
        return PUT(at, "-");
    }
    uint64_t us = duration_ns / (NS_PER_MS / 1000);
    at = put_number(at, us / 1000);
    at = put_number(at, 1000 + us % 1000); /* a digit is in the dot's place */
    at[-4] = '.';
    return PUT(at, "ms");
}

static void append_answers(const struct event *event, struct text *out)
{
    struct dns_record_reader reader;
    struct dns_record record;
    char type[DNS_MNEMONIC_SIZE];
    const char *before = "";

    if (event->dns.records_offset > 0) {
        dns_record_reader_init(&reader, event->message, event->dns.records_offset);
        while (dns_record_next(&reader, &record) && record.section == DNS_SECTION_ANSWER) {
            (void)dns_mnemonic_qtype(record.type, type);
            text_append_string(out, before);
            text_append_string(out, type);
            text_append_char(out, ' ');
            (void)record_text_data(&record, event->message, out);
            before = ", ";
        }
    }
    text_append_string(out, before[0] != '\0' ? "\n" : "-\n");
}

void message_text_line(struct message_text *state, const struct event *event, struct text *out)
{
    uint64_t time_ns = message_time_ns(event);
    char *at = text_room(out, FIXED_SIZE);

    if (at == NULL) {
        return;
    }
    at = time_ns > 0 ? put_time(state, at, time_ns) : PUT(at, "-");
    at = PUT(at, " ");
    at = event->query_address.len > 0 ? field_put_address(event->query_address, at) : PUT(at, "-");
    at = PUT(at, " ");
    at = put_server(state, at, event);
    at = PUT(at, " ");
    at = put_string(at, message_type(event));
    at = PUT(at, " ");
    at = put_string(at, label_transport.texts[event->transport]);
    at = PUT(at, " ");
    at = put_number(at, event->message.len);
    at = PUT(at, " ");
    at = put_line_question(at, &event->dns);
    at = PUT(at, " ");
    at = put_rcode(at, event);
    at = PUT(at, " ");
    at = put_duration(at, event);
    at = PUT(at, " ");
    text_added(out, at);
    append_answers(event, out);
}
