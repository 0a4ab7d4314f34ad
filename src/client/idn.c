/* SPDX-License-Identifier: Apache-2.0 */
#include "idn_internal.h"

#include <errno.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

const bool idn_is_available = true;

int idn_to_ascii(const char *name, char **out)
{
    char *ascii = NULL;
    int status = idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL);

    if (status != IDN2_OK) {
        return status == IDN2_MALLOC ? -ENOMEM : -EINVAL;
    }
    *out = strdup(ascii);
    idn2_free(ascii);
    return *out != NULL ? 0 : -ENOMEM;
}
