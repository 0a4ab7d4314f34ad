/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_value.h - values as people write them
 *
 * Each parser takes the text of a value, returns whether it is one, and writes *out only then.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"

/** A decimal whole number. */
NONNULL MUST_USE bool config_parse_number(const char *text, uint64_t *out);

/** A duration in Prometheus' form, "10s", "500ms", "1m30s", in nanoseconds. Units: ms s m h d; "0"
 * needs none. */
NONNULL MUST_USE bool config_parse_duration(const char *text, uint64_t *out);

/** A number of bytes, "65536", "64MiB". Units: KiB MiB GiB TiB. */
NONNULL MUST_USE bool config_parse_size(const char *text, uint64_t *out);

/** Permission bits in octal, "0660". */
NONNULL MUST_USE bool config_parse_mode(const char *text, unsigned *out);

/** A user's or group's number, by name or number. */
NONNULL MUST_USE bool config_parse_user(const char *text, uint32_t *out);
NONNULL MUST_USE bool config_parse_group(const char *text, uint32_t *out);

/** true or false. */
NONNULL MUST_USE bool config_parse_switch(const char *text, bool *out);

/** What config_tcp takes. */
#define CONFIG_EXPECTED_TCP "HOST:PORT or :PORT, an IPv6 address in brackets"

/** Checks of strings (struct config_row): an absolute path, or ""; HOST:PORT; a name
 *  of 1 to 64 letters, digits, '_', '.' and '-', which is a label value that reads well in a log.
 */
NONNULL bool config_is_absolute_path(const char *text);
NONNULL bool config_is_tcp(const char *text);
NONNULL bool config_is_name(const char *text);

#define CONFIG_NAME_SIZE 65 /* of such a name, with its end */

/** What they expect. */
#define CONFIG_EXPECTED_ABSOLUTE_PATH "an absolute path, or \"\""
#define CONFIG_EXPECTED_NAME          "1 to 64 letters, digits, '_', '.' and '-'"

/** Add a text as YAML in double quotes. */
NONNULL void config_print_string(const char *string, struct text *out);

/** Add a duration as it would be read. */
NONNULL void config_print_duration(uint64_t duration_ns, struct text *out);

/** Add a number of bytes as it would be read. */
NONNULL void config_print_size(uint64_t bytes, struct text *out);
