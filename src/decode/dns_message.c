/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/dns_message.h"

enum { OPCODE_QUERY = 0 };

enum { RCODE_NOERROR = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

enum {
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_DNAME = 39,
    TYPE_OPT = 41,
    TYPE_RRSIG = 46,
};

#define RECORD_FIXED_SIZE 10 /* bytes of a record's type, class, TTL and length */

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTIONS };

/* What the walk over the records has seen. */
struct records {
    uint16_t counts[SECTIONS]; /* as the header promises */
    bool data;                 /* an answer record that is not only part of an alias */
    bool alias;                /* a CNAME or DNAME (or their signatures) in the answer */
    bool soa, ns;              /* in the authority section */
};

static inline uint16_t be16_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static enum edns_option option_of_code(uint16_t code)
{
    switch (code) {
    case 3: /* RFC 5001 */
        return EDNS_OPTION_NSID;
    case 8: /* RFC 7871 */
        return EDNS_OPTION_ECS;
    case 10: /* RFC 7873 */
        return EDNS_OPTION_COOKIE;
    case 11: /* RFC 7828 */
        return EDNS_OPTION_KEEPALIVE;
    case 12: /* RFC 7830 */
        return EDNS_OPTION_PADDING;
    case 15: /* RFC 8914 */
        return EDNS_OPTION_EDE;
    default:
        return EDNS_OPTION_OTHER;
    }
}

static void read_info_code(struct bytes option, struct edns *edns)
{
    struct cursor cursor = cursor_over(option);
    uint16_t code = cursor_be16(&cursor);

    if (!cursor.failed && edns->info_code_len < EDNS_INFO_CODES_MAX) {
        edns->info_codes[edns->info_code_len++] = code;
    }
}

static bool read_options(struct bytes rdata, struct edns *edns)
{
    struct cursor cursor = cursor_over(rdata);

    while (cursor.at < cursor.end) {
        enum edns_option option = option_of_code(cursor_be16(&cursor));
        struct bytes value = cursor_take(&cursor, cursor_be16(&cursor));

        if (cursor.failed) {
            return false;
        }
        edns->options |= (uint8_t)(1u << option);
        if (option == EDNS_OPTION_EDE) {
            read_info_code(value, edns);
        }
    }
    return true;
}

/* The OPT record: class and TTL carry its fixed part (RFC 6891 section 6.1.3). A second one, which
 * is an error, replaces the first. */
static bool read_opt(uint16_t class, uint32_t ttl, struct bytes rdata, struct dns_message *out)
{
    out->edns = (struct edns){
        .present = true,
        .udp_size = class,
        .version = (uint8_t)(ttl >> 16),
        .dnssec_ok = (ttl & 0x8000) != 0,
    };
    out->rcode = (uint16_t)((ttl >> 24) << 4 | (out->rcode & 0xf));
    return read_options(rdata, &out->edns);
}

static void note_record(enum section section, uint16_t type, uint16_t qtype, struct records *seen)
{
    if (section == SECTION_ANSWER) {
        bool part_of_alias = type == TYPE_CNAME || type == TYPE_DNAME || type == TYPE_RRSIG;
        bool data = type == qtype || !part_of_alias;
        seen->data |= data;
        seen->alias |= !data;
    } else if (section == SECTION_AUTHORITY) {
        seen->soa |= type == TYPE_SOA;
        seen->ns |= type == TYPE_NS;
    }
}

static bool read_record(struct cursor *cursor, enum section section, struct records *seen,
                        struct dns_message *out)
{
    dns_name_skip(cursor);
    struct bytes fixed = cursor_take(cursor, RECORD_FIXED_SIZE);
    if (cursor->failed) {
        return false;
    }
    uint16_t type = be16_at(fixed.data);
    uint16_t class = be16_at(fixed.data + 2);
    uint32_t ttl = (uint32_t)be16_at(fixed.data + 4) << 16 | be16_at(fixed.data + 6);
    struct bytes rdata = cursor_take(cursor, be16_at(fixed.data + 8));
    if (cursor->failed) {
        return false;
    }
    if (type == TYPE_OPT && section == SECTION_ADDITIONAL) {
        return read_opt(class, ttl, rdata, out);
    }
    note_record(section, type, out->qtype, seen);
    return true;
}

static bool read_records(struct cursor *cursor, struct records *seen, struct dns_message *out)
{
    for (enum section section = SECTION_ANSWER; section < SECTIONS; section++) {
        for (unsigned i = 0; i < seen->counts[section]; i++) {
            if (!read_record(cursor, section, seen, out)) {
                return false;
            }
        }
    }
    return true;
}

static enum dns_outcome outcome_of_noerror(const struct dns_message *message,
                                           const struct records *seen)
{
    bool answered = seen->data || (seen->alias && !seen->soa);

    if (answered) {
        return DNS_OUTCOME_ANSWER;
    }
    if ((message->flags & DNS_FLAG_TC) != 0 || message->defect != DNS_DEFECT_NONE) {
        return DNS_OUTCOME_OTHER; /* what would answer may be in the part that is missing */
    }
    return seen->ns && !seen->soa ? DNS_OUTCOME_REFERRAL : DNS_OUTCOME_NODATA;
}

static enum dns_outcome outcome_of(const struct dns_message *message, const struct records *seen)
{
    if (message->opcode != OPCODE_QUERY) {
        return DNS_OUTCOME_OTHER;
    }
    switch (message->rcode) {
    case RCODE_NOERROR:
        return outcome_of_noerror(message, seen);
    case RCODE_SERVFAIL:
        return DNS_OUTCOME_SERVFAIL;
    case RCODE_NXDOMAIN:
        return DNS_OUTCOME_NXDOMAIN;
    case RCODE_REFUSED:
        return DNS_OUTCOME_REFUSED;
    default:
        return DNS_OUTCOME_OTHER;
    }
}

static void read_first_question(struct cursor *cursor, struct bytes message,
                                struct dns_message *out)
{
    size_t qname_len = dns_name_read(cursor, message, out->qname);
    uint16_t qtype = cursor_be16(cursor);
    uint16_t qclass = cursor_be16(cursor);

    if (cursor->failed) {
        return;
    }
    out->has_question = true;
    out->qname_len = (uint16_t)qname_len;
    out->qtype = qtype;
    out->qclass = qclass;
}

static void read_questions(struct cursor *cursor, struct bytes message, unsigned count,
                           struct dns_message *out)
{
    if (count == 0) {
        return;
    }
    read_first_question(cursor, message, out);
    for (unsigned i = 1; i < count && !cursor->failed; i++) {
        dns_name_skip(cursor);
        cursor_skip(cursor, 4); /* type and class */
    }
}

static void clear(struct dns_message *out, enum dns_defect defect)
{
    out->defect = defect;
    out->has_header = false;
    out->question_promised = false;
    out->has_question = false;
    out->opcode = 0;
    out->id = 0;
    out->flags = 0;
    out->rcode = 0;
    out->qtype = 0;
    out->qclass = 0;
    out->outcome = DNS_OUTCOME_OTHER;
    out->edns = (struct edns){0};
    out->qname_len = 0;
}

void dns_message_missing(struct dns_message *out)
{
    clear(out, DNS_DEFECT_MISSING);
}

void dns_message_read(struct bytes message, struct dns_message *out)
{
    struct records seen = {0};

    if (message.len < DNS_HEADER_SIZE) {
        clear(out, DNS_DEFECT_SHORT);
        return;
    }
    clear(out, DNS_DEFECT_NONE);

    struct cursor cursor = cursor_over(message);
    const uint8_t *header = cursor_take(&cursor, DNS_HEADER_SIZE).data;
    unsigned questions = be16_at(header + 4);

    out->has_header = true;
    out->id = be16_at(header);
    out->flags = be16_at(header + 2);
    out->opcode = out->flags >> 11 & 0xf;
    out->rcode = out->flags & 0xf;
    for (enum section section = SECTION_ANSWER; section < SECTIONS; section++) {
        seen.counts[section] = be16_at(header + 6 + 2 * (size_t)section);
    }
    out->question_promised = questions > 0;

    read_questions(&cursor, message, questions, out);
    if (cursor.failed) {
        out->defect = DNS_DEFECT_QUESTION;
    } else if (!read_records(&cursor, &seen, out)) {
        out->defect = DNS_DEFECT_TRUNCATED;
    }
    out->outcome = outcome_of(out, &seen);
}
