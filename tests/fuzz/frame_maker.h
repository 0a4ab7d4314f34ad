/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * frame_maker.h - dnstap frames made of parts, for fuzzing
 *
 * Eight bytes, a recipe, describe an exchange: a query, its response, and what is wrong with them.
 * Equal recipes with equal seeds make equal frames. Nothing is allocated; a maker has about 14 KiB.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/dns_name.h"
#include "decode/event.h"

/** Bytes of the longest frame; what is longer is cut there. */
#define MADE_FRAME_MAX 4096

/** One more than an identity may have to get a series of its own. */
#define IDENTITY_ROOM 256

/** Bytes that are written one after the other. What has no room is left out. */
struct pen {
    uint8_t *at, *end;
};

/** What the bytes of a recipe choose; the first one is for the caller. */
enum recipe_part {
    RECIPE_ACTION,
    RECIPE_PARTY,    /* high half: the identity; low half: for the caller */
    RECIPE_MESSAGE,  /* low half: the message type; then policy, HTTP, zone, query in response */
    RECIPE_NETWORK,  /* low half: the protocol; high half: the addresses */
    RECIPE_NAME,     /* low half: the name; high half: which of them */
    RECIPE_QUESTION, /* EDNS (2 bits), type (3), flags (2), opcode and class (1) */
    RECIPE_ANSWER,   /* low half: what the response says; high half: how many records */
    RECIPE_DAMAGE,   /* low half: what is wrong; high half: the times */
    RECIPE_SIZE,
};

/** What is wrong with an exchange: the low half of RECIPE_DAMAGE. Smaller numbers: nothing. */
enum damage {
    DAMAGE_NO_QUERY = 7,
    DAMAGE_NO_RESPONSE,
    DAMAGE_TWICE,    /* the response comes again */
    DAMAGE_REVERSED, /* the response comes first */
    DAMAGE_FIELDS,   /* protobuf fields absent, doubled, unknown, of a wrong type or length */
    DAMAGE_BYTES,    /* any bytes of the frame */
    DAMAGE_DNS,      /* any bytes of the DNS message */
    DAMAGE_CUT,      /* the end of the DNS message is missing */
    DAMAGE_ALL,
};

struct frame_maker {
    uint64_t random;       /* state of random_next() */
    uint64_t now_ns;       /* since 1970: when the exchange begins */
    const uint8_t *recipe; /* [RECIPE_SIZE] */
    bool damages_fields;   /* of the frame under way */
    uint32_t type;         /* of the query; that of the response is one more */
    uint32_t family, protocol, http;
    uint16_t id, port, qtype, qclass, flags;
    uint64_t query_ns, response_ns; /* 0: left out */
    struct bytes identity, query_address, response_address;
    size_t name_len;
    uint8_t name[2 * DNS_NAME_MAX];
    uint8_t identity_room[IDENTITY_ROOM];
    uint8_t address_room[2][20];
    uint8_t dns[2][MADE_FRAME_MAX]; /* the query and the response under way */
    uint8_t message[MADE_FRAME_MAX];
};

/** Begin an exchange by `recipe`, which outlives it. */
NONNULL void frame_maker_begin(struct frame_maker *maker, const uint8_t *recipe, uint64_t now_ns,
                               uint64_t seed);

/** Write a frame of the exchange. */
NONNULL void frame_maker_write(struct frame_maker *maker, enum kind kind, struct pen *out);

/** Write a frame of the exchange whose DNS message is `dns`. */
NONNULL void frame_maker_write_around(struct frame_maker *maker, enum kind kind, struct bytes dns,
                                      struct pen *out);

/** What is wrong with the exchange. */
NONNULL enum damage frame_maker_damage(const struct frame_maker *maker);
