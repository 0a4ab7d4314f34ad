/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * utf8.h - which characters may be shown as they are
 */

#include "base/attr.h"
#include "base/bytes.h"

/** The length of the character of UTF-8 at the beginning, which is shown as itself; 0 where there is
 * none: bytes that are no UTF-8, controls, and what changes the direction or the joining of others
 * without being seen (Unicode's general category Cf). */
NONNULL size_t utf8_shown(struct bytes text);
