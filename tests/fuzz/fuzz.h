/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * fuzz.h - what a fuzz target is
 *
 * With -Dfuzz=true (clang) each target is a libFuzzer program. Otherwise fuzz_main.c gives it the
 * files of its committed corpus, so that the ordinary test run replays every input that once
 * mattered.
 */

#include <stddef.h>
#include <stdint.h>

/** Take one input of any content; crashes and sanitizer reports are the findings. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
