/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * gzip_internal.h - smaller pages
 */

#include "base/attr.h"
#include "base/text.h"

/** Compress `plain` into *packed, which is cleared first (RFC 1952). Returns 0 or -ENOMEM. */
NONNULL MUST_USE int gzip_pack(const struct text *plain, struct text *packed);
