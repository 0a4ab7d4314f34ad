/* SPDX-License-Identifier: Apache-2.0 */
#include "count/dns_mnemonic.h"

#include <stddef.h>
#include <ldns/ldns.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mnemonic {
    uint16_t code;
    const char *name;
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What a version of ldns from 1.8.3 on does not name or, as 1.8.4 does with 262, gives the name of
 * another type. */
static const struct mnemonic newer_qtypes[] = {
    {56, "NINFO"},  {57, "RKEY"}, {66, "DSYNC"},     {67, "HHIT"},     {68, "BRID"},
    {100, "UINFO"}, {101, "UID"}, {102, "GID"},      {103, "UNSPEC"},  {128, "NXNAME"},
    {258, "AVC"},   {259, "DOA"}, {260, "AMTRELAY"}, {261, "RESINFO"}, {262, "WALLET"},
    {263, "CLA"},   {264, "IPN"}, {32768, "TA"},
};

static const struct mnemonic rcodes[] = {
    {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
    {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
    {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

static const struct mnemonic opcodes[] = {
    {0, "QUERY"}, {1, "IQUERY"}, {2, "STATUS"}, {4, "NOTIFY"}, {5, "UPDATE"}, {6, "DSO"},
};

static const struct mnemonic info_codes[] = {
    {0, "Other Error"},
    {1, "Unsupported DNSKEY Algorithm"},
    {2, "Unsupported DS Digest Type"},
    {3, "Stale Answer"},
    {4, "Forged Answer"},
    {5, "DNSSEC Indeterminate"},
    {6, "DNSSEC Bogus"},
    {7, "Signature Expired"},
    {8, "Signature Not Yet Valid"},
    {9, "DNSKEY Missing"},
    {10, "RRSIGs Missing"},
    {11, "No Zone Key Bit Set"},
    {12, "NSEC Missing"},
    {13, "Cached Error"},
    {14, "Not Ready"},
    {15, "Blocked"},
    {16, "Censored"},
    {17, "Filtered"},
    {18, "Prohibited"},
    {19, "Stale NXDOMAIN Answer"},
    {20, "Not Authoritative"},
    {21, "Not Supported"},
    {22, "No Reachable Authority"},
    {23, "Network Error"},
    {24, "Invalid Data"},
    {25, "Signature Expired before Valid"},
    {26, "Too Early"},
    {27, "Unsupported NSEC3 Iterations Value"},
    {28, "Unable to conform to policy"},
    {29, "Synthesized"},
    {30, "Invalid Query Type"},
};

static bool dns_mnemonic_look_up(const struct mnemonic *table, size_t count, uint16_t code,
                                 const char *unassigned_prefix, char label[DNS_MNEMONIC_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].code == code) {
            memcpy(label, table[i].name, strlen(table[i].name) + 1);
            return true;
        }
    }
    (void)snprintf(label, DNS_MNEMONIC_SIZE, "%s%u", unassigned_prefix, code);
    return false;
}

/* --- Query types: ldns' names, copied once --- */

/* IANA assigns types from both ends of the number space (RFC 6895 section 3.1). */
#define LOW_QTYPES        1024
#define FIRST_HIGH_QTYPE  32768
#define HIGH_QTYPES       256
#define COPIED_QTYPE_SIZE 16

static char copied_qtypes[LOW_QTYPES + HIGH_QTYPES][COPIED_QTYPE_SIZE]; /* "": not assigned */
static pthread_once_t copied = PTHREAD_ONCE_INIT;

/* Where the name of a type is; NULL where there is no room for one. */
static char *place_of_qtype(uint16_t code)
{
    if (code < LOW_QTYPES) {
        return copied_qtypes[code];
    }
    bool high = code >= FIRST_HIGH_QTYPE && code < FIRST_HIGH_QTYPE + HIGH_QTYPES;
    return high ? copied_qtypes[LOW_QTYPES + (code - FIRST_HIGH_QTYPE)] : NULL;
}

/* The name must lead back to the number: then no two have the same. */
static void copy_qtype(uint16_t code, char out[COPIED_QTYPE_SIZE])
{
    char *name = ldns_rr_type2str((ldns_rr_type)code);

    if (name != NULL && strncmp(name, "TYPE", 4) != 0 && strlen(name) < COPIED_QTYPE_SIZE &&
        (unsigned)ldns_get_rr_type_by_name(name) == code) {
        (void)snprintf(out, COPIED_QTYPE_SIZE, "%s", name);
    }
    free(name);
}

static void copy_qtypes(void)
{
    for (unsigned i = 0; i < LOW_QTYPES; i++) {
        copy_qtype((uint16_t)i, copied_qtypes[i]);
    }
    for (unsigned i = 0; i < HIGH_QTYPES; i++) {
        copy_qtype((uint16_t)(FIRST_HIGH_QTYPE + i), copied_qtypes[LOW_QTYPES + i]);
    }
    for (size_t i = 0; i < COUNT(newer_qtypes); i++) {
        (void)snprintf(place_of_qtype(newer_qtypes[i].code), COPIED_QTYPE_SIZE, "%s",
                       newer_qtypes[i].name);
    }
}

void dns_mnemonic_init(void)
{
    (void)pthread_once(&copied, copy_qtypes);
}

/* Without a format where the type has a name: NSEC records have many types. */
bool dns_mnemonic_qtype(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    dns_mnemonic_init();
    const char *name = place_of_qtype(code);
    if (name == NULL || name[0] == '\0') {
        (void)snprintf(label, DNS_MNEMONIC_SIZE, "TYPE%u", code);
        return false;
    }
    memcpy(label, name, COPIED_QTYPE_SIZE);
    return true;
}

/* --- Other codes --- */

bool dns_mnemonic_rcode(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    return dns_mnemonic_look_up(rcodes, COUNT(rcodes), code, "RCODE", label);
}

bool dns_mnemonic_opcode(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    return dns_mnemonic_look_up(opcodes, COUNT(opcodes), code, "OPCODE", label);
}

bool dns_mnemonic_info_code(uint16_t code, char label[DNS_MNEMONIC_SIZE])
{
    return dns_mnemonic_look_up(info_codes, COUNT(info_codes), code, "", label);
}
