/* SPDX-License-Identifier: Apache-2.0 */
/* To be preloaded: of a million allocations, as many fail as FAILING_MALLOC says, once the file
 * that FAILING_MALLOC_FROM names is there. Glibc's own allocations are not led here. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static atomic_uint_fast64_t calls;
static atomic_bool begun;
static uint64_t per_million;
static const char *begin_file;

__attribute__((constructor)) static void read_environment(void)
{
    const char *rate = getenv("FAILING_MALLOC");

    per_million = rate != NULL ? strtoull(rate, NULL, 10) : 0;
    begin_file = getenv("FAILING_MALLOC_FROM");
}

/* Which ones fail is scattered (splitmix64, Steele et al. 2014), and the same in each run of one
 * thread. */
static bool fails(void)
{
    uint64_t z = atomic_fetch_add(&calls, 1) * UINT64_C(0x9e3779b97f4a7c15);

    if (!atomic_load(&begun)) {
        if (begin_file == NULL || access(begin_file, F_OK) < 0) {
            return false;
        }
        atomic_store(&begun, true);
    }
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    if ((z ^ z >> 31) % 1000000 >= per_million) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}
