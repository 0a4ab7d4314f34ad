/* SPDX-License-Identifier: Apache-2.0 */
/* The families of the window and the watch: who and what, and suspicious patterns. */
#include "count/label_values.h"
#include "collector_internal.h"

static bool is_of_clients(enum top_list list)
{
    return list <= TOP_CLIENT_RESPONSE_BYTES;
}

void scrape_print_key(const struct scrape *scrape, enum top_list list, struct bytes key,
                      char out[TOP_KEY_TEXT_SIZE])
{
    if (is_of_clients(list)) {
        client_key_print(scrape->numbers.privacy, key, out);
    } else {
        dns_name_print(key, out);
    }
}

void show_top(struct visit *visit, enum top_list list, bool error)
{
    const struct scrape *scrape = visit->scrape;
    size_t count = heavy_hitters_top(scrape->numbers.window->lists[list], scrape->top,
                                     scrape->top_size);

    for (size_t i = 0; i < count; i++) {
        const struct heavy_hitter *hitter = &scrape->top[i];
        char key[TOP_KEY_TEXT_SIZE];

        scrape_print_key(scrape, list, hitter->key, key);
        visit->values[0] = key;
        show_integer(visit, error ? hitter->error : hitter->upper);
    }
}

bool scrape_has_list(const struct scrape *scrape, enum top_list list)
{
    return scrape->numbers.window != NULL && scrape->numbers.window->lists[list] != NULL;
}

bool scrape_has_distinct(const struct scrape *scrape, enum distinct_count which)
{
    return scrape->numbers.window != NULL &&
           (scrape->numbers.window->shape.distincts >> which & 1) != 0;
}

void show_top_evictions(struct visit *visit)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (scrape_has_list(visit->scrape, list)) {
            visit->values[0] = top_list_names[list];
            show_integer(visit, visit->scrape->numbers.top_evictions[list]);
        }
    }
}

static void show_distinct(struct visit *visit, enum distinct_count which)
{
    show_integer(visit, (uint64_t)(pane_distinct(visit->scrape->numbers.window, which) + 0.5));
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
    if ((visit->scrape->numbers.detectors >> detector & 1) != 0) {
        visit->values[0] = detector_names[detector];
        show_integer(visit, value);
    }
}

void show_detections(struct visit *visit)
{
    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        show_detector(visit, detector, visit->scrape->numbers.detections[detector].begun);
    }
}

void show_detections_active(struct visit *visit)
{
    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        show_detector(visit, detector, visit->scrape->numbers.detections[detector].lasting);
    }
}

void show_suspects(struct visit *visit)
{
    for (size_t i = 0; i < visit->scrape->numbers.burst_count; i++) {
        const struct burst *burst = &visit->scrape->numbers.bursts[i];
        struct burst_text text;

        burst_print(burst, visit->scrape->numbers.privacy, &text);
        visit->values[0] = detector_names[burst->detector];
        visit->values[1] = text.client;
        visit->values[2] = text.domain;
        show_real(visit, burst->score);
    }
}
