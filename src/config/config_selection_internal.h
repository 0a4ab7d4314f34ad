/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_selection_internal.h - keys that select some of several names: top.lists, distinct.counts
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"
#include "yaml_file_internal.h"

/** Select every name of every key. */
NONNULL void config_selection_all(struct config *config);

/** Select the names in the file, for each key that the file has. Returns 0, or -EINVAL and the
 * mistake in *error. */
NONNULL MUST_USE int config_selection_from_file(struct config *config, const struct yaml_file *file,
                                                struct text *error);

/** Add the key in the section `section`, if it has one, with the names that are selected. */
NONNULL void config_selection_print(const struct config *config, const char *section,
                                    struct text *out);

/** Call `report` with each key whose names differ. */
NONNULL void config_selection_compare(const struct config *a, const struct config *b,
                                      void (*report)(const char *key));
