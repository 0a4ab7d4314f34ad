/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_outputs_internal.h - the outputs among the settings
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"
#include "yaml_file_internal.h"

/** Add the outputs of the file's list; the inputs are there already. Returns 0, or -EINVAL and what
 * is wrong where in *error, or -ENOMEM. */
NONNULL MUST_USE int config_outputs_from_file(struct config *config, const struct yaml_file *file,
                                              struct text *error);

/** Add the key and its list, if there are any. */
NONNULL void config_outputs_print(const struct config *config, struct text *out);

/** Take all outputs away. */
NONNULL void config_outputs_free(struct config *config);
