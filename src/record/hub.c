/* SPDX-License-Identifier: Apache-2.0 */
#include "record/hub.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

struct hub {
    struct hub_setup setup;
    pthread_mutex_t lock; /* over all below */
    struct window *window;
    struct watch *watch;
    uint64_t version;
    /* Of the reader: the steps that have ended. */
    struct pane *ended;
    bool is_summed; /* ended is of these two */
    uint64_t summed_version, summed_now;
};

int hub_create(struct hub **out, const struct hub_setup *setup)
{
    struct hub *hub = calloc(1, sizeof *hub);

    if (hub == NULL) {
        return -ENOMEM;
    }
    hub->setup = *setup;
    (void)pthread_mutex_init(&hub->lock, NULL);
    if (window_create(&hub->window, &setup->panes) < 0 ||
        pane_create(&hub->ended, &setup->panes) < 0 ||
        watch_create(&hub->watch, &setup->watch) < 0) {
        hub_free(hub);
        return -ENOMEM;
    }
    *out = hub;
    return 0;
}

void hub_free(struct hub *hub)
{
    if (hub != NULL) {
        window_free(hub->window);
        pane_free(hub->ended);
        watch_free(hub->watch);
        (void)pthread_mutex_destroy(&hub->lock);
        free(hub);
    }
}

void hub_add_pane(struct hub *hub, uint64_t step, uint64_t now, const struct pane *pane)
{
    (void)pthread_mutex_lock(&hub->lock);
    window_add(hub->window, step, now, pane);
    hub->version++;
    (void)pthread_mutex_unlock(&hub->lock);
}

void hub_add_evidence(struct hub *hub, const struct evidence *evidence)
{
    (void)pthread_mutex_lock(&hub->lock);
    watch_add(hub->watch, evidence);
    (void)pthread_mutex_unlock(&hub->lock);
}

/* --- Log lines --- */

#define NUMBER_SIZE 24
#define TIME_SIZE   32

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

static void log_burst(void *context, const struct burst *burst, bool begins, uint64_t when_ns)
{
    const struct hub *hub = context;
    double lasted_seconds = (double)(when_ns - burst->began_ns) / (double)NS_PER_SECOND;
    struct burst_text text;
    char numbers[6][NUMBER_SIZE];
    char time[TIME_SIZE];

    burst_print(burst, &hub->setup.privacy, &text);
    /* Live, the pairs end before the time: the line has its own. */
    log_write(begins ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
              begins ? "NXDOMAIN burst begins" : "NXDOMAIN burst ends", "detector",
              detector_names[burst->detector], "client", text.client, "domain", text.domain,
              "failing_names_per_minute", print_number(burst->failing, numbers[0]),
              "responses_per_minute", print_number((double)burst->messages, numbers[1]),
              "existing_names_per_minute", print_number(burst->found, numbers[2]),
              "normal_per_minute", print_number(burst->normal, numbers[3]), "clients",
              print_number(burst->clients, numbers[4]), "lasted_seconds",
              print_number(lasted_seconds, numbers[5]), "example_1", text.examples[0], "example_2",
              text.examples[1], "example_3", text.examples[2], hub->setup.of_frames ? "time" : NULL,
              print_time(when_ns, time), NULL);
}

void hub_advance(struct hub *hub, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&hub->lock);
    watch_advance(hub->watch, now_ns, log_burst, hub);
    (void)pthread_mutex_unlock(&hub->lock);
}

/* --- Reading --- */

uint64_t hub_version(struct hub *hub)
{
    (void)pthread_mutex_lock(&hub->lock);
    uint64_t version = hub->version;
    (void)pthread_mutex_unlock(&hub->lock);
    return version;
}

/* A shard that hands in a pane meanwhile waits for one step to be added, not for all. */
static void sum_ended_steps(struct hub *hub, uint64_t now)
{
    hub->summed_version = hub_version(hub);
    hub->summed_now = now;
    pane_clear(hub->ended);
    for (unsigned i = 0; i < WINDOW_STEPS - 1; i++) {
        (void)pthread_mutex_lock(&hub->lock);
        window_add_to(hub->window, i, now, hub->ended);
        (void)pthread_mutex_unlock(&hub->lock);
    }
    hub->is_summed = hub_version(hub) == hub->summed_version;
}

void hub_add_window(struct hub *hub, uint64_t now, struct pane *sum)
{
    if (!hub->is_summed || hub->summed_now != now || hub->summed_version != hub_version(hub)) {
        sum_ended_steps(hub, now);
    }
    pane_add(sum, hub->ended);
}

size_t hub_read(struct hub *hub, struct hub_detections detections[DETECTOR_COUNT],
                struct burst *bursts, size_t burst_max)
{
    (void)pthread_mutex_lock(&hub->lock);
    for (enum detector detector = 0; detector < DETECTOR_COUNT; detector++) {
        detections[detector].begun = watch_begun(hub->watch, detector);
        detections[detector].lasting = watch_active(hub->watch, detector);
        detections[detector].overflows = watch_overflows(hub->watch, detector);
    }
    size_t count = watch_list(hub->watch, bursts, burst_max);
    (void)pthread_mutex_unlock(&hub->lock);
    return count;
}
