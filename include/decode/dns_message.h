/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dns_message.h - what the metrics need of a DNS message (RFC 1035 section 4.1)
 *
 * Header and first question are read; the resource records are searched for the OPT record (RFC
 * 6891) and for what a response amounts to. In place; nothing is read past the message.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/dns_record.h"

#define DNS_HEADER_SIZE 12 /* bytes (RFC 1035 section 4.1.1) */

/* Bits of the header's second 16-bit word (RFC 1035 section 4.1.1, RFC 4035 section 3). */
enum dns_flag {
    DNS_FLAG_AA = 0x0400,
    DNS_FLAG_TC = 0x0200,
    DNS_FLAG_RD = 0x0100,
    DNS_FLAG_RA = 0x0080,
    DNS_FLAG_AD = 0x0020,
    DNS_FLAG_CD = 0x0010,
};

/** The opcode of look-ups (RFC 1035 section 4.1.1). */
enum { DNS_OPCODE_QUERY = 0 };

/** What was wrong with a message; the first defect counts. */
enum dns_defect {
    DNS_DEFECT_NONE,
    DNS_DEFECT_MISSING,   /* the dnstap frame carries no message of its kind */
    DNS_DEFECT_SHORT,     /* no room for a header */
    DNS_DEFECT_QUESTION,  /* the header promises a question that cannot be read */
    DNS_DEFECT_TRUNCATED, /* the records end early or do not fit their lengths */
    DNS_DEFECT_COUNT,
};

/** What a response amounts to. */
enum dns_outcome {
    DNS_OUTCOME_ANSWER,   /* NOERROR with data, or with an alias to follow */
    DNS_OUTCOME_NODATA,   /* NOERROR without data of the type asked for (RFC 2308 section 2.2) */
    DNS_OUTCOME_REFERRAL, /* NOERROR, nothing but name servers to ask instead */
    DNS_OUTCOME_NXDOMAIN, /* the rcode, or NOERROR with compact denial (RFC 9824: an NSEC record of
                             the denied name that has the type NXNAME) */
    DNS_OUTCOME_SERVFAIL,
    DNS_OUTCOME_REFUSED,
    DNS_OUTCOME_OTHER, /* other rcodes, other opcodes, NOERROR whose answer is truncated or broken
                        */
    DNS_OUTCOME_COUNT,
};

/** EDNS options that have a series of their own, as bits of `options` below. */
enum edns_option {
    EDNS_OPTION_NSID,
    EDNS_OPTION_ECS,
    EDNS_OPTION_COOKIE,
    EDNS_OPTION_KEEPALIVE,
    EDNS_OPTION_PADDING,
    EDNS_OPTION_EDE,
    EDNS_OPTION_OTHER,
    EDNS_OPTION_COUNT,
};

#define EDNS_INFO_CODES_MAX 8 /* extended DNS errors kept of one message */

struct edns {
    bool present;
    bool dnssec_ok;                           /* the DO bit (RFC 3225) */
    uint8_t version;                          /* 0 is the only one there is */
    uint8_t options;                          /* a bit for each enum edns_option that occurs */
    uint8_t info_code_len;                    /* entries of info_codes used */
    uint16_t info_codes[EDNS_INFO_CODES_MAX]; /* RFC 8914 */
};

struct dns_message {
    enum dns_defect defect;
    bool has_header;        /* id, flags, opcode and rcode are there */
    bool question_promised; /* QDCOUNT is not 0 */
    bool has_question;      /* qname, qtype and qclass are there */
    uint8_t opcode;         /* 4 bits */
    uint16_t id;
    uint16_t flags; /* enum dns_flag */
    uint16_t rcode; /* 12 bits: the header's, extended by the OPT record's */
    uint16_t qtype, qclass;
    enum dns_outcome outcome; /* for responses; of what could be read */
    struct edns edns;
    uint8_t addresses;     /* in the answer: enum dns_address */
    size_t records_offset; /* of the first record, for dns_record_reader_init(); 0 where the
                              questions cannot be read */
    uint16_t qname_len;    /* bytes of qname; 0 without a question */
    uint16_t target_len;   /* bytes of target; 0: no alias, or not looked for */
    /** Where the outcome is NXDOMAIN: bytes of the zone that denies the name, at the end of the
     * target or, without one, of qname. The SOA record in the authority section names it (RFC 2308
     * section 2.1). 0: there is no such record, or it is not of a zone that the name is in. */
    uint16_t zone_len;
    uint8_t qname[DNS_NAME_MAX]; /* uncompressed, lower case, wire format */
    /** Where the CNAME records of the answer lead from qname. Looked for where the outcome is
     *  NXDOMAIN: that is said of this name then (RFC 6604 section 3). */
    uint8_t target[DNS_NAME_MAX];
};

/** Read `message` into *out, all of whose fields are set except the bytes behind qname_len
 *  and target_len. */
NONNULL void dns_message_read(struct bytes message, struct dns_message *out);

/** Set *out to a message that is not there (DNS_DEFECT_MISSING). */
NONNULL void dns_message_missing(struct dns_message *out);
