/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * yaml_print_internal.h - values in YAML
 */

#include "base/attr.h"
#include "base/text.h"

/** Add a string in double quotes (YAML 1.1, 5.7), any bytes but NUL. */
NONNULL void yaml_print_string(const char *string, struct text *out);
