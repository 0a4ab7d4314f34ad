/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wakeup.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

int wakeup_init(struct wakeup *wakeup)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        return -errno;
    }
    wakeup->fd = fd;
    return 0;
}

void wakeup_deinit(struct wakeup *wakeup)
{
    if (wakeup->fd >= 0) {
        (void)close(wakeup->fd);
    }
}

void wakeup_signal(const struct wakeup *wakeup)
{
    (void)eventfd_write(wakeup->fd, 1);
}

void wakeup_clear(const struct wakeup *wakeup)
{
    eventfd_t count;

    (void)eventfd_read(wakeup->fd, &count);
}

void wakeup_wait(const struct wakeup *wakeup, uint64_t until_ns)
{
    struct pollfd wanted = {.fd = wakeup->fd, .events = POLLIN};

    if (until_ns == UINT64_MAX) {
        (void)poll(&wanted, 1, -1);
        return;
    }
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    const struct timespec left = {
        .tv_sec = (time_t)(left_ns / NS_PER_SECOND),
        .tv_nsec = (long)(left_ns % NS_PER_SECOND),
    };

    (void)ppoll(&wanted, 1, &left, NULL);
}
