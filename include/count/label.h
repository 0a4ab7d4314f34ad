/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * label.h - any bytes as a label value, of bounded length
 */

#include "base/attr.h"
#include "base/bytes.h"

/** The most bytes that a label takes on a page of metrics, where a quote or a backslash takes
 * two. */
#define LABEL_PRINTED_MAX 64

/** Room for any label, its NUL included. */
#define LABEL_SIZE (LABEL_PRINTED_MAX + 1)

/** Write `value` as UTF-8: printable characters are kept, any other byte becomes \xNN. One that is
 * too long is cut and ends in a dash and eight hexadecimal digits, a hash of all of it (FNV-1a, RFC
 * 9923), so that it is the same after a restart. */
NONNULL void label_write(struct bytes value, char label[LABEL_SIZE]);
