/* SPDX-License-Identifier: Apache-2.0 */
/* The families of the window and the watch: who and what, and suspicious patterns. */
#include "label_values_internal.h"
#include "visit_internal.h"

static bool is_of_clients(enum top_list list)
{
    return list <= TOP_CLIENT_RESPONSE_BYTES;
}

void snapshot_print_key(const struct snapshot *snapshot, enum top_list list, struct bytes key,
                        char out[TOP_KEY_TEXT_SIZE])
{
    if (is_of_clients(list)) {
        client_key_print(snapshot->privacy, key, out);
    } else {
        dns_name_print(key, out);
    }
}

void show_top(struct visit *visit, enum top_list list, bool error)
{
    const struct snapshot *snapshot = visit->snapshot;
    size_t count = heavy_hitters_top(snapshot->window->lists[list], snapshot->top,
                                     snapshot->top_size);

    for (size_t i = 0; i < count; i++) {
        const struct heavy_hitter *hitter = &snapshot->top[i];
        char key[TOP_KEY_TEXT_SIZE];

        snapshot_print_key(snapshot, list, hitter->key, key);
        visit->values[0] = key;
        show_integer(visit, error ? hitter->error : hitter->upper);
    }
}

bool snapshot_has_list(const struct snapshot *snapshot, enum top_list list)
{
    return snapshot->window != NULL && snapshot->window->lists[list] != NULL;
}

bool snapshot_has_distinct(const struct snapshot *snapshot, enum distinct_count which)
{
    return snapshot->window != NULL && (snapshot->window->shape.distincts >> which & 1) != 0;
}

void show_top_evictions(struct visit *visit)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (snapshot_has_list(visit->snapshot, list)) {
            visit->values[0] = top_list_labels[list];
            show_integer(visit, visit->snapshot->common->top_evictions[list]);
        }
    }
}

static void show_distinct(struct visit *visit, enum distinct_count which)
{
    show_integer(visit, (uint64_t)(pane_distinct(visit->snapshot->window, which) + 0.5));
}

void show_distinct_clients(struct visit *visit)
{
    visit->values[0] = family_labels[FAMILY_IPV4];
    show_distinct(visit, DISTINCT_CLIENTS_IPV4);
    visit->values[0] = family_labels[FAMILY_IPV6];
    show_distinct(visit, DISTINCT_CLIENTS_IPV6);
}

void show_distinct_qnames(struct visit *visit)
{
    show_distinct(visit, DISTINCT_QNAMES);
}

void show_distinct_nxdomain_qnames(struct visit *visit)
{
    show_distinct(visit, DISTINCT_NXDOMAIN_QNAMES);
}

void show_distinct_domains(struct visit *visit)
{
    show_distinct(visit, DISTINCT_DOMAINS);
}

static void show_detector(struct visit *visit, enum detector detector, uint64_t value)
{
    if ((visit->snapshot->detectors >> detector & 1) != 0) {
        visit->values[0] = detector_labels[detector];
        show_integer(visit, value);
    }
}

void show_detections(struct visit *visit)
{
    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        show_detector(visit, detector, visit->snapshot->detections[detector].begun);
    }
}

void show_detections_active(struct visit *visit)
{
    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        show_detector(visit, detector, visit->snapshot->detections[detector].lasting);
    }
}

void show_suspects(struct visit *visit)
{
    for (size_t i = 0; i < visit->snapshot->burst_count; i++) {
        const struct burst *burst = &visit->snapshot->bursts[i];
        struct burst_text text;

        burst_print(burst, visit->snapshot->privacy, &text);
        visit->values[0] = detector_labels[burst->detector];
        visit->values[1] = text.client;
        visit->values[2] = text.domain;
        show_real(visit, burst->score);
    }
}
