/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_allow_internal.h - the names that detectors leave alone
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"
#include "yaml_file_internal.h"

/** Set the names that are allowed: the known ones, if config->allow_known says so, and those of the
 * file, which is NULL or has keys. Returns 0, or -EINVAL and what is wrong where in *error, or
 * -ENOMEM. */
MUST_USE int config_allow_names(struct config *config, const struct yaml_file *file,
                                struct text *error);

/** Add the key and its list, without the known names. */
NONNULL void config_allow_print(const struct config *config, struct text *out);
