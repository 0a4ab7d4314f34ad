/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/watch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define INTERVALS         6          /* a minute: what is judged together */
#define INTERVALS_NEEDED  3          /* with failing names, for a burst to begin */
#define RATIO             3          /* to the normal */
#define NORMAL_WEIGHT     (1.0 / 30) /* of an interval in the moving average: 5 minutes */
#define NORMAL_NOTHING    0.5        /* failing names a minute that are not worth remembering */
#define INTERVALS_AN_HOUR 360

/* What is believed of names, and the steps of the walk that follow from it. */
struct belief {
    double normally; /* the probability that a name fails */
    double in_burst;
    double found_weight; /* names that exist stand for so many: they may be sampled */
};

const char *const detector_names[DETECTOR_COUNT] = {
    [DETECTOR_NXDOMAIN_CLIENT] = "nxdomain_client",
    [DETECTOR_NXDOMAIN_DOMAIN] = "nxdomain_domain",
};

static const struct belief beliefs[DETECTOR_COUNT] = {
    [DETECTOR_NXDOMAIN_CLIENT] = {0.2, 0.6, 1},
    [DETECTOR_NXDOMAIN_DOMAIN] = {0.6, 0.95, EVIDENCE_SAMPLING},
};

/* Wald's upper bound: ln((1 - misses) / false alarms). */
#define WALK_BOUND log(0.99 / 0.01)

/* Names that were there before, and how many, about. */
struct known_names {
    uint8_t counter[DISTINCT_SIZE(EVIDENCE_PRECISION)];
    double count;
};

/* A client or a domain. Of the arrays by interval, [0] is the latest. */
struct suspect {
    uint8_t key_len;
    uint8_t key[DNS_NAME_MAX];
    bool lasting;
    uint64_t began_ns;
    /* A failing name is new that was not there in this minute or the one before: what fails again
     * and again is no news. A name that exists counts in each minute. */
    uint8_t failing_this_minute[DISTINCT_SIZE(EVIDENCE_PRECISION)];
    struct known_names failing; /* of this minute and the one before */
    struct known_names found;   /* of this minute */
    double new_failing[INTERVALS];
    double new_found[INTERVALS];
    uint64_t messages[INTERVALS];
    double normal; /* new failing names a minute, in the minutes before the last */
    double clients;
    uint64_t domains[INTERVALS]; /* hash of the one that won a client's vote */
    struct watch_name domain;    /* the latest, or when the burst began; empty: no single one */
    struct watch_name examples[BURST_EXAMPLES]; /* the latest first */
};

/* What one detector watches. Hashes apart, to be found quickly. */
struct detection {
    size_t count;
    uint64_t *hashes;         /* [capacity] */
    struct suspect *suspects; /* [capacity] */
    double no_room; /* in this interval there is no room for so few failing names, nor for fewer */
    uint64_t begun;
    uint64_t overflows;
    size_t lasting;
};

struct watch {
    struct watch_setup setup;
    bool started;
    uint64_t interval;        /* number of the one under way */
    struct evidence evidence; /* of the one that ends */
    struct detection detections[DETECTOR_COUNT];
};

size_t watch_memory(const struct watch_setup *setup)
{
    const struct detection *none = NULL;

    return sizeof(struct watch) + evidence_memory(setup->capacity) +
           DETECTOR_COUNT * setup->capacity * (sizeof *none->hashes + sizeof *none->suspects);
}

int watch_create(struct watch **out, const struct watch_setup *setup)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL) {
        return -ENOMEM;
    }
    watch->setup = *setup;
    int result = evidence_init(&watch->evidence, setup->capacity);
    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        struct detection *detection = &watch->detections[detector];
        detection->hashes = calloc(setup->capacity, sizeof *detection->hashes);
        detection->suspects = calloc(setup->capacity, sizeof *detection->suspects);
        if (detection->hashes == NULL || detection->suspects == NULL) {
            result = -ENOMEM;
        } else {
            memory_touch(detection->suspects, setup->capacity * sizeof *detection->suspects);
        }
    }
    if (result < 0) {
        watch_free(watch);
        return result;
    }
    *out = watch;
    return 0;
}

void watch_free(struct watch *watch)
{
    if (watch != NULL) {
        evidence_deinit(&watch->evidence);
        for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
            free(watch->detections[detector].hashes);
            free(watch->detections[detector].suspects);
        }
        free(watch);
    }
}

void watch_add(struct watch *watch, const struct evidence *evidence)
{
    evidence_add(&watch->evidence, evidence);
}

static double sum(const double values[INTERVALS])
{
    double total = 0;

    for (unsigned i = 0; i < INTERVALS; i++) {
        total += values[i];
    }
    return total;
}

/* --- An interval ends: everybody grows older --- */

static void begin_minute(struct suspect *suspect)
{
    struct known_names *failing = &suspect->failing;

    memcpy(failing->counter, suspect->failing_this_minute, sizeof failing->counter);
    failing->count = distinct_estimate(failing->counter, EVIDENCE_PRECISION);
    memset(suspect->failing_this_minute, 0, sizeof suspect->failing_this_minute);
    suspect->found = (struct known_names){.count = 0};
}

static void grow_older(struct suspect *suspect, bool minute_begins)
{
    if (!suspect->lasting) {
        double leaving = suspect->new_failing[INTERVALS - 1] * INTERVALS;
        suspect->normal += (leaving - suspect->normal) * NORMAL_WEIGHT;
    }
    for (unsigned i = INTERVALS - 1; i > 0; i--) {
        suspect->new_failing[i] = suspect->new_failing[i - 1];
        suspect->new_found[i] = suspect->new_found[i - 1];
        suspect->messages[i] = suspect->messages[i - 1];
        suspect->domains[i] = suspect->domains[i - 1];
    }
    suspect->new_failing[0] = 0;
    suspect->new_found[0] = 0;
    suspect->messages[0] = 0;
    suspect->domains[0] = 0;
    suspect->clients = 0;
    if (minute_begins) {
        begin_minute(suspect);
    }
}

static bool is_forgotten(const struct suspect *suspect)
{
    return !suspect->lasting && suspect->normal < NORMAL_NOTHING &&
           sum(suspect->new_failing) < NORMAL_NOTHING;
}

static void grow_all_older(struct detection *detection, bool minute_begins)
{
    size_t kept = 0;

    detection->no_room = 0;
    for (size_t i = 0; i < detection->count; i++) {
        grow_older(&detection->suspects[i], minute_begins);
        if (is_forgotten(&detection->suspects[i])) {
            continue;
        }
        if (kept < i) {
            detection->suspects[kept] = detection->suspects[i];
            detection->hashes[kept] = detection->hashes[i];
        }
        kept++;
    }
    detection->count = kept;
}

/* --- Evidence comes in --- */

/* The one that matters least and may make room for `failing` new failing names; NULL: none. */
static struct suspect *find_least(struct detection *detection, double failing)
{
    struct suspect *least = NULL;
    double fewest = failing;

    if (failing <= detection->no_room) {
        return NULL;
    }
    for (size_t i = 0; i < detection->count; i++) {
        struct suspect *suspect = &detection->suspects[i];
        double count = sum(suspect->new_failing);
        if (!suspect->lasting && count < fewest) {
            fewest = count;
            least = suspect;
        }
    }
    if (least == NULL) {
        detection->no_room = failing;
    }
    return least;
}

static struct suspect *add_suspect(struct detection *detection, size_t capacity,
                                   const struct heavy_hitter *hitter, double failing)
{
    struct suspect *suspect = detection->count < capacity ? &detection->suspects[detection->count++]
                                                          : find_least(detection, failing);

    if (suspect == NULL) {
        detection->overflows++;
        return NULL;
    }
    *suspect = (struct suspect){.key_len = (uint8_t)hitter->key.len};
    memcpy(suspect->key, hitter->key.data, hitter->key.len);
    detection->hashes[suspect - detection->suspects] = hitter->hash;
    return suspect;
}

static struct suspect *find_suspect(const struct detection *detection, uint64_t hash)
{
    for (size_t i = 0; i < detection->count; i++) {
        if (detection->hashes[i] == hash) {
            return &detection->suspects[i];
        }
    }
    return NULL;
}

/* How many of the names are new; they are no longer. */
static double count_new(struct known_names *known, const uint8_t *names)
{
    double before = known->count;

    distinct_merge(known->counter, names, EVIDENCE_PRECISION);
    known->count = distinct_estimate(known->counter, EVIDENCE_PRECISION);
    return known->count - before;
}

static struct bytes name_bytes(const struct watch_name *name)
{
    return (struct bytes){name->data, name->len};
}

static void set_name(struct watch_name *name, struct bytes value)
{
    name->len = (uint8_t)value.len;
    memcpy(name->data, value.data, value.len);
}

static void add_example(struct suspect *suspect, struct bytes example)
{
    for (unsigned i = 0; i < BURST_EXAMPLES; i++) {
        if (bytes_equal(name_bytes(&suspect->examples[i]), example)) {
            return;
        }
    }
    memmove(&suspect->examples[1], &suspect->examples[0],
            (BURST_EXAMPLES - 1) * sizeof suspect->examples[0]);
    set_name(&suspect->examples[0], example);
}

/* Returns the suspect; NULL where there was no room. */
static struct suspect *take_names(struct watch *watch, enum detector detector,
                                  const struct heavy_hitter *hitter,
                                  const struct evidence_names *names)
{
    struct detection *detection = &watch->detections[detector];
    struct suspect *suspect = find_suspect(detection, hitter->hash);

    if (suspect == NULL) {
        suspect = add_suspect(detection, watch->setup.capacity, hitter,
                              distinct_estimate(names->failing, EVIDENCE_PRECISION));
    }
    if (suspect != NULL) {
        suspect->new_failing[0] = count_new(&suspect->failing, names->failing);
        distinct_merge(suspect->failing_this_minute, names->failing, EVIDENCE_PRECISION);
        suspect->new_found[0] = count_new(&suspect->found, names->found) *
                                beliefs[detector].found_weight;
        suspect->messages[0] = names->messages;
        add_example(suspect, (struct bytes){names->example, names->example_len});
    }
    return suspect;
}

/* Votes that are left after half of them spoke against it: three quarters of the failures. */
static void note_domain(struct suspect *suspect, const struct client_evidence *client)
{
    size_t offset = client->names.domain_offset;
    struct bytes domain = {client->names.example + offset, client->names.example_len - offset};
    bool one_domain = 2 * client->domain_votes >= client->names.messages;

    suspect->domains[0] = client->domain_hash;
    if (!suspect->lasting) { /* what is shown of a burst does not change */
        set_name(&suspect->domain, one_domain ? domain : (struct bytes){domain.data, 0});
    }
}

static void take_clients(struct watch *watch)
{
    const struct heavy_hitters *clients = watch->evidence.clients;

    for (size_t i = 0; i < heavy_hitters_size(clients); i++) {
        struct heavy_hitter hitter = heavy_hitters_at(clients, i);
        const struct client_evidence *client = hitter.payload;
        struct suspect *suspect = take_names(watch, DETECTOR_NXDOMAIN_CLIENT, &hitter,
                                             &client->names);
        if (suspect != NULL) {
            note_domain(suspect, client);
        }
    }
}

static void take_domains(struct watch *watch)
{
    const struct heavy_hitters *domains = watch->evidence.domains;

    for (size_t i = 0; i < heavy_hitters_size(domains); i++) {
        struct heavy_hitter hitter = heavy_hitters_at(domains, i);
        const struct domain_evidence *domain = hitter.payload;
        struct suspect *suspect = take_names(watch, DETECTOR_NXDOMAIN_DOMAIN, &hitter,
                                             &domain->names);
        if (suspect != NULL) {
            suspect->clients = distinct_estimate(domain->clients, EVIDENCE_SAMPLED_PRECISION);
        }
    }
}

/* --- Judgement --- */

/* The walk over the last minute's names: each step is the logarithm of how much likelier the name's
 * fate is in a burst. */
static double walk(const struct suspect *suspect, const struct belief *belief)
{
    double failing_step = log(belief->in_burst / belief->normally);
    double found_step = log((1 - belief->in_burst) / (1 - belief->normally));

    return sum(suspect->new_failing) * failing_step + sum(suspect->new_found) * found_step;
}

static unsigned count_intervals(const struct suspect *suspect, double at_least)
{
    unsigned count = 0;

    for (unsigned i = 0; i < INTERVALS; i++) {
        count += suspect->new_failing[i] >= at_least;
    }
    return count;
}

static bool is_in_burst(const struct detection *domains, uint64_t hash)
{
    const struct suspect *domain = find_suspect(domains, hash);

    return domain != NULL && domain->lasting;
}

/* A client's failures in intervals in which it took part in a domain's burst are not its own. Who
 * takes part in several has no majority for any: it is enough that one of them won the vote. */
static double count_own_failing(const struct watch *watch, const struct suspect *client)
{
    double own = 0;

    for (unsigned i = 0; i < INTERVALS; i++) {
        if (!is_in_burst(&watch->detections[DETECTOR_NXDOMAIN_DOMAIN], client->domains[i])) {
            own += client->new_failing[i];
        }
    }
    return own;
}

static bool begins(const struct watch *watch, enum detector detector, const struct suspect *suspect)
{
    double least = watch->setup.least_names[detector];
    double failing = sum(suspect->new_failing);

    return failing >= least && failing >= RATIO * suspect->normal &&
           count_intervals(suspect, least / (2 * INTERVALS)) >= INTERVALS_NEEDED &&
           walk(suspect, &beliefs[detector]) >= WALK_BOUND &&
           (detector != DETECTOR_NXDOMAIN_CLIENT || count_own_failing(watch, suspect) >= least);
}

static struct burst describe(const struct watch *watch, enum detector detector,
                             const struct suspect *suspect)
{
    struct burst burst = {
        .detector = detector,
        .failing = sum(suspect->new_failing),
        .found = sum(suspect->new_found),
        .normal = suspect->normal,
        .clients = suspect->clients,
        .began_ns = suspect->began_ns,
    };
    burst.score = burst.failing / watch->setup.least_names[detector];
    for (unsigned i = 0; i < INTERVALS; i++) {
        burst.messages += suspect->messages[i];
    }
    memcpy(burst.examples, suspect->examples, sizeof burst.examples);
    if (detector == DETECTOR_NXDOMAIN_DOMAIN) {
        set_name(&burst.domain, (struct bytes){suspect->key, suspect->key_len});
    } else {
        burst.client.len = suspect->key_len;
        memcpy(burst.client.data, suspect->key, suspect->key_len);
        burst.domain = suspect->domain;
    }
    return burst;
}

static void judge(struct watch *watch, enum detector detector, uint64_t when_ns,
                  watch_report report, void *context)
{
    struct detection *detection = &watch->detections[detector];

    for (size_t i = 0; i < detection->count; i++) {
        struct suspect *suspect = &detection->suspects[i];
        double failing = sum(suspect->new_failing);

        if (!suspect->lasting && begins(watch, detector, suspect)) {
            suspect->lasting = true;
            suspect->began_ns = when_ns;
            detection->begun++;
            detection->lasting++;
        } else if (suspect->lasting && failing < watch->setup.least_names[detector] / 2.0) {
            suspect->lasting = false;
            detection->lasting--;
        } else {
            continue;
        }
        struct burst burst = describe(watch, detector, suspect);
        report(context, &burst, suspect->lasting, when_ns);
    }
}

static bool is_on(const struct watch *watch, enum detector detector)
{
    return (watch->setup.detectors >> detector & 1) != 0;
}

/* Domains first: clients may take part in their bursts. */
static void end_interval(struct watch *watch, uint64_t when_ns, watch_report report, void *context)
{
    bool minute_begins = watch->interval % INTERVALS == 0;

    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        grow_all_older(&watch->detections[detector], minute_begins);
    }
    if (is_on(watch, DETECTOR_NXDOMAIN_DOMAIN)) {
        take_domains(watch);
        judge(watch, DETECTOR_NXDOMAIN_DOMAIN, when_ns, report, context);
    }
    if (is_on(watch, DETECTOR_NXDOMAIN_CLIENT)) {
        take_clients(watch);
        judge(watch, DETECTOR_NXDOMAIN_CLIENT, when_ns, report, context);
    }
    evidence_clear(&watch->evidence);
}

void watch_advance(struct watch *watch, uint64_t now_ns, watch_report report, void *context)
{
    uint64_t interval = now_ns / WATCH_INTERVAL_NS;

    if (!watch->started) {
        watch->started = true;
        watch->interval = interval;
    }
    if (interval < watch->interval && watch->interval - interval < INTERVALS) {
        return; /* another worker looked at the clock a moment before and came a moment later */
    }
    bool jumps = interval < watch->interval || interval > watch->interval + INTERVALS_AN_HOUR;
    uint64_t ended = jumps ? INTERVALS + 1 : interval - watch->interval;
    for (uint64_t i = 0; i < ended; i++) {
        watch->interval++;
        end_interval(watch, watch->interval * WATCH_INTERVAL_NS, report, context);
    }
    watch->interval = interval;
}

uint64_t watch_begun(const struct watch *watch, enum detector detector)
{
    return watch->detections[detector].begun;
}

size_t watch_active(const struct watch *watch, enum detector detector)
{
    return watch->detections[detector].lasting;
}

uint64_t watch_overflows(const struct watch *watch, enum detector detector)
{
    return watch->detections[detector].overflows;
}

static bool comes_before(const struct burst *a, const struct burst *b)
{
    return a->score > b->score;
}

size_t watch_list(const struct watch *watch, struct burst *out, size_t count)
{
    size_t listed = 0;

    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        const struct detection *detection = &watch->detections[detector];
        for (size_t i = 0; i < detection->count; i++) {
            if (!detection->suspects[i].lasting) {
                continue;
            }
            struct burst burst = describe(watch, detector, &detection->suspects[i]);
            size_t place = listed;
            while (place > 0 && comes_before(&burst, &out[place - 1])) {
                place--;
            }
            if (place < count) {
                listed += listed < count;
                memmove(&out[place + 1], &out[place], (listed - place - 1) * sizeof out[0]);
                out[place] = burst;
            }
        }
    }
    return listed;
}

static void print_name(const struct watch_name *name, char out[DNS_NAME_TEXT_SIZE])
{
    out[0] = '\0';
    if (name->len > 0) {
        dns_name_print(name_bytes(name), out);
    }
}

void burst_print(const struct burst *burst, const struct client_privacy *privacy,
                 struct burst_text *out)
{
    out->client[0] = '\0';
    if (burst->client.len > 0) {
        client_key_print(privacy, (struct bytes){burst->client.data, burst->client.len},
                         out->client);
    }
    print_name(&burst->domain, out->domain);
    for (unsigned i = 0; i < BURST_EXAMPLES; i++) {
        print_name(&burst->examples[i], out->examples[i]);
    }
}
