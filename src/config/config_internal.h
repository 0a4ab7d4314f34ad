/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_internal.h - a configuration that is being put together
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"
#include "yaml_source_internal.h"

struct config_check {
    const struct config_schema *schema;
    struct yaml_source source;               /* its path is NULL: there is no file */
    const struct config_override *overrides; /* [override_count] */
    unsigned override_count;
    void *settings;
    struct text *error;
};

/** The struct of the section's rows in the settings; of a list entry `index`. */
NONNULL void *config_entry_at(const struct config_section *section, const void *settings,
                              unsigned index);

/** Set all rows of one struct to their initial values. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int config_set_defaults(const struct config_section *section, void *base);

/** How many such structs there are: 1, or the list's entries. */
NONNULL unsigned config_entry_count(const struct config_section *section, const void *settings);

/** Set one more entry of the list to its defaults. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int config_add_entry(const struct config_section *section, void *settings);

/** Free what the section's structs hold; of a list there is no entry then. */
NONNULL void config_clear_section(const struct config_section *section, void *settings);

/** The row's member in its struct. */
NONNULL void *config_row_member(const struct config_row *row, const void *base);

/** Read a value, or one item of a list. Returns 0, -EINVAL or -ENOMEM. */
NONNULL MUST_USE int config_row_parse(const struct config_row *row, const char *text, void *base);

/** Set the initial value. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int config_row_set_default(const struct config_row *row, void *base);

/** Add the value as YAML has it: nothing if there is none, or if the key that the row needs has
 *  none. */
NONNULL void config_row_print(const struct config_rows *rows, const struct config_row *row,
                              const void *base, struct text *out);

/** Whether the row's needed key has a value, if it needs one. */
NONNULL bool config_row_applies(const struct config_rows *rows, const struct config_row *row,
                                const void *base);

/** Write "expected EXPECTED, got 'GOT'". Returns -EINVAL. */
NONNULL int config_row_refuse(const struct config_row *row, const char *got, struct text *error);

/** Free the value. */
NONNULL void config_row_clear(const struct config_row *row, void *base);

/** Read the document into the settings. Returns 0, -ENOMEM, or -EINVAL with one line in the
 *  error. */
NONNULL MUST_USE int config_read_document(struct config_check *check);

/** Whether `key` is `section`, or in it. */
NONNULL bool config_is_within(const char *key, const char *section);

/** Add a text of the user's to a message: its first 120 bytes, on one line. */
NONNULL void config_append_quote(struct text *error, const char *text);
