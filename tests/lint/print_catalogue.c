/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the catalogue as JSON, for the checks of documentation, rules and dashboards: name, type,
 * unit, help and labels of each metric, the values of labels that have a table of them, and what
 * the metric needs to be there. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expose/catalogue.h"

static const char *const types[] = {
    [METRIC_TYPE_COUNTER] = "counter",
    [METRIC_TYPE_GAUGE] = "gauge",
    [METRIC_TYPE_HISTOGRAM] = "histogram",
};

static const char *const needs[] = {
    [NEEDS_NOTHING] = "",
    [NEEDS_SERVICE] = "service",
    [NEEDS_PROCESS] = "process",
    [NEEDS_START_TIME] = "start time",
    [NEEDS_OUTPUTS] = "outputs",
    [NEEDS_DIALLED] = "dialled",
    [NEEDS_ARCHIVE] = "archive",
    [NEEDS_LISTS] = "lists",
    [NEEDS_LIST] = "list",
    [NEEDS_DISTINCT] = "distinct",
    [NEEDS_DETECTORS] = "detectors",
    [NEEDS_BLOCK_LISTS] = "block lists",
    [NEEDS_ANSWERS] = "answers",
    [NEEDS_CERTIFICATE] = "certificate",
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

static void add_values(json_t *values, const struct label_values *label)
{
    json_t *texts = json_array();

    for (unsigned i = 0; i < label->count; i++) {
        if (label->texts[i] != NULL) {
            (void)json_array_append_new(texts, json_string(label->texts[i]));
        }
    }
    (void)json_object_set_new(values, label->name, texts);
}

static json_t *values_of(const struct metric_entry *entry)
{
    const char *const *before = metric_scope_labels[entry->scope];
    json_t *values = json_object();

    for (unsigned i = 0; before[i] != NULL; i++) {
        if (strcmp(before[i], label_role.name) == 0) {
            add_values(values, &label_role);
        }
    }
    for (unsigned i = 0; entry->labels[i] != NULL; i++) {
        if (entry->labels[i]->texts != NULL) {
            add_values(values, entry->labels[i]);
        }
    }
    return values;
}

int main(void)
{
    json_t *metrics = json_array();

    for (size_t i = 0; i < metric_catalogue_count; i++) {
        const struct metric_entry *entry = &metric_catalogue[i];
        json_t *metric = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s}", "name", entry->name,
                                   "type", types[entry->type], "unit", entry->unit, "help",
                                   entry->help, "labels", labels_of(entry), "values",
                                   values_of(entry), "needs", needs[entry->needs]);
        (void)json_array_append_new(metrics, metric);
    }
    int result = json_dumpf(metrics, stdout, JSON_INDENT(1));
    json_decref(metrics);
    return result == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
