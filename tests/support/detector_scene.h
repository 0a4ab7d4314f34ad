/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * detector_scene.h - one detector under test, with two workers, and what it says
 */

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "detect/detect.h"
#include "support/sight.h"

#define CLIENT         UINT32_C(0x0a000001)
#define SCENE_BEGIN_S  UINT64_C(1000020) /* a full minute */
#define SCENE_SUFFIXES "com\nnet\norg\nuk\nco.uk\nexample\ntest\n"

static struct {
    struct detect_setup setup;
    struct detect *detect;
    struct detect_part *parts[2]; /* of two workers */
    struct client_event_rules rules;
    struct suffix_table *suffixes;
    uint64_t second;
    unsigned next; /* number of the next name */
    unsigned begun, ended;
    struct finding last;  /* that began or ended */
    struct finding first; /* that began */
    unsigned noted;
    struct finding_note last_note;
} scene;

static struct detector_settings scene_settings; /* what a detector needs besides */

static inline void scene_hear(void *context, const struct finding *finding)
{
    assert_ptr_equal(context, &scene);
    if (finding->ended_ns == 0 && scene.begun++ == 0) {
        scene.first = *finding;
    }
    assert_true(finding->since_ns > 0 && finding->since_ns <= finding->began_ns);
    scene.ended += finding->ended_ns != 0;
    scene.last = *finding;
}

static inline void scene_hear_note(void *context, const struct finding_note *note)
{
    assert_ptr_equal(context, &scene);
    scene.noted++;
    scene.last_note = *note;
}

static const struct findings_listener scene_listener = {scene_hear, scene_hear_note, &scene};

/* From the first evidence of the last finding to its begin. */
static inline unsigned evidence_seconds(void)
{
    return (unsigned)((scene.last.began_ns - scene.last.since_ns) / NS_PER_SECOND);
}

/* A detail of the last finding. */
static inline double detail(const char *key)
{
    unsigned i = 0;

    while (strcmp(scene.last.detector->details[i].key, key) != 0) {
        i++;
    }
    return scene.last.details[i];
}

/* `zone` denies the name: NULL: no SOA record, "": the root. */
static inline struct client_event scene_event(enum client_event_outcome outcome, uint32_t client,
                                              const char *name, const char *zone, uint8_t *space)
{
    uint8_t zone_space[DNS_NAME_MAX];
    struct client_event event = sight(outcome, client, name, space);

    event.rules = &scene.rules;
    event.qtype = 16;
    event.suffix.has_rule = true;
    if (zone != NULL) {
        event.zone_len = wire_name(zone, zone_space).len;
    }
    return event;
}

static inline void note(enum client_event_outcome outcome, uint32_t client, const char *name,
                        const char *zone)
{
    uint8_t space[DNS_NAME_MAX];
    struct client_event event = scene_event(outcome, client, name, zone, space);

    detect_part_record(scene.parts[0], &event);
}

/* "n<number>.<domain>", as never seen before. */
static inline void note_new(enum client_event_outcome outcome, uint32_t client, const char *domain,
                            const char *zone)
{
    char name[128];

    (void)snprintf(name, sizeof name, "n%u.%s", scene.next++, domain);
    note(outcome, client, name, zone);
}

static inline void pass_seconds(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t now_ns = ++scene.second * NS_PER_SECOND;
        assert_true(detect_is_due(scene.detect, now_ns));
        detect_merge(scene.detect, scene.parts[0], now_ns);
        detect_merge(scene.detect, scene.parts[1], now_ns);
        detect_evaluate(scene.detect, now_ns, &scene_listener);
    }
}

static inline bool is_client(const struct finding *finding, uint32_t client)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < finding->client.len; i++) {
        found = found << 8 | finding->client.data[i];
    }
    return finding->client.len == 4 && found == client;
}

static inline bool is_domain(const struct finding *finding, const char *domain)
{
    uint8_t space[DNS_NAME_MAX];

    return bytes_equal(finding_name_bytes(&finding->domain), wire_name(domain, space));
}

static inline bool example_is_below(const struct finding_name *name, const char *domain)
{
    uint8_t space[DNS_NAME_MAX];

    return dns_name_is_at_or_below(finding_name_bytes(name), wire_name(domain, space));
}

static inline int scene_make_suffixes(void)
{
    char path[] = "/tmp/suffixes.XXXXXX";
    struct text error = {0};
    int fd = mkstemp(path);
    bool written = fd >= 0 && write(fd, SCENE_SUFFIXES, strlen(SCENE_SUFFIXES)) > 0;
    int result = written ? suffix_table_create(&scene.suffixes, &scene.rules.secret, path, NULL, 0,
                                               &error)
                         : -1;

    (void)close(fd);
    (void)unlink(path);
    scene.rules.suffixes = scene.suffixes;
    return result;
}

static inline int scene_begin(unsigned detector, size_t capacity, unsigned threshold)
{
    memset(&scene, 0, sizeof scene);
    scene.rules.secret = SIGHT_SECRET;
    scene.rules.privacy = (struct client_privacy){.ipv4_prefix = 32, .ipv6_prefix = 128};
    scene.rules.host_privacy = (struct client_privacy){.ipv4_prefix = 32, .ipv6_prefix = 64};
    scene.setup.detectors[detector] = scene_settings;
    scene.setup.detectors[detector].enabled = true;
    scene.setup.detectors[detector].capacity = capacity;
    scene.setup.detectors[detector].threshold = threshold;
    if (scene_make_suffixes() < 0 || detect_share(&scene.setup) < 0 ||
        detect_create(&scene.detect, &scene.setup) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (detect_part_create(&scene.parts[i], &scene.setup) < 0) {
            return -1;
        }
    }
    scene.second = SCENE_BEGIN_S - 1;
    pass_seconds(1);
    return 0;
}

static inline int scene_end(void **state)
{
    (void)state;
    detect_part_free(scene.parts[0]);
    detect_part_free(scene.parts[1]);
    detect_free(scene.detect);
    detect_unshare(&scene.setup);
    suffix_table_free(scene.suffixes);
    return 0;
}
