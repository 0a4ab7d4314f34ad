/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ldns_text_internal.h - rare types, whose data ldns prints
 */

#include "base/text.h"
#include "decode/dns_record.h"

/** Whether ldns prints records of the type. None of these types has a name in its data, which ldns
 * would follow through a message in up to 65535 steps, or one whose text depends on the host. */
bool ldns_text_has(uint16_t type);

/** Append the data of a record of such a type. Returns whether it did; it does not where ldns finds
 * the data broken, or memory ran out. Allocates, and costs microseconds. */
NONNULL MUST_USE bool ldns_text_append(const struct dns_record *record, struct text *out);
