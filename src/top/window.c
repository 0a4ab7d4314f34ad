/* SPDX-License-Identifier: Apache-2.0 */
#include "top/window.h"

#include <errno.h>
#include <stdlib.h>

#define ENDED_STEPS (WINDOW_STEPS - 1)

struct slot {
    bool used;
    uint64_t step;
    struct pane *pane;
};

struct window {
    struct slot slots[ENDED_STEPS]; /* a step has its place by its number */
};

size_t window_memory(const struct pane_shape *shape)
{
    return sizeof(struct window) + ENDED_STEPS * pane_memory(shape);
}

int window_create(struct window **out, const struct pane_shape *shape)
{
    struct window *window = calloc(1, sizeof *window);

    if (window == NULL) {
        return -ENOMEM;
    }
    int result = 0;
    for (unsigned i = 0; i < ENDED_STEPS && result == 0; i++) {
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
        for (unsigned i = 0; i < ENDED_STEPS; i++) {
            pane_free(window->slots[i].pane);
        }
        free(window);
    }
}

static bool is_within(uint64_t step, uint64_t now)
{
    return step <= now && now - step <= ENDED_STEPS;
}

void window_add(struct window *window, uint64_t step, uint64_t now, const struct pane *pane)
{
    struct slot *slot = &window->slots[step % ENDED_STEPS];

    if (!is_within(step, now)) {
        return;
    }
    if (!slot->used || slot->step != step) {
        pane_clear(slot->pane);
        slot->used = true;
        slot->step = step;
    }
    pane_add(slot->pane, pane);
}

void window_add_to(const struct window *window, unsigned index, uint64_t now, struct pane *sum)
{
    const struct slot *slot = &window->slots[index];

    if (slot->used && is_within(slot->step, now)) {
        pane_add(sum, slot->pane);
    }
}
