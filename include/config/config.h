/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config.h - settings from rows: built-in defaults, then a file, then the command line
 *
 * The engine knows no key. A program gives it sections of rows (config/config_row.h) and a struct
 * for the values. Every key has a default, so that no file at all works. A mistake is one message
 * that names file, line and key, or the flag, and says what was expected.
 */

#include "base/attr.h"
#include "base/text.h"
#include "config/config_row.h"

struct config_check;

/** Keys that belong together. */
struct config_section {
    const char *title; /* of its part in the manual; NULL: it goes on with the one before */
    const char *help;  /* sentences before the keys; NULL: none */
    const struct config_rows *rows;
    size_t offset; /* of their struct in the settings; of a list that of an array of them */

    /* Of a list of mappings, which has a key of its own. */
    const char *list; /* "inputs", "a.b.list"; NULL: the rows' keys are the file's */
    unsigned max;     /* entries */
    bool live;        /* the list may change while the program runs */
    size_t entry_size;
    size_t count_offset; /* of their number in the settings, an unsigned */

    /** Check what the rows cannot say, or complete the settings. Returns 0, -ENOMEM, or what
     *  config_refuse() returns. NULL: nothing to check. */
    int (*check)(const struct config_check *check, void *settings);
    /** Whether the section is printed; NULL: always. */
    bool (*is_on)(const void *settings);
};

/** All sections of a kind of file, in its order. */
struct config_schema {
    const struct config_section *sections; /* [count] */
    unsigned count;
    size_t size; /* of the settings */
};

/** A setting from the command line. Borrowed. Of a list, `key` is that of a member
 *  ("inputs.unix"): the first such setting replaces the list, and each adds an entry. */
struct config_override {
    const char *key;  /* as in the file, sections joined by dots: "log.level" */
    const char *flag; /* for messages, without its dashes: "log.level" */
    const char *value;
};

/** Put the settings together: defaults, the file at `path` (NULL: none), then
 *  `overrides[override_count]`. Returns 0 and *settings, a struct of schema->size bytes, for
 *  config_deinit(); or -EINVAL and one line in *error, without a newline; or -ENOMEM. */
MUST_USE int config_load(const struct config_schema *schema, const char *path,
                         const struct config_override *overrides, unsigned override_count,
                         void *settings, struct text *error);

/** Free what the settings hold, which are all zero then; all-zero ones are fine. */
NONNULL void config_deinit(const struct config_schema *schema, void *settings);

/** Move what may change while the program runs (struct config_row's `live`) from `fresh` to
 *  `running`; what that had is in `fresh` then. Call `needs_restart` with the key of each other
 *  setting that differs, which stays as it is; of a list that differs, all is moved where the list
 * is live, and nothing otherwise. */
NONNULL void config_adopt(const struct config_schema *schema, void *running, void *fresh,
                          void (*needs_restart)(const char *key));

/** Add the settings to *out as a file that would give the same, with secrets as `<secret>`. */
NONNULL void config_print(const struct config_schema *schema, const void *settings,
                          struct text *out);

/* --- In a section's check --- */

/** Report a mistake at `key`, such as "inputs[1].tcp" or "tls_server_config.cert", or at the flag
 *  that set it. A key that is absent has the line of its mapping. Returns -EINVAL. */
NONNULL int config_refuse(const struct config_check *check, const char *key, const char *why);

/** The same for a value: "expected EXPECTED, got 'GOT'". */
NONNULL int config_refuse_value(const struct config_check *check, const char *key,
                                const char *expected, const char *got);

/** Whether the file has the key, and its line, or 0. */
NONNULL size_t config_line(const struct config_check *check, const char *key);

/** Whether the command line has set the key. */
NONNULL bool config_is_from_flag(const struct config_check *check, const char *key);

/** The file's path, or NULL. */
NONNULL const char *config_file_path(const struct config_check *check);
