/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/connection_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_event(const struct connection_event *event, enum log_level level,
                        uint64_t repeats)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%" PRIu64, repeats);
    if (event->reason == NULL) {
        log_write(level, event->message, "input", event->input, "peer", event->peer.text,
                  repeats > 0 ? "repeats" : NULL, number, NULL);
    } else {
        log_write(level, event->message, "input", event->input, "peer", event->peer.text, "reason",
                  event->reason, repeats > 0 ? "repeats" : NULL, number, NULL);
    }
}

static bool is_same(const struct connection_event *a, const struct connection_event *b)
{
    return a->message == b->message && a->reason == b->reason && a->input == b->input &&
           a->peer.id_len == b->peer.id_len &&
           memcmp(a->peer.text, b->peer.text, a->peer.id_len) == 0;
}

static bool has_ended(uint64_t begin_ns, uint64_t now_ns)
{
    return now_ns - begin_ns >= CONNECTION_LOG_MINUTE_NS;
}

static void write_others(struct connection_log *log, uint64_t now_ns)
{
    char number[24];

    (void)snprintf(number, sizeof number, "%" PRIu64, log->others);
    log_warn("further connection events of other peers, summed up", "events", number, NULL);
    log->others_begin_ns = now_ns;
    log->others = 0;
}

/* The first one has a line, those of the minute that follows have one together. */
static void note_other(struct connection_log *log, uint64_t now_ns)
{
    log->others++;
    if (log->others_begin_ns == 0 || has_ended(log->others_begin_ns, now_ns)) {
        write_others(log, now_ns);
    }
}

void connection_log_write(struct connection_log *log, const struct connection_event *event,
                          uint64_t now_ns)
{
    size_t chosen = CONNECTION_LOG_PEERS;

    connection_log_advance(log, now_ns);
    for (size_t i = 0; i < CONNECTION_LOG_PEERS; i++) {
        if (log->places[i].event.message == NULL) {
            chosen = i;
        } else if (is_same(&log->places[i].event, event)) {
            write_event(event, LOG_LEVEL_DEBUG, 0);
            log->places[i].event = *event;
            log->places[i].repeats++;
            return;
        }
    }
    if (chosen == CONNECTION_LOG_PEERS) {
        write_event(event, LOG_LEVEL_DEBUG, 0);
        note_other(log, now_ns);
        return;
    }
    write_event(event, event->level, 0);
    log->places[chosen].event = *event;
    log->places[chosen].begin_ns = now_ns;
    log->places[chosen].repeats = 0;
}

static void write_repeats(struct connection_log *log, size_t place, uint64_t now_ns)
{
    if (log->places[place].repeats == 0) {
        log->places[place].event.message = NULL;
        return;
    }
    write_event(&log->places[place].event, log->places[place].event.level,
                log->places[place].repeats);
    log->places[place].begin_ns = now_ns;
    log->places[place].repeats = 0;
}

static void write_ended(struct connection_log *log, uint64_t now_ns, bool all)
{
    for (size_t i = 0; i < CONNECTION_LOG_PEERS; i++) {
        if (log->places[i].event.message != NULL &&
            (all || has_ended(log->places[i].begin_ns, now_ns))) {
            write_repeats(log, i, now_ns);
        }
    }
    if (log->others > 0 && (all || has_ended(log->others_begin_ns, now_ns))) {
        write_others(log, now_ns);
    }
}

void connection_log_advance(struct connection_log *log, uint64_t now_ns)
{
    write_ended(log, now_ns, false);
}

void connection_log_end(struct connection_log *log, uint64_t now_ns)
{
    write_ended(log, now_ns, true);
}
