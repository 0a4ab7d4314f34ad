/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name_filter_internal.h"

/* --- Parts --- */

int evidence_part_create(void **out, const struct detector *detector,
                         const struct detector_settings *settings)
{
    const struct evidence_kind *kind = detector->kind;
    struct evidence_part *part = calloc(1, sizeof *part);

    if (part == NULL || set_table_init(&part->table, kind->places, kind->entry_size) < 0) {
        evidence_part_free(part);
        return -ENOMEM;
    }
    part->seen = settings->seen;
    part->public_names = settings->public_names;
    part->threshold = settings->threshold;
    *out = part;
    return 0;
}

void evidence_part_free(void *context)
{
    struct evidence_part *part = context;

    if (part != NULL) {
        set_table_deinit(&part->table);
        free(part);
    }
}

void evidence_part_clear(void *context, const void *from, uint64_t now_ns)
{
    const struct evidence *evidence = from;
    struct evidence_part *part = context;

    set_table_clear(&part->table);
    part->table.evictions = 0;
    part->held.count = 0;
    part->minute = now_ns / (60 * NS_PER_SECOND);
    memcpy(part->followed, evidence->followed, sizeof part->followed);
}

uint64_t evidence_part_overflows(const void *part)
{
    return ((const struct evidence_part *)part)->table.evictions;
}

bool evidence_hold(struct evidence_part *part, struct client_event *event, uint64_t key,
                   double weight)
{
    size_t outside_len = client_event_outside_len(event);

    if (outside_len == 0) {
        return false;
    }
    uint64_t outside_hash = client_event_outside_hash(event, outside_len);
    const struct held_name name = {key, name_filter_hash(NAME_FILTER_QUERIED, outside_hash, 0),
                                   weight};
    return held_names_add(&part->held, &name);
}

/* --- The evaluator --- */

int evidence_create(void **out, const struct detector *detector,
                    const struct detector_settings *settings)
{
    const struct evidence_kind *kind = detector->kind;
    struct evidence *evidence = calloc(1, sizeof *evidence);

    if (evidence == NULL) {
        return -ENOMEM;
    }
    evidence->kind = kind;
    evidence->settings = *settings;
    if (leaky_sums_init(&evidence->sums, kind->sums, kind->leak) < 0 ||
        set_table_init(&evidence->merged, kind->places, kind->entry_size) < 0 ||
        set_table_init(&evidence->suspects, set_table_count(settings->capacity),
                       kind->suspect_size) < 0) {
        evidence_free(evidence);
        return -ENOMEM;
    }
    *out = evidence;
    return 0;
}

void evidence_free(void *context)
{
    struct evidence *evidence = context;

    if (evidence != NULL) {
        set_table_deinit(&evidence->suspects);
        set_table_deinit(&evidence->sums.table);
        set_table_deinit(&evidence->merged);
        free(evidence);
    }
}

void evidence_clear(void *context)
{
    struct evidence *evidence = context;

    set_table_clear(&evidence->suspects);
    set_table_clear(&evidence->sums.table);
    set_table_clear(&evidence->merged);
    evidence->fresh.count = 0;
    evidence->held.count = 0;
    memset(evidence->followed, 0, sizeof evidence->followed);
}

static void add_held(void *context, const struct held_name *name)
{
    struct evidence *evidence = context;

    evidence->kind->add_held(set_table_take(&evidence->merged, name->key, 0), name);
}

void evidence_merge(void *context, const void *from)
{
    struct evidence *evidence = context;
    const struct evidence_part *part = from;

    for (size_t i = 0; i < part->table.count && part->table.used > 0; i++) {
        const struct set_entry *entry = set_table_at(&part->table, i);
        if (entry != NULL) {
            evidence->kind->join(set_table_take(&evidence->merged, entry->key, 0), entry);
        }
    }
    for (unsigned i = 0; i < part->held.count; i++) {
        if (!held_names_add(&evidence->fresh, &part->held.names[i])) {
            add_held(evidence, &part->held.names[i]);
        }
    }
}

void evidence_evaluate(struct evidence *evidence, const struct evaluation *evaluation)
{
    uint64_t second = evaluation->end_ns / NS_PER_SECOND;

    evidence->second = (double)second;
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        void *suspect = set_table_at(&evidence->suspects, i);
        if (suspect != NULL && !evidence->kind->keeps(evidence, suspect)) {
            set_table_remove(&evidence->suspects, suspect);
        }
    }
    held_names_release(&evidence->held, evidence->settings.seen, add_held, evidence);
    evidence->held = evidence->fresh;
    evidence->fresh.count = 0;
    for (size_t i = 0; i < evidence->merged.count && evidence->merged.used > 0; i++) {
        const void *entry = set_table_at(&evidence->merged, i);
        if (entry != NULL) {
            evidence->kind->take(evidence, entry);
        }
    }
    set_table_clear(&evidence->merged);
}

void evidence_evaluate_and_report(void *context, const struct evaluation *evaluation)
{
    struct evidence *evidence = context;

    evidence_evaluate(evidence, evaluation);
    for (size_t i = 0; i < evidence->suspects.count; i++) {
        const void *suspect = set_table_at(&evidence->suspects, i);
        if (suspect != NULL) {
            evidence->kind->report(evidence, suspect, evaluation->findings);
        }
    }
}

bool evidence_keeps_sum(const struct evidence *evidence, uint64_t key, bool is_active, bool *ends)
{
    bool has_leaked = leaky_sums_value(&evidence->sums, key, evidence->second) <= 0;
    bool keeps = !*ends && (is_active || !has_leaked);

    *ends = is_active && has_leaked;
    return keeps;
}

bool evidence_keeps_recent(const struct evidence *evidence, double last_second,
                           double quiet_seconds, bool *ends)
{
    bool ended = *ends;

    *ends = evidence->second - last_second >= quiet_seconds;
    return !ended;
}

bool evidence_is_idle(const void *context)
{
    const struct evidence *evidence = context;

    return evidence->suspects.used == 0 && evidence->merged.used == 0 && evidence->held.count == 0;
}

uint64_t evidence_overflows(const void *context)
{
    const struct evidence *evidence = context;

    return evidence->merged.evictions + evidence->suspects.evictions +
           evidence->sums.table.evictions;
}

size_t evidence_memory(const struct detector *detector, const struct detector_settings *settings,
                       unsigned parts)
{
    const struct evidence_kind *kind = detector->kind;
    size_t table = set_table_memory(kind->places, kind->entry_size);

    return parts * (sizeof(struct evidence_part) + table) + sizeof(struct evidence) + table +
           set_table_memory(kind->sums, sizeof(struct leaky_sum)) +
           set_table_memory(set_table_count(settings->capacity), kind->suspect_size) +
           kind->shared_size;
}
