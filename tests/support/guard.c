/* SPDX-License-Identifier: Apache-2.0 */
#include "support/guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard guard_create(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t usable = (size + page - 1) / page * page;
    uint8_t *start = mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);

    if (start == MAP_FAILED || mprotect(start + usable, page, PROT_NONE) < 0) {
        abort();
    }
    return (struct guard){start, usable};
}

void guard_free(struct guard *guard)
{
    (void)munmap(guard->start, guard->size + (size_t)sysconf(_SC_PAGESIZE));
}

struct bytes guard_place(const struct guard *guard, struct bytes bytes)
{
    uint8_t *place = guard->start + guard->size - bytes.len;

    if (bytes.len > 0) {
        memcpy(place, bytes.data, bytes.len);
    }
    return (struct bytes){place, bytes.len};
}
