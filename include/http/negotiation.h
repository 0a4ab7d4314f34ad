/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * negotiation.h - what a client asks for (RFC 9110 section 12.5)
 */

#include <stdbool.h>

#include "expose/exposition.h"

/** The format that `accept`, the value of the header Accept or NULL, asks for: of what we have, the
 * one with the highest weight; of equal ones a named one before a wildcard, which stands for text,
 * and the first before the others. A weight above 1 is 1, a negative one 0, any other that is no
 * number 1. Text where nothing fits, so that every request gets an answer. */
enum exposition negotiate_exposition(const char *accept);

/** Whether `accept_encoding`, the value of the header Accept-Encoding or NULL, asks for gzip. */
bool negotiate_gzip(const char *accept_encoding);
