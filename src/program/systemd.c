/* SPDX-License-Identifier: Apache-2.0 */
#include "program/systemd.h"

#include <systemd/sd-daemon.h>

void systemd_notify(const char *state)
{
    (void)sd_notify(0, state);
}

uint64_t systemd_watchdog_us(void)
{
    uint64_t us = 0;

    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

int systemd_sockets(int *first, char ***names)
{
    *first = SD_LISTEN_FDS_START;
    return sd_listen_fds_with_names(1, names);
}
