/* SPDX-License-Identifier: Apache-2.0 */
#include "sketch/distinct.h"

#include <math.h>

#define RANK_MAX 65 /* all 64 bits zero, were there no precision */

void distinct_merge(uint8_t *to, const uint8_t *from, unsigned precision)
{
    for (size_t i = 0; i < DISTINCT_SIZE(precision); i++) {
        to[i] = from[i] > to[i] ? from[i] : to[i];
    }
}

/* Ertl's sigma: the correction for registers that are still zero; x is their share. */
static double sigma(double x)
{
    double y = 1;
    double sum = x;
    double before;

    if (x >= 1) {
        return HUGE_VAL;
    }
    do {
        x *= x;
        before = sum;
        sum += x * y;
        y += y;
    } while (sum > before);
    return sum;
}

/* Ertl's tau: the correction for registers at the largest rank; x is the share of the others. */
static double tau(double x)
{
    double y = 1;
    double sum = 1 - x;
    double before;

    if (x <= 0 || x >= 1) {
        return 0;
    }
    do {
        x = sqrt(x);
        before = sum;
        y *= 0.5;
        sum -= (1 - x) * (1 - x) * y;
    } while (sum < before);
    return sum / 3;
}

/* How many registers there are of each rank. Most counters have seen little: eight zeros are one
 * look. */
static void count_ranks(const uint8_t *registers, size_t size, unsigned counts[RANK_MAX + 1])
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t eight;
        memcpy(&eight, registers + i, sizeof eight);
        if (eight == 0) {
            counts[0] += 8;
            continue;
        }
        for (size_t j = i; j < i + 8; j++) {
            counts[registers[j]]++;
        }
    }
}

double distinct_estimate(const uint8_t *registers, unsigned precision)
{
    unsigned counts[RANK_MAX + 1] = {0};
    unsigned largest = 64 - precision + 1;
    double m = (double)DISTINCT_SIZE(precision);

    count_ranks(registers, DISTINCT_SIZE(precision), counts);
    double z = m * tau(1 - counts[largest] / m);
    for (unsigned rank = largest - 1; rank >= 1; rank--) {
        z = 0.5 * (z + counts[rank]);
    }
    z += m * sigma(counts[0] / m);
    return m * m / (2 * M_LN2 * z);
}
