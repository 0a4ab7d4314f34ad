/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * tally.h - the tables of counters
 *
 * A worker's shard counts into a tally of its own; a snapshot is the sum of all tallies. Everything
 * counted is a uint64_t, so tables of equal shape add up number by number. Memory is taken when a
 * tally is made; pages of servers and roles never seen stay untouched.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "decode/observation.h"
#include "count/code_set.h"
#include "sketch/histogram.h"

enum reject_reason {
    REJECTED_PROTOBUF,
    REJECTED_NOT_MESSAGE,
    REJECTED_MESSAGE_TYPE,
    REJECTED_OVERSIZE,
    REJECT_REASON_COUNT
};

/** Why a connection ended. */
enum close_reason {
    CLOSED_FINISH,            /* the peer said STOP */
    CLOSED_EOF,               /* it ended between two frames without STOP */
    CLOSED_EOF_IN_FRAME,      /* it ended within a frame */
    CLOSED_HANDSHAKE,         /* it began with something else than READY or START */
    CLOSED_TLS,               /* it began with a TLS handshake */
    CLOSED_HTTP,              /* it began with an HTTP request */
    CLOSED_POWERDNS,          /* it began with PowerDNS' own protobuf messages */
    CLOSED_CONTENT_TYPE,      /* it offers no dnstap */
    CLOSED_HANDSHAKE_TIMEOUT, /* it did not begin in time */
    CLOSED_CONTROL,           /* a control frame that cannot be or is out of place */
    CLOSED_FRAME_LENGTH,      /* a frame length that cannot be */
    CLOSED_ERROR,             /* the socket failed */
    CLOSED_LIMIT,             /* too many connections: it made room for another one */
    CLOSED_DESCRIPTORS,       /* too many open files: likewise */
    CLOSED_SHUTDOWN,          /* we end */
    CLOSE_REASON_COUNT,
};

/** Bounds that turned something away or put it under `other`. */
enum limit {
    LIMIT_SERVERS,
    LIMIT_SERIES,
    LIMIT_QTYPES,
    LIMIT_RCODES,
    LIMIT_INFO_CODES,
    LIMIT_CONNECTIONS,
    LIMIT_DESCRIPTORS,
    LIMIT_DETECTION_CLIENTS,
    LIMIT_DETECTION_DOMAINS,
    LIMIT_COUNT
};

enum query_flag {
    QUERY_FLAG_RD,
    QUERY_FLAG_CD,
    QUERY_FLAG_AD,
    QUERY_FLAG_DO,
    QUERY_FLAG_EDNS,
    QUERY_FLAG_COUNT
};
enum response_flag {
    RESPONSE_FLAG_AA,
    RESPONSE_FLAG_TC,
    RESPONSE_FLAG_RA,
    RESPONSE_FLAG_AD,
    RESPONSE_FLAG_COUNT
};

/** Classes of questions. */
enum query_class {
    QUERY_CLASS_IN,
    QUERY_CLASS_CH,
    QUERY_CLASS_HS,
    QUERY_CLASS_NONE,
    QUERY_CLASS_ANY,
    QUERY_CLASS_OTHER,
    QUERY_CLASS_COUNT
};

#define OPCODE_COUNT      16
#define DEFECT_COUNT      (DNS_DEFECT_TRUNCATED + 1)
#define OUTCOME_COUNT     (DNS_OUTCOME_OTHER + 1)
#define EDNS_OPTION_COUNT (EDNS_OPTION_OTHER + 1)

/** What one server does in one role. Only uint64_t inside, the histograms last. */
struct cell {
    uint64_t messages[KIND_COUNT][FAMILY_COUNT][TRANSPORT_COUNT];
    uint64_t malformed[KIND_COUNT][DEFECT_COUNT];
    uint64_t qtypes[CODE_SLOTS];
    uint64_t classes[QUERY_CLASS_COUNT];
    uint64_t doh_queries[HTTP_VERSION_COUNT];
    uint64_t opcodes[OPCODE_COUNT];
    uint64_t query_flags[QUERY_FLAG_COUNT];
    uint64_t rcodes[CODE_SLOTS];
    uint64_t response_flags[RESPONSE_FLAG_COUNT];
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t edns_options[KIND_COUNT][EDNS_OPTION_COUNT];
    uint64_t info_codes[CODE_SLOTS];
    uint64_t unmatched_responses;
    uint64_t duplicate_responses;
    uint64_t unanswered_queries;
    uint64_t negative_response_times;
    struct histogram response_time;                             /* ns */
    struct histogram message_size[KIND_COUNT][TRANSPORT_COUNT]; /* bytes */
    struct histogram qname_size;                                /* bytes */
};

/** What came in through one listener or file. Only uint64_t inside. */
struct input_tally {
    uint64_t frames;
    uint64_t frame_bytes;
    uint64_t rejected[REJECT_REASON_COUNT];
    uint64_t accepted; /* connections */
    uint64_t closed[CLOSE_REASON_COUNT];
    struct histogram ingest_delay; /* ns */
};

/** What belongs to neither. Only uint64_t inside. */
struct common_tally {
    uint64_t overflows[LIMIT_COUNT];
    uint64_t expired_messages; /* of servers that left; see tally_expire() */
    uint64_t matching_evictions;
};

/** RPZ actions of one server. Only uint64_t inside. */
struct policy_tally {
    uint64_t actions[POLICY_ACTION_COUNT][POLICY_MATCH_COUNT];
};

struct tally {
    unsigned server_count; /* numbers of the server set: its capacity and SERVER_OTHER */
    unsigned input_count;
    uint32_t *generations;         /* [server_count]: of the server that the number stands for */
    struct cell *cells;            /* [server_count * ROLE_COUNT], see tally_cell() */
    struct policy_tally *policies; /* [server_count] */
    bool *seen;                    /* [server_count * ROLE_COUNT]: the cell is in use */
    struct input_tally *inputs;    /* [input_count] */
    struct common_tally common;
};

/** Bounds of the histograms above; times in nanoseconds, sizes in bytes. */
extern const struct histogram_bounds response_time_bounds;
extern const struct histogram_bounds ingest_delay_bounds;
extern const struct histogram_bounds query_size_bounds;
extern const struct histogram_bounds response_size_bounds;
extern const struct histogram_bounds qname_size_bounds;

/** Make room for `server_count` servers and `input_count` inputs, all zero. Returns 0 or -ENOMEM;
 * on success the caller ends with tally_deinit(). */
NONNULL MUST_USE int tally_init(struct tally *tally, unsigned server_count, unsigned input_count);

/** Bytes that a tally takes where `cells` cells are in use: those of the others are never touched.
 */
size_t tally_memory(unsigned server_count, unsigned input_count, size_t cells);

/** Free what the tally holds; NULL and an all-zero one are fine. */
void tally_deinit(struct tally *tally);

/** The place of a cell among `cells` and `seen`. */
static inline size_t tally_index(unsigned server, enum role role)
{
    return (size_t)server * ROLE_COUNT + role;
}

/** The cell to count into; marks it as in use. */
static inline struct cell *tally_cell(struct tally *tally, unsigned server, enum role role)
{
    size_t index = tally_index(server, role);

    tally->seen[index] = true;
    return &tally->cells[index];
}

/** The server number `server` stands for another server from now on, that of `generation`: what the
 * one before has counted is dropped, and its messages count as expired. */
NONNULL void tally_expire(struct tally *tally, unsigned server, uint32_t generation);

/** The queries, or the responses, of a cell. */
NONNULL uint64_t cell_messages(const struct cell *cell, enum kind kind);

/** The connections that are open. */
NONNULL uint64_t input_connections(const struct input_tally *input);

/** Add the numbers of `from`. */
NONNULL void common_tally_add(struct common_tally *to, const struct common_tally *from);

/** Set every count to zero. */
NONNULL void tally_clear(struct tally *tally);

/** Add all of `from` to `to`, a tally of the same shape. Of a server number the latest generation
 *  counts; messages of an earlier one count as expired. */
NONNULL void tally_add(struct tally *to, const struct tally *from);
