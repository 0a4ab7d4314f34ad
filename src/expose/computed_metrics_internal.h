/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * computed_metrics_internal.h - the rows of the catalogue whose numbers are in no table
 */

#include "base/attr.h"

struct collector; /* collector_internal.h */

/** A list's values, or their errors. */
NONNULL void collect_top(struct collector *collector);
NONNULL void collect_top_evictions(struct collector *collector);

/** Clients of both families. */
NONNULL void collect_distinct_clients(struct collector *collector);
NONNULL void collect_distinct(struct collector *collector);

NONNULL void collect_detections(struct collector *collector);
NONNULL void collect_detections_active(struct collector *collector);
NONNULL void collect_detection_scores(struct collector *collector);

/** Of each block list; of each finding of one. */
NONNULL void collect_block_list_hits(struct collector *collector);
NONNULL void collect_block_list_names(struct collector *collector);
NONNULL void collect_block_list_lines(struct collector *collector);
NONNULL void collect_block_list_times(struct collector *collector);
NONNULL void collect_block_list_findings(struct collector *collector);

/** Connections that are open. */
NONNULL void collect_connections(struct collector *collector);

NONNULL void collect_build_info(struct collector *collector);
