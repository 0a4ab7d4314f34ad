/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * counters.h - what the exporter counts of servers and inputs
 *
 * Each shard has a set of counters; a snapshot is the sum of all sets. Every counter is a uint64_t,
 * so that sets of the same shape are added number by number. counters_init() takes the memory; the
 * pages of servers and roles that send nothing are never touched.
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "decode/event.h"
#include "count/label_sets.h"
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
    CLOSED_FINISH,       /* the peer said STOP */
    CLOSED_EOF,          /* it ended between two frames without STOP */
    CLOSED_EOF_IN_FRAME, /* it ended within a frame */
    CLOSED_HANDSHAKE,    /* it began with something else than READY or START */
    CLOSED_TLS,          /* it began with a TLS handshake, on an input without TLS */
    CLOSED_NOT_TLS,      /* it began with something else, on an input with TLS */
    CLOSED_TLS_VERSION,  /* it has no version of TLS that is taken */
    CLOSED_TLS_NO_CERTIFICATE,
    CLOSED_TLS_UNKNOWN_CA,    /* its certificate is of no authority that is trusted */
    CLOSED_TLS_EXPIRED,       /* its certificate is out of its time */
    CLOSED_TLS_WRONG_NAME,    /* its certificate has none of the allowed names */
    CLOSED_TLS_CERTIFICATE,   /* its certificate is not valid otherwise */
    CLOSED_TLS_REFUSED,       /* it sent an alert: most often it does not trust our certificate */
    CLOSED_TLS_HANDSHAKE,     /* the handshake of TLS failed otherwise */
    CLOSED_TLS_LIMIT,         /* too many handshakes of TLS: it made room for another one */
    CLOSED_HTTP,              /* it began with an HTTP request */
    CLOSED_POWERDNS,          /* it began with PowerDNS' own protobuf messages */
    CLOSED_CONTENT_TYPE,      /* it offers no dnstap */
    CLOSED_HANDSHAKE_TIMEOUT, /* it did not begin in time */
    CLOSED_CONTROL,           /* a control frame that cannot be or is out of place */
    CLOSED_FRAME_LENGTH,      /* a frame length that cannot be */
    CLOSED_ERROR,             /* the socket failed */
    CLOSED_LIMIT,             /* too many connections: it made room for another one */
    CLOSED_DESCRIPTORS,       /* too many open files: it made room for another one */
    CLOSED_INPUT,             /* its input was removed from the configuration, or changed */
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
    LIMIT_DETECTION,
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

#define OPCODE_COUNT 16 /* 4 bits (RFC 1035 section 4.1.1) */

/** What one server does in one role. First the numbers, only uint64_t, which are added and cleared
 * as one array; then the histograms, nothing else, which are merged one by one (counters.c). */
struct server_counters {
    uint64_t messages[KIND_COUNT][FAMILY_COUNT][TRANSPORT_COUNT];
    uint64_t malformed[KIND_COUNT][DNS_DEFECT_COUNT];
    uint64_t qtypes[CODE_LABELS_MAX];
    uint64_t classes[QUERY_CLASS_COUNT];
    uint64_t doh_queries[HTTP_VERSION_COUNT];
    uint64_t opcodes[OPCODE_COUNT];
    uint64_t query_flags[QUERY_FLAG_COUNT];
    uint64_t rcodes[CODE_LABELS_MAX];
    uint64_t response_flags[RESPONSE_FLAG_COUNT];
    uint64_t outcomes[DNS_OUTCOME_COUNT];
    uint64_t edns_options[KIND_COUNT][EDNS_OPTION_COUNT];
    uint64_t info_codes[CODE_LABELS_MAX];
    uint64_t unmatched_responses;
    uint64_t duplicate_responses;
    uint64_t search_list_queries;
    uint64_t private_answers;
    uint64_t unanswered_queries;
    uint64_t negative_response_times;
    struct histogram response_time;                             /* ns */
    struct histogram message_size[KIND_COUNT][TRANSPORT_COUNT]; /* bytes */
    struct histogram qname_size;                                /* bytes */
};

/** What the answer sections of one server's responses in one role have. Only uint64_t inside. */
struct answer_counters {
    uint64_t types[CODE_LABELS_MAX]; /* records */
    uint64_t private_addresses;
    struct histogram ttl; /* seconds: the least of each response that has records */
};

/** What came in through one listener or file. Only uint64_t inside. */
struct input_counters {
    uint64_t frames;
    uint64_t frame_bytes;
    uint64_t rejected[REJECT_REASON_COUNT];
    uint64_t accepted; /* connections */
    uint64_t closed[CLOSE_REASON_COUNT];
    struct histogram ingest_delay; /* ns */
};

#define GLOBAL_LISTS_MAX 32 /* block lists */

/** What belongs to neither. Only uint64_t inside. */
struct global_counters {
    uint64_t overflows[LIMIT_COUNT];
    uint64_t expired_messages; /* of servers that left; see counters_replace_server() */
    uint64_t matching_evictions;
    uint64_t block_list_hits[GLOBAL_LISTS_MAX]; /* queries for names of each list */
};

/** RPZ actions of one server. Only uint64_t inside. */
struct policy_counters {
    uint64_t actions[POLICY_ACTION_COUNT][POLICY_MATCH_COUNT];
};

struct counters {
    unsigned server_count; /* numbers of the server set: its capacity and SERVER_OTHER */
    unsigned input_count;
    uint32_t *generations;            /* [server_count]: of the server that the number stands for */
    struct server_counters *servers;  /* [server_count * ROLE_COUNT], see counters_index() */
    struct answer_counters *answers;  /* as `servers`; NULL: answers are not counted */
    struct policy_counters *policies; /* [server_count] */
    bool *in_use;                     /* [server_count * ROLE_COUNT]: some message was counted */
    struct input_counters *inputs;    /* [input_count] */
    struct global_counters global;
    uint32_t code_versions[CODE_KINDS]; /* of the code labels that the indices are of */
};

/** Bounds of the histograms above; times in nanoseconds, sizes in bytes, TTLs in seconds. The first
 * counters_init() prepares them; nothing writes to them afterwards. */
extern struct histogram_bounds response_time_bounds;
extern struct histogram_bounds ingest_delay_bounds;
extern struct histogram_bounds query_size_bounds;
extern struct histogram_bounds response_size_bounds;
extern struct histogram_bounds qname_size_bounds;
extern struct histogram_bounds answer_ttl_bounds;

/** Make room for `server_count` servers and `input_count` inputs, all zero, and for their answers
 * if these are to be counted. Returns 0 or -ENOMEM; on success the caller ends with
 * counters_deinit(). */
NONNULL MUST_USE int counters_init(struct counters *counters, unsigned server_count,
                                   unsigned input_count, bool answers);

/** Bytes that counters take if `in_use` pairs of a server and a role are in use. */
size_t counters_memory(unsigned server_count, unsigned input_count, bool answers, size_t in_use);

/** Free what the counters hold; NULL and all-zero counters are fine. */
void counters_deinit(struct counters *counters);

/** The index of a server and role in `servers` and `in_use`. */
static inline size_t counters_index(unsigned server, enum role role)
{
    return (size_t)server * ROLE_COUNT + role;
}

/** Return the counters of a server and role to count into, and mark them as in use. */
static inline struct server_counters *counters_of_server(struct counters *counters, unsigned server,
                                                         enum role role)
{
    size_t index = counters_index(server, role);

    counters->in_use[index] = true;
    return &counters->servers[index];
}

/** Return the counters of a server's and role's answers, or NULL where answers are not counted. */
static inline struct answer_counters *counters_of_answers(const struct counters *counters,
                                                          unsigned server, enum role role)
{
    return counters->answers != NULL ? &counters->answers[counters_index(server, role)] : NULL;
}

/** The server number `server` stands for another server from now on, that of `generation`: what the
 * one before has counted is dropped, and its messages count as expired. */
NONNULL void counters_replace_server(struct counters *counters, unsigned server,
                                     uint32_t generation);

/** Return the number of queries, or of responses. */
NONNULL uint64_t server_counters_messages(const struct server_counters *counts, enum kind kind);

/** Return the number of connections that are open. */
NONNULL uint64_t input_counters_connections(const struct input_counters *input);

/** Add the numbers of `from`. */
NONNULL void global_counters_merge(struct global_counters *to, const struct global_counters *from);

/** Set every count to zero. */
NONNULL void counters_clear(struct counters *counters);

/** Move the counts of codes that have lost their labels by now to CODE_LABEL_OTHER. */
NONNULL void counters_update_codes(struct counters *counters, const struct label_sets *labels);

/** Add all of `from` to `to`, which has the same shape and the labels of the same time or an
 * earlier one. If they have different generations of a server number, the later one counts, and the
 * messages of the earlier one count as expired. */
NONNULL void counters_merge(struct counters *to, const struct counters *from,
                            const struct label_sets *labels);

/** Count a duration. Longer ones than an hour are clock errors, and count as an hour: their sum
 * must not drown the rest. */
static inline void duration_observe(struct histogram *histogram,
                                    const struct histogram_bounds *bounds, uint64_t duration_ns)
{
    const uint64_t max_ns = 3600 * NS_PER_SECOND;

    histogram_observe(histogram, bounds, duration_ns < max_ns ? duration_ns : max_ns);
}
