/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * capture.h - the data frames of the captures in tests/captures, read by libfstrm
 *
 * Libfstrm and not our own stream cutter, so that a test's input does not depend on what it tests.
 */

#include "base/bytes.h"

struct capture {
    struct bytes *frames; /* [count] */
    size_t count;
};

/** Read every *.fstrm file of the folder; ends the process with a message where one cannot be read.
 * The caller frees it with capture_free(). */
struct capture capture_load_folder(const char *folder);

void capture_free(struct capture *capture);
