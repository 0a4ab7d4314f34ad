/* SPDX-License-Identifier: Apache-2.0 */
#include "leaky_sum_internal.h"

int leaky_sums_init(struct leaky_sums *sums, size_t count, double leak)
{
    sums->leak = leak;
    return set_table_init(&sums->table, count, sizeof(struct leaky_sum));
}

double leaky_sum_value(const struct leaky_sums *sums, const struct leaky_sum *sum, double second)
{
    double left = sum->entry.weight - second;

    return left > 0 ? left * sums->leak : 0;
}

double leaky_sums_value(const struct leaky_sums *sums, uint64_t key, double second)
{
    const struct leaky_sum *sum = set_table_find(&sums->table, key);

    return sum != NULL ? leaky_sum_value(sums, sum, second) : 0;
}

const struct leaky_sum *leaky_sums_add(struct leaky_sums *sums, uint64_t key, double amount,
                                       double most, uint32_t events, double second)
{
    struct leaky_sum *sum = set_table_take(&sums->table, key, second);
    double value = leaky_sum_value(sums, sum, second);

    sum->events = value > 0 ? sum->events + events : events;
    value += amount;
    if (value > most) {
        value = most;
    }
    sum->entry.weight = second + (value > 0 ? value / sums->leak : 0);
    return sum;
}
