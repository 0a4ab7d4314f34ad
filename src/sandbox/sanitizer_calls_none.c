/* SPDX-License-Identifier: Apache-2.0 */
#include "system_calls_internal.h"

#include <stddef.h>

const char *const sanitizer_calls[] = {NULL};

const char *const sanitizer_paths[] = {NULL};
