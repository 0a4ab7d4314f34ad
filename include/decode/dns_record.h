/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dns_record.h - read the resource records of a DNS message in place (RFC 1035 section 4.1.3)
 *
 * Nothing is copied or allocated, and nothing is read past the message. A reader checks that a
 * record's parts fit into the message; it does not look into the record's data.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/dns_name.h"

enum dns_section {
    DNS_SECTION_ANSWER,
    DNS_SECTION_AUTHORITY,
    DNS_SECTION_ADDITIONAL,
    DNS_SECTION_COUNT,
};

/** Numbers of the record types that we look at (IANA, "DNS Parameters"). */
enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_SRV = 33,
    DNS_TYPE_DNAME = 39,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_RRSIG = 46,
    DNS_TYPE_NSEC = 47,
    DNS_TYPE_NXNAME = 128,
};

/** A resource record. `owner` and `data` are borrowed from the message. */
struct dns_record {
    enum dns_section section;
    uint16_t type, class;
    uint32_t ttl;       /* seconds */
    struct bytes owner; /* as it stands here: may end in a compression pointer */
    struct bytes data;  /* names in it may be compressed */
};

struct dns_record_reader {
    struct cursor cursor;     /* failed: a record does not fit into the message */
    enum dns_section section; /* of the next record */
    /* Records that are still to come, as the header promises. */
    unsigned left;      /* in this section */
    unsigned following; /* in the sections behind it: 16 bits each, the next one's lowest */
};

/** Start at the first record of `message`, which has a header. The records begin at
 *  `records_offset` (struct dns_message tells it), which is inside the message or at its end. */
NONNULL void dns_record_reader_init(struct dns_record_reader *reader, struct bytes message,
                                    size_t records_offset);

/** Return how many answers the header of `message`, which has one, promises. */
NONNULL unsigned dns_record_answer_count(struct bytes message);

/** Read the next record. Returns false behind the last record, and where the record does not fit
 *  into the message, which fails the reader's cursor; *out is undefined then. */
NONNULL MUST_USE bool dns_record_next(struct dns_record_reader *reader, struct dns_record *out);

/** Write the owner's name to `out` as dns_name_read() does. Returns its length in bytes, or 0 where
 *  it is not a name. `message` is the one that the record was read from. */
NONNULL size_t dns_record_owner(const struct dns_record *record, struct bytes message,
                                uint8_t out[DNS_NAME_MAX]);

/** Write the name that a CNAME, DNAME, NS, PTR, MX or SRV record points to, as dns_record_owner()
 * writes the owner. Returns its length in bytes, or 0 where the record is of another type, or has
 * no name there. */
NONNULL size_t dns_record_target(const struct dns_record *record, struct bytes message,
                                 uint8_t out[DNS_NAME_MAX]);

/** Who can reach an address, as bits. */
enum dns_address {
    DNS_ADDRESS_PUBLIC = 1,
    DNS_ADDRESS_PRIVATE = 2, /* of a site or a link: RFC 1918, 3927, 4193, 4291, 6598 */
};

/** What the address of an A or AAAA record is: one bit. 0 for other records, and for addresses that
 * name no host, or the one that asks (0.0.0.0/8, 127/8, ::, ::1, multicast): policies answer so. */
NONNULL unsigned dns_record_address(const struct dns_record *record);

/** Whether the type bit map in the data of an NSEC record (RFC 4034 section 4.1.2) has `type`.
 *  False where the data is broken before that. */
NONNULL bool dns_nsec_has_type(struct bytes data, uint16_t type);
