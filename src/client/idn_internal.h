/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * idn_internal.h - internationalised domain names (RFC 5891)
 *
 * idn.c is the one with libidn2, idn_none.c the one of builds without it, which leave such names
 * out.
 */

#include <stdbool.h>

#include "base/attr.h"

/** Whether this build can convert. */
extern const bool idn_is_available;

/** Convert a name in UTF-8 to its A-labels. Returns 0 and *out, which the caller frees with free();
 *  -EINVAL, if it is no such name, or -ENOMEM. */
NONNULL MUST_USE int idn_to_ascii(const char *name, char **out);
