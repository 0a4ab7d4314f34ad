/* SPDX-License-Identifier: Apache-2.0 */
#include "health_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "count/label_values.h"
#include "count/stream_state.h"

#define RECENT_STEPS    20   /* five minutes, as the rate of the alerts' recording rules */
#define FAILURES_STEPS  40   /* ten minutes */
#define SILENT_STEPS    1440 /* six hours: then a silent server has left */
#define TIMED_RESPONSES 100  /* in five minutes, before their times say something */
#define FIRST_STEPS     2    /* before which nothing is known */
#define EXPECTED        20   /* queries in five minutes: of fewer nothing is said */
#define HOUR_SECONDS    3600.0
#define DAY_SECONDS     86400.0
#define NEVER_NS        (600 * NS_PER_SECOND) /* without a connection since the start */

const struct health_threshold health_thresholds[HEALTH_THRESHOLD_COUNT] = {
#define HEALTH_THRESHOLD_ROW(name, warning, critical, alert, critical_alert)                       \
    {#name, warning, critical, alert, critical_alert},
    HEALTH_THRESHOLDS(HEALTH_THRESHOLD_ROW)};

const char *const health_level_names[] = {
    [HEALTH_CRITICAL] = "critical",
    [HEALTH_WARNING] = "warning",
    [HEALTH_UNKNOWN] = "unknown",
    [HEALTH_GOOD] = "good",
};

/* What is judged, and where the verdicts go. */
struct judge {
    const struct scrape *scrape;
    const struct history *history;
    struct health_indicator *out; /* [HEALTH_INDICATORS_MAX] */
    size_t count;
};

static struct health_indicator *add(struct judge *judge, const char *name, const char *title,
                                    const char *section)
{
    struct health_indicator *indicator = &judge->out[judge->count++];

    *indicator = (struct health_indicator){
        .name = name, .title = title, .section = section, .level = HEALTH_UNKNOWN};
    return indicator;
}

__attribute__((format(printf, 3, 4))) static void
set(struct health_indicator *indicator, enum health_level level, const char *format, ...)
{
    va_list arguments;

    indicator->level = level;
    va_start(arguments, format);
    (void)vsnprintf(indicator->text, sizeof indicator->text, format, arguments);
    va_end(arguments);
}

static enum health_level level_of(enum health_threshold_index index, double value)
{
    const struct health_threshold *threshold = &health_thresholds[index];

    if (threshold->critical > 0 && value > threshold->critical) {
        return HEALTH_CRITICAL;
    }
    return value > threshold->warning ? HEALTH_WARNING : HEALTH_GOOD;
}

/* --- Pairs of a server and a role --- */

/* With steps of the server that is there now. */
static bool is_in_use(const struct judge *judge, size_t pair)
{
    const struct snapshot *numbers = &judge->scrape->numbers;

    return numbers->sum->in_use[pair] &&
           history_is_of(judge->history, pair, numbers->servers[pair / ROLE_COUNT].generation);
}

static size_t pair_count(const struct judge *judge)
{
    return judge->scrape->numbers.sum->server_count * (size_t)ROLE_COUNT;
}

static const char *server_of(const struct judge *judge, size_t pair)
{
    return judge->scrape->numbers.servers[pair / ROLE_COUNT].label;
}

static enum role role_of(size_t pair)
{
    return (enum role)(pair % ROLE_COUNT);
}

static bool is_asked(enum role role)
{
    return role == ROLE_CLIENT || role == ROLE_AUTH;
}

static unsigned flags_of(const struct judge *judge, size_t pair)
{
    size_t stream = stream_index((unsigned)(pair / ROLE_COUNT), role_of(pair));

    return stream_states_flags(judge->scrape->numbers.streams, stream);
}

static bool is_complete(const struct judge *judge, size_t pair)
{
    unsigned flags = flags_of(judge, pair);

    return (flags & (STREAM_INCOMPLETE | STREAM_SAMPLED_INPUT)) == 0;
}

/* The worst of the pairs. */
struct worst {
    size_t pair;
    enum health_level level;
    double value;
    unsigned troubled; /* servers that are not good */
    size_t troubled_server;
    unsigned judged;
};

static void take_worst(struct worst *worst, size_t pair, enum health_level level, double value)
{
    bool is_first = worst->judged++ == 0;

    if (level < HEALTH_UNKNOWN &&
        (worst->troubled == 0 || worst->troubled_server != pair / ROLE_COUNT)) {
        worst->troubled++;
        worst->troubled_server = pair / ROLE_COUNT;
    }
    if (is_first || level < worst->level || (level == worst->level && value > worst->value)) {
        worst->pair = pair;
        worst->level = level;
        worst->value = value;
    }
}

#define OTHERS_SIZE 32

/* "" or " and 2 more". */
static const char *others(const struct worst *worst, char out[OTHERS_SIZE])
{
    out[0] = '\0';
    if (worst->troubled > 1) {
        (void)snprintf(out, OTHERS_SIZE, " and %u more", worst->troubled - 1);
    }
    return out;
}

/* --- Shares of messages --- */

struct share {
    const char *name;
    const char *title;
    const char *what; /* behind the number */
    enum health_threshold_index threshold;
    bool of_upstream; /* messages to other servers, and not those of clients */
    bool of_complete; /* only where both directions and all messages are sent */
    size_t failures;  /* offset in struct history_sum */
    size_t all;
};

static const struct share shares[] = {
    {"servfail", "SERVFAIL", "of responses are SERVFAIL", HEALTH_servfail, false, false,
     offsetof(struct history_sum, servfails), offsetof(struct history_sum, responses)},
    {"refused", "REFUSED", "of responses are REFUSED", HEALTH_refused, false, false,
     offsetof(struct history_sum, refused), offsetof(struct history_sum, responses)},
    {"unanswered", "Unanswered", "of queries have no response", HEALTH_unanswered, false, true,
     offsetof(struct history_sum, unanswered), offsetof(struct history_sum, queries)},
    {"upstream", "Upstream servers", "of queries to upstream servers have no response",
     HEALTH_upstream_unanswered, true, true, offsetof(struct history_sum, unanswered),
     offsetof(struct history_sum, queries)},
    {"unmatched", "Unmatched", "of responses match no query", HEALTH_unmatched, false, true,
     offsetof(struct history_sum, unmatched), offsetof(struct history_sum, responses)},
};

static uint64_t number_in(const struct history_sum *sum, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)sum + offset);
}

static void judge_pair_share(const struct judge *judge, const struct share *share, size_t pair,
                             struct worst *worst)
{
    struct history_sum recent = history_sum(judge->history, pair, 0, RECENT_STEPS);
    struct history_sum longer = history_sum(judge->history, pair, 0, FAILURES_STEPS);
    uint64_t all = number_in(&recent, share->all);

    if (all == 0 || (share->of_complete && !is_complete(judge, pair))) {
        return;
    }
    double value = (double)number_in(&recent, share->failures) / (double)all;
    double failures = (double)number_in(&longer, share->failures);
    enum health_level by_share = level_of(share->threshold, value);
    enum health_level by_count = level_of(HEALTH_failures, failures);
    take_worst(worst, pair, by_share > by_count ? by_share : by_count, value);
}

static void judge_share(struct judge *judge, const struct share *share)
{
    struct health_indicator *indicator;
    struct worst worst = {0};
    char more[OTHERS_SIZE];

    for (size_t pair = 0; pair < pair_count(judge); pair++) {
        bool is_upstream = role_of(pair) == ROLE_RESOLVER || role_of(pair) == ROLE_FORWARDER;
        if (is_in_use(judge, pair) &&
            (share->of_upstream ? is_upstream : is_asked(role_of(pair)))) {
            judge_pair_share(judge, share, pair, &worst);
        }
    }
    if (share->of_upstream && worst.judged == 0) {
        return; /* no server logs what it asks others */
    }
    indicator = add(judge, share->name, share->title, "servers");
    if (worst.judged == 0) {
        set(indicator, HEALTH_UNKNOWN, "no data");
        return;
    }
    set(indicator, worst.level, "%s: %.1f %% %s%s", server_of(judge, worst.pair), 100 * worst.value,
        share->what, others(&worst, more));
}

/* --- Response time --- */

#define DURATION_SIZE 32

static const char *print_duration(double seconds, char out[DURATION_SIZE])
{
    if (seconds >= 1) {
        (void)snprintf(out, DURATION_SIZE, "%.2f s", seconds);
    } else if (seconds >= 1e-3) {
        (void)snprintf(out, DURATION_SIZE, "%.1f ms", seconds * 1e3);
    } else {
        (void)snprintf(out, DURATION_SIZE, "%.0f µs", seconds * 1e6);
    }
    return out;
}

static void judge_pair_time(const struct judge *judge, size_t pair, struct worst *worst)
{
    struct history_sum recent = history_sum(judge->history, pair, 0, RECENT_STEPS);
    double normal = history_normal_p90(judge->history, pair);
    double least = health_thresholds[HEALTH_response_time_seconds].warning;

    if (recent.p90_seconds < 0 || recent.responses < TIMED_RESPONSES) {
        return;
    }
    if (normal < 0) {
        take_worst(worst, pair, HEALTH_UNKNOWN, recent.p90_seconds);
        return;
    }
    double ratio = recent.p90_seconds / normal;
    take_worst(worst, pair,
               recent.p90_seconds > least ? level_of(HEALTH_response_time_ratio, ratio)
                                          : HEALTH_GOOD,
               ratio);
}

static void judge_response_time(struct judge *judge)
{
    struct health_indicator *indicator = add(judge, "response_time", "Response time", "servers");
    struct worst worst = {0};
    char recent_text[DURATION_SIZE], normal_text[DURATION_SIZE], more[OTHERS_SIZE];

    for (size_t pair = 0; pair < pair_count(judge); pair++) {
        if (is_in_use(judge, pair) && is_asked(role_of(pair))) {
            judge_pair_time(judge, pair, &worst);
        }
    }
    if (worst.judged == 0) {
        set(indicator, HEALTH_UNKNOWN, "too few response times");
        return;
    }
    struct history_sum recent = history_sum(judge->history, worst.pair, 0, RECENT_STEPS);
    (void)print_duration(recent.p90_seconds, recent_text);
    if (worst.level == HEALTH_UNKNOWN) {
        set(indicator, worst.level, "%s: p90 is %s; what is normal is known after ten minutes",
            server_of(judge, worst.pair), recent_text);
        return;
    }
    set(indicator, worst.level, "%s: p90 is %s, %.1f times its normal of %s%s",
        server_of(judge, worst.pair), recent_text, worst.value,
        print_duration(history_normal_p90(judge->history, worst.pair), normal_text),
        others(&worst, more));
}

/* --- Servers --- */

struct presence {
    unsigned sending; /* servers that send now */
    unsigned silent;  /* that sent regularly before */
    unsigned silent_server;
    uint64_t silent_steps; /* of the one that is silent for the shortest time */
};

static void note_presence(const struct judge *judge, unsigned server, struct presence *presence)
{
    struct history_presence found = history_presence_of(
        judge->history, server, judge->scrape->numbers.servers[server].generation);

    if (found.silent_steps < RECENT_STEPS && found.silent_steps < history_count(judge->history)) {
        presence->sending++;
    } else if (found.is_regular && found.silent_steps < SILENT_STEPS) {
        presence->silent++;
        if (presence->silent == 1 || found.silent_steps < presence->silent_steps) {
            presence->silent_server = server;
            presence->silent_steps = found.silent_steps;
        }
    }
}

static uint64_t open_connections(const struct scrape *scrape)
{
    uint64_t open = 0;

    for (unsigned i = 0; i < scrape->input_count; i++) {
        open += input_counters_connections(&scrape->numbers.sum->inputs[i]);
    }
    return open;
}

static uint64_t frames_so_far(const struct scrape *scrape)
{
    uint64_t frames = 0;

    for (unsigned i = 0; i < scrape->input_count; i++) {
        frames += scrape->numbers.sum->inputs[i].frames;
    }
    return frames;
}

/* In the last half minute. */
static bool sends_now(const struct judge *judge)
{
    size_t count = history_count(judge->history);
    size_t age = count < FIRST_STEPS ? count : FIRST_STEPS;

    return frames_so_far(judge->scrape) > history_totals_at(judge->history, age)->frames;
}

/* The first input that is to be connected to a server, and is not; NULL: there is none. */
static const char *input_not_connected(const struct scrape *scrape)
{
    for (unsigned i = 0; i < scrape->input_count; i++) {
        const struct input_gauges *input = &scrape->inputs[i];
        if (input->endpoint.is_dialled && !input->is_removed &&
            !atomic_load_explicit(&input->connected, memory_order_relaxed)) {
            return scrape->input_labels[i];
        }
    }
    return NULL;
}

static void judge_servers(struct judge *judge, uint64_t up_ns)
{
    struct health_indicator *indicator = add(judge, "servers", "Servers", "inputs");
    struct presence presence = {0};
    unsigned long long open = open_connections(judge->scrape);
    const char *away = input_not_connected(judge->scrape);
    unsigned long long minutes;

    for (unsigned server = 0; server < judge->scrape->numbers.sum->server_count; server++) {
        note_presence(judge, server, &presence);
    }
    minutes = presence.silent_steps * HISTORY_STEP_NS / (60 * NS_PER_SECOND);
    if (frames_so_far(judge->scrape) == 0) {
        set(indicator, up_ns < NEVER_NS ? HEALTH_UNKNOWN : HEALTH_WARNING,
            open > 0 ? "connected, and no messages since the start"
                     : "no server has connected since the start");
    } else if (presence.silent > 0) {
        set(indicator, HEALTH_CRITICAL, "%s has sent nothing for %llu minutes%s",
            server_of(judge, counters_index(presence.silent_server, 0)), minutes,
            presence.silent > 1 ? ", and others for longer" : "");
    } else if (presence.sending == 0 && history_count(judge->history) >= RECENT_STEPS) {
        set(indicator, HEALTH_CRITICAL, "no server sends messages any more, %llu connected", open);
    } else if (open == 0 && !sends_now(judge)) {
        set(indicator, HEALTH_CRITICAL, "no server is connected any more");
    } else if (away != NULL) {
        set(indicator, HEALTH_WARNING, "the input %s is not connected to its server", away);
    } else if (presence.sending == 0) {
        set(indicator, HEALTH_UNKNOWN, "%llu connected, no data yet", open);
    } else {
        set(indicator, HEALTH_GOOD, "%u %s messages", presence.sending,
            presence.sending == 1 ? "server sends" : "servers send");
    }
}

static void judge_directions(struct judge *judge)
{
    struct health_indicator *indicator = add(judge, "directions", "Both directions", "servers");
    struct worst worst = {0};
    char more[OTHERS_SIZE];

    for (size_t pair = 0; pair < pair_count(judge); pair++) {
        unsigned one_direction = flags_of(judge, pair) &
                                 (STREAM_RESPONSES_ONLY | STREAM_QUERIES_ONLY);
        struct history_sum recent = history_sum(judge->history, pair, 0, RECENT_STEPS);
        if (is_in_use(judge, pair) && recent.queries + recent.responses > 0) {
            take_worst(&worst, pair, one_direction != 0 ? HEALTH_WARNING : HEALTH_GOOD, 0);
        }
    }
    if (worst.judged == 0) {
        set(indicator, HEALTH_UNKNOWN, "no data yet");
    } else if (worst.level == HEALTH_GOOD) {
        set(indicator, HEALTH_GOOD, "queries and responses come in");
    } else {
        bool lacks_responses = (flags_of(judge, worst.pair) & STREAM_QUERIES_ONLY) != 0;
        set(indicator, HEALTH_WARNING, "the dnstap stream of %s has %s%s",
            server_of(judge, worst.pair),
            lacks_responses ? "queries and no responses" : "responses and no queries",
            others(&worst, more));
    }
}

/* --- Cache --- */

/* Of each server that logs both what clients ask and what it asks others. */
static void judge_cache(struct judge *judge)
{
    struct worst worst = {0};

    for (size_t first = 0; first < pair_count(judge); first += ROLE_COUNT) {
        struct history_sum asked = history_sum(judge->history, first + ROLE_CLIENT, 0,
                                               RECENT_STEPS);
        struct history_sum asking = history_sum(judge->history, first + ROLE_RESOLVER, 0,
                                                RECENT_STEPS);
        struct history_sum passed = history_sum(judge->history, first + ROLE_FORWARDER, 0,
                                                RECENT_STEPS);
        uint64_t upstream = asking.queries + passed.queries;
        bool logs_both = (is_in_use(judge, first + ROLE_RESOLVER) ||
                          is_in_use(judge, first + ROLE_FORWARDER)) &&
                         is_in_use(judge, first + ROLE_CLIENT);
        if (logs_both && asked.queries >= EXPECTED) {
            double misses = (double)upstream / (double)asked.queries;
            take_worst(&worst, first, HEALTH_GOOD, misses < 1 ? misses : 1);
        }
    }
    if (worst.judged > 0) {
        struct health_indicator *indicator = add(judge, "cache", "Cache hits", "servers");
        set(indicator, HEALTH_GOOD, "%s: %.0f %% of queries are answered from the cache",
            server_of(judge, worst.pair), 100 * (1 - worst.value));
    }
}

/* --- Upstream servers, each beside the others --- */

#define UPSTREAMS_JUDGED  10  /* the most asked: of as many the exposition tells by default */
#define OTHERS_UNANSWERED 0.1 /* a larger share, and the trouble is not one server's */

/* What is known of an upstream server, or of all but one. */
struct upstream_counts {
    double queries;
    double unanswered; /* at least */
    double seconds;    /* of all response times, at least */
};

static const struct heavy_hitters *list_of(const struct judge *judge, enum top_list list)
{
    return judge->scrape->numbers.view->window->lists[list];
}

static double least_of(const struct judge *judge, enum top_list list, uint64_t hash)
{
    struct heavy_hitter found;

    return heavy_hitters_look_up(list_of(judge, list), hash, &found)
               ? (double)(found.upper - found.error)
               : 0;
}

static struct upstream_counts counts_of(const struct judge *judge, const struct heavy_hitter *key)
{
    return (struct upstream_counts){
        .queries = (double)key->upper,
        .unanswered = least_of(judge, TOP_UPSTREAM_UNANSWERED, key->hash),
        .seconds = least_of(judge, TOP_UPSTREAM_RESPONSE_SECONDS, key->hash) / NS_PER_SECOND,
    };
}

static struct upstream_counts counts_of_others(const struct judge *judge,
                                               const struct upstream_counts *own)
{
    double unanswered = (double)heavy_hitters_total(list_of(judge, TOP_UPSTREAM_UNANSWERED));
    double nanoseconds = (double)heavy_hitters_total(list_of(judge, TOP_UPSTREAM_RESPONSE_SECONDS));

    return (struct upstream_counts){
        .queries = (double)heavy_hitters_total(list_of(judge, TOP_UPSTREAM_QUERIES)) - own->queries,
        .unanswered = unanswered - own->unanswered,
        .seconds = nanoseconds / NS_PER_SECOND - own->seconds,
    };
}

static bool is_silent(const struct upstream_counts *own, const struct upstream_counts *others)
{
    return own->unanswered > health_thresholds[HEALTH_upstream_failures].warning &&
           own->unanswered / own->queries > health_thresholds[HEALTH_upstream_silent].warning &&
           others->unanswered / others->queries <= OTHERS_UNANSWERED;
}

static bool is_slow(const struct upstream_counts *own, const struct upstream_counts *others)
{
    double mean = own->seconds / own->queries;
    double mean_of_others = others->seconds / others->queries;

    return own->queries >= EXPECTED && mean > health_thresholds[HEALTH_upstream_seconds].warning &&
           mean > health_thresholds[HEALTH_upstream_time_ratio].warning * mean_of_others;
}

/* Returns whether the server is worse than the others: then the indicator says so. */
static bool judge_upstream(const struct judge *judge, const struct heavy_hitter *key,
                           struct health_indicator *indicator)
{
    struct upstream_counts own = counts_of(judge, key);
    struct upstream_counts others = counts_of_others(judge, &own);
    char address[TOP_KEY_TEXT_SIZE], own_time[DURATION_SIZE], time_of_others[DURATION_SIZE];

    if (others.queries < EXPECTED) {
        return false;
    }
    scrape_print_key(judge->scrape, TOP_UPSTREAM_QUERIES, key->key, address);
    if (is_silent(&own, &others)) {
        set(indicator, HEALTH_WARNING, "%s answers %.0f %% of queries, the others %.0f %%", address,
            100 * (1 - own.unanswered / own.queries),
            100 * (1 - others.unanswered / others.queries));
        return true;
    }
    if (is_slow(&own, &others)) {
        set(indicator, HEALTH_WARNING, "%s answers within %s, the others within %s (means)",
            address, print_duration(own.seconds / own.queries, own_time),
            print_duration(others.seconds / others.queries, time_of_others));
        return true;
    }
    return false;
}

static void judge_upstreams(struct judge *judge)
{
    struct heavy_hitter keys[UPSTREAMS_JUDGED];
    bool troubled = false;

    if (!scrape_has_list(judge->scrape, TOP_UPSTREAM_QUERIES) ||
        !scrape_has_list(judge->scrape, TOP_UPSTREAM_UNANSWERED) ||
        !scrape_has_list(judge->scrape, TOP_UPSTREAM_RESPONSE_SECONDS)) {
        return;
    }
    size_t count = heavy_hitters_top(list_of(judge, TOP_UPSTREAM_QUERIES), keys, UPSTREAMS_JUDGED);
    if (count < 2) {
        return; /* there is nothing to compare with */
    }
    struct health_indicator *indicator = add(judge, "upstream_servers", "Each upstream server",
                                             "who");
    for (size_t i = 0; i < count && !troubled; i++) {
        troubled = judge_upstream(judge, &keys[i], indicator);
    }
    if (!troubled) {
        set(indicator, HEALTH_GOOD, "none is silent or slow while the others are not");
    }
}

/* --- Detections --- */

#define NAMED_FINDINGS 3

static void name_findings(const struct snapshot *numbers, struct health_indicator *indicator)
{
    for (size_t i = 0; i < numbers->view->finding_count && i < NAMED_FINDINGS; i++) {
        const struct finding *finding = &numbers->view->findings[i];
        size_t len = strlen(indicator->text);
        struct finding_text text;

        finding_print(finding, numbers->host_privacy, &text);
        (void)snprintf(indicator->text + len, sizeof indicator->text - len, "%s %s %s",
                       i == 0 ? ":" : ",", finding->detector->title,
                       text.client[0] != '\0' ? text.client : text.domain);
    }
}

static void judge_detections(struct judge *judge)
{
    const struct snapshot *numbers = &judge->scrape->numbers;
    struct health_indicator *indicator;
    unsigned long long active = 0;

    if (numbers->view == NULL || !detect_is_on(numbers->detect)) {
        return;
    }
    indicator = add(judge, "detections", "Detections", "findings");
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        active += numbers->view->detections[i].active;
    }
    unsigned long long day = history_day_findings(judge->history, judge->scrape);
    set(indicator, active > 0 ? HEALTH_WARNING : HEALTH_GOOD, "%llu active, %llu in the last day",
        active, day);
    name_findings(numbers, indicator);
}

/* --- The exporter --- */

static const struct history_totals *totals_before(const struct judge *judge, size_t steps)
{
    size_t count = history_count(judge->history);

    return history_totals_at(judge->history, steps < count ? steps : count);
}

/* The mean of the last steps' worst; below 0: there is none. */
static double recent_delay(const struct judge *judge)
{
    double sum = 0;
    unsigned steps = 0;

    for (size_t age = 0; age < RECENT_STEPS && age < history_count(judge->history); age++) {
        double delay = history_totals_at(judge->history, age)->delay_p90_seconds;
        sum += delay >= 0 ? delay : 0;
        steps += delay >= 0;
    }
    return steps > 0 ? sum / steps : -1;
}

static void judge_delay(struct judge *judge)
{
    struct health_indicator *indicator = add(judge, "delay", "Ingest delay", "inputs");
    double delay = recent_delay(judge);
    char text[DURATION_SIZE];

    if (delay < 0) {
        set(indicator, HEALTH_UNKNOWN, "no data");
        return;
    }
    enum health_level level = level_of(HEALTH_ingest_delay_seconds, delay);
    set(indicator, level, "messages arrive %s after their time stamps (p90)%s",
        print_duration(delay, text),
        level == HEALTH_GOOD ? "" : ": a clock is wrong, or the exporter does not keep up");
}

static void judge_lost_frames(struct judge *judge)
{
    struct health_indicator *indicator = add(judge, "lost", "Lost frames", "inputs");
    const struct scrape *scrape = judge->scrape;
    const struct history_totals *now = totals_before(judge, 0);
    const struct history_totals *before = totals_before(judge, RECENT_STEPS);
    unsigned long long rejected = now->rejected - before->rejected;
    unsigned long long dropped = now->dropped - before->dropped;
    unsigned long long lines = now->log_lines_lost - before->log_lines_lost;
    unsigned long long frames = now->frames - before->frames;
    double rejected_share = frames > 0 ? (double)rejected / (double)frames : 0;
    const char *away = NULL;

    for (unsigned i = 0; i < scrape->output_count && away == NULL; i++) {
        bool connected = atomic_load_explicit(&scrape->outputs[i].connected, memory_order_relaxed);
        away = connected ? NULL : scrape->output_labels[i];
    }
    if (dropped > 0) {
        set(indicator, HEALTH_WARNING, "outputs have dropped %llu frames in five minutes%s%s",
            dropped, away != NULL ? "; not connected: " : "", away != NULL ? away : "");
    } else if (level_of(HEALTH_rejected, rejected_share) != HEALTH_GOOD) {
        set(indicator, HEALTH_WARNING, "%llu of %llu frames were rejected in five minutes",
            rejected, frames);
    } else if (lines > 0) {
        set(indicator, HEALTH_WARNING, "%llu log lines were lost in five minutes", lines);
    } else if (away != NULL) {
        set(indicator, HEALTH_WARNING, "the output %s is not connected", away);
    } else if (history_count(judge->history) < FIRST_STEPS) {
        set(indicator, HEALTH_UNKNOWN, "no data yet");
    } else if (rejected > 0) {
        set(indicator, HEALTH_GOOD, "%llu of %llu frames were rejected in five minutes", rejected,
            frames);
    } else {
        set(indicator, HEALTH_GOOD, "none in five minutes");
    }
}

static void judge_archive(struct judge *judge)
{
    const struct archive_counters *archive = judge->scrape->archive;

    if (archive == NULL) {
        return;
    }
    struct health_indicator *indicator = add(judge, "archive", "Archive", "archive");
    unsigned long long dropped = totals_before(judge, 0)->archive_dropped -
                                 totals_before(judge, RECENT_STEPS)->archive_dropped;
    unsigned long long files = atomic_load_explicit(&archive->files, memory_order_relaxed);
    double bytes = (double)atomic_load_explicit(&archive->size_bytes, memory_order_relaxed);
    bool writing = atomic_load_explicit(&archive->writing, memory_order_relaxed);

    if (dropped > 0) {
        set(indicator, HEALTH_WARNING, "%llu frames were dropped in five minutes%s", dropped,
            writing ? "" : "; it cannot be written, the log says why");
    } else if (!writing) {
        set(indicator, HEALTH_WARNING, "it cannot be written, the log says why");
    } else {
        set(indicator, HEALTH_GOOD, "%llu %s, %.1f MiB", files, files == 1 ? "file" : "files",
            bytes / (1024 * 1024));
    }
}

static void judge_limits(struct judge *judge)
{
    static const enum limit losing[] = {LIMIT_SERVERS, LIMIT_SERIES, LIMIT_CONNECTIONS,
                                        LIMIT_DESCRIPTORS};
    struct health_indicator *indicator = add(judge, "limits", "Limits", "limits");
    const struct history_totals *now = totals_before(judge, 0);
    const struct history_totals *before = totals_before(judge, RECENT_STEPS);

    set(indicator, HEALTH_GOOD, "no limit that loses data is reached");
    if (now->matching_evictions > before->matching_evictions) {
        set(indicator, HEALTH_WARNING, "matching.capacity is reached: response times are missing");
    }
    for (size_t i = 0; i < sizeof losing / sizeof losing[0]; i++) {
        unsigned long long more = now->limits[losing[i]] - before->limits[losing[i]];
        if (more > 0) {
            set(indicator, HEALTH_WARNING, "the limit %s was reached %llu times in five minutes",
                label_limit.texts[losing[i]], more);
        }
    }
}

static void judge_configuration(struct judge *judge)
{
    struct health_indicator *indicator = add(judge, "configuration", "Configuration", "about");

    if (judge->scrape->reload_successful) {
        set(indicator, HEALTH_GOOD, "loaded without errors");
    } else {
        set(indicator, HEALTH_WARNING, "the last reload failed; the one before is in force");
    }
}

static void judge_certificate(struct judge *judge)
{
    const struct health_threshold *threshold = &health_thresholds[HEALTH_certificate_seconds];
    const struct scrape *scrape = judge->scrape;
    double left = scrape->certificate_expiry_seconds -
                  (double)clock_realtime_ns() / (double)NS_PER_SECOND;
    double distance = left < 0 ? -left : left;
    bool is_days = distance >= 2 * DAY_SECONDS;

    if (!scrape->has_certificate) {
        return;
    }
    struct health_indicator *indicator = add(judge, "certificate", "Certificate", "about");
    enum health_level level = left < threshold->critical  ? HEALTH_CRITICAL
                              : left < threshold->warning ? HEALTH_WARNING
                                                          : HEALTH_GOOD;
    set(indicator, level, "the web server's certificate %s %.0f %s%s",
        left < 0 ? "expired" : "expires in", distance / (is_days ? DAY_SECONDS : HOUR_SECONDS),
        is_days ? "days" : "hours", left < 0 ? " ago" : "");
}

/* --- All --- */

/* The worst first; of equal ones the order stays. */
static void sort_by_level(struct health_indicator *indicators, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct health_indicator indicator = indicators[i];
        size_t place = i;
        for (; place > 0 && indicators[place - 1].level > indicator.level; place--) {
            indicators[place] = indicators[place - 1];
        }
        indicators[place] = indicator;
    }
}

size_t health_judge(const struct scrape *scrape, const struct history *history,
                    struct health_indicator out[HEALTH_INDICATORS_MAX])
{
    struct judge judge = {scrape, history, out, 0};
    uint64_t up_ns = clock_realtime_ns() - scrape->created_ns;

    judge_servers(&judge, up_ns);
    judge_directions(&judge);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        judge_share(&judge, &shares[i]);
    }
    judge_response_time(&judge);
    judge_upstreams(&judge);
    judge_detections(&judge);
    judge_lost_frames(&judge);
    judge_archive(&judge);
    judge_delay(&judge);
    judge_limits(&judge);
    judge_configuration(&judge);
    judge_certificate(&judge);
    judge_cache(&judge);
    sort_by_level(out, judge.count);
    return judge.count;
}
