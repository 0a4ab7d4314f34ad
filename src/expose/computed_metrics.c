/* SPDX-License-Identifier: Apache-2.0 */
#include "computed_metrics_internal.h"

#include <string.h>

#include "build_info.h"
#include "collector_internal.h"

/* --- Lists and distinct counts --- */

static void collect_top_value(struct collector *collector, enum top_list list, uint64_t value)
{
    if (scrape_list_is_of_seconds(list)) {
        collector_show_real(collector, scrape_list_seconds(value));
    } else {
        collector_show_integer(collector, value);
    }
}

void collect_top(struct collector *collector)
{
    const struct scrape *scrape = collector->scrape;
    enum top_list list = (enum top_list)collector->entry->which;
    struct series_labels *labels = &collector->labels;
    size_t count = scrape_top(scrape, list, scrape->top_size, scrape->top);

    for (size_t i = 0; i < count; i++) {
        const struct heavy_hitter *hitter = &scrape->top[i];
        const char *server = scrape_key_server(scrape, hitter->key);
        char key[TOP_KEY_TEXT_SIZE];

        scrape_print_key(scrape, list, hitter->key, key);
        labels->count = 0;
        if (server != NULL) {
            labels->names[labels->count] = "server";
            labels->values[labels->count++] = server;
        }
        labels->names[labels->count] = top_list_key_labels[list];
        labels->values[labels->count++] = key;
        collect_top_value(collector, list,
                          collector->entry->is_error ? hitter->error : hitter->upper);
    }
}

void collect_top_evictions(struct collector *collector)
{
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (scrape_has_list(collector->scrape, list)) {
            collector->labels.values[0] = top_list_names[list];
            collector_show_integer(collector, collector->scrape->numbers.view->top_evictions[list]);
        }
    }
}

static void collect_distinct_count(struct collector *collector, enum distinct_count which)
{
    double estimate = pane_distinct(collector->scrape->numbers.view->window, which);

    collector_show_integer(collector, (uint64_t)(estimate + 0.5));
}

void collect_distinct_clients(struct collector *collector)
{
    collector->labels.values[0] = label_family.texts[FAMILY_IPV4];
    collect_distinct_count(collector, DISTINCT_CLIENTS_IPV4);
    collector->labels.values[0] = label_family.texts[FAMILY_IPV6];
    collect_distinct_count(collector, DISTINCT_CLIENTS_IPV6);
}

void collect_distinct(struct collector *collector)
{
    collect_distinct_count(collector, (enum distinct_count)collector->entry->which);
}

/* --- Detectors --- */

static void collect_detector(struct collector *collector, unsigned detector, uint64_t value)
{
    if (collector->scrape->numbers.detect->detectors[detector].enabled) {
        collector->labels.values[0] = detector_at(detector)->name;
        collector_show_integer(collector, value);
    }
}

void collect_detections(struct collector *collector)
{
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        collect_detector(collector, i, collector->scrape->numbers.view->detections[i].begun);
    }
}

void collect_detections_active(struct collector *collector)
{
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        collect_detector(collector, i, collector->scrape->numbers.view->detections[i].active);
    }
}

/* Findings of one client by several lists: the first, which has the highest score, has the series.
 */
static bool is_shown_already(const struct evaluator_view *view, size_t index)
{
    const struct finding *finding = &view->findings[index];

    for (size_t i = 0; i < index && finding->list[0] != '\0'; i++) {
        const struct finding *other = &view->findings[i];
        if (other->list[0] != '\0' && other->client.len == finding->client.len &&
            memcmp(other->client.data, finding->client.data, finding->client.len) == 0) {
            return true;
        }
    }
    return false;
}

void collect_detection_scores(struct collector *collector)
{
    const struct evaluator_view *view = collector->scrape->numbers.view;

    for (size_t i = 0; i < view->finding_count; i++) {
        const struct finding *finding = &view->findings[i];
        struct finding_text text;

        if (is_shown_already(view, i)) {
            continue;
        }
        finding_print(finding, collector->scrape->numbers.host_privacy, &text);
        collector->labels.values[0] = finding->detector->name;
        collector->labels.values[1] = text.client;
        collector->labels.values[2] = text.domain;
        collector_show_real(collector, finding->score);
    }
}

/* --- Block lists --- */

static const struct block_list_state *begin_list(struct collector *collector, unsigned list)
{
    const struct block_list_state *state = &collector->scrape->numbers.block_lists[list];

    collector->labels.values[0] = state->settings->name;
    return state;
}

void collect_block_list_hits(struct collector *collector)
{
    const struct snapshot *numbers = &collector->scrape->numbers;

    for (unsigned i = 0; i < numbers->block_list_count; i++) {
        (void)begin_list(collector, i);
        collector_show_integer(collector, numbers->global->block_list_hits[i]);
    }
}

void collect_block_list_names(struct collector *collector)
{
    for (unsigned i = 0; i < collector->scrape->numbers.block_list_count; i++) {
        collector_show_integer(collector, begin_list(collector, i)->counts.names);
    }
}

void collect_block_list_lines(struct collector *collector)
{
    for (unsigned i = 0; i < collector->scrape->numbers.block_list_count; i++) {
        collector_show_integer(collector, begin_list(collector, i)->counts.unsupported);
    }
}

void collect_block_list_times(struct collector *collector)
{
    for (unsigned i = 0; i < collector->scrape->numbers.block_list_count; i++) {
        collector_show_real(collector, begin_list(collector, i)->loaded_seconds);
    }
}

void collect_block_list_findings(struct collector *collector)
{
    const struct evaluator_view *view = collector->scrape->numbers.view;

    for (size_t i = 0; i < view->finding_count; i++) {
        const struct finding *finding = &view->findings[i];
        struct finding_text text;

        if (finding->list[0] != '\0') {
            finding_print(finding, collector->scrape->numbers.host_privacy, &text);
            collector->labels.values[0] = finding->list;
            collector->labels.values[1] = text.client;
            collector->labels.values[2] = finding->severity;
            collector_show_real(collector, finding->score);
        }
    }
}

/* --- The exporter --- */

void collect_connections(struct collector *collector)
{
    const struct scrape *scrape = collector->scrape;

    for (unsigned input = 0; input < scrape->input_count; input++) {
        if (scrape->inputs[input].is_removed) {
            continue;
        }
        collector->labels.values[0] = scrape->input_labels[input];
        collector_show_integer(collector,
                               input_counters_connections(&scrape->numbers.sum->inputs[input]));
    }
}

void collect_build_info(struct collector *collector)
{
    collector->labels.values[0] = BUILD_VERSION;
    collector->labels.values[1] = BUILD_REVISION;
    collector->labels.values[2] = BUILD_COMPILER;
    collector_show_integer(collector, 1);
}
