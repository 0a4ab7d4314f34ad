/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * exposition.h - the formats in which Prometheus reads metrics
 *
 * All carry the same numbers. Native histograms and the time since when things are counted are in
 * the last one only, next to the classic histograms.
 */

enum exposition {
    EXPOSITION_TEXT,        /* Prometheus' text format 0.0.4 */
    EXPOSITION_OPENMETRICS, /* OpenMetrics text 1.0 */
    EXPOSITION_PROTOBUF,    /* io.prometheus.client.MetricFamily, each after its length */
    EXPOSITION_COUNT,
};
