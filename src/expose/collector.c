/* SPDX-License-Identifier: Apache-2.0 */
#include "collector_internal.h"

/* --- One row and one table --- */

/* Whether a number or a histogram that is shown only then has counted anything. */
static bool has_counted(enum metric_value value, const void *place)
{
    return value == VALUE_HISTOGRAM ? histogram_count(place) > 0 : *(const uint64_t *)place > 0;
}

static void collector_show_value(struct collector *collector, const void *place)
{
    const struct metric_entry *entry = collector->entry;

    switch (entry->value) {
    case VALUE_U64:
        collector_show_integer(collector, *(const uint64_t *)place);
        break;
    case VALUE_ATOMIC_U64:
        collector_show_integer(
            collector, atomic_load_explicit((const _Atomic uint64_t *)place, memory_order_relaxed));
        break;
    case VALUE_BOOL:
        collector_show_integer(collector, *(const bool *)place);
        break;
    case VALUE_ATOMIC_BOOL:
        collector_show_integer(
            collector, atomic_load_explicit((const atomic_bool *)place, memory_order_relaxed));
        break;
    case VALUE_F64:
        collector_show_real(collector, *(const double *)place);
        break;
    case VALUE_HISTOGRAM:
        collector->encoder->histogram(collector->context, entry, &collector->labels, place);
        break;
    }
}

/* Show the series of the dimensions that are left: those of `own` and what follows it, whose values
 * begin at position `at`. */
static void collector_show_values(struct collector *collector,
                                  const struct label_values *const *own, unsigned at,
                                  const char *place)
{
    const struct metric_entry *entry = collector->entry;
    const struct code_label_texts *codes = collector->scrape->numbers.codes;
    const struct label_values *label = own[0];

    if (label == NULL) {
        collector_show_value(collector, place);
        return;
    }
    bool twice = own[1] != NULL && own[1]->shares_index;
    const struct label_values *const *inner = own + (twice ? 2 : 1);
    size_t stride = metric_value_size(entry->value) * (*inner != NULL ? (*inner)->count : 1);

    for (unsigned i = 0; i < label->count; i++, place += stride) {
        char room[2][DNS_MNEMONIC_SIZE];

        if (*inner == NULL && entry->shown == SHOWN_COUNTED && !has_counted(entry->value, place)) {
            continue; /* before its text is asked for */
        }
        collector->labels.values[at] = label_values_text(label, codes, i, room[0]);
        if (twice) {
            collector->labels.values[at + 1] = label_values_text(own[1], codes, i, room[1]);
        }
        if (collector->labels.values[at] != NULL) {
            collector_show_values(collector, inner, at + 1 + twice, place);
        }
    }
}

static void collector_show_row(struct collector *collector, unsigned at, const void *table)
{
    collector_show_values(collector, collector->entry->labels, at,
                          (const char *)table + collector->entry->offset);
}

/* --- The tables of each scope --- */

static void collector_set_created(struct collector *collector, uint64_t created_ns)
{
    if (collector->encoder->set_created != NULL) {
        collector->encoder->set_created(collector->context, created_ns);
    }
}

/* `counts` are those of the server and role, `table` has the row's numbers. */
static bool is_shown_of(const struct server_counters *counts, const struct metric_entry *entry,
                        const void *table)
{
    const void *place = (const char *)table + entry->offset;

    switch (entry->shown) {
    case SHOWN_WITH_QUERIES:
        return server_counters_messages(counts, KIND_QUERY) > 0 || has_counted(entry->value, place);
    case SHOWN_WITH_RESPONSES:
        return server_counters_messages(counts, KIND_RESPONSE) > 0 ||
               has_counted(entry->value, place);
    case SHOWN_ALWAYS:
    case SHOWN_COUNTED:
        break;
    }
    return true;
}

static void collector_show_server_and_role(struct collector *collector, unsigned server,
                                           enum role role)
{
    const struct snapshot *numbers = &collector->scrape->numbers;
    const struct metric_entry *entry = collector->entry;
    const struct server_counters *counts = &numbers->sum->servers[counters_index(server, role)];
    const void *table = counts;

    if (entry->scope == SCOPE_ANSWERS) {
        table = counters_of_answers(numbers->sum, server, role);
    }
    if (entry->scope == SCOPE_STREAM) {
        unsigned flags = stream_states_flags(numbers->streams, stream_index(server, role));
        collector_show_integer(collector, (flags & entry->which) != 0);
    } else if (is_shown_of(counts, entry, table)) {
        collector_show_row(collector, 2, table);
    }
}

static void collector_show_roles(struct collector *collector, unsigned server)
{
    const struct counters *sum = collector->scrape->numbers.sum;

    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (sum->in_use[counters_index(server, role)]) {
            collector->labels.values[1] = label_role.texts[role];
            collector_show_server_and_role(collector, server, role);
        }
    }
}

static void collector_show_servers(struct collector *collector)
{
    const struct scrape *scrape = collector->scrape;

    for (unsigned server = 0; server < scrape->numbers.sum->server_count; server++) {
        collector->labels.values[0] = scrape->numbers.servers[server].label;
        collector_set_created(collector, scrape_server_created_ns(scrape, server));
        if (collector->entry->scope == SCOPE_SERVER) {
            collector_show_row(collector, 1, &scrape->numbers.sum->policies[server]);
        } else {
            collector_show_roles(collector, server);
        }
    }
    collector_set_created(collector, scrape->created_ns);
}

static bool has_gauges(enum metric_scope scope, const struct input_gauges *input)
{
    return !input->is_removed &&
           (scope == SCOPE_INPUT_GAUGES || (scope == SCOPE_DIALLED) == input->endpoint.is_dialled);
}

static void collector_show_inputs(struct collector *collector)
{
    const struct scrape *scrape = collector->scrape;

    for (unsigned input = 0; input < scrape->input_count; input++) {
        collector->labels.values[0] = scrape->input_labels[input];
        if (collector->entry->scope == SCOPE_INPUT) {
            collector_show_row(collector, 1, &scrape->numbers.sum->inputs[input]);
        } else if (has_gauges(collector->entry->scope, &scrape->inputs[input])) {
            collector_show_row(collector, 1, &scrape->inputs[input]);
        }
    }
}

static void collector_show_outputs(struct collector *collector)
{
    for (unsigned i = 0; i < collector->scrape->output_count; i++) {
        collector->labels.values[0] = collector->scrape->output_labels[i];
        collector_show_row(collector, 1, &collector->scrape->outputs[i]);
    }
}

static void collector_show_formats(struct collector *collector)
{
    for (enum exposition format = 0; format < EXPOSITION_COUNT; format++) {
        collector->labels.values[0] = exposition_names[format];
        collector_show_row(collector, 1, &collector->scrape->formats[format]);
    }
}

static void collector_show_tables(struct collector *collector)
{
    switch (collector->entry->scope) {
    case SCOPE_SERVER_ROLE:
    case SCOPE_ANSWERS:
    case SCOPE_STREAM:
    case SCOPE_SERVER:
        collector_show_servers(collector);
        break;
    case SCOPE_INPUT:
    case SCOPE_INPUT_GAUGES:
    case SCOPE_LISTENING:
    case SCOPE_DIALLED:
        collector_show_inputs(collector);
        break;
    case SCOPE_OUTPUT:
        collector_show_outputs(collector);
        break;
    case SCOPE_ARCHIVE:
        collector_show_row(collector, 0, collector->scrape->archive);
        break;
    case SCOPE_FORMAT:
        collector_show_formats(collector);
        break;
    case SCOPE_GLOBAL:
        collector_show_row(collector, 0, collector->scrape->numbers.global);
        break;
    case SCOPE_EXPORTER:
        collector_show_row(collector, 0, collector->scrape);
        break;
    case SCOPE_FUNCTION:
    case SCOPE_COUNT:
        collector->entry->collect(collector);
        break;
    }
}

/* --- All rows --- */

static bool has_dialled_input(const struct scrape *scrape)
{
    for (unsigned i = 0; i < scrape->input_count; i++) {
        if (has_gauges(SCOPE_DIALLED, &scrape->inputs[i])) {
            return true;
        }
    }
    return false;
}

/* What is off in the configuration, or has no meaning in a file, is not shown. */
static bool has_needs(const struct scrape *scrape, const struct metric_entry *entry)
{
    switch (entry->needs) {
    case NEEDS_NOTHING:
        break;
    case NEEDS_SERVICE:
        return scrape->of_service;
    case NEEDS_PROCESS:
        return scrape->has_process;
    case NEEDS_START_TIME:
        return scrape->has_process && scrape->process.has_start_time;
    case NEEDS_OUTPUTS:
        return scrape->output_count > 0;
    case NEEDS_DIALLED:
        return scrape->of_service && has_dialled_input(scrape);
    case NEEDS_ARCHIVE:
        return scrape->archive != NULL;
    case NEEDS_LISTS:
        return scrape->numbers.view != NULL && scrape->numbers.view->window->shape.lists != 0;
    case NEEDS_LIST:
        return scrape_has_list(scrape, (enum top_list)entry->which);
    case NEEDS_DISTINCT:
        return scrape_has_distinct(scrape, (enum distinct_count)entry->which);
    case NEEDS_ANSWERS:
        return scrape->numbers.sum->answers != NULL;
    case NEEDS_CERTIFICATE:
        return scrape->has_certificate;
    case NEEDS_BLOCK_LISTS:
        return scrape->numbers.block_list_count > 0;
    case NEEDS_DETECTORS:
        return scrape->numbers.view != NULL && detect_is_on(scrape->numbers.detect);
    }
    return true;
}

static void collector_begin_family(struct collector *collector, const struct metric_entry *entry)
{
    const char *const *before = metric_scope_labels[entry->scope];
    struct series_labels *labels = &collector->labels;

    collector->entry = entry;
    labels->count = 0;
    for (unsigned i = 0; before[i] != NULL; i++) {
        labels->names[labels->count++] = before[i];
    }
    for (unsigned i = 0; entry->labels[i] != NULL; i++) {
        labels->names[labels->count++] = entry->labels[i]->name;
    }
    collector->encoder->begin_family(collector->context, entry);
}

void collector_run(const struct scrape *scrape, const struct encoder *encoder, void *context)
{
    struct collector collector = {.scrape = scrape, .encoder = encoder, .context = context};

    for (size_t i = 0; i < metric_catalogue_count; i++) {
        if (has_needs(scrape, &metric_catalogue[i])) {
            collector_begin_family(&collector, &metric_catalogue[i]);
            collector_show_tables(&collector);
        }
    }
}
