/* SPDX-License-Identifier: Apache-2.0 */
#include "system_calls_internal.h"

#include <errno.h>
#include <stdio.h>

int system_calls_restrict(enum sandbox_mode mode)
{
    (void)mode;
    return -ENOSYS;
}

void system_calls_print(int number, char name[SANDBOX_CALL_SIZE])
{
    (void)snprintf(name, SANDBOX_CALL_SIZE, "%d", number);
}
