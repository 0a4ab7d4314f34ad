/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/findings.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/block_list_settings.h"
#include "key_index_internal.h"

#define DAY_NS (86400 * NS_PER_SECOND)

struct noted_domain {
    uint64_t key; /* of the detector and the domain */
    uint64_t noted_ns;
};

struct findings {
    size_t capacity;
    size_t count;
    struct finding *active; /* [capacity], the first `count` */
    uint32_t *reported;     /* [capacity]: number of the evaluation that reported it last */
    struct key_index index; /* of the active ones, by detector and key_hash */
    uint32_t evaluation;    /* number of the one under way */
    uint64_t now_ns;
    struct findings_listener listener;
    struct findings_count counts[DETECTOR_COUNT];
    uint64_t note_count;                                   /* so far */
    struct finding_note notes[FINDINGS_NOTES_MAX];         /* the latest */
    struct noted_domain noted_domains[FINDINGS_NOTED_MAX]; /* of the latest */
    uint64_t ended_count;                                  /* so far */
    struct finding ended[FINDINGS_ENDED_MAX];
};

size_t findings_memory(size_t capacity)
{
    const struct findings *none = NULL;

    return sizeof *none + key_index_memory(capacity) +
           capacity * (sizeof *none->active + sizeof *none->reported);
}

int findings_create(struct findings **out, size_t capacity)
{
    struct findings *findings = calloc(1, sizeof *findings);

    if (findings == NULL) {
        return -ENOMEM;
    }
    findings->capacity = capacity;
    findings->active = calloc(capacity + 1, sizeof *findings->active);
    findings->reported = calloc(capacity + 1, sizeof *findings->reported);
    if (findings->active == NULL || findings->reported == NULL ||
        key_index_init(&findings->index, capacity) < 0) {
        findings_free(findings);
        return -ENOMEM;
    }
    *out = findings;
    return 0;
}

void findings_free(struct findings *findings)
{
    if (findings != NULL) {
        free(findings->active);
        free(findings->reported);
        key_index_deinit(&findings->index);
        free(findings);
    }
}

void findings_begin(struct findings *findings, uint64_t now_ns,
                    const struct findings_listener *listener)
{
    findings->evaluation++;
    findings->now_ns = now_ns;
    findings->listener = *listener;
}

static unsigned index_of(const struct detector *detector)
{
    unsigned index = 0;

    while (detector_at(index) != detector) {
        index++;
    }
    return index;
}

/* Findings of different detectors about the same key have different hashes. */
static uint64_t findings_hash_of(unsigned detector, uint64_t key_hash)
{
    return key_hash + detector * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 by the golden ratio */
}

void findings_report(struct findings *findings, const struct finding *finding, bool is_active)
{
    unsigned detector = index_of(finding->detector);
    uint64_t hash = findings_hash_of(detector, finding->key_hash);
    size_t place = key_index_find(&findings->index, hash);
    bool begins = place == KEY_INDEX_NONE;

    if (begins && (!is_active || findings->count == findings->capacity)) {
        return;
    }
    if (begins) {
        place = findings->count++;
        key_index_insert(&findings->index, hash, place);
    }
    struct finding *active = &findings->active[place];
    uint64_t began_ns = begins ? findings->now_ns : active->began_ns;
    uint64_t since_ns = begins || finding->since_ns < active->since_ns ? finding->since_ns
                                                                       : active->since_ns;
    *active = *finding;
    active->since_ns = since_ns;
    active->began_ns = began_ns;
    active->ended_ns = 0;
    if (is_active) {
        findings->reported[place] = findings->evaluation;
    }
    if (begins) {
        findings->counts[detector].begun++;
        findings->counts[detector].active++;
        findings->listener.changed(findings->listener.context, active);
    }
}

void findings_note(struct findings *findings, const struct finding_note *note)
{
    unsigned detector = index_of(note->detector);
    uint64_t number = findings->note_count++;
    struct finding_note *kept = &findings->notes[number % FINDINGS_NOTES_MAX];

    *kept = *note;
    kept->noted_ns = findings->now_ns;
    findings->noted_domains[number % FINDINGS_NOTED_MAX] = (struct noted_domain){
        findings_hash_of(detector, note->domain_hash), findings->now_ns};
    findings->counts[detector].begun++;
    findings->listener.noted(findings->listener.context, kept);
}

bool findings_noted_lately(const struct findings *findings, const struct detector *detector,
                           uint64_t domain_hash)
{
    uint64_t key = findings_hash_of(index_of(detector), domain_hash);

    for (uint64_t age = 1; age <= FINDINGS_NOTED_MAX && age <= findings->note_count; age++) {
        const struct noted_domain *noted =
            &findings->noted_domains[(findings->note_count - age) % FINDINGS_NOTED_MAX];
        if (findings->now_ns - noted->noted_ns >= DAY_NS) {
            break;
        }
        if (noted->key == key) {
            return true;
        }
    }
    return false;
}

const struct finding *findings_find_domain(const struct findings *findings, uint64_t domain_hash)
{
    for (unsigned detector = 0; detector < DETECTOR_COUNT; detector++) {
        size_t place = key_index_find(&findings->index, findings_hash_of(detector, domain_hash));
        if (place != KEY_INDEX_NONE && findings->active[place].client.len == 0 &&
            findings->reported[place] == findings->evaluation) {
            return &findings->active[place];
        }
    }
    return NULL;
}

void findings_end(struct findings *findings)
{
    size_t kept = 0;

    for (size_t i = 0; i < findings->count; i++) {
        struct finding *finding = &findings->active[i];

        if (findings->reported[i] != findings->evaluation) {
            finding->ended_ns = findings->now_ns;
            findings->counts[index_of(finding->detector)].active--;
            findings->ended[findings->ended_count++ % FINDINGS_ENDED_MAX] = *finding;
            findings->listener.changed(findings->listener.context, finding);
            continue;
        }
        if (kept < i) {
            findings->active[kept] = *finding;
            findings->reported[kept] = findings->reported[i];
        }
        kept++;
    }
    if (kept == findings->count) {
        return;
    }
    findings->count = kept;
    key_index_clear(&findings->index);
    for (size_t i = 0; i < kept; i++) {
        const struct finding *finding = &findings->active[i];
        key_index_insert(&findings->index,
                         findings_hash_of(index_of(finding->detector), finding->key_hash), i);
    }
}

struct findings_count findings_count(const struct findings *findings, unsigned detector)
{
    return findings->counts[detector];
}

/* Insert into the list, the highest score first, of which at most `count` are kept. Returns its
 * length. */
static size_t insert_by_score(struct finding *list, size_t listed, size_t count,
                              const struct finding *finding)
{
    size_t place = listed;

    while (place > 0 && finding->score > list[place - 1].score) {
        place--;
    }
    if (place < count) {
        listed += listed < count;
        memmove(&list[place + 1], &list[place], (listed - place - 1) * sizeof list[0]);
        list[place] = *finding;
    }
    return listed;
}

/* Each detector has a share of a list of findings, and each block list. */
#define GROUPS (DETECTOR_COUNT + BLOCK_LISTS_MAX)

static unsigned group_of(const struct finding *finding)
{
    return finding->list[0] != '\0' ? DETECTOR_COUNT + finding->list_number
                                    : index_of(finding->detector);
}

static void count_groups(const struct findings *findings, size_t counts[GROUPS])
{
    for (size_t i = 0; i < findings->count; i++) {
        counts[group_of(&findings->active[i])]++;
    }
}

/* The group with the fewest findings, of those that have some; GROUPS: none has. */
static unsigned smallest_of(const size_t counts[GROUPS])
{
    unsigned smallest = GROUPS;

    for (unsigned i = 0; i < GROUPS; i++) {
        if (counts[i] > 0 && (smallest == GROUPS || counts[i] < counts[smallest])) {
            smallest = i;
        }
    }
    return smallest;
}

static size_t list_group(const struct findings *findings, unsigned group, struct finding *out,
                         size_t count)
{
    size_t listed = 0;

    for (size_t i = 0; i < findings->count; i++) {
        if (group_of(&findings->active[i]) == group) {
            listed = insert_by_score(out, listed, count, &findings->active[i]);
        }
    }
    return listed;
}

/* What groups with few findings leave of their shares, those with many get. */
size_t findings_list(const struct findings *findings, struct finding *out, size_t count)
{
    size_t counts[GROUPS] = {0};
    size_t groups = 0;
    size_t listed = 0;

    count_groups(findings, counts);
    for (unsigned i = 0; i < GROUPS; i++) {
        groups += counts[i] > 0;
    }
    for (; groups > 0; groups--) {
        unsigned group = smallest_of(counts);
        counts[group] = 0;
        listed += list_group(findings, group, out + listed, (count - listed) / groups);
    }
    return listed;
}

size_t findings_list_ended(const struct findings *findings, struct finding *out, size_t count)
{
    size_t listed = 0;

    while (listed < count && listed < FINDINGS_ENDED_MAX && listed < findings->ended_count) {
        size_t number = findings->ended_count - ++listed;
        out[listed - 1] = findings->ended[number % FINDINGS_ENDED_MAX];
    }
    return listed;
}

size_t findings_list_notes(const struct findings *findings, struct finding_note *out, size_t count)
{
    size_t listed = 0;

    while (listed < count && listed < FINDINGS_NOTES_MAX && listed < findings->note_count) {
        uint64_t number = findings->note_count - ++listed;
        out[listed - 1] = findings->notes[number % FINDINGS_NOTES_MAX];
    }
    return listed;
}
