/* SPDX-License-Identifier: Apache-2.0 */
#include "present/record_text.h"

#include "field_text_internal.h"
#include "ldns_text_internal.h"
#include "service_text_internal.h"

/* What a type's data consists of. A letter is a field:
 *   1 2 4  a number of so many bytes        n  a name
 *   a A    an IPv4, IPv6 address            t  a type
 *   s S    a character string; some, one at least, up to the end
 *   q      the rest, as one quoted string   g  the tag of CAA
 *   h b    the rest, one byte at least, in hexadecimal, base64
 *   d      a date of RRSIG                  x i  salt and hash of NSEC3
 *   m p    the rest: a type bit map; the parameters of SVCB */
static const char *const layouts[] = {
    [1] = "a",          /* A, RFC 1035, as all up to 16 */
    [2] = "n",          /* NS */
    [3] = "n",          /* MD */
    [4] = "n",          /* MF */
    [5] = "n",          /* CNAME */
    [6] = "nn44444",    /* SOA */
    [7] = "n",          /* MB */
    [8] = "n",          /* MG */
    [9] = "n",          /* MR */
    [12] = "n",         /* PTR */
    [13] = "ss",        /* HINFO */
    [14] = "nn",        /* MINFO */
    [15] = "2n",        /* MX */
    [16] = "S",         /* TXT */
    [17] = "nn",        /* RP, RFC 1183, as all up to 21 */
    [18] = "2n",        /* AFSDB */
    [19] = "s",         /* X25 */
    [20] = "S",         /* ISDN */
    [21] = "2n",        /* RT */
    [24] = "t114dd2nb", /* SIG, RFC 2535 */
    [25] = "211b",      /* KEY */
    [26] = "2nn",       /* PX, RFC 2163 */
    [27] = "sss",       /* GPOS, RFC 1712 */
    [28] = "A",         /* AAAA, RFC 3596 */
    [33] = "222n",      /* SRV, RFC 2782 */
    [35] = "22sssn",    /* NAPTR, RFC 3403 */
    [36] = "2n",        /* KX, RFC 2230 */
    [39] = "n",         /* DNAME, RFC 6672 */
    [43] = "211h",      /* DS, RFC 4034 */
    [44] = "11h",       /* SSHFP, RFC 4255 */
    [46] = "t114dd2nb", /* RRSIG, RFC 4034 */
    [47] = "nm",        /* NSEC, RFC 4034 */
    [48] = "211b",      /* DNSKEY, RFC 4034 */
    [49] = "b",         /* DHCID, RFC 4701 */
    [50] = "112xim",    /* NSEC3, RFC 5155 */
    [51] = "112x",      /* NSEC3PARAM, RFC 5155 */
    [52] = "111h",      /* TLSA, RFC 6698 */
    [53] = "111h",      /* SMIMEA, RFC 8162 */
    [56] = "S",         /* NINFO */
    [58] = "nn",        /* TALINK */
    [59] = "211h",      /* CDS, RFC 7344 */
    [60] = "211b",      /* CDNSKEY, RFC 7344 */
    [61] = "b",         /* OPENPGPKEY, RFC 7929 */
    [62] = "42m",       /* CSYNC, RFC 7477 */
    [63] = "411h",      /* ZONEMD, RFC 8976 */
    [64] = "2np",       /* SVCB, RFC 9460 */
    [65] = "2np",       /* HTTPS, RFC 9460 */
    [99] = "S",         /* SPF, RFC 7208 */
    [107] = "2n",       /* LP, RFC 6742 */
    [256] = "22q",      /* URI, RFC 7553 */
    [257] = "1gq",      /* CAA, RFC 8659 */
    [258] = "S",        /* AVC */
    [261] = "S",        /* RESINFO, RFC 9606 */
};

/* The rest of the data; none is an error, as there would be a field less. */
static struct bytes record_rest(struct cursor *data)
{
    (void)cursor_need(data, 1);
    return cursor_take(data, cursor_left(data));
}

/* RFC 8659 section 4.1: letters and digits. */
static void record_tag(struct cursor *data, struct writer *writer)
{
    struct bytes tag = cursor_take(data, cursor_u8(data));

    for (size_t i = 0; i < tag.len; i++) {
        uint8_t lower = dns_name_lower(tag.data[i]);
        if (!(lower >= 'a' && lower <= 'z') && !(lower >= '0' && lower <= '9')) {
            cursor_fail(data);
        }
        writer_char(writer, (char)tag.data[i]);
    }
    if (tag.len == 0) {
        cursor_fail(data);
    }
}

/* RFC 5155 section 3.3: none is a hyphen. */
static void record_salt(struct cursor *data, struct writer *writer)
{
    struct bytes salt = cursor_take(data, cursor_u8(data));

    if (salt.len == 0) {
        writer_char(writer, '-');
    }
    field_hex(salt, writer);
}

static void record_hash(struct cursor *data, struct writer *writer)
{
    struct bytes hash = cursor_take(data, cursor_u8(data));

    if (hash.len == 0) {
        cursor_fail(data);
    }
    field_base32hex(hash, writer);
}

static void record_field(char field, struct bytes message, struct cursor *data,
                         struct writer *writer)
{
    switch (field) {
    case '1':
        field_number(cursor_u8(data), writer);
        break;
    case '2':
        field_number(cursor_be16(data), writer);
        break;
    case '4':
        field_number(cursor_be32(data), writer);
        break;
    case 'n':
        field_name(data, message, writer);
        break;
    case 'a':
        field_ipv4(data, writer);
        break;
    case 'A':
        field_ipv6(data, writer);
        break;
    case 't':
        field_type(cursor_be16(data), writer);
        break;
    case 's':
        field_string(data, writer);
        break;
    case 'S':
        field_strings(data, writer);
        break;
    case 'q':
        field_quoted(cursor_take(data, cursor_left(data)), writer);
        break;
    case 'g':
        record_tag(data, writer);
        break;
    case 'h':
        field_hex(record_rest(data), writer);
        break;
    case 'b':
        field_base64(record_rest(data), writer);
        break;
    case 'd':
        field_date(cursor_be32(data), writer);
        break;
    case 'x':
        record_salt(data, writer);
        break;
    case 'i':
        record_hash(data, writer);
        break;
    case 'm':
        field_type_map(data, writer);
        break;
    case 'p':
        service_parameters(data, writer);
        break;
    }
}

/* Bit maps and parameters may be empty, so that they write their own blanks. */
static bool record_writes_blank(char field)
{
    return field == 'm' || field == 'p';
}

/* Returns whether the data is what the layout says, and ends there. Only then all of it has been
 * appended. */
static bool record_fields(const struct dns_record *record, struct bytes message, const char *layout,
                          struct text *out)
{
    struct cursor data = cursor_over(record->data);
    struct writer writer;

    writer.out = out;
    writer.len = 0;
    for (const char *field = layout; *field != '\0' && !data.failed; field++) {
        if (field > layout && !record_writes_blank(*field)) {
            writer_char(&writer, ' ');
        }
        record_field(*field, message, &data, &writer);
    }
    if (data.failed || cursor_left(&data) > 0) {
        return false;
    }
    writer_flush(&writer);
    return true;
}

/* RFC 3597 section 5. */
static void record_unknown(struct bytes data, struct text *out)
{
    struct writer writer;

    writer.out = out;
    writer.len = 0;
    writer_string(&writer, "\\# ");
    field_number((uint32_t)data.len, &writer);
    if (data.len > 0) {
        writer_char(&writer, ' ');
    }
    field_hex(data, &writer);
    writer_flush(&writer);
}

static const char *record_layout(uint16_t type)
{
    return type < sizeof layouts / sizeof layouts[0] ? layouts[type] : NULL;
}

int record_text_data(const struct dns_record *record, struct bytes message, struct text *out)
{
    const char *layout = record_layout(record->type);
    size_t start = out->len;
    int result = RECORD_TEXT_MALFORMED;

    if (layout != NULL) {
        if (record_fields(record, message, layout, out)) {
            return RECORD_TEXT_SOUND;
        }
        if (!out->failed) {
            text_cut(out, start);
        }
    } else if (!ldns_text_has(record->type)) {
        result = RECORD_TEXT_SOUND;
    } else if (ldns_text_append(record, out)) {
        return RECORD_TEXT_SOUND;
    }
    record_unknown(record->data, out);
    return result;
}
