/* SPDX-License-Identifier: Apache-2.0 */
#include "nxdomain_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "detect/findings.h"
#include "key_index_internal.h"

#define INTERVALS        NXDOMAIN_INTERVALS
#define INTERVALS_NEEDED 3          /* with failing names, for a burst to begin */
#define BASELINE_RATIO   3          /* of failing names to the baseline */
#define BASELINE_WEIGHT  (1.0 / 30) /* of an interval in the moving average: 5 minutes */
#define BASELINE_NOTHING 0.5        /* failing names a minute that are not worth remembering */

/* Wald's upper bound: ln((1 - misses) / false alarms). */
#define WALD_BOUND log(0.99 / 0.01)

const struct finding_detail nxdomain_details[NXDOMAIN_DETAILS] = {
    {"failing_names_per_minute", DETAIL_REAL},  /* different names that failed, new in the minute */
    {"responses_per_minute", DETAIL_COUNT},     /* NXDOMAIN responses */
    {"existing_names_per_minute", DETAIL_REAL}, /* different names that exist */
    {"normal_per_minute", DETAIL_REAL},         /* failing names a minute before the burst */
    {"clients", DETAIL_REAL},                   /* different clients in ten seconds, of a domain */
};

/* --- Names --- */

void nxdomain_set_example(struct nxdomain_names *names, const struct client_event *event)
{
    names->example_len = (uint8_t)event->name.len;
    names->domain_offset = (uint8_t)(event->suffix.domain.data - event->name.data);
    memcpy(names->example, event->name.data, event->name.len);
}

void nxdomain_add_failing(struct nxdomain_names *names, const struct client_event *event,
                          uint64_t name_hash)
{
    distinct_insert(names->failing, NXDOMAIN_PRECISION, name_hash);
    names->messages++;
    if (names->example_len == 0) {
        nxdomain_set_example(names, event);
    }
}

void nxdomain_names_take_example(struct nxdomain_names *to, const struct nxdomain_names *from)
{
    to->example_len = from->example_len;
    to->domain_offset = from->domain_offset;
    memcpy(to->example, from->example, from->example_len);
}

void nxdomain_names_merge(struct nxdomain_names *to, const struct nxdomain_names *from)
{
    distinct_merge(to->failing, from->failing, NXDOMAIN_PRECISION);
    distinct_merge(to->found, from->found, NXDOMAIN_PRECISION);
    to->messages += from->messages;
    if (to->example_len == 0) {
        nxdomain_names_take_example(to, from);
    }
}

/* --- Parts --- */

struct heavy_hitters_shape nxdomain_shape(const struct nxdomain_kind *kind,
                                          const struct detector_settings *settings)
{
    return (struct heavy_hitters_shape){
        .capacity = settings->capacity,
        .key_max = kind->key_max,
        .payload_size = kind->payload_size,
    };
}

void nxdomain_part_free(void *part)
{
    heavy_hitters_free(part);
}

void nxdomain_part_clear(void *part)
{
    heavy_hitters_clear(part);
}

uint64_t nxdomain_part_overflows(const void *part)
{
    return heavy_hitters_evictions(part);
}

/* --- The tracker --- */

/* A key that comes in, by how much it matters. */
struct candidate {
    double failing;
    size_t position; /* in the interval */
};

struct nxdomain_tracker {
    const struct nxdomain_kind *kind;
    struct detector_settings settings;
    struct heavy_hitters *interval; /* what came in since the last one ended */
    struct tracked_key *keys;       /* [capacity], the first `count` */
    size_t count;
    struct key_index index;       /* of the keys, by hash */
    struct candidate *candidates; /* [interval_room()] */
    size_t *evictable; /* [capacity]: positions of keys, for an interval that finds no room */
    size_t active;
    uint64_t overflows;
    bool started;
};

/* Entries of heavy hitters of this capacity: a third more. */
static size_t interval_room(const struct detector_settings *settings)
{
    return settings->capacity + (settings->capacity + 2) / 3;
}

size_t nxdomain_memory(const struct nxdomain_kind *kind, const struct detector_settings *settings,
                       unsigned parts)
{
    const struct heavy_hitters_shape shape = nxdomain_shape(kind, settings);
    const struct nxdomain_tracker *none = NULL;

    return (parts + (size_t)1) * heavy_hitters_memory(&shape) + sizeof *none +
           key_index_memory(settings->capacity) +
           settings->capacity * (sizeof *none->keys + sizeof *none->evictable) +
           interval_room(settings) * sizeof *none->candidates;
}

int nxdomain_tracker_create(struct nxdomain_tracker **out, const struct nxdomain_kind *kind,
                            const struct detector_settings *settings)
{
    const struct heavy_hitters_shape shape = nxdomain_shape(kind, settings);
    struct nxdomain_tracker *tracker = calloc(1, sizeof *tracker);

    if (tracker == NULL) {
        return -ENOMEM;
    }
    tracker->kind = kind;
    tracker->settings = *settings;
    tracker->keys = calloc(settings->capacity, sizeof *tracker->keys);
    tracker->evictable = calloc(settings->capacity, sizeof *tracker->evictable);
    tracker->candidates = calloc(interval_room(settings), sizeof *tracker->candidates);
    if (!tracker->keys || !tracker->evictable || !tracker->candidates ||
        heavy_hitters_create(&tracker->interval, &shape) < 0 ||
        key_index_init(&tracker->index, settings->capacity) < 0) {
        nxdomain_tracker_free(tracker);
        return -ENOMEM;
    }
    memory_touch(tracker->keys, settings->capacity * sizeof *tracker->keys);
    *out = tracker;
    return 0;
}

void nxdomain_tracker_free(void *context)
{
    struct nxdomain_tracker *tracker = context;

    if (tracker != NULL) {
        heavy_hitters_free(tracker->interval);
        key_index_deinit(&tracker->index);
        free(tracker->keys);
        free(tracker->evictable);
        free(tracker->candidates);
        free(tracker);
    }
}

void nxdomain_tracker_merge(void *context, const void *part)
{
    struct nxdomain_tracker *tracker = context;

    heavy_hitters_merge(tracker->interval, part, tracker->kind->join);
}

bool nxdomain_tracker_is_idle(const void *context)
{
    const struct nxdomain_tracker *tracker = context;

    return tracker->started && tracker->count == 0 && heavy_hitters_size(tracker->interval) == 0;
}

uint64_t nxdomain_tracker_overflows(const void *context)
{
    const struct nxdomain_tracker *tracker = context;

    return tracker->overflows;
}

static double sum(const double values[INTERVALS])
{
    double total = 0;

    for (unsigned i = 0; i < INTERVALS; i++) {
        total += values[i];
    }
    return total;
}

/* --- An interval ends: every key slides on --- */

static void tracked_key_begin_minute(struct tracked_key *key)
{
    struct known_names *failing = &key->failing;

    memcpy(failing->counter, key->failing_this_minute, sizeof failing->counter);
    failing->count = distinct_estimate(failing->counter, NXDOMAIN_PRECISION);
    memset(key->failing_this_minute, 0, sizeof key->failing_this_minute);
    key->found = (struct known_names){.count = 0};
}

static void tracked_key_slide(struct tracked_key *key, bool minute_begins)
{
    if (!key->active) {
        double leaving = key->new_failing[INTERVALS - 1] * INTERVALS;
        key->baseline += (leaving - key->baseline) * BASELINE_WEIGHT;
    }
    for (unsigned i = INTERVALS - 1; i > 0; i--) {
        key->new_failing[i] = key->new_failing[i - 1];
        key->new_found[i] = key->new_found[i - 1];
        key->messages[i] = key->messages[i - 1];
        key->domains[i] = key->domains[i - 1];
    }
    key->new_failing[0] = 0;
    key->new_found[0] = 0;
    key->messages[0] = 0;
    key->domains[0] = 0;
    key->clients = 0;
    if (minute_begins) {
        tracked_key_begin_minute(key);
    }
}

static bool tracked_key_is_forgotten(const struct tracked_key *key)
{
    return !key->active && key->baseline < BASELINE_NOTHING &&
           sum(key->new_failing) < BASELINE_NOTHING;
}

static void tracker_slide(struct nxdomain_tracker *tracker, bool minute_begins)
{
    size_t kept = 0;

    for (size_t i = 0; i < tracker->count; i++) {
        tracked_key_slide(&tracker->keys[i], minute_begins);
        if (tracked_key_is_forgotten(&tracker->keys[i])) {
            continue;
        }
        if (kept < i) {
            tracker->keys[kept] = tracker->keys[i];
        }
        kept++;
    }
    tracker->count = kept;
}

static void tracker_index_keys(struct nxdomain_tracker *tracker)
{
    key_index_clear(&tracker->index);
    for (size_t i = 0; i < tracker->count; i++) {
        key_index_insert(&tracker->index, tracker->keys[i].hash, i);
    }
}

/* --- What came in is taken --- */

/* How many of the names are new; they are no longer. */
static double known_names_add(struct known_names *known, const uint8_t *names)
{
    double before = known->count;

    distinct_merge(known->counter, names, NXDOMAIN_PRECISION);
    known->count = distinct_estimate(known->counter, NXDOMAIN_PRECISION);
    return known->count - before;
}

static void tracked_key_add_example(struct tracked_key *key, struct bytes example)
{
    for (unsigned i = 0; i < FINDING_EXAMPLES_MAX; i++) {
        if (bytes_equal(finding_name_bytes(&key->examples[i]), example)) {
            return;
        }
    }
    memmove(&key->examples[1], &key->examples[0],
            (FINDING_EXAMPLES_MAX - 1) * sizeof key->examples[0]);
    finding_name_set(&key->examples[0], example);
}

static void tracker_take(struct nxdomain_tracker *tracker, struct tracked_key *key,
                         const struct nxdomain_names *names)
{
    key->new_failing[0] = known_names_add(&key->failing, names->failing);
    distinct_merge(key->failing_this_minute, names->failing, NXDOMAIN_PRECISION);
    key->new_found[0] = known_names_add(&key->found, names->found) * tracker->kind->found_weight;
    key->messages[0] = names->messages;
    tracked_key_add_example(key, (struct bytes){names->example, names->example_len});
    tracker->kind->take(key, names);
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;

    return (x->failing < y->failing) - (x->failing > y->failing); /* the largest first */
}

/* Take what is known of keys that are tracked already, and list the others. Returns how many. */
static size_t tracker_take_known(struct nxdomain_tracker *tracker)
{
    size_t candidates = 0;

    for (size_t i = 0; i < heavy_hitters_size(tracker->interval); i++) {
        struct heavy_hitter hitter = heavy_hitters_at(tracker->interval, i);
        const struct nxdomain_names *names = hitter.payload;
        size_t position = key_index_find(&tracker->index, hitter.hash);

        if (position != KEY_INDEX_NONE) {
            tracker_take(tracker, &tracker->keys[position], names);
        } else {
            tracker->candidates[candidates++] = (struct candidate){
                .failing = distinct_estimate(names->failing, NXDOMAIN_PRECISION), .position = i};
        }
    }
    qsort(tracker->candidates, candidates, sizeof tracker->candidates[0], compare_candidates);
    return candidates;
}

static int compare_failing(const void *a, const void *b, void *context)
{
    const struct tracked_key *keys = context;
    double x = sum(keys[*(const size_t *)a].new_failing);
    double y = sum(keys[*(const size_t *)b].new_failing);

    return (x > y) - (x < y); /* the smallest first */
}

/* The keys that may make room, those with the fewest failing names first. Returns how many. */
static size_t tracker_list_evictable(struct nxdomain_tracker *tracker)
{
    size_t count = 0;

    for (size_t i = 0; i < tracker->count; i++) {
        if (!tracker->keys[i].active) {
            tracker->evictable[count++] = i;
        }
    }
    qsort_r(tracker->evictable, count, sizeof tracker->evictable[0], compare_failing,
            tracker->keys);
    return count;
}

static void tracker_track(struct nxdomain_tracker *tracker, size_t position, size_t in_interval)
{
    struct heavy_hitter hitter = heavy_hitters_at(tracker->interval, in_interval);
    struct tracked_key *key = &tracker->keys[position];

    *key = (struct tracked_key){.hash = hitter.hash, .key_len = (uint8_t)hitter.key.len};
    memcpy(key->key, hitter.key.data, hitter.key.len);
    tracker_take(tracker, key, hitter.payload);
}

/* Newcomers with many failing names take the places of keys with fewer, if there is no room. */
static void tracker_take_interval(struct nxdomain_tracker *tracker)
{
    size_t candidates = tracker_take_known(tracker);
    size_t next = 0;

    while (next < candidates && tracker->count < tracker->settings.capacity) {
        tracker_track(tracker, tracker->count++, tracker->candidates[next++].position);
    }
    size_t evictable = next < candidates ? tracker_list_evictable(tracker) : 0;
    for (size_t i = 0; next < candidates && i < evictable; i++) {
        const struct tracked_key *least = &tracker->keys[tracker->evictable[i]];
        if (sum(least->new_failing) >= tracker->candidates[next].failing) {
            break;
        }
        tracker_track(tracker, tracker->evictable[i], tracker->candidates[next++].position);
    }
    tracker->overflows += candidates - next + heavy_hitters_evictions(tracker->interval);
    heavy_hitters_clear(tracker->interval);
}

/* --- Begin and end --- */

/* The log-likelihood ratio of the last minute's names: each name adds the logarithm of how much
 * likelier its fate is in a burst. */
static double log_likelihood_ratio(const struct tracked_key *key, const struct nxdomain_kind *kind)
{
    double failing = log(kind->fails_in_burst / kind->fails_normally);
    double found = log((1 - kind->fails_in_burst) / (1 - kind->fails_normally));

    return sum(key->new_failing) * failing + sum(key->new_found) * found;
}

static unsigned count_intervals(const struct tracked_key *key, double at_least)
{
    unsigned count = 0;

    for (unsigned i = 0; i < INTERVALS; i++) {
        count += key->new_failing[i] >= at_least;
    }
    return count;
}

static bool tracked_key_begins(const struct nxdomain_tracker *tracker,
                               const struct tracked_key *key, const struct findings *findings)
{
    const struct nxdomain_kind *kind = tracker->kind;
    double threshold = tracker->settings.threshold;
    double failing = sum(key->new_failing);

    return failing >= threshold && failing >= BASELINE_RATIO * key->baseline &&
           count_intervals(key, threshold / (2 * INTERVALS)) >= INTERVALS_NEEDED &&
           log_likelihood_ratio(key, kind) >= WALD_BOUND &&
           kind->own_failing(key, findings) >= threshold;
}

static void tracker_decide(struct nxdomain_tracker *tracker, const struct findings *findings)
{
    tracker->active = 0;
    for (size_t i = 0; i < tracker->count; i++) {
        struct tracked_key *key = &tracker->keys[i];
        key->ends = false;
        if (key->active) {
            key->active = sum(key->new_failing) >= tracker->settings.threshold / 2.0;
            key->ends = !key->active;
        } else {
            key->active = tracked_key_begins(tracker, key, findings);
        }
        tracker->active += key->active;
    }
}

static void tracker_end_interval(struct nxdomain_tracker *tracker,
                                 const struct evaluation *evaluation)
{
    uint64_t interval = evaluation->end_ns / NXDOMAIN_INTERVAL_NS;

    if (!tracker->started) { /* the first one was not a whole one: it counts with the next */
        tracker->started = true;
        return;
    }
    tracker_slide(tracker, interval % INTERVALS == 0);
    tracker_index_keys(tracker);
    tracker_take_interval(tracker);
    tracker_decide(tracker, evaluation->findings);
}

static struct finding tracker_finding(const struct nxdomain_tracker *tracker,
                                      const struct tracked_key *key)
{
    struct finding finding = {
        .detector = tracker->kind->detector,
        .key_hash = key->hash,
        .score = sum(key->new_failing) / tracker->settings.threshold,
        .details = {sum(key->new_failing), 0, sum(key->new_found), key->baseline, key->clients},
    };

    for (unsigned i = 0; i < INTERVALS; i++) {
        finding.details[1] += (double)key->messages[i];
    }
    memcpy(finding.examples, key->examples, sizeof finding.examples);
    tracker->kind->identify(key, &finding);
    return finding;
}

static void tracker_report(const struct nxdomain_tracker *tracker, struct findings *findings)
{
    for (size_t i = 0; i < tracker->count; i++) {
        const struct tracked_key *key = &tracker->keys[i];
        if (key->active || key->ends) {
            struct finding finding = tracker_finding(tracker, key);
            findings_report(findings, &finding, key->active);
        }
    }
}

void nxdomain_tracker_evaluate(void *context, const struct evaluation *evaluation)
{
    struct nxdomain_tracker *tracker = context;

    if (evaluation->end_ns % NXDOMAIN_INTERVAL_NS == 0) {
        tracker_end_interval(tracker, evaluation);
        tracker_report(tracker, evaluation->findings);
    } else if (tracker->active > 0) {
        tracker_report(tracker, evaluation->findings);
    }
}
