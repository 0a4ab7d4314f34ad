/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the catalogue as JSON, for the checks of documentation, rules and dashboards: name, type,
 * unit, help and labels of each metric. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "expose/catalogue.h"

static const char *const types[] = {
    [METRIC_TYPE_COUNTER] = "counter",
    [METRIC_TYPE_GAUGE] = "gauge",
    [METRIC_TYPE_HISTOGRAM] = "histogram",
};

static json_t *labels_of(const struct metric_entry *entry)
{
    const char *const *before = metric_scope_labels[entry->scope];
    json_t *labels = json_array();

    for (unsigned i = 0; before[i] != NULL; i++) {
        (void)json_array_append_new(labels, json_string(before[i]));
    }
    for (unsigned i = 0; entry->labels[i] != NULL; i++) {
        (void)json_array_append_new(labels, json_string(entry->labels[i]->name));
    }
    return labels;
}

int main(void)
{
    json_t *metrics = json_array();

    for (size_t i = 0; i < metric_catalogue_count; i++) {
        const struct metric_entry *entry = &metric_catalogue[i];
        json_t *metric = json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", entry->name, "type",
                                   types[entry->type], "unit", entry->unit, "help", entry->help,
                                   "labels", labels_of(entry));
        (void)json_array_append_new(metrics, metric);
    }
    int result = json_dumpf(metrics, stdout, JSON_INDENT(1));
    json_decref(metrics);
    return result == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
