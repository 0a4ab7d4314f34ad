/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * label_values.h - the labels of counters, and their values by index
 *
 * A label is one dimension of an array of counters. It has a row in LABELS, in any order: its
 * identifier (label_<identifier>), its name in Prometheus, how many values it has, and where their
 * texts come from.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "count/counters.h"
#include "count/dns_mnemonic.h"
#include "count/label_sets.h"
#include "count/socket_counters.h"

/** Where the texts come from. */
enum label_source {
    LABEL_FIXED,       /* a table */
    LABEL_CODE,        /* the mnemonics of codes; a code can lose its index to another one */
    LABEL_CODE_NUMBER, /* the numbers of these codes */
    LABEL_OPCODE,      /* the mnemonics of opcodes */
};

struct label_values {
    const char *name;
    unsigned count;
    enum label_source source;
    const char *const *texts; /* [count], of LABEL_FIXED; a value without a text has no series */
    enum code_kind codes;     /* of LABEL_CODE and LABEL_CODE_NUMBER */
    bool shares_index; /* it names the value of the label before it in another way: a code and its
                          text */
};

#define LABEL_TEXTS(table) LABEL_FIXED, .texts = (table)
#define LABEL_CODES(kind)  LABEL_CODE, .codes = (kind)

/* clang-format off */
#define LABELS(X)                                                                                  \
    X(role,          "role",         ROLE_COUNT,          LABEL_TEXTS(role_texts))                 \
    X(kind,          "kind",         KIND_COUNT,          LABEL_TEXTS(kind_texts))                 \
    X(family,        "family",       FAMILY_COUNT,        LABEL_TEXTS(family_texts))               \
    X(transport,     "transport",    TRANSPORT_COUNT,     LABEL_TEXTS(transport_texts))            \
    X(qtype,         "qtype",        CODE_LABELS_MAX,     LABEL_CODES(CODE_QTYPE))                 \
    X(record_type,   "type",         CODE_LABELS_MAX,     LABEL_CODES(CODE_QTYPE))                 \
    X(query_class,   "class",        QUERY_CLASS_COUNT,   LABEL_TEXTS(query_class_texts))          \
    X(opcode,        "opcode",       OPCODE_COUNT,        LABEL_OPCODE)                            \
    X(query_flag,    "flag",         QUERY_FLAG_COUNT,    LABEL_TEXTS(query_flag_texts))           \
    X(http_version,  "http_version", HTTP_VERSION_COUNT,  LABEL_TEXTS(http_version_texts))         \
    X(rcode,         "rcode",        CODE_LABELS_MAX,     LABEL_CODES(CODE_RCODE))                 \
    X(response_flag, "flag",         RESPONSE_FLAG_COUNT, LABEL_TEXTS(response_flag_texts))        \
    X(outcome,       "outcome",      DNS_OUTCOME_COUNT,   LABEL_TEXTS(outcome_texts))              \
    X(edns_option,   "option",       EDNS_OPTION_COUNT,   LABEL_TEXTS(edns_option_texts))          \
    X(info_code,     "info_code",    CODE_LABELS_MAX,     LABEL_CODE_NUMBER, .codes = CODE_INFO_CODE) \
    X(error,         "error",        CODE_LABELS_MAX,     LABEL_CODES(CODE_INFO_CODE), .shares_index = true) \
    X(defect,        "reason",       DNS_DEFECT_COUNT,    LABEL_TEXTS(defect_texts))               \
    X(policy_action, "action",       POLICY_ACTION_COUNT, LABEL_TEXTS(policy_action_texts))        \
    X(policy_match,  "match",        POLICY_MATCH_COUNT,  LABEL_TEXTS(policy_match_texts))         \
    X(reject_reason, "reason",       REJECT_REASON_COUNT, LABEL_TEXTS(reject_reason_texts))        \
    X(close_reason,  "reason",       CLOSE_REASON_COUNT,  LABEL_TEXTS(close_reason_texts))         \
    X(web_refusal,   "reason",       WEB_REFUSAL_COUNT,   LABEL_TEXTS(web_refusal_texts))          \
    X(sandbox_part,  "part",         SANDBOX_PART_COUNT,  LABEL_TEXTS(sandbox_part_texts))         \
    X(output_drop,   "reason",       OUTPUT_DROP_COUNT,   LABEL_TEXTS(output_drop_texts))          \
    X(connection_failure, "reason",  CONNECTION_FAILURE_COUNT, LABEL_TEXTS(connection_failure_texts)) \
    X(archive_drop,  "reason",       ARCHIVE_DROP_COUNT,  LABEL_TEXTS(archive_drop_texts))         \
    X(limit,         "limit",        LIMIT_COUNT,         LABEL_TEXTS(limit_texts))
/* clang-format on */

#define LABEL_EXTERN(id, ...)                extern const struct label_values label_##id;
#define LABEL_COUNT_OF(id, name, count, ...) LABEL_COUNT_##id = (count),

LABELS(LABEL_EXTERN)
enum { LABELS(LABEL_COUNT_OF) };

/** Return the text of the value `index`, or NULL if it has no series. `codes[CODE_KINDS]` are the
 * texts of codes at the time; `room` is where the text may be written. */
NONNULL const char *label_values_text(const struct label_values *label,
                                      const struct code_label_texts *codes, unsigned index,
                                      char room[DNS_MNEMONIC_SIZE]);
