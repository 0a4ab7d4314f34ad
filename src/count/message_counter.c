/* SPDX-License-Identifier: Apache-2.0 */
#include "count/message_counter.h"

static unsigned message_counter_index(const struct message_counter *counter, enum code_kind kind,
                                      uint16_t code, enum limit limit)
{
    unsigned index = code_labels_index(counter->labels->codes[kind], code, counter->now_ns);

    if (index == CODE_LABEL_OTHER) {
        counter->global->overflows[limit]++;
    }
    return index;
}

static void count_edns_options(struct server_counters *server, enum kind kind, uint8_t options)
{
    for (unsigned option = 0; options >> option != 0; option++) {
        server->edns_options[kind][option] += (unsigned)options >> option & 1u;
    }
}

static unsigned qtype_index(const struct message_counter *counter, const struct dns_message *dns)
{
    if (dns->has_question) {
        return message_counter_index(counter, CODE_QTYPE, dns->qtype, LIMIT_QTYPES);
    }
    bool none = dns->defect == DNS_DEFECT_MISSING || (dns->has_header && !dns->question_promised);
    return none ? CODE_LABEL_NONE : CODE_LABEL_MALFORMED;
}

/* RFC 1035 section 3.2.4 and RFC 2136 section 2.4. */
static enum query_class class_of(uint16_t qclass)
{
    switch (qclass) {
    case 1:
        return QUERY_CLASS_IN;
    case 3:
        return QUERY_CLASS_CH;
    case 4:
        return QUERY_CLASS_HS;
    case 254:
        return QUERY_CLASS_NONE;
    case 255:
        return QUERY_CLASS_ANY;
    default:
        return QUERY_CLASS_OTHER;
    }
}

static void count_question(const struct message_counter *counter, const struct dns_message *dns)
{
    counter->server->qtypes[qtype_index(counter, dns)]++;
    if (dns->has_question) {
        histogram_observe(&counter->server->qname_size, &qname_size_bounds, dns->qname_len);
        counter->server->classes[class_of(dns->qclass)]++;
    }
}

static void count_query(const struct message_counter *counter, const struct dns_message *dns)
{
    count_question(counter, dns);
    if (!dns->has_header) {
        return;
    }
    counter->server->opcodes[dns->opcode]++;
    counter->server->query_flags[QUERY_FLAG_RD] += (dns->flags & DNS_FLAG_RD) != 0;
    counter->server->query_flags[QUERY_FLAG_CD] += (dns->flags & DNS_FLAG_CD) != 0;
    counter->server->query_flags[QUERY_FLAG_AD] += (dns->flags & DNS_FLAG_AD) != 0;
    counter->server->query_flags[QUERY_FLAG_DO] += dns->edns.dnssec_ok;
    counter->server->query_flags[QUERY_FLAG_EDNS] += dns->edns.present;
}

/* Longer TTLs count as seven days, as resolvers take them (RFC 8767 section 4): their sum must not
 * drown the rest. */
#define TTL_MAX (7 * 24 * 3600)

/* Of a response that is damaged, the records before the damage count. A pass of its own over the
 * records: one more branch for each in dns_message_read() would be paid where answers are not
 * counted, too. */
FLATTEN NOINLINE static void count_answers(const struct message_counter *counter,
                                           const struct event *event)
{
    struct answer_counters *answers = counter->answers;
    bool has_private = (event->dns.addresses & DNS_ADDRESS_PRIVATE) != 0;
    struct dns_record_reader reader;
    struct dns_record record;
    uint32_t ttl = TTL_MAX;
    bool has_record = false;

    dns_record_reader_init(&reader, event->message, event->dns.records_offset);
    while (reader.left > 0 && dns_record_next(&reader, &record)) {
        answers->types[message_counter_index(counter, CODE_QTYPE, record.type, LIMIT_QTYPES)]++;
        if (has_private) {
            answers->private_addresses += dns_record_address(&record) == DNS_ADDRESS_PRIVATE;
        }
        ttl = record.ttl < ttl ? record.ttl : ttl;
        has_record = true;
    }
    if (has_record) {
        histogram_observe(&answers->ttl, &answer_ttl_bounds, ttl);
    }
}

/* Other opcodes have other things in that section: an UPDATE the prerequisites (RFC 2136). */
static bool has_answers(const struct event *event)
{
    return event->dns.opcode == DNS_OPCODE_QUERY && event->dns.records_offset != 0 &&
           dns_record_answer_count(event->message) > 0;
}

static void count_response(const struct message_counter *counter, const struct event *event)
{
    const struct dns_message *dns = &event->dns;

    if (!dns->has_header) {
        counter->server->rcodes[CODE_LABEL_MALFORMED]++;
        counter->server->outcomes[DNS_OUTCOME_OTHER]++;
        return;
    }
    counter->server->rcodes[message_counter_index(counter, CODE_RCODE, dns->rcode, LIMIT_RCODES)]++;
    counter->server->outcomes[dns->outcome]++;
    counter->server->private_answers += dns->addresses == DNS_ADDRESS_PRIVATE;
    counter->server->response_flags[RESPONSE_FLAG_AA] += (dns->flags & DNS_FLAG_AA) != 0;
    counter->server->response_flags[RESPONSE_FLAG_TC] += (dns->flags & DNS_FLAG_TC) != 0;
    counter->server->response_flags[RESPONSE_FLAG_RA] += (dns->flags & DNS_FLAG_RA) != 0;
    counter->server->response_flags[RESPONSE_FLAG_AD] += (dns->flags & DNS_FLAG_AD) != 0;
    if (counter->answers != NULL && has_answers(event)) {
        count_answers(counter, event);
    }
    for (unsigned i = 0; i < dns->edns.info_code_len; i++) {
        uint16_t code = dns->edns.info_codes[i];
        counter->server
            ->info_codes[message_counter_index(counter, CODE_INFO_CODE, code, LIMIT_INFO_CODES)]++;
    }
}

void message_counter_add(const struct message_counter *counter, const struct event *event)
{
    const struct histogram_bounds *sizes = event->kind == KIND_QUERY ? &query_size_bounds
                                                                     : &response_size_bounds;

    counter->server->messages[event->kind][event->family][event->transport]++;
    counter->server->malformed[event->kind][event->dns.defect]++;
    count_edns_options(counter->server, event->kind, event->dns.edns.options);
    if (event->dns.defect != DNS_DEFECT_MISSING) {
        histogram_observe(&counter->server->message_size[event->kind][event->transport], sizes,
                          event->message.len);
    }
    if (event->kind == KIND_QUERY) {
        count_query(counter, &event->dns);
        counter->server->doh_queries[event->http_version] += event->transport == TRANSPORT_DOH;
    } else {
        count_response(counter, event);
    }
}

/* A response tells its question where it has none from the query that comes with it. */
static void adopt_question(struct dns_message *response, const struct dns_message *query)
{
    response->has_question = true;
    response->qtype = query->qtype;
    response->qclass = query->qclass;
    response->qname_len = query->qname_len;
    memcpy(response->qname, query->qname, query->qname_len);
}

/* Where a server sends responses only, what queries tell is taken from them: from the query's
 * message if the frame carries it, else from the question. */
COLD void message_counter_add_query_of(const struct message_counter *counter, struct event *event)
{
    struct dns_message query;

    if (event->query.len == 0) {
        count_question(counter, &event->dns);
        return;
    }
    dns_message_read(event->query, &query);
    count_query(counter, &query);
    if (query.has_question && !event->dns.has_question) {
        adopt_question(&event->dns, &query);
    }
}
