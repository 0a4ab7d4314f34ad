/* SPDX-License-Identifier: Apache-2.0 */
#include "ldns_text_internal.h"

#include <ldns/ldns.h>

#include "present/record_text.h"

/* Not here, hence unknown data: HIP, IPSECKEY, NXT, TKEY and TSIG, which have names, and WKS, whose
 * services are looked up in the host's files. */
static const uint16_t types[] = {
    LDNS_RR_TYPE_NSAP, LDNS_RR_TYPE_GPOS, LDNS_RR_TYPE_LOC, LDNS_RR_TYPE_CERT,  LDNS_RR_TYPE_APL,
    LDNS_RR_TYPE_NID,  LDNS_RR_TYPE_L32,  LDNS_RR_TYPE_L64, LDNS_RR_TYPE_EUI48, LDNS_RR_TYPE_EUI64,
};

bool ldns_text_has(uint16_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

/* ldns reads fields as long as there are bytes, and may leave some. */
static bool ldns_text_read(const struct dns_record *record, ldns_rr *rr)
{
    const size_t length_size = 2; /* of the record's length, which stands in front of its data */
    size_t at = 0;

    ldns_rr_set_type(rr, (ldns_rr_type)record->type);
    return ldns_wire2rdf(rr, record->data.data - length_size, record->data.len + length_size,
                         &at) == LDNS_STATUS_OK &&
           at == record->data.len + length_size &&
           ldns_rr_rd_count(rr) >= ldns_rr_descriptor_minimum(ldns_rr_descript(record->type));
}

/* A whole record is printed as owner, TTL, class, type and data, with a tab between each two, and a
 * line feed at the end, before which some types have a blank. */
static struct bytes ldns_text_data(struct bytes line)
{
    for (unsigned tabs = 0; tabs < 4 && line.len > 0; line.data++, line.len--) {
        tabs += *line.data == '\t';
    }
    while (line.len > 0 && line.data[line.len - 1] <= ' ') {
        line.len--;
    }
    return line;
}

/* Ldns leaves tabs in character strings. */
static bool is_printable(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool ldns_text_print(const ldns_rr *rr, ldns_buffer *buffer, struct text *out)
{
    if (ldns_rr2buffer_str_fmt(buffer, ldns_output_format_nocomments, rr) != LDNS_STATUS_OK) {
        return false;
    }
    struct bytes data = ldns_text_data(
        (struct bytes){ldns_buffer_begin(buffer), ldns_buffer_position(buffer)});
    if (data.len == 0 || data.len > RECORD_TEXT_MAX || !is_printable(data)) {
        return false;
    }
    text_append_bytes(out, data);
    return true;
}

bool ldns_text_append(const struct dns_record *record, struct text *out)
{
    const size_t space = 512; /* bytes to begin with; ldns makes it grow */
    ldns_rr *rr = ldns_rr_new();
    ldns_buffer *buffer = ldns_buffer_new(space);
    ldns_rdf *owner = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, 1, "");
    bool printed = false;

    if (rr != NULL && buffer != NULL && owner != NULL) {
        ldns_rr_set_owner(rr, owner);
        owner = NULL; /* the record's now */
        printed = ldns_text_read(record, rr) && ldns_text_print(rr, buffer, out);
    }
    ldns_rdf_deep_free(owner);
    ldns_buffer_free(buffer);
    ldns_rr_free(rr);
    return printed;
}
