/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * label.h - any bytes as a label value
 */

#include "base/attr.h"
#include "base/bytes.h"

/** Room for the label of `len` bytes, its NUL included: a byte becomes at most \xNN. */
#define LABEL_SIZE(len) (4 * (len) + 1)

/** Write `value` as UTF-8: printable characters are kept, any other byte becomes \xNN. `label` has
 *  LABEL_SIZE(value.len) bytes. */
NONNULL void label_write(struct bytes value, char *label);
