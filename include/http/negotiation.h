/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * negotiation.h - what a client asks for (RFC 9110 section 12.5)
 */

#include <stdbool.h>

#include "expose/exposition.h"

/** The format that `accept`, the value of the header Accept or NULL, asks for: of what we have, the
 * one with the highest weight; of equal ones a named one before a wildcard, which stands for text,
 * and the first before the others. A weight above 1 counts as 1, a
 * negative one as 0, and one that is not a number as 1. Text if nothing fits, so that every request
 * gets a response. */
enum exposition negotiate_exposition(const char *accept);

/** Whether `accept_encoding`, the value of the header Accept-Encoding or NULL, asks for gzip. */
bool negotiate_gzip(const char *accept_encoding);
