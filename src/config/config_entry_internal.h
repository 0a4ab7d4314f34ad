/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_entry_internal.h - what entries of the file's lists have in common
 */

#include <stdbool.h>

#include "base/attr.h"
#include "base/text.h"
#include "yaml_source_internal.h"

/** An entry that is checked, and where errors are reported. */
struct config_entry {
    const struct yaml_source *source;
    const char *list; /* its key */
    unsigned index;
    struct text *error;
};

/** Complain about a member's value, or about the whole entry where `member` is "". Returns -EINVAL.
 */
NONNULL int config_entry_refuse(const struct config_entry *entry, const char *member,
                                const char *expected, const char *got);
NONNULL int config_entry_report(const struct config_entry *entry, const char *member,
                                const char *why);

/** Complain about a flag's value. Returns -EINVAL. */
NONNULL int config_flag_refuse(struct text *error, const char *flag, const char *expected,
                               const char *got);

/** Write "expected EXPECTED, got 'GOT'". Returns -EINVAL. */
NONNULL int config_expected(struct text *error, const char *expected, const char *got);

#define EXPECTED_ADDRESS     "HOST:PORT or :PORT, an IPv6 address in brackets"
#define EXPECTED_SOCKET_PATH "an absolute path of at most 107 bytes"
#define EXPECTED_NAME        "1 to 64 letters, digits, '_', '.' and '-'"

/** Whether two strings are the same; NULL is like nothing, not even another NULL. */
bool config_alike(const char *a, const char *b);

/** Whether it is a path for a unix socket. */
NONNULL bool config_is_socket_path(const char *path);

/** Whether it is a label value that also reads well in a log line. */
NONNULL bool config_is_name(const char *name);
