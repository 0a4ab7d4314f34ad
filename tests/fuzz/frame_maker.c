/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/frame_maker.h"

#include "base/clock.h"
#include "decode/dnstap.h"
#include "support/random.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5, WIRE_TYPES = 8 };

/* One field in so many is damaged where a frame's fields are. */
#define FIELDS_PER_DAMAGE 12

/* --- Chance --- */

static unsigned pick(struct frame_maker *maker, unsigned bound)
{
    return (unsigned)((random_next(&maker->random) >> 32) * bound >> 32);
}

static bool one_in(struct frame_maker *maker, unsigned bound)
{
    return pick(maker, bound) == 0;
}

static unsigned recipe_low(const struct frame_maker *maker, enum recipe_part part)
{
    return maker->recipe[part] & 0xfu;
}

static unsigned recipe_high(const struct frame_maker *maker, enum recipe_part part)
{
    return maker->recipe[part] >> 4;
}

enum damage frame_maker_damage(const struct frame_maker *maker)
{
    return (enum damage)recipe_low(maker, RECIPE_DAMAGE);
}

/* --- Bytes --- */

static void pen_u8(struct pen *pen, unsigned value)
{
    if (pen->at < pen->end) {
        *pen->at++ = (uint8_t)value;
    }
}

static void pen_be16(struct pen *pen, unsigned value)
{
    pen_u8(pen, value >> 8);
    pen_u8(pen, value);
}

static void pen_be32(struct pen *pen, uint32_t value)
{
    pen_be16(pen, value >> 16);
    pen_be16(pen, value);
}

static void pen_bytes(struct pen *pen, struct bytes bytes)
{
    size_t room = (size_t)(pen->end - pen->at);
    size_t len = bytes.len < room ? bytes.len : room;

    if (len > 0) {
        memcpy(pen->at, bytes.data, len);
        pen->at += len;
    }
}

static void pen_random(struct pen *pen, struct frame_maker *maker, size_t count)
{
    for (; count > 0; count--) {
        pen_u8(pen, pick(maker, 256));
    }
}

static struct bytes pen_written(const struct pen *pen, const uint8_t *start)
{
    return (struct bytes){start, (size_t)(pen->at - start)};
}

/* --- Protobuf fields --- */

static void pen_varint(struct pen *pen, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        pen_u8(pen, (unsigned)(value | 0x80));
    }
    pen_u8(pen, (unsigned)value);
}

/* A varint that is longer than it has to be, up to one byte too long. */
static void pen_long_varint(struct pen *pen, struct frame_maker *maker, uint64_t value)
{
    for (unsigned more = pick(maker, 11); more > 0; more--) {
        pen_u8(pen, (unsigned)(value | 0x80));
        value >>= 7;
    }
    pen_u8(pen, (unsigned)value & 0x7f);
}

static void pen_key(struct pen *pen, unsigned field, unsigned wire_type)
{
    pen_varint(pen, (uint64_t)field << 3 | wire_type);
}

/* A field with any content of the wire type. */
static void pen_any_field(struct pen *pen, struct frame_maker *maker, unsigned field)
{
    unsigned wire_type = pick(maker, WIRE_TYPES);

    pen_key(pen, field, wire_type);
    switch (wire_type) {
    case WIRE_VARINT:
        pen_long_varint(pen, maker, random_next(&maker->random) >> pick(maker, 64));
        break;
    case WIRE_FIXED64:
        pen_random(pen, maker, 8);
        break;
    case WIRE_LENGTH: {
        unsigned len = pick(maker, 20);
        pen_varint(pen, len);
        pen_random(pen, maker, len);
        break;
    }
    case WIRE_FIXED32:
        pen_random(pen, maker, 4);
        break;
    default: /* groups, and what is no wire type */
        break;
    }
}

/* Returns whether the field itself is still to be written. */
static bool damage_field(struct frame_maker *maker, struct pen *pen, unsigned field)
{
    if (!maker->damages_fields || !one_in(maker, FIELDS_PER_DAMAGE)) {
        return true;
    }
    switch (pick(maker, 5)) {
    case 0: /* absent */
        return false;
    case 1: /* any type, and then again */
        pen_any_field(pen, maker, field);
        return true;
    case 2: /* any type only */
        pen_any_field(pen, maker, field);
        return false;
    case 3: /* a field that we do not know, and number 0 */
        pen_any_field(pen, maker, one_in(maker, 2) ? pick(maker, 40) : pick(maker, 1u << 29));
        return true;
    default: /* a key that is too long */
        pen_long_varint(pen, maker, (uint64_t)field << 3 | pick(maker, WIRE_TYPES));
        return true;
    }
}

static void field_varint(struct frame_maker *maker, struct pen *pen, unsigned field, uint64_t value)
{
    if (!damage_field(maker, pen, field)) {
        return;
    }
    pen_key(pen, field, WIRE_VARINT);
    if (maker->damages_fields && one_in(maker, FIELDS_PER_DAMAGE)) {
        pen_long_varint(pen, maker, value);
    } else {
        pen_varint(pen, value);
    }
}

static void field_fixed32(struct frame_maker *maker, struct pen *pen, unsigned field,
                          uint32_t value)
{
    if (damage_field(maker, pen, field)) {
        pen_key(pen, field, WIRE_FIXED32);
        for (unsigned i = 0; i < 4; i++) {
            pen_u8(pen, value >> 8 * i);
        }
    }
}

static void field_bytes(struct frame_maker *maker, struct pen *pen, unsigned field,
                        struct bytes value)
{
    uint64_t len = value.len;

    if (!damage_field(maker, pen, field)) {
        return;
    }
    if (maker->damages_fields && one_in(maker, FIELDS_PER_DAMAGE)) {
        len = one_in(maker, 4) ? random_next(&maker->random) >> pick(maker, 64)
                               : len + pick(maker, 5) - 2;
    }
    pen_key(pen, field, WIRE_LENGTH);
    pen_varint(pen, len);
    pen_bytes(pen, value);
}

/* --- Names --- */

static const char *const name_ends[] = {
    "com",
    "example.com",
    "co.uk",
    "allowed.example",
    "www.ck",
    "XN--R8JZ45G.jp",
    "2.0.192.in-addr.arpa",
    "ip6.arpa",
};
#define NAME_ENDS (sizeof name_ends / sizeof name_ends[0])

static void pen_name(struct pen *pen, const char *name)
{
    while (*name != '\0') {
        size_t label = strcspn(name, ".");

        pen_u8(pen, (unsigned)label);
        pen_bytes(pen, (struct bytes){(const uint8_t *)name, label});
        name += label + (name[label] == '.');
    }
    pen_u8(pen, 0);
}

/* A label that only this exchange has, of hexadecimal digits. */
static void pen_new_label(struct pen *pen, struct frame_maker *maker)
{
    uint64_t digits = random_next(&maker->random);
    unsigned len = 1 + pick(maker, 14);

    pen_u8(pen, len);
    for (unsigned i = 0; i < len; i++, digits >>= 4) {
        pen_u8(pen, (unsigned)"0123456789abcdef"[digits & 0xf]);
    }
}

static void pen_any_labels(struct pen *pen, struct frame_maker *maker, unsigned count,
                           unsigned len_max)
{
    for (; count > 0; count--) {
        unsigned len = 1 + pick(maker, len_max);

        pen_u8(pen, len);
        pen_random(pen, maker, len);
    }
}

enum name_kind {
    NAME_NEW = 6, /* smaller numbers: one that often comes */
    NAME_NEW_DOMAIN = 9,
    NAME_DEEP,
    NAME_LONG,
    NAME_ANY_BYTES,
    NAME_BLOCK_LIST,
    NAME_ROOT,
    NAME_BROKEN,
};

static void pen_broken_name(struct pen *pen, struct frame_maker *maker)
{
    switch (pick(maker, 4)) {
    case 0: /* a pointer, mostly forward or to itself */
        pen_be16(pen, 0xc000u | pick(maker, 64));
        break;
    case 1: /* a kind of label that there is none of */
        pen_be16(pen, 0x4000u << pick(maker, 2));
        break;
    case 2: /* too long */
        pen_any_labels(pen, maker, 5, DNS_LABEL_MAX);
        pen_u8(pen, 0);
        break;
    default: /* without an end */
        pen_any_labels(pen, maker, 2, 9);
    }
}

static void make_name(struct frame_maker *maker)
{
    struct pen pen = {maker->name, maker->name + sizeof maker->name};
    unsigned which = recipe_high(maker, RECIPE_NAME);
    const char *end = name_ends[which % NAME_ENDS];

    switch (recipe_low(maker, RECIPE_NAME)) {
    case NAME_NEW:
    case NAME_NEW + 1:
    case NAME_NEW + 2:
        pen_new_label(&pen, maker);
        pen_name(&pen, end);
        break;
    case NAME_NEW_DOMAIN:
        pen_any_labels(&pen, maker, 1, 1);
        pen_new_label(&pen, maker);
        pen_name(&pen, end);
        break;
    case NAME_DEEP:
        pen_any_labels(&pen, maker, pick(maker, DNS_LABELS_MAX), 1);
        pen_u8(&pen, 0);
        break;
    case NAME_LONG: /* 3 * 64 + 60 to 62, and the root: up to the longest */
        for (unsigned i = 0; i < 4; i++) {
            unsigned len = i < 3 ? DNS_LABEL_MAX : 59 + pick(maker, 3);
            pen_u8(&pen, len);
            pen_random(&pen, maker, len);
        }
        pen_u8(&pen, 0);
        break;
    case NAME_ANY_BYTES:
        pen_any_labels(&pen, maker, 1 + pick(maker, 3), 12);
        pen_name(&pen, end);
        break;
    case NAME_BLOCK_LIST:
        for (unsigned i = 0; i < 4; i++) {
            pen_u8(&pen, 1);
            pen_u8(&pen, '0' + pick(maker, 10));
        }
        pen_name(&pen, "zen.example.com");
        break;
    case NAME_ROOT:
        pen_u8(&pen, 0);
        break;
    case NAME_BROKEN:
        pen_broken_name(&pen, maker);
        break;
    default:
        pen_u8(&pen, 1);
        pen_u8(&pen, 'a' + recipe_low(maker, RECIPE_NAME));
        pen_name(&pen, end);
    }
    maker->name_len = pen_written(&pen, maker->name).len;
}

/* --- DNS messages --- */

enum answer {
    ANSWER_DATA,
    ANSWER_NODATA,
    ANSWER_REFERRAL,
    ANSWER_NXDOMAIN,
    ANSWER_NXDOMAIN_AGAIN,
    ANSWER_SERVFAIL,
    ANSWER_REFUSED,
    ANSWER_ALIAS, /* to a name that does not exist */
    ANSWER_COMPACT_DENIAL,
    ANSWER_EXTENDED_RCODE,
    ANSWER_TRUNCATED,
    ANSWER_ANY_RCODE,
    ANSWER_CHAIN, /* of aliases, in any order */
    ANSWER_ANY_RECORDS,
    ANSWER_WRONG_COUNTS,
    ANSWER_EMPTY,
};

enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

#define NAME_OF_QUESTION 0xc00cu /* a pointer to the byte behind the header */

static unsigned any_type(struct frame_maker *maker)
{
    static const uint16_t types[] = {1,  2,  5,  6,  12, 15, 16, 28,  33,  39,  41,
                                     43, 46, 47, 48, 50, 64, 65, 128, 250, 252, 255};

    return one_in(maker, 4) ? pick(maker, 65536)
                            : types[pick(maker, sizeof types / sizeof types[0])];
}

/* The start of a record up to its length, and the length where it is known. */
static void pen_record(struct pen *pen, unsigned owner, unsigned type, unsigned len)
{
    pen_be16(pen, owner);
    pen_be16(pen, type);
    pen_be16(pen, 1);
    pen_be32(pen, 300);
    pen_be16(pen, len);
}

static void pen_soa(struct pen *pen)
{
    pen_record(pen, NAME_OF_QUESTION, DNS_TYPE_SOA, 22);
    pen_u8(pen, 0);
    pen_u8(pen, 0);
    for (unsigned i = 0; i < 5; i++) {
        pen_be32(pen, 3600);
    }
}

static void pen_address(struct pen *pen, struct frame_maker *maker)
{
    pen_record(pen, NAME_OF_QUESTION, 1, 4);
    pen_random(pen, maker, 4);
}

/* An alias whose target is a new name, and returns where that begins. */
static unsigned pen_alias(struct pen *pen, struct frame_maker *maker, unsigned owner,
                          const uint8_t *start)
{
    pen_record(pen, owner, DNS_TYPE_CNAME, 0);
    uint8_t *target = pen->at;
    pen_new_label(pen, maker);
    pen_name(pen, name_ends[pick(maker, NAME_ENDS)]);
    if (target - start > 2) {
        target[-1] = (uint8_t)(pen->at - target);
    }
    return 0xc000u | ((unsigned)(target - start) & 0x3fff);
}

static unsigned pen_chain(struct pen *pen, struct frame_maker *maker, const uint8_t *start)
{
    unsigned owner = NAME_OF_QUESTION;
    unsigned count = 1 + pick(maker, 20);

    for (unsigned i = 0; i < count; i++) {
        unsigned next = pen_alias(pen, maker, owner, start);
        owner = one_in(maker, 8) ? NAME_OF_QUESTION : next;
    }
    return count;
}

static void pen_nsec(struct pen *pen, struct frame_maker *maker)
{
    unsigned map_len = one_in(maker, 8) ? pick(maker, 32) : 17;

    pen_record(pen, NAME_OF_QUESTION, DNS_TYPE_NSEC, 1 + 2 + map_len);
    pen_u8(pen, 0); /* the next name */
    pen_u8(pen, 0); /* the window */
    pen_u8(pen, map_len);
    for (unsigned i = 0; i < map_len; i++) {
        pen_u8(pen, i == DNS_TYPE_NXNAME / 8 ? 0x80 : 0);
    }
}

static void pen_any_record(struct pen *pen, struct frame_maker *maker)
{
    unsigned len = pick(maker, 30);

    pen_record(pen, one_in(maker, 4) ? 0xc000u | pick(maker, 300) : NAME_OF_QUESTION,
               any_type(maker), len);
    pen_random(pen, maker, one_in(maker, 30) ? pick(maker, 30) : len);
}

static void pen_option(struct pen *pen, struct frame_maker *maker)
{
    static const uint8_t codes[] = {3, 8, 10, 11, 12, 15, 15};
    unsigned code = one_in(maker, 8) ? pick(maker, 65536) : codes[pick(maker, sizeof codes)];

    pen_be16(pen, code);
    if (code == 15) { /* an extended error */
        pen_be16(pen, 2);
        pen_be16(pen, one_in(maker, 4) ? pick(maker, 65536) : pick(maker, 40));
    } else {
        unsigned len = pick(maker, 12);
        pen_be16(pen, one_in(maker, 30) ? pick(maker, 65536) : len);
        pen_random(pen, maker, len);
    }
}

/* Returns how many records were written: 1, or 2 where OPT comes twice. */
static unsigned pen_opt(struct pen *pen, struct frame_maker *maker, unsigned options,
                        unsigned extended_rcode)
{
    unsigned count = one_in(maker, 50) ? 2 : 1;

    for (unsigned i = 0; i < count; i++) {
        pen_u8(pen, 0);
        pen_be16(pen, DNS_TYPE_OPT);
        pen_be16(pen, 1232);
        pen_u8(pen, extended_rcode);
        pen_u8(pen, one_in(maker, 20));
        pen_be16(pen, one_in(maker, 2) ? 0x8000 : 0);
        uint8_t *length = pen->at;
        pen_be16(pen, 0);
        for (unsigned k = 0; k < options; k++) {
            pen_option(pen, maker);
        }
        if (pen->at - length >= 2) {
            size_t len = (size_t)(pen->at - length - 2);
            length[0] = (uint8_t)(len >> 8);
            length[1] = (uint8_t)len;
        }
    }
    return count;
}

static unsigned rcode_of(struct frame_maker *maker, enum answer answer)
{
    switch (answer) {
    case ANSWER_NXDOMAIN:
    case ANSWER_NXDOMAIN_AGAIN:
    case ANSWER_ALIAS:
        return RCODE_NXDOMAIN;
    case ANSWER_CHAIN:
        return one_in(maker, 2) ? RCODE_NXDOMAIN : 0;
    case ANSWER_SERVFAIL:
        return RCODE_SERVFAIL;
    case ANSWER_REFUSED:
        return RCODE_REFUSED;
    case ANSWER_EXTENDED_RCODE:
    case ANSWER_ANY_RCODE:
        return pick(maker, 16);
    case ANSWER_DATA:
    case ANSWER_NODATA:
    case ANSWER_REFERRAL:
    case ANSWER_COMPACT_DENIAL:
    case ANSWER_TRUNCATED:
    case ANSWER_ANY_RECORDS:
    case ANSWER_WRONG_COUNTS:
    case ANSWER_EMPTY:
        break;
    }
    return 0;
}

/* Write the records of answer and authority; their numbers go to `counts`. */
static void pen_answer(struct pen *pen, struct frame_maker *maker, enum answer answer,
                       const uint8_t *start, unsigned counts[2])
{
    unsigned many = recipe_high(maker, RECIPE_ANSWER);

    switch (answer) {
    case ANSWER_DATA:
        for (; counts[0] < 1 + many / 4; counts[0]++) {
            pen_address(pen, maker);
        }
        break;
    case ANSWER_NXDOMAIN:
    case ANSWER_NXDOMAIN_AGAIN:
    case ANSWER_NODATA:
        pen_soa(pen);
        counts[1] = 1;
        break;
    case ANSWER_REFERRAL:
        pen_record(pen, NAME_OF_QUESTION, DNS_TYPE_NS, 1);
        pen_u8(pen, 0);
        counts[1] = 1;
        break;
    case ANSWER_ALIAS:
        (void)pen_alias(pen, maker, NAME_OF_QUESTION, start);
        counts[0] = 1;
        break;
    case ANSWER_COMPACT_DENIAL:
        pen_nsec(pen, maker);
        counts[1] = 1;
        break;
    case ANSWER_CHAIN:
        counts[0] = pen_chain(pen, maker, start);
        break;
    case ANSWER_ANY_RECORDS:
        for (unsigned i = 0; i < 1 + many; i++) {
            pen_any_record(pen, maker);
            counts[pick(maker, 2)]++;
        }
        break;
    case ANSWER_WRONG_COUNTS:
        counts[0] = pick(maker, 3);
        counts[1] = one_in(maker, 4) ? pick(maker, 65536) : pick(maker, 3);
        break;
    case ANSWER_SERVFAIL:
    case ANSWER_REFUSED:
    case ANSWER_EXTENDED_RCODE:
    case ANSWER_TRUNCATED:
    case ANSWER_ANY_RCODE:
    case ANSWER_EMPTY:
        break;
    }
}

static unsigned flags_of(struct frame_maker *maker, enum kind kind, enum answer answer)
{
    unsigned flags = maker->flags;

    if (kind == KIND_RESPONSE) {
        flags |= 0x8000u | DNS_FLAG_RA | rcode_of(maker, answer);
        flags |= answer == ANSWER_TRUNCATED ? DNS_FLAG_TC : 0u;
    }
    return flags;
}

static void patch_be16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void pen_dns(struct pen *pen, struct frame_maker *maker, enum kind kind)
{
    enum answer answer = (enum answer)recipe_low(maker, RECIPE_ANSWER);
    unsigned edns = maker->recipe[RECIPE_QUESTION] & 3;
    bool extends = kind == KIND_RESPONSE && answer == ANSWER_EXTENDED_RCODE;
    unsigned counts[2] = {0, 0};
    uint8_t *start = pen->at;

    pen_be16(pen, maker->id);
    pen_be16(pen, flags_of(maker, kind, answer));
    pen_be32(pen, UINT32_C(0x10000));
    pen_be32(pen, 0);
    if (kind == KIND_RESPONSE && answer == ANSWER_EMPTY) { /* not even a question */
        patch_be16(start + 4, pick(maker, 2));
        return;
    }
    if (one_in(maker, 200)) { /* no question, and yet an answer */
        patch_be16(start + 4, 0);
    } else {
        pen_bytes(pen, (struct bytes){maker->name, maker->name_len});
        pen_be16(pen, maker->qtype);
        pen_be16(pen, maker->qclass);
    }
    if (kind == KIND_RESPONSE) {
        pen_answer(pen, maker, answer, start, counts);
        patch_be16(start + 6, counts[0]);
        patch_be16(start + 8, counts[1]);
    }
    if (edns > 0 || extends) {
        unsigned extended = extends ? pick(maker, 256) : 0;
        unsigned options = edns > 1 ? pick(maker, 1u << (2 * edns - 2)) : 0;
        patch_be16(start + 10, pen_opt(pen, maker, options, extended));
    }
    if (answer == ANSWER_WRONG_COUNTS && one_in(maker, 4)) {
        patch_be16(start + 4 + (size_t)2 * pick(maker, 4), pick(maker, 4));
    }
}

/* --- The exchange --- */

static void choose_identity(struct frame_maker *maker)
{
    static const char *const odd[] = {"other", "a\"b\\c\nd", "\xe4\xbe\x8b\xf0\x9f\x90\x9f.example",
                                      "\xff\xfe\xc3(\xed\xa0\x80", ""};
    unsigned which = recipe_high(maker, RECIPE_PARTY);
    struct pen pen = {maker->identity_room, maker->identity_room + IDENTITY_ROOM};
    size_t len;

    switch (which) {
    case 8: /* servers that come and go */
        pen_random(&pen, maker, 2);
        break;
    case 9: /* names that are alike for as long as a label may be */
        len = 62 + pick(maker, 4);
        memset(maker->identity_room, 'n', len);
        pen.at += len;
        break;
    case 10: /* the longest, and one more */
        len = 255 + pick(maker, 2);
        memset(maker->identity_room, 'x', len);
        pen.at += len;
        break;
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
        pen_bytes(&pen, bytes_of_string(odd[which - 11]));
        break;
    default:
        pen_bytes(&pen, (struct bytes){(const uint8_t *)"ns0", 2});
        pen_u8(&pen, '0' + which);
    }
    maker->identity = pen_written(&pen, maker->identity_room);
}

static void choose_type(struct frame_maker *maker)
{
    static const uint8_t queries[] = {5, 5, 5, 5, 5, 5, 1, 1, 3, 3, 7, 9, 11, 13, 0, 0};
    uint8_t type = queries[recipe_low(maker, RECIPE_MESSAGE)];

    maker->type = type != 0 ? type : pick(maker, 20);
    maker->http = pick(maker, 5);
}

static struct bytes choose_address(struct frame_maker *maker, unsigned kind, uint8_t room[20])
{
    static const uint8_t prefix[12] = {0x20, 0x01, 0x0d, 0xb8};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct pen pen = {room, room + 20};

    if (kind >= 9 && kind < 13) { /* IPv6, and IPv4 in it */
        pen_bytes(&pen, (struct bytes){kind == 12 ? mapped : prefix, sizeof prefix});
    }
    switch (kind) {
    case 0: /* of few */
    case 1:
    case 2:
    case 3:
    case 9:
    case 10:
        pen_be32(&pen, UINT32_C(0xc0000200) | kind);
        break;
    case 13:
        pen_random(&pen, maker, pick(maker, 21));
        break;
    case 14: /* absent */
        break;
    case 15:
        pen_be32(&pen, 0);
        break;
    default: /* any */
        pen_random(&pen, maker, 4);
    }
    return pen_written(&pen, room);
}

static void choose_network(struct frame_maker *maker)
{
    static const uint8_t protocols[16] = {1, 1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 0, 8, 9, 10};
    unsigned kind = recipe_high(maker, RECIPE_NETWORK);

    maker->protocol = protocols[recipe_low(maker, RECIPE_NETWORK)];
    maker->family = one_in(maker, 16) ? pick(maker, 11) : kind >= 9 ? 2 : 1;
    maker->query_address = choose_address(maker, kind, maker->address_room[0]);
    maker->response_address = choose_address(maker, kind < 9 ? 3 : kind, maker->address_room[1]);
    maker->port = (uint16_t)pick(maker, 65536);
}

static void choose_question(struct frame_maker *maker)
{
    static const uint16_t types[8] = {1, 28, 15, 65, 0, 0, 255, 1};
    unsigned recipe = maker->recipe[RECIPE_QUESTION];
    unsigned kind = recipe >> 2 & 7;

    maker->id = (uint16_t)(one_in(maker, 32) ? 0 : pick(maker, 65536));
    maker->qtype = types[kind];
    if (kind == 4) { /* more than have a series of their own */
        maker->qtype = (uint16_t)(65280 + pick(maker, 16));
    } else if (kind == 5) {
        maker->qtype = (uint16_t)any_type(maker);
    }
    maker->flags = (recipe >> 5 & 3) == 3 ? (uint16_t)(pick(maker, 65536) & 0x07f0) : DNS_FLAG_RD;
    maker->qclass = 1;
    if ((recipe & 0x80) != 0 && one_in(maker, 4)) {
        maker->flags |= (uint16_t)(pick(maker, 16) << 11);
        maker->qclass = (uint16_t)pick(maker, 300);
    }
}

static void choose_times(struct frame_maker *maker)
{
    uint64_t query_ns = maker->now_ns;
    uint64_t took_ns = pick(maker, 1u << (10 + pick(maker, 20)));

    maker->query_ns = query_ns;
    maker->response_ns = query_ns + took_ns;
    switch (recipe_high(maker, RECIPE_DAMAGE)) {
    case 9: /* too late */
        maker->response_ns = query_ns + (1 + pick(maker, 4)) * NS_PER_SECOND;
        break;
    case 10: /* before the query */
        maker->response_ns = query_ns - took_ns;
        break;
    case 11: /* one or both absent */
        maker->query_ns = 0;
        maker->response_ns = one_in(maker, 2) ? 0 : maker->response_ns;
        break;
    case 12: /* 1970 and other times past */
        maker->query_ns = one_in(maker, 2) ? pick(maker, 1u << 31)
                                           : query_ns - pick(maker, 10000) * NS_PER_SECOND;
        maker->response_ns = maker->query_ns + took_ns;
        break;
    case 13: /* the future, up to the end of what 63 bits hold and beyond */
        maker->query_ns = query_ns + (UINT64_C(1) << (30 + pick(maker, 34)));
        maker->response_ns = maker->query_ns + took_ns;
        break;
    case 14: /* any */
        maker->query_ns = random_next(&maker->random);
        maker->response_ns = random_next(&maker->random);
        break;
    default:
        break;
    }
}

void frame_maker_begin(struct frame_maker *maker, const uint8_t *recipe, uint64_t now_ns,
                       uint64_t seed)
{
    maker->recipe = recipe;
    maker->random = seed;
    maker->now_ns = now_ns;
    choose_identity(maker);
    choose_type(maker);
    choose_network(maker);
    make_name(maker);
    choose_question(maker);
    choose_times(maker);
}

/* --- The frame --- */

static void field_time(struct frame_maker *maker, struct pen *pen, unsigned field_sec,
                       uint64_t time_ns)
{
    bool odd = maker->damages_fields && one_in(maker, FIELDS_PER_DAMAGE);

    if (time_ns != 0) {
        field_varint(maker, pen, field_sec,
                     odd ? random_next(&maker->random) >> pick(maker, 64)
                         : time_ns / NS_PER_SECOND);
        field_fixed32(maker, pen, field_sec + 1,
                      odd ? (uint32_t)random_next(&maker->random)
                          : (uint32_t)(time_ns % NS_PER_SECOND));
    }
}

static void field_policy(struct frame_maker *maker, struct pen *pen)
{
    uint8_t room[128];
    struct pen policy = {room, room + sizeof room};

    field_bytes(maker, &policy, DNSTAP_POLICY_TYPE, bytes_of_string("RPZ"));
    field_bytes(maker, &policy, DNSTAP_POLICY_RULE, bytes_of_string("rpz.example"));
    field_varint(maker, &policy, DNSTAP_POLICY_ACTION, pick(maker, 9));
    field_varint(maker, &policy, DNSTAP_POLICY_MATCH, pick(maker, 8));
    field_bytes(maker, pen, DNSTAP_POLICY, pen_written(&policy, room));
}

/* What the high half of RECIPE_MESSAGE adds. */
enum { WITH_POLICY = 0x10, WITH_HTTP = 0x20, WITH_ZONE = 0x40, WITH_QUERY = 0x80 };

static void pen_message(struct frame_maker *maker, struct pen *pen, enum kind kind,
                        struct bytes dns)
{
    unsigned with = maker->recipe[RECIPE_MESSAGE];
    bool response = kind == KIND_RESPONSE;

    field_varint(maker, pen, DNSTAP_MESSAGE_TYPE, maker->type + (response ? 1 : 0));
    field_varint(maker, pen, DNSTAP_SOCKET_FAMILY, maker->family);
    field_varint(maker, pen, DNSTAP_SOCKET_PROTOCOL, maker->protocol);
    if (maker->query_address.len > 0) {
        field_bytes(maker, pen, DNSTAP_QUERY_ADDRESS, maker->query_address);
    }
    if (maker->response_address.len > 0) {
        field_bytes(maker, pen, DNSTAP_RESPONSE_ADDRESS, maker->response_address);
    }
    field_varint(maker, pen, DNSTAP_QUERY_PORT, maker->port);
    field_varint(maker, pen, DNSTAP_RESPONSE_PORT, 53);
    if ((with & WITH_QUERY) != 0 || !response) {
        field_time(maker, pen, DNSTAP_QUERY_TIME_SEC, maker->query_ns);
    }
    if (response) {
        field_time(maker, pen, DNSTAP_RESPONSE_TIME_SEC, maker->response_ns);
    }
    if ((with & WITH_QUERY) != 0 && response && maker->id % 4 == 0) {
        struct pen query = {maker->dns[KIND_QUERY], maker->dns[KIND_QUERY] + MADE_FRAME_MAX};
        pen_dns(&query, maker, KIND_QUERY);
        field_bytes(maker, pen, DNSTAP_QUERY_MESSAGE, pen_written(&query, maker->dns[KIND_QUERY]));
    }
    if (maker->port % 64 != 0 || (with & WITH_QUERY) == 0) { /* else the message is missing */
        field_bytes(maker, pen, response ? DNSTAP_RESPONSE_MESSAGE : DNSTAP_QUERY_MESSAGE, dns);
    }
    if ((with & WITH_ZONE) != 0) {
        field_bytes(maker, pen, DNSTAP_QUERY_ZONE, (struct bytes){maker->name, maker->name_len});
    }
    if ((with & WITH_POLICY) != 0) {
        field_policy(maker, pen);
    }
    if ((with & WITH_HTTP) != 0) {
        field_varint(maker, pen, DNSTAP_HTTP_PROTOCOL, maker->http);
    }
}

void frame_maker_write_around(struct frame_maker *maker, enum kind kind, struct bytes dns,
                              struct pen *out)
{
    enum damage damage = frame_maker_damage(maker);
    struct pen message = {maker->message, maker->message + MADE_FRAME_MAX};
    uint8_t *start = out->at;

    maker->damages_fields = damage == DAMAGE_FIELDS || damage == DAMAGE_ALL;
    pen_message(maker, &message, kind, dns);
    if (maker->identity.len > 0) {
        field_bytes(maker, out, DNSTAP_IDENTITY, maker->identity);
    }
    field_bytes(maker, out, DNSTAP_VERSION, bytes_of_string("fuzz 1"));
    field_bytes(maker, out, DNSTAP_MESSAGE, pen_written(&message, maker->message));
    field_varint(maker, out, DNSTAP_TYPE, maker->damages_fields ? pick(maker, 8) > 0 : 1);
    if (damage == DAMAGE_BYTES || (damage == DAMAGE_ALL && one_in(maker, 4))) {
        out->at = start + random_mutate(&maker->random, start, (size_t)(out->at - start));
    }
}

void frame_maker_write(struct frame_maker *maker, enum kind kind, struct pen *out)
{
    enum damage damage = frame_maker_damage(maker);
    uint8_t *start = maker->dns[kind];
    struct pen dns = {start, start + MADE_FRAME_MAX};

    pen_dns(&dns, maker, kind);
    if (damage == DAMAGE_CUT || (damage == DAMAGE_ALL && one_in(maker, 4))) {
        dns.at = start + pick(maker, (unsigned)(dns.at - start));
    }
    if (damage == DAMAGE_DNS || (damage == DAMAGE_ALL && one_in(maker, 4))) {
        dns.at = start + random_mutate(&maker->random, start, (size_t)(dns.at - start));
    }
    frame_maker_write_around(maker, kind, pen_written(&dns, start), out);
}
