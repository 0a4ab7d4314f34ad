/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * text.h - a growing text with a sticky error
 *
 * Appends after an allocation failed are no-ops; check `failed` once at the end. One thread owns
 * a text.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

/** Whether the string ends with `ending`. */
NONNULL bool text_ends_with(const char *string, const char *ending);

struct text {
    char *data;   /* owned; NUL-terminated whenever len > 0 */
    size_t len;   /* bytes, without the NUL */
    size_t space; /* bytes allocated */
    bool fixed;   /* it takes no more memory than it has */
    bool full;    /* it failed because it is fixed */
    bool failed;  /* memory ran out: what is here is not the whole text */
};

/** The text, which it owns; "out of memory" where it failed: what is said of an error can always be
 * said. */
NONNULL const char *text_string(const struct text *text);

/** Cut the text back to `len` bytes, of which it had as many; it has not failed any more. */
NONNULL void text_cut(struct text *text, size_t len);

/** Give an empty text `space` bytes, which it never exceeds. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int text_fix(struct text *text, size_t space);

/** Give back the memory that the text does not use. */
NONNULL void text_trim(struct text *text);

/** Empty the text; its memory stays for the next use. */
NONNULL void text_clear(struct text *text);

/** Free the text's memory and empty it. */
NONNULL void text_deinit(struct text *text);

/** Room for `size` bytes more, and where they may be written; NULL where the text has failed. What
 * is written is part of the text when text_added() has said so. */
NONNULL char *text_room(struct text *text, size_t size);

/** The text goes on up to `end`, in the room that text_room() returned. */
NONNULL void text_added(struct text *text, const char *end);

NONNULL void text_append_bytes(struct text *text, struct bytes bytes);
NONNULL void text_append_string(struct text *text, const char *string);
NONNULL void text_append_char(struct text *text, char c);
NONNULL void text_append_u64(struct text *text, uint64_t value);

/** The shortest decimal that reads back as the same double; `+Inf`, `-Inf`, `NaN` as Prometheus
 *  spells them. */
NONNULL void text_append_double(struct text *text, double value);

/** A word that a POSIX shell reads back as `word`, whatever its bytes are: as it is, or in single
 * quotes. */
NONNULL void text_append_shell_word(struct text *text, const char *word);

NONNULL PRINTF_LIKE(2, 3) void text_append_format(struct text *text, const char *format, ...);
