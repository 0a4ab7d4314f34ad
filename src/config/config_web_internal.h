/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_web_internal.h - where the web server listens
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"
#include "yaml_file_internal.h"

/** Take the addresses of the file. Returns 0, or -EINVAL and what is wrong where in *error, or
 *  -ENOMEM. */
NONNULL MUST_USE int config_web_from_file(struct config *config, const struct yaml_file *file,
                                          struct text *error);

/** Put those of --web.listen-address in their place; where neither names one, every address.
 * Returns as config_web_from_file(). */
NONNULL MUST_USE int config_web_choose(struct config *config, const struct config_flags *flags,
                                       struct text *error);

/** Add the key and its list. */
NONNULL void config_web_print(const struct config *config, struct text *out);

/** Take all addresses away. */
NONNULL void config_web_free(struct config *config);
