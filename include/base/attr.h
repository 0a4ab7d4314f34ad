/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * attr.h - function attributes under the names that the headers use
 */

/** The result says whether the call worked: ignoring it is a defect. */
#define MUST_USE __attribute__((warn_unused_result))

/** No pointer argument may be NULL. */
#define NONNULL __attribute__((nonnull))

/** printf-like: the format is argument `fmt`, its values start at argument `first`. */
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/** Variadic list that ends in a NULL pointer. */
#define NULL_TERMINATED __attribute__((sentinel))

/** Rarely called: kept out of the code around it. */
#define COLD __attribute__((cold, noinline))

/** Everything that the function calls is compiled into it, but for what is COLD: for what every
 * frame runs through. */
#define FLATTEN __attribute__((flatten))
/** For a function that is faster with registers of its own (measured with
 * tests/bench/instructions.py). */
#define NOINLINE __attribute__((noinline))
