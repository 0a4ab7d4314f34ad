/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * record_text.h - the data of a resource record in presentation format (RFC 1035 section 5.1)
 *
 * Names are printed as everywhere here (decode/dns_name.h): in lower case, without the dot at the
 * end. Hexadecimal digits are in lower case, IPv6 addresses as RFC 5952 has them, character strings
 * are quoted. The common types are printed without allocation but for the text's own. CERT, LOC and
 * a few other types go through ldns, which allocates. Types that neither knows are printed as
 * unknown data: `\# LENGTH HEX` (RFC 3597 section 5). The class is not looked at.
 */

#include "base/text.h"
#include "decode/dns_record.h"

enum record_text_result {
    RECORD_TEXT_SOUND, /* printed as its type has it, or of a type that is not known */
    /* Printed as unknown data, because the data does not fit the record's type, its type bit map
     * has more than RECORD_TEXT_TYPES_MAX types, or there is no memory for ldns. */
    RECORD_TEXT_MALFORMED,
};

/** Types of a bit map (NSEC, NSEC3, CSYNC): IANA has assigned fewer than half as many. */
#define RECORD_TEXT_TYPES_MAX 256

/** The most bytes that one call appends: a byte of data becomes at most \DDD in a name or a string,
 * and two bytes at most `key65535,`. Two names may be compressed. */
#define RECORD_TEXT_MAX (UINT16_MAX * 9 / 2 + 2 * DNS_NAME_TEXT_SIZE)

/** Append the data of `record`, as dns_record_next() read it from `message`, to `out`. Returns one
 * of enum record_text_result. The text is undefined where `out` failed. */
NONNULL int record_text_data(const struct dns_record *record, struct bytes message,
                             struct text *out);
