/* SPDX-License-Identifier: Apache-2.0 */
#include "idn_internal.h"

#include <errno.h>

const bool idn_is_available = false;

int idn_to_ascii(const char *name, char **out)
{
    (void)name;
    (void)out;
    return -EINVAL;
}
