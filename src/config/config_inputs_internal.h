/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_inputs_internal.h - the inputs among the settings
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"
#include "yaml_file_internal.h"

/** Add the inputs of the file's list. Returns 0, or -EINVAL and what is wrong where in *error, or
 *  -ENOMEM. */
NONNULL MUST_USE int config_inputs_from_file(struct config *config, const struct yaml_file *file,
                                             struct text *error);

/** Add the inputs of --input.unix and --input.tcp. Returns as config_inputs_from_file(). */
NONNULL MUST_USE int config_inputs_from_flags(struct config *config,
                                              const struct config_flags *flags, struct text *error);

/** Add one that has been checked and for which there is room; `path` or `address` is NULL. Strings
 *  are copied. Returns 0 and *out, owned by the configuration, or -ENOMEM. */
MUST_USE int config_inputs_add(struct config *config, const char *name, const char *path,
                               const char *address, struct config_input **out);

/** Take all inputs away. */
NONNULL void config_inputs_free(struct config *config);

/** Add the key and its list. */
NONNULL void config_inputs_print(const struct config *config, struct text *out);
