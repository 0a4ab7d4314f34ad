/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * page_check.h - strict readers of what the exporter writes, for fuzzing
 *
 * They share no code with the writers and are stricter than Prometheus: a family comes once, a
 * series comes once, buckets add up. One thread at a time.
 */

#include "base/attr.h"
#include "base/bytes.h"

/** What the law of frames is about: frames = queries + responses + rejected + expired. */
struct page_sums {
    uint64_t frames, queries, responses, rejected, expired;
    uint64_t series; /* a histogram is one; 0 in JSON */
};

/** Read a page in Prometheus' text format 0.0.4. Returns NULL, or what is wrong with it; *at is how
 * far it was read then. */
NONNULL MUST_USE const char *page_check_text(struct bytes page, struct page_sums *out, size_t *at);

/** Read a page in OpenMetrics 1.0, likewise. */
NONNULL MUST_USE const char *page_check_openmetrics(struct bytes page, struct page_sums *out,
                                                    size_t *at);

/** Read a page in Prometheus' protobuf format, likewise. */
NONNULL MUST_USE const char *page_check_protobuf(struct bytes page, struct page_sums *out,
                                                 size_t *at);

/** Read a JSON document (RFC 8259) and the end of its line, likewise. The sums are those of the
 * status page. */
NONNULL MUST_USE const char *page_check_json(struct bytes page, struct page_sums *out, size_t *at);
