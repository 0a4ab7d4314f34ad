/* SPDX-License-Identifier: Apache-2.0 */
#include "decode/dns_message.h"

enum { RCODE_NOERROR = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

/* How far aliases are followed, so that no message costs more: resolvers give up after 11 (BIND) to
 * 16 (Knot) of them. */
enum { ALIASES_MAX = 16, ALIASES_READ_MAX = 64, ALIAS_PASSES = 2 };

/* What the records say. */
struct records {
    bool data;           /* an answer record that is not only part of an alias */
    bool alias;          /* a CNAME or DNAME (or their signatures) in the answer */
    bool ns;             /* in the authority section */
    struct bytes soa;    /* the owner of a SOA record there; empty: none */
    struct bytes nxname; /* the owner of an NSEC record with the type NXNAME; empty: none */
};

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
static bool read_opt(const struct dns_record *record, struct dns_message *out)
{
    out->edns = (struct edns){
        .present = true,
        .version = (uint8_t)(record->ttl >> 16),
        .dnssec_ok = (record->ttl & 0x8000) != 0,
    };
    out->rcode = (uint16_t)((record->ttl >> 24) << 4 | (out->rcode & 0xf));
    return read_options(record->data, &out->edns);
}

/* A record of the answer or the authority section. */
static void note_record(const struct dns_record *record, struct dns_message *out,
                        struct records *seen)
{
    uint16_t type = record->type;

    if (record->section == DNS_SECTION_ANSWER) {
        bool part_of_alias = type == DNS_TYPE_CNAME || type == DNS_TYPE_DNAME ||
                             type == DNS_TYPE_RRSIG;
        bool data = type == out->qtype || !part_of_alias;
        seen->data |= data;
        seen->alias |= !data;
        out->addresses |= (uint8_t)dns_record_address(record);
    } else {
        if (type == DNS_TYPE_SOA) {
            seen->soa = record->owner;
        }
        seen->ns |= type == DNS_TYPE_NS;
        if (type == DNS_TYPE_NSEC && dns_nsec_has_type(record->data, DNS_TYPE_NXNAME)) {
            seen->nxname = record->owner;
        }
    }
}

/* Returns false where the records end early or do not fit their lengths. */
static bool read_records(struct bytes message, struct records *seen, struct dns_message *out)
{
    struct dns_record_reader reader;
    struct dns_record record;

    dns_record_reader_init(&reader, message, out->records_offset);
    while (dns_record_next(&reader, &record)) {
        if (record.section != DNS_SECTION_ADDITIONAL) {
            note_record(&record, out, seen);
        } else if (record.type == DNS_TYPE_OPT && !read_opt(&record, out)) {
            return false;
        }
    }
    return !reader.cursor.failed;
}

/* --- Aliases --- */

/* A name in the form that dns_name_read() gives. */
struct name {
    size_t len;
    uint8_t wire[DNS_NAME_MAX];
};

static bool name_equals(const struct name *a, const struct name *b)
{
    return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

/* If the CNAME record is one of `name`, make `name` its target. */
static bool follow_alias(const struct dns_record *cname, struct bytes message, struct name *name)
{
    struct cursor cursor = cursor_over(cname->data);
    struct name owner;
    struct name target;

    owner.len = dns_record_owner(cname, message, owner.wire);
    if (!name_equals(&owner, name)) {
        return false;
    }
    target.len = dns_name_read(&cursor, message, target.wire);
    if (target.len == 0) {
        return false;
    }
    *name = target;
    return true;
}

/* Follow the aliases that stand in the order of the chain, at most `most`. Returns how many there
 * were. */
static unsigned follow_aliases(struct bytes message, size_t records_offset, unsigned most,
                               struct name *name)
{
    struct dns_record_reader reader;
    struct dns_record record;
    unsigned count = 0;
    unsigned looked_at = 0;

    dns_record_reader_init(&reader, message, records_offset);
    while (count < most && looked_at < ALIASES_READ_MAX && dns_record_next(&reader, &record) &&
           record.section == DNS_SECTION_ANSWER) {
        if (record.type == DNS_TYPE_CNAME) {
            looked_at++;
            count += follow_alias(&record, message, name);
        }
    }
    return count;
}

/* The second pass follows aliases that stand in another order than that of the chain. */
COLD static void find_target(struct bytes message, struct dns_message *out)
{
    struct name name = {.len = out->qname_len};
    unsigned followed = 0;

    memcpy(name.wire, out->qname, out->qname_len);
    for (unsigned pass = 0; pass < ALIAS_PASSES; pass++) {
        followed += follow_aliases(message, out->records_offset, ALIASES_MAX - followed, &name);
    }
    if (followed > 0) {
        out->target_len = (uint16_t)name.len;
        memcpy(out->target, name.wire, name.len);
    }
}

/* The name that a response with NXDOMAIN denies. */
static struct name denied_name(const struct dns_message *message)
{
    struct name name;
    bool alias = message->target_len > 0;

    name.len = alias ? message->target_len : message->qname_len;
    memcpy(name.wire, alias ? message->target : message->qname, name.len);
    return name;
}

/* Whether the response says by compact denial that the name does not exist (RFC 9824 section 3.1).
 * Finds the target of aliases on the way. */
COLD static bool is_compact_denial(struct bytes wire, const struct records *seen,
                                   struct dns_message *message)
{
    struct cursor cursor = cursor_over(seen->nxname);
    struct name owner;

    if (!message->has_question) {
        return false;
    }
    find_target(wire, message);
    struct name denied = denied_name(message);
    owner.len = dns_name_read(&cursor, wire, owner.wire);
    return name_equals(&owner, &denied);
}

static void find_zone(struct bytes wire, const struct records *seen, struct dns_message *message)
{
    struct cursor cursor = cursor_over(seen->soa);
    bool alias = message->target_len > 0;
    const uint8_t *denied = alias ? message->target : message->qname;
    size_t denied_len = alias ? message->target_len : message->qname_len;
    uint8_t zone[DNS_NAME_MAX];
    size_t len = dns_name_read(&cursor, wire, zone);

    if (len > 0 &&
        dns_name_is_at_or_below((struct bytes){denied, denied_len}, (struct bytes){zone, len})) {
        message->zone_len = (uint16_t)len;
    }
}

/* --- Outcome --- */

static enum dns_outcome outcome_of_noerror(const struct dns_message *message,
                                           const struct records *seen)
{
    bool answered = seen->data || (seen->alias && seen->soa.len == 0);

    if (answered) {
        return DNS_OUTCOME_ANSWER;
    }
    if ((message->flags & DNS_FLAG_TC) != 0 || message->defect != DNS_DEFECT_NONE) {
        return DNS_OUTCOME_OTHER; /* what would answer may be in the part that is missing */
    }
    return seen->ns && seen->soa.len == 0 ? DNS_OUTCOME_REFERRAL : DNS_OUTCOME_NODATA;
}

static enum dns_outcome dns_message_outcome_of(struct bytes wire, const struct records *seen,
                                               struct dns_message *message)
{
    if (message->opcode != DNS_OPCODE_QUERY) {
        return DNS_OUTCOME_OTHER;
    }
    switch (message->rcode) {
    case RCODE_NOERROR:
        if (seen->nxname.len > 0 && !seen->data && is_compact_denial(wire, seen, message)) {
            return DNS_OUTCOME_NXDOMAIN;
        }
        return outcome_of_noerror(message, seen);
    case RCODE_SERVFAIL:
        return DNS_OUTCOME_SERVFAIL;
    case RCODE_NXDOMAIN:
        if (seen->alias) {
            find_target(wire, message);
        }
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

static void dns_message_clear(struct dns_message *out, enum dns_defect defect)
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
    out->addresses = 0;
    out->records_offset = 0;
    out->qname_len = 0;
    out->target_len = 0;
    out->zone_len = 0;
}

void dns_message_missing(struct dns_message *out)
{
    dns_message_clear(out, DNS_DEFECT_MISSING);
}

FLATTEN void dns_message_read(struct bytes message, struct dns_message *out)
{
    struct records seen = {0};

    if (message.len < DNS_HEADER_SIZE) {
        dns_message_clear(out, DNS_DEFECT_SHORT);
        return;
    }
    dns_message_clear(out, DNS_DEFECT_NONE);

    struct cursor cursor = cursor_over(message);
    const uint8_t *header = cursor_take(&cursor, DNS_HEADER_SIZE).data;
    unsigned questions = bytes_be16_at(header + 4);

    out->has_header = true;
    out->id = bytes_be16_at(header);
    out->flags = bytes_be16_at(header + 2);
    out->opcode = out->flags >> 11 & 0xf;
    out->rcode = out->flags & 0xf;
    out->question_promised = questions > 0;

    read_questions(&cursor, message, questions, out);
    if (cursor.failed) {
        out->defect = DNS_DEFECT_QUESTION;
    } else {
        out->records_offset = (size_t)(cursor.at - message.data);
        if (!read_records(message, &seen, out)) {
            out->defect = DNS_DEFECT_TRUNCATED;
        }
    }
    out->outcome = dns_message_outcome_of(message, &seen, out);
    if (out->outcome == DNS_OUTCOME_NXDOMAIN && seen.soa.len > 0) {
        find_zone(message, &seen, out);
    }
}
