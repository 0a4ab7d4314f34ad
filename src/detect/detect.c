/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/detect.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "known_domains_internal.h"
#include "name_filter_internal.h"
#include "public_names_internal.h"
#include "set_table_internal.h"

/* A clock that moves on by more is that of another recording. */
#define GAP_MAX_SECONDS 3600

/* A clock that goes back by less is of frames that are late. */
#define LATE_MAX_SECONDS 60

struct detect_part {
    void *parts[DETECTOR_COUNT]; /* NULL: it is off */
};

struct detect {
    void *evaluators[DETECTOR_COUNT]; /* NULL: it is off */
    struct findings *findings;
    struct name_filter *seen; /* of setup; NULL: all are off */
    uint64_t part_overflows[DETECTOR_COUNT];
    bool started;
    uint64_t second; /* number of the evaluation that is next, less one */
};

const struct config_rows detection_rows = CONFIG_ROWS(DETECTION_KEYS, struct detection_settings);

const struct config_rows block_list_limit_rows = CONFIG_ROWS(BLOCK_LIST_LIMIT_KEYS,
                                                             struct detection_settings);

bool detection_is_network(const char *text)
{
    struct network network;

    return network_parse(text, &network);
}

int detection_forwarders(const struct detection_settings *settings, struct network **out,
                         size_t *count)
{
    struct network *networks = calloc(settings->forwarders.count + 1, sizeof *networks);

    if (networks == NULL) {
        return -ENOMEM;
    }
    *count = 0;
    for (size_t i = 0; i < settings->forwarders.count; i++) {
        *count += network_parse(settings->forwarders.items[i], &networks[*count]);
    }
    *out = networks;
    return 0;
}

static const struct detector *const detectors[DETECTOR_COUNT] = {
#define DETECTOR_ADDRESS(name) &detector_##name,
    DETECTORS(DETECTOR_ADDRESS)};

const struct detector *detector_at(unsigned index)
{
    return detectors[index];
}

bool detect_is_on(const struct detect_setup *setup)
{
    bool on = false;

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        on |= setup->detectors[i].enabled;
    }
    return on;
}

int detect_share(struct detect_setup *setup)
{
    struct detector_settings *rebinding = &setup->detectors[DETECTOR_rebinding];
    struct detector_settings *new_domain = &setup->detectors[DETECTOR_new_domain];
    struct name_filter *seen = detect_is_on(setup) ? calloc(1, sizeof *seen) : NULL;

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        setup->detectors[i].seen = seen;
    }
    if (rebinding->enabled) {
        rebinding->public_names = calloc(1, sizeof *rebinding->public_names);
    }
    if (new_domain->enabled) {
        new_domain->known = calloc(1, sizeof *new_domain->known);
    }
    bool made = (seen != NULL || !detect_is_on(setup)) &&
                (rebinding->public_names != NULL || !rebinding->enabled) &&
                (new_domain->known != NULL || !new_domain->enabled);
    return made ? 0 : -ENOMEM;
}

void detect_unshare(struct detect_setup *setup)
{
    free(setup->detectors[0].seen);
    free(setup->detectors[DETECTOR_rebinding].public_names);
    free(setup->detectors[DETECTOR_new_domain].known);
    setup->detectors[DETECTOR_new_domain].known = NULL;
    setup->detectors[DETECTOR_rebinding].public_names = NULL;
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        setup->detectors[i].seen = NULL;
    }
}

/* Every suspect of every detector may be a finding. */
static size_t findings_max(const struct detect_setup *setup)
{
    size_t max = 0;

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        max += setup->detectors[i].enabled ? set_table_count(setup->detectors[i].capacity) : 0;
    }
    return max;
}

size_t detect_memory_of(const struct detect_setup *setup, unsigned parts, unsigned detector)
{
    const struct detector_settings *settings = &setup->detectors[detector];

    return settings->enabled ? detectors[detector]->memory(detectors[detector], settings, parts)
                             : 0;
}

size_t detect_memory_shared(const struct detect_setup *setup, unsigned parts)
{
    return sizeof(struct detect) + parts * sizeof(struct detect_part) +
           findings_memory(findings_max(setup)) +
           (detect_is_on(setup) ? sizeof(struct name_filter) : 0);
}

/* --- The part of a worker --- */

int detect_part_create(struct detect_part **out, const struct detect_setup *setup)
{
    struct detect_part *part = calloc(1, sizeof *part);
    int result = part != NULL ? 0 : -ENOMEM;

    for (unsigned i = 0; i < DETECTOR_COUNT && result == 0; i++) {
        if (setup->detectors[i].enabled) {
            result = detectors[i]->part_create(&part->parts[i], detectors[i], &setup->detectors[i]);
        }
    }
    if (result < 0) {
        detect_part_free(part);
        return result;
    }
    *out = part;
    return 0;
}

void detect_part_free(struct detect_part *part)
{
    for (unsigned i = 0; part != NULL && i < DETECTOR_COUNT; i++) {
        detectors[i]->part_free(part->parts[i]);
    }
    free(part);
}

void detect_part_record(struct detect_part *part, struct client_event *event)
{
    void *const *next = part->parts;

    if (!event->has_name) {
        return;
    }
#define DETECTOR_RECORD(name)                                                                      \
    if (*next != NULL) {                                                                           \
        name##_record(*next, event);                                                               \
    }                                                                                              \
    next++;
    DETECTORS(DETECTOR_RECORD)
}

/* --- Evaluation --- */

int detect_create(struct detect **out, const struct detect_setup *setup)
{
    struct detect *detect = calloc(1, sizeof *detect);
    int result = detect != NULL ? 0 : -ENOMEM;

    if (result == 0) {
        detect->seen = setup->detectors[0].seen;
        result = findings_create(&detect->findings, findings_max(setup));
    }
    for (unsigned i = 0; i < DETECTOR_COUNT && result == 0; i++) {
        if (setup->detectors[i].enabled) {
            result = detectors[i]->evaluator_create(&detect->evaluators[i], detectors[i],
                                                    &setup->detectors[i]);
        }
    }
    if (result < 0) {
        detect_free(detect);
        return result;
    }
    *out = detect;
    return 0;
}

void detect_free(struct detect *detect)
{
    if (detect == NULL) {
        return;
    }
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        detectors[i]->evaluator_free(detect->evaluators[i]);
    }
    findings_free(detect->findings);
    free(detect);
}

bool detect_is_due(const struct detect *detect, uint64_t now_ns)
{
    return now_ns / DETECT_EVALUATION_NS != detect->second;
}

void detect_merge(struct detect *detect, struct detect_part *part, uint64_t now_ns)
{
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        if (part->parts[i] != NULL) {
            detect->part_overflows[i] += detectors[i]->part_overflows(part->parts[i]);
            detectors[i]->merge(detect->evaluators[i], part->parts[i]);
            detectors[i]->part_clear(part->parts[i], detect->evaluators[i], now_ns);
        }
    }
}

static void evaluate_all(struct detect *detect, const struct findings_listener *listener)
{
    const struct evaluation evaluation = {
        .end_ns = detect->second * DETECT_EVALUATION_NS,
        .findings = detect->findings,
    };

    findings_begin(detect->findings, evaluation.end_ns, listener);
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        if (detect->evaluators[i] != NULL) {
            detectors[i]->evaluate(detect->evaluators[i], &evaluation);
        }
    }
    findings_end(detect->findings);
    if (detect->seen != NULL) {
        name_filter_age(detect->seen);
    }
}

/* The clock is that of another recording: nothing of this one goes on. */
static void clear_all(struct detect *detect, const struct findings_listener *listener)
{
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        if (detect->evaluators[i] != NULL) {
            detectors[i]->evaluator_clear(detect->evaluators[i]);
        }
    }
    findings_begin(detect->findings, detect->second * DETECT_EVALUATION_NS, listener);
    findings_end(detect->findings);
}

static bool is_idle(const struct detect *detect)
{
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        if (detect->evaluators[i] != NULL && !detectors[i]->is_idle(detect->evaluators[i])) {
            return false;
        }
    }
    return true;
}

void detect_evaluate(struct detect *detect, uint64_t now_ns,
                     const struct findings_listener *listener)
{
    uint64_t second = now_ns / DETECT_EVALUATION_NS;

    if (!detect->started) {
        detect->started = true;
        detect->second = second;
    }
    bool back = second < detect->second;
    if (back && detect->second - second < LATE_MAX_SECONDS) {
        return;
    }
    if (back || second - detect->second > GAP_MAX_SECONDS) {
        clear_all(detect, listener);
        detect->second = second;
    }
    while (detect->second < second && !is_idle(detect)) {
        detect->second++;
        evaluate_all(detect, listener);
    }
    detect->second = second;
}

const struct findings *detect_findings(const struct detect *detect)
{
    return detect->findings;
}

uint64_t detect_overflows(const struct detect *detect, unsigned detector)
{
    void *evaluator = detect->evaluators[detector];

    return detect->part_overflows[detector] +
           (evaluator != NULL ? detectors[detector]->overflows(evaluator) : 0);
}
