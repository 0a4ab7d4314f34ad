/* SPDX-License-Identifier: Apache-2.0 */
/* Block lists of many names: memory, time to load, and time to look a name up that is not listed,
 * as a multiple of hashing it, which every query's name is already. Names are looked up in an order
 * that no cache foresees. What is found is compared with a search in the sorted names themselves.
 * Exit status 1 if it differs, or a million names take more than 16 MiB. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/name_list.h"
#include "support/random.h"
#include "support/temp_file.h"
#include "support/wire_name.h"

#define LOOK_UPS   1000000
#define ROUNDS     5 /* the fastest counts */
#define NAME_SIZE  32
#define MEMORY_MAX ((size_t)16 * 1024 * 1024)

struct name {
    uint8_t len;
    uint8_t wire[NAME_SIZE];
};

static const struct hash_key secret = {UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

static struct name *asked;             /* [LOOK_UPS] */
static struct dns_name_suffixes *sums; /* [LOOK_UPS] */

/* Name number `number` of a kind: "L" is listed. */
static void print_name(char kind, uint64_t number, char out[NAME_SIZE])
{
    uint64_t chance = number + 1;
    uint64_t first = random_below(&chance, UINT64_C(1) << 40);

    (void)snprintf(out, NAME_SIZE, "%c%llx.d%llu.example", kind, (unsigned long long)first,
                   (unsigned long long)(number % 1000003));
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **make_list(size_t count, const char *path)
{
    char **names = calloc(count, sizeof *names);
    FILE *file = fopen(path, "w");

    for (size_t i = 0; names != NULL && file != NULL && i < count; i++) {
        char name[NAME_SIZE];
        print_name('l', i, name);
        names[i] = strdup(name);
        (void)fprintf(file, "%s\n", name);
    }
    if (names == NULL || file == NULL || fclose(file) != 0) {
        abort();
    }
    qsort(names, count, sizeof *names, compare_text);
    return names;
}

/* One in `listed` of the names asked for is listed; 0: none. */
static size_t make_asked(size_t count, unsigned listed, char *const *names)
{
    size_t expected = 0;
    uint64_t chance = 7;

    for (size_t i = 0; i < LOOK_UPS; i++) {
        char text[NAME_SIZE];
        char *key = text;
        uint8_t space[DNS_NAME_MAX];
        bool is_listed = listed > 0 && i % listed == 0;
        print_name(is_listed ? 'l' : 'u', random_below(&chance, is_listed ? count : 1000000), text);
        struct bytes wire = wire_name(text, space);
        asked[i].len = (uint8_t)wire.len;
        memcpy(asked[i].wire, wire.data, wire.len);
        expected += bsearch(&key, names, count, sizeof *names, compare_text) != NULL;
    }
    return expected;
}

static double hash_all(void)
{
    uint64_t begin_ns = clock_monotonic_ns();

    for (size_t i = 0; i < LOOK_UPS; i++) {
        dns_name_sum(&secret, (struct bytes){asked[i].wire, asked[i].len}, &sums[i]);
    }
    return (double)(clock_monotonic_ns() - begin_ns) / LOOK_UPS;
}

static double look_up_all(const struct name_list *list, size_t *found)
{
    uint64_t begin_ns = clock_monotonic_ns();

    *found = 0;
    for (size_t i = 0; i < LOOK_UPS; i++) {
        *found += name_list_has(list, &sums[i]);
    }
    return (double)(clock_monotonic_ns() - begin_ns) / LOOK_UPS;
}

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) {
        abort();
    }
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool run(size_t count)
{
    char path[] = "/tmp/block_lists.XXXXXX";
    struct name_list_counts counts;
    struct text error = {0};
    struct name_list *list;

    if (temp_file_make(path) < 0) {
        abort();
    }
    char **names = make_list(count, path);
    size_t before = resident();
    uint64_t begin_ns = clock_monotonic_ns();
    if (name_list_load(&list, &secret, path, count, &counts, &error) < 0) {
        abort();
    }
    double load_s = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
    size_t taken = resident() - before;
    bool sound = counts.names == count && taken <= MEMORY_MAX * (count / 1000000);
    for (unsigned listed = 0; listed <= 10; listed += 10) {
        size_t expected = make_asked(count, listed, names);
        size_t found = 0;
        double hash_ns = 1e9;
        double look_ns = 1e9;
        for (unsigned round = 0; round < ROUNDS; round++) {
            double ns = hash_all();
            hash_ns = ns < hash_ns ? ns : hash_ns;
            ns = look_up_all(list, &found);
            look_ns = ns < look_ns ? ns : look_ns;
        }
        (void)printf(
            "%8zu names  %5.1f MiB  loaded in %4.2f s  %2u %% listed: %5.1f ns, hashing %5.1f "
            "ns, ratio %.2f  %zu of %zu found\n",
            count, (double)taken / 1048576, load_s, listed > 0 ? 100 / listed : 0, look_ns, hash_ns,
            look_ns / hash_ns, found, expected);
        sound &= found == expected;
    }
    name_list_free(list);
    (void)unlink(path);
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return sound;
}

int main(void)
{
    asked = calloc(LOOK_UPS, sizeof *asked);
    sums = calloc(LOOK_UPS, sizeof *sums);
    if (asked == NULL || sums == NULL) {
        return EXIT_FAILURE;
    }
    bool sound = run(1000000);
    sound &= run(5000000);
    free(asked);
    free(sums);
    return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}
