/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * label_values.h - the values of closed labels, by their enumerations
 */

#include "count/socket_counters.h"
#include "count/counters.h"

extern const char *const role_labels[ROLE_COUNT];
extern const char *const kind_labels[KIND_COUNT];
extern const char *const family_labels[FAMILY_COUNT];
extern const char *const transport_labels[TRANSPORT_COUNT];
extern const char *const query_class_labels[QUERY_CLASS_COUNT];
extern const char *const http_version_labels[HTTP_VERSION_COUNT];
extern const char *const query_flag_labels[QUERY_FLAG_COUNT];
extern const char *const response_flag_labels[RESPONSE_FLAG_COUNT];
extern const char *const outcome_labels[OUTCOME_COUNT];
extern const char *const edns_option_labels[EDNS_OPTION_COUNT];

/** NULL where the message has no defect: there is no series. */
extern const char *const defect_labels[DEFECT_COUNT];
extern const char *const policy_action_labels[POLICY_ACTION_COUNT];
extern const char *const policy_match_labels[POLICY_MATCH_COUNT];
extern const char *const reject_reason_labels[REJECT_REASON_COUNT];
extern const char *const close_reason_labels[CLOSE_REASON_COUNT];
extern const char *const limit_labels[LIMIT_COUNT];
extern const char *const output_drop_labels[OUTPUT_DROP_COUNT];
