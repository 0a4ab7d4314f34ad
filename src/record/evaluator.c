/* SPDX-License-Identifier: Apache-2.0 */
#include "record/evaluator.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define NOTES_LOGGED_MAX 10 /* in an evaluation; chosen */

struct evaluator {
    struct analysis_setup setup;
    bool of_frames;
    struct window *window;
    struct detect *detect;
    bool started;          /* the step is known */
    uint64_t step;         /* number of the window's step that is under way */
    bool changed;          /* since the last publication */
    unsigned notes_logged; /* in this evaluation */
    uint64_t overflows;    /* of the detectors at the last publication */
    pthread_mutex_t lock;  /* over what follows */
    struct evaluator_view views[2];
    unsigned published;   /* index of the view that readers get */
    uint64_t evaluations; /* that this view has */
};

size_t evaluator_memory(const struct analysis_setup *setup)
{
    return sizeof(struct evaluator) + window_memory(&setup->panes) +
           2 * (pane_memory(&setup->panes) +
                (setup->findings_max + FINDINGS_ENDED_MAX) * sizeof(struct finding) +
                EVALUATOR_NOTES_MAX * sizeof(struct finding_note));
}

int evaluator_create(struct evaluator **out, const struct analysis_setup *setup, bool of_frames)
{
    struct evaluator *evaluator = calloc(1, sizeof *evaluator);

    if (evaluator == NULL) {
        return -ENOMEM;
    }
    evaluator->setup = *setup;
    evaluator->of_frames = of_frames;
    (void)pthread_mutex_init(&evaluator->lock, NULL);
    int result = window_create(&evaluator->window, &setup->panes);
    if (result == 0) {
        result = detect_create(&evaluator->detect, &setup->detect);
    }
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        struct evaluator_view *view = &evaluator->views[i];
        view->findings = calloc(setup->findings_max + 1, sizeof *view->findings);
        view->ended = calloc(FINDINGS_ENDED_MAX, sizeof *view->ended);
        view->notes = calloc(EVALUATOR_NOTES_MAX, sizeof *view->notes);
        result = view->findings != NULL && view->ended != NULL && view->notes != NULL
                     ? pane_create(&view->window, &setup->panes)
                     : -ENOMEM;
    }
    if (result < 0) {
        evaluator_free(evaluator);
        return result;
    }
    *out = evaluator;
    return 0;
}

void evaluator_free(struct evaluator *evaluator)
{
    if (evaluator == NULL) {
        return;
    }
    window_free(evaluator->window);
    detect_free(evaluator->detect);
    for (unsigned i = 0; i < 2; i++) {
        pane_free(evaluator->views[i].window);
        free(evaluator->views[i].findings);
        free(evaluator->views[i].ended);
        free(evaluator->views[i].notes);
    }
    (void)pthread_mutex_destroy(&evaluator->lock);
    free(evaluator);
}

/* --- Taking --- */

static uint64_t evaluator_step_of(const struct evaluator *evaluator, uint64_t now_ns)
{
    if (evaluator->setup.window_ns == ANALYSIS_OF_ALL_NS) {
        return 0;
    }
    return now_ns / (evaluator->setup.window_ns / WINDOW_STEPS);
}

/* Returns the step that a part belongs to: normally that of the last evaluation, after which its
 * counting began. A live evaluation that is late by more than a step, because the process was
 * stopped, takes the part as new, so that it does not leave the window too early. */
static uint64_t evaluator_step_of_part(const struct evaluator *evaluator, uint64_t now)
{
    bool is_late = !evaluator->of_frames && now - evaluator->step > 1;

    return evaluator->started && !is_late ? evaluator->step : now;
}

void evaluator_take_pane(struct evaluator *evaluator, struct part *part, uint64_t now_ns)
{
    if (part->has_pane) {
        uint64_t now = evaluator_step_of(evaluator, now_ns);
        window_merge(evaluator->window, evaluator_step_of_part(evaluator, now), now, part->pane);
        pane_clear(part->pane);
        part->has_pane = false;
        evaluator->changed = true;
    }
}

bool evaluator_is_due(const struct evaluator *evaluator, uint64_t now_ns)
{
    return detect_is_due(evaluator->detect, now_ns);
}

void evaluator_take_detect(struct evaluator *evaluator, struct part *part, uint64_t now_ns)
{
    detect_merge(evaluator->detect, part->detect, now_ns);
}

/* --- Log lines --- */

#define NUMBER_SIZE 24 /* a double with one decimal and at most 21 digits */
#define TIME_SIZE   32 /* 2026-11-29T12:00:00Z, and room */

static const char *print_number(double value, char out[NUMBER_SIZE])
{
    (void)snprintf(out, NUMBER_SIZE, "%.1f", value);
    return out;
}

static const char *print_time(uint64_t time_ns, char out[TIME_SIZE])
{
    time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
    struct tm utc;

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return out;
}

#define PAIRS_MAX (5 + FINDING_DETAILS_MAX + 2 + 2 * FINDING_EXAMPLES_MAX + 1)

/* Bytes; chosen: with the longest of domains it fits in a line (base/log.h), which has no half of a
 * command. */
#define COMMAND_LOGGED_MAX 1500

/* Added to the clock of the evaluations it gives the time since 1970. */
static uint64_t since_1970(const struct evaluator *evaluator)
{
    return evaluator->of_frames ? 0 : clock_realtime_ns() - clock_monotonic_ns();
}

static void log_finding(const struct evaluator *evaluator, const struct finding *finding)
{
    static const char *const examples[FINDING_EXAMPLES_MAX] = {"example_1", "example_2",
                                                               "example_3"};
    static const char *const found[FINDING_EXAMPLES_MAX] = {"existing_1", "existing_2",
                                                            "existing_3"};
    const struct detector *detector = finding->detector;
    bool begins = finding->ended_ns == 0;
    uint64_t when_ns = begins ? finding->began_ns : finding->ended_ns;
    char numbers[FINDING_DETAILS_MAX + 1][NUMBER_SIZE];
    struct log_pair pairs[PAIRS_MAX];
    struct finding_text text;
    struct text command = {0};
    char message[64];
    char time[TIME_SIZE];
    size_t count = 0;

    finding_print(finding, &evaluator->setup.host_privacy, &text);
    pairs[count++] = (struct log_pair){"detector", detector->name};
    pairs[count++] = (struct log_pair){"client", text.client};
    pairs[count++] = (struct log_pair){"domain", text.domain};
    if (finding->list[0] != '\0') {
        pairs[count++] = (struct log_pair){"list", finding->list};
        pairs[count++] = (struct log_pair){"severity", finding->severity};
    }
    for (unsigned i = 0; i < detector->detail_count; i++) {
        pairs[count++] = (struct log_pair){detector->details[i].key,
                                           print_number(finding->details[i], numbers[i])};
    }
    double lasted = (double)(when_ns - finding->began_ns) / (double)NS_PER_SECOND;
    pairs[count++] = (struct log_pair){"lasted_seconds",
                                       print_number(lasted, numbers[FINDING_DETAILS_MAX])};
    finding_command_append(finding, &text, &evaluator->setup.recordings, since_1970(evaluator),
                           &command);
    if (!command.failed && command.len > 0 && command.len <= COMMAND_LOGGED_MAX) {
        pairs[count++] = (struct log_pair){"command", command.data};
    }
    for (unsigned i = 0; i < FINDING_EXAMPLES_MAX; i++) {
        pairs[count++] = (struct log_pair){examples[i], text.examples[i]};
    }
    for (unsigned i = 0; i < FINDING_EXAMPLES_MAX && text.found_names[i][0] != '\0'; i++) {
        pairs[count++] = (struct log_pair){found[i], text.found_names[i]};
    }
    if (evaluator->of_frames) { /* live, the line has its own time */
        pairs[count++] = (struct log_pair){"time", print_time(when_ns, time)};
    }
    (void)snprintf(message, sizeof message, "%s %s", detector->title, begins ? "begins" : "ends");
    log_write_pairs(begins ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, message, pairs, count);
    text_deinit(&command);
}

static void on_finding(void *context, const struct finding *finding)
{
    struct evaluator *evaluator = context;

    log_finding(evaluator, finding);
    evaluator->changed = true;
}

static void on_note(void *context, const struct finding_note *note)
{
    struct evaluator *evaluator = context;
    struct finding finding = {.client = note->client, .domain = note->domain};
    struct finding_text text;
    char time[TIME_SIZE];

    evaluator->changed = true;
    if (evaluator->notes_logged++ < NOTES_LOGGED_MAX) {
        finding_print(&finding, &evaluator->setup.host_privacy, &text);
        /* Live, the line has its own time. */
        log_info(note->detector->title, "detector", note->detector->name, "client", text.client,
                 "domain", text.domain, evaluator->of_frames ? "time" : NULL,
                 print_time(note->noted_ns, time), NULL);
    }
}

/* --- Time goes on --- */

bool evaluator_slides(const struct evaluator *evaluator, uint64_t now_ns)
{
    return !evaluator->started || evaluator_step_of(evaluator, now_ns) != evaluator->step;
}

void evaluator_detect(struct evaluator *evaluator, uint64_t now_ns)
{
    const struct findings_listener listener = {on_finding, on_note, evaluator};

    evaluator->notes_logged = 0;
    detect_evaluate(evaluator->detect, now_ns, &listener);
}

void evaluator_advance(struct evaluator *evaluator, uint64_t now_ns)
{
    if (evaluator_slides(evaluator, now_ns)) {
        evaluator->started = true;
        evaluator->step = evaluator_step_of(evaluator, now_ns);
        evaluator->changed = true;
    }
    evaluator_detect(evaluator, now_ns);
}

/* --- The views --- */

/* Returns the view that no reader has; NULL while one still has it. */
static struct evaluator_view *next_view(struct evaluator *evaluator)
{
    (void)pthread_mutex_lock(&evaluator->lock);
    struct evaluator_view *view = &evaluator->views[!evaluator->published];
    bool is_free = view->readers == 0;
    (void)pthread_mutex_unlock(&evaluator->lock);
    return is_free ? view : NULL;
}

static void fill_view(struct evaluator *evaluator, struct evaluator_view *view)
{
    const struct findings *findings = detect_findings(evaluator->detect);

    window_sum(evaluator->window, evaluator->step, view->window);
    for (enum top_list list = 0; list < TOP_LIST_COUNT; list++) {
        view->top_evictions[list] = window_evictions(evaluator->window, list);
    }
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        view->detections[i] = findings_count(findings, i);
    }
    view->detect_overflows = evaluator->overflows;
    view->finding_count = findings_list(findings, view->findings, evaluator->setup.findings_max);
    view->ended_count = findings_list_ended(findings, view->ended, FINDINGS_ENDED_MAX);
    view->note_count = findings_list_notes(findings, view->notes, EVALUATOR_NOTES_MAX);
}

/* Details of active findings change without a begin or an end. */
static bool has_findings(const struct evaluator *evaluator)
{
    const struct findings *findings = detect_findings(evaluator->detect);
    uint64_t active = 0;

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        active += findings_count(findings, i).active;
    }
    return active > 0;
}

static uint64_t all_overflows(const struct evaluator *evaluator)
{
    uint64_t overflows = 0;

    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        overflows += detect_overflows(evaluator->detect, i);
    }
    return overflows;
}

void evaluator_publish(struct evaluator *evaluator)
{
    struct evaluator_view *view = next_view(evaluator);
    uint64_t overflows = all_overflows(evaluator);
    bool changed = evaluator->changed || overflows != evaluator->overflows ||
                   has_findings(evaluator);

    if (view == NULL) {
        return;
    }
    evaluator->overflows = overflows;
    if (changed) {
        fill_view(evaluator, view);
        evaluator->changed = false;
    }
    (void)pthread_mutex_lock(&evaluator->lock);
    evaluator->published ^= changed;
    evaluator->evaluations++;
    (void)pthread_mutex_unlock(&evaluator->lock);
}

const struct evaluator_view *evaluator_acquire(struct evaluator *evaluator, uint64_t *evaluations)
{
    (void)pthread_mutex_lock(&evaluator->lock);
    struct evaluator_view *view = &evaluator->views[evaluator->published];
    view->readers++;
    *evaluations = evaluator->evaluations;
    (void)pthread_mutex_unlock(&evaluator->lock);
    return view;
}

void evaluator_release(struct evaluator *evaluator, const struct evaluator_view *view)
{
    (void)pthread_mutex_lock(&evaluator->lock);
    evaluator->views[view - evaluator->views].readers--;
    (void)pthread_mutex_unlock(&evaluator->lock);
}
