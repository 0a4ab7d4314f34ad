/* SPDX-License-Identifier: Apache-2.0 */
#include "top_json_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "label_values_internal.h"

/* Jansson's constructors give NULL without memory, and its packing takes a NULL for a failure: so
 * each function here returns NULL where something failed, and the caller passes that on. */

#define REAL_DIGITS 6 /* of shares and scores; estimates are good for fewer */

static json_t *entry_of(const struct snapshot *snapshot, enum top_list list, const char *label,
                        const struct heavy_hitter *hitter)
{
    uint64_t total = heavy_hitters_total(snapshot->window->lists[list]);
    char key[TOP_KEY_TEXT_SIZE];

    snapshot_print_key(snapshot, list, hitter->key, key);
    return json_pack("{s:s, s:I, s:I, s:f}", label, key, "value", (json_int_t)hitter->upper,
                     "error", (json_int_t)hitter->error, "share",
                     (double)hitter->upper / (double)total);
}

static json_t *entries_of(const struct snapshot *snapshot, enum top_list list, size_t limit,
                          struct heavy_hitter *top)
{
    const char *label = metric_catalogue[METRIC_TOP_CLIENT_QUERIES + list].labels[0];
    size_t count = heavy_hitters_top(snapshot->window->lists[list], top, limit);
    json_t *entries = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(entries, entry_of(snapshot, list, label, &top[i])) < 0) {
            json_decref(entries);
            return NULL;
        }
    }
    return entries;
}

static json_t *list_of(const struct snapshot *snapshot, enum top_list list, size_t limit,
                       struct heavy_hitter *top)
{
    const struct heavy_hitters *keys = snapshot->window->lists[list];

    return json_pack("{s:I, s:I, s:o}", "total", (json_int_t)heavy_hitters_total(keys),
                     "unlisted_at_most", (json_int_t)heavy_hitters_absent(keys), "entries",
                     entries_of(snapshot, list, limit, top));
}

static json_t *lists_of(const struct snapshot *snapshot, size_t limit, struct heavy_hitter *top)
{
    json_t *lists = json_object();

    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        if (snapshot->window->lists[list] != NULL &&
            json_object_set_new(lists, top_list_labels[list], list_of(snapshot, list, limit, top)) <
                0) {
            json_decref(lists);
            return NULL;
        }
    }
    return lists;
}

static json_t *distincts_of(const struct snapshot *snapshot)
{
    static const char *const names[DISTINCT_COUNT_COUNT] = {
        [DISTINCT_CLIENTS_IPV4] = "clients_ipv4",
        [DISTINCT_CLIENTS_IPV6] = "clients_ipv6",
        [DISTINCT_QNAMES] = "qnames",
        [DISTINCT_NXDOMAIN_QNAMES] = "nxdomain_qnames",
        [DISTINCT_DOMAINS] = "domains",
    };
    json_t *counts = json_object();

    for (enum distinct_count which = 0; which < DISTINCT_COUNT_COUNT; which++) {
        json_int_t count = (json_int_t)(pane_distinct(snapshot->window, which) + 0.5);
        if ((snapshot->window->shape.distincts >> which & 1) != 0 &&
            json_object_set_new(counts, names[which], json_integer(count)) < 0) {
            json_decref(counts);
            return NULL;
        }
    }
    return counts;
}

static json_t *examples_of(const struct burst_text *text)
{
    json_t *examples = json_array();

    for (unsigned i = 0; i < BURST_EXAMPLES && text->examples[i][0] != '\0'; i++) {
        if (json_array_append_new(examples, json_string(text->examples[i])) < 0) {
            json_decref(examples);
            return NULL;
        }
    }
    return examples;
}

static json_t *burst_of(const struct snapshot *snapshot, const struct burst *burst)
{
    struct burst_text text;

    burst_print(burst, snapshot->privacy, &text);
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:I, s:o}", "detector",
                     detector_labels[burst->detector], "client", text.client, "domain", text.domain,
                     "score", burst->score, "failing_names_per_minute", burst->failing,
                     "existing_names_per_minute", burst->found, "normal_per_minute", burst->normal,
                     "clients", burst->clients, "responses_per_minute", (json_int_t)burst->messages,
                     "examples", examples_of(&text));
}

static json_t *bursts_of(const struct snapshot *snapshot)
{
    json_t *bursts = json_array();

    for (size_t i = 0; i < snapshot->burst_count; i++) {
        if (json_array_append_new(bursts, burst_of(snapshot, &snapshot->bursts[i])) < 0) {
            json_decref(bursts);
            return NULL;
        }
    }
    return bursts;
}

static json_t *document_of(const struct snapshot *snapshot, size_t limit, struct heavy_hitter *top)
{
    double seconds = (double)snapshot->window_ns / (double)NS_PER_SECOND;

    if (snapshot->window == NULL) { /* all of it is off in the configuration */
        return json_pack("{s:f, s:{}, s:{}, s:[]}", "window_seconds", seconds, "lists", "distinct",
                         "suspects");
    }
    return json_pack("{s:f, s:o, s:o, s:o}", "window_seconds", seconds, "lists",
                     lists_of(snapshot, limit, top), "distinct", distincts_of(snapshot), "suspects",
                     bursts_of(snapshot));
}

static int add_piece(const char *piece, size_t len, void *page)
{
    text_add_bytes(page, (struct bytes){(const uint8_t *)piece, len});
    return 0;
}

int top_json_write(const struct snapshot *snapshot, size_t limit, struct text *page)
{
    struct heavy_hitter *top = calloc(limit + 1, sizeof *top);
    json_t *document = top != NULL ? document_of(snapshot, limit, top) : NULL;
    bool dumped = document != NULL &&
                  json_dump_callback(document, add_piece, page,
                                     JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) == 0;

    text_add_char(page, '\n');
    json_decref(document);
    free(top);
    return dumped && !page->failed ? 0 : -ENOMEM;
}
