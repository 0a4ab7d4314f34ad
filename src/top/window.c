/* SPDX-License-Identifier: Apache-2.0 */
#include "top/window.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
    bool used;
    bool trimmed;
    uint64_t step;
    struct pane *pane;
};

struct window {
    struct slot slots[WINDOW_STEPS]; /* a step has its place by its number */
    struct pane *ended;              /* the sum of the steps before `ended_at` */
    bool is_summed;
    uint64_t ended_at;
    uint64_t evictions[TOP_LIST_COUNT];
};

size_t window_memory(const struct pane_shape *shape)
{
    return sizeof(struct window) + (WINDOW_STEPS + 1) * pane_memory(shape);
}

int window_create(struct window **out, const struct pane_shape *shape)
{
    struct window *window = calloc(1, sizeof *window);

    if (window == NULL) {
        return -ENOMEM;
    }
    int result = pane_create(&window->ended, shape);
    for (unsigned i = 0; i < WINDOW_STEPS && result == 0; i++) {
        result = pane_create(&window->slots[i].pane, shape);
    }
    if (result < 0) {
        window_free(window);
        return result;
    }
    *out = window;
    return 0;
}

void window_free(struct window *window)
{
    if (window != NULL) {
        for (unsigned i = 0; i < WINDOW_STEPS; i++) {
            pane_free(window->slots[i].pane);
        }
        pane_free(window->ended);
        free(window);
    }
}

static bool is_within(uint64_t step, uint64_t now)
{
    return step <= now && now - step < WINDOW_STEPS;
}

void window_merge(struct window *window, uint64_t step, uint64_t now, const struct pane *pane)
{
    struct slot *slot = &window->slots[step % WINDOW_STEPS];

    if (!is_within(step, now)) {
        return;
    }
    if (!slot->used || slot->step != step) {
        pane_clear(slot->pane);
        slot->used = true;
        slot->trimmed = false;
        slot->step = step;
    }
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        window->evictions[list] += pane_evictions(pane, list) - pane_evictions(slot->pane, list);
    }
    pane_merge(slot->pane, pane);
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        window->evictions[list] += pane_evictions(slot->pane, list);
    }
    window->is_summed &= step == window->ended_at;
}

/* When a step has ended: what is kept for the whole window is worth it. */
static void slot_trim(struct slot *slot)
{
    if (!slot->trimmed) {
        pane_trim(slot->pane);
        slot->trimmed = true;
    }
}

static void window_sum_ended(struct window *window, uint64_t now)
{
    pane_clear(window->ended);
    for (unsigned i = 0; i < WINDOW_STEPS; i++) {
        struct slot *slot = &window->slots[i];
        if (slot->used && slot->step != now && is_within(slot->step, now)) {
            slot_trim(slot);
            pane_merge(window->ended, slot->pane);
        }
    }
    window->is_summed = true;
    window->ended_at = now;
}

void window_sum(struct window *window, uint64_t now, struct pane *out)
{
    const struct slot *current = &window->slots[now % WINDOW_STEPS];

    if (!window->is_summed || window->ended_at != now) {
        window_sum_ended(window, now);
    }
    pane_copy(out, window->ended);
    if (current->used && current->step == now) {
        pane_merge(out, current->pane);
    }
}

uint64_t window_evictions(const struct window *window, enum top_list list)
{
    return window->evictions[list];
}
