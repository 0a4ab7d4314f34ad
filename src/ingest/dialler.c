/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/dialler.h"

static uint64_t next_pause(const struct dialler *dialler)
{
    uint64_t twice = 2 * dialler->pause_ns;

    return dialler->pause_ns == 0         ? DIALLER_PAUSE_MIN_NS
           : twice < DIALLER_PAUSE_MAX_NS ? twice
                                          : DIALLER_PAUSE_MAX_NS;
}

bool dialler_is_due(struct dialler *dialler, uint64_t now_ns)
{
    if (dialler->is_trying || dialler->is_connected || now_ns < dialler->attempt_ns) {
        return false;
    }
    dialler->is_trying = true;
    dialler->pause_ns = next_pause(dialler);
    dialler->attempt_ns = now_ns + dialler->pause_ns;
    return true;
}

void dialler_note_connected(struct dialler *dialler, uint64_t now_ns)
{
    dialler->is_trying = false;
    dialler->is_connected = true;
    dialler->is_reported = false;
    dialler->connected_ns = now_ns;
}

bool dialler_note_failure(struct dialler *dialler)
{
    bool is_new = !dialler->is_reported;

    dialler->is_trying = false;
    dialler->is_reported = true;
    return is_new;
}

void dialler_note_end(struct dialler *dialler, uint64_t now_ns)
{
    dialler->is_connected = false;
    if (now_ns - dialler->connected_ns >= DIALLER_STABLE_NS) {
        dialler->pause_ns = 0;
        dialler->attempt_ns = now_ns;
    }
}
