/* SPDX-License-Identifier: Apache-2.0 */
/* Print the thresholds of the health indicators: name, value, alert; a line for each alert. */
#include <stdio.h>

#include "health_internal.h"

int main(void)
{
    for (unsigned i = 0; i < HEALTH_THRESHOLD_COUNT; i++) {
        const struct health_threshold *threshold = &health_thresholds[i];

        (void)printf("%s %g %s\n", threshold->name, threshold->warning, threshold->alert);
        if (threshold->critical_alert != NULL) {
            (void)printf("%s %g %s\n", threshold->name, threshold->critical,
                         threshold->critical_alert);
        }
    }
    return 0;
}
