/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * finding_command.h - from a finding to its messages: the command line of `print` that shows them
 *
 * Its filters are the client, the domain and the time of the finding, and what the detector looks
 * at (struct detector). Whoever pastes it into a POSIX shell runs `print` and nothing else: names
 * are chosen by attackers.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"
#include "detect/finding.h"

/** Where messages are that findings are about: files, or the folder of an archive. Borrowed. */
struct recordings {
    char *const *paths; /* [count] */
    size_t count;       /* 0: there are none */
};

/** Append the command line that shows the messages of a finding, whose names as text are in *names.
 * `since_1970_ns`, added to the finding's times, gives the time since 1970. Nothing is appended
 * where there is no such command: there are no recordings, one is standard input or has a path that
 * cannot be shown, or the client is a number, by which `print` cannot find it. */
NONNULL void finding_command_append(const struct finding *finding, const struct finding_text *names,
                                    const struct recordings *recordings, uint64_t since_1970_ns,
                                    struct text *out);
