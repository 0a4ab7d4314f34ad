/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by frames, all of them made anew: ever new servers, ever new names, clients, types and
 * codes, garbage, and frames that are too large. */
#include "attack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "dnstap.pb-c.h"
#include "support/random.h"

#define BUFFER      ((size_t)64 * 1024)
#define KINDS       14 /* of dnstap messages */
#define IDENTITY    255
#define REFRESH     64 /* buffers between two looks at the clock */
#define DNS_LABEL   13 /* where in a message what changes is */
#define DNS_DOMAIN  30
#define DNS_QTYPE   47
#define DNS_RCODE_X 56 /* the upper bits, in the OPT record */
#define DNS_SIZE    62

/* A packed frame of one type, and where in it what changes is. */
struct frame_template {
    uint8_t data[1024];
    size_t len, identity, client, dns;
};

struct frame_attack {
    struct attack *attack;
    struct frame_template templates[KINDS];
    uint8_t buffer[BUFFER];
    size_t len;
    uint64_t random;
    unsigned sent; /* buffers */
    int fds[2];    /* unix, TCP */
    bool endless_identities, endless_names;
};

static size_t template_find(const struct frame_template *template, const void *what, size_t len)
{
    const uint8_t *found = memmem(template->data, template->len, what, len);

    if (found == NULL) {
        abort();
    }
    return (size_t)(found - template->data);
}

static ProtobufCBinaryData binary(uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, data};
}

/* "................ ........ example", type A, and an OPT record. */
static void template_make_dns(uint8_t dns[DNS_SIZE], bool response)
{
    static const uint8_t header[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
    static const uint8_t end[] = "\7example\0\0\1\0\1\0\0\x29\4\xd0\0\0\0\0\0";

    memset(dns, 'x', DNS_SIZE);
    memcpy(dns, header, sizeof header);
    dns[2] |= response ? 0x80 : 0;
    dns[DNS_LABEL - 1] = 16;
    dns[DNS_DOMAIN - 1] = 8;
    memcpy(dns + DNS_DOMAIN + 8, end, sizeof end);
}

static void template_make(struct frame_template *template, unsigned type, bool long_identity)
{
    bool response = type % 2 == 0;
    uint64_t now_ns = clock_realtime_ns();
    uint8_t identity[IDENTITY];
    uint8_t client[] = {0xa1, 0xa2, 0xa3, 0xa4};
    uint8_t server[] = {127, 0, 0, 1};
    uint8_t dns[DNS_SIZE];
    Dnstap__Message message = DNSTAP__MESSAGE__INIT;
    Dnstap__Dnstap frame = DNSTAP__DNSTAP__INIT;

    memset(identity, 'a', sizeof identity);
    template_make_dns(dns, response);
    message.type = (Dnstap__Message__Type)type;
    message.has_socket_family = message.has_socket_protocol = 1;
    message.socket_family = DNSTAP__SOCKET_FAMILY__INET;
    message.socket_protocol = DNSTAP__SOCKET_PROTOCOL__UDP;
    message.has_query_address = message.has_response_address = message.has_query_port = 1;
    message.query_address = binary(client, sizeof client);
    message.response_address = binary(server, sizeof server);
    message.query_port = 5353;
    message.has_query_time_sec = message.has_query_time_nsec = !response;
    message.query_time_sec = message.response_time_sec = now_ns / NS_PER_SECOND;
    message.query_time_nsec = message.response_time_nsec = (uint32_t)(now_ns % NS_PER_SECOND);
    message.has_response_time_sec = message.has_response_time_nsec = response;
    message.has_query_message = !response;
    message.has_response_message = response;
    message.query_message = message.response_message = binary(dns, sizeof dns);
    frame.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
    frame.message = &message;
    frame.has_identity = 1;
    frame.identity = binary(identity, long_identity ? IDENTITY : 8);
    template->len = dnstap__dnstap__pack(&frame, template->data);
    template->identity = template_find(template, identity, frame.identity.len);
    template->client = template_find(template, client, sizeof client);
    template->dns = template_find(template, dns, sizeof dns);
}

/* Random bytes of 10xxxxxx: never UTF-8. */
static void put_identity(struct frame_attack *frames, uint8_t *at)
{
    for (size_t i = 0; i < IDENTITY; i += 8) {
        uint64_t bytes = random_next(&frames->random) & UINT64_C(0x3f3f3f3f3f3f3f3f);
        bytes |= UINT64_C(0x8080808080808080);
        memcpy(at + i, &bytes, IDENTITY - i < 8 ? IDENTITY - i : 8);
    }
}

static void put_letters(uint8_t at[8], uint64_t bits)
{
    for (unsigned i = 0; i < 8; i++) {
        at[i] = (uint8_t)('a' + (bits >> (4 * i) & 15));
    }
}

static void put_name(struct frame_attack *frames, const struct frame_template *template,
                     uint8_t *frame)
{
    uint64_t name = random_next(&frames->random);
    uint64_t rest = random_next(&frames->random);
    uint64_t client = random_next(&frames->random);
    uint8_t *dns = frame + template->dns;

    memcpy(frame + template->client, &client, 4);
    memcpy(dns, &rest, 2);               /* id */
    dns[3] = (uint8_t)(rest >> 16 & 15); /* rcode */
    dns[DNS_RCODE_X] = (uint8_t)(rest >> 24);
    dns[DNS_QTYPE] = (uint8_t)(rest >> 32);
    dns[DNS_QTYPE + 1] = (uint8_t)(rest >> 40);
    put_letters(dns + DNS_LABEL, name);
    put_letters(dns + DNS_LABEL + 8, name >> 32);
    put_letters(dns + DNS_DOMAIN, client >> 32);
}

static void frames_fill(struct frame_attack *frames)
{
    const size_t end = BUFFER - 4 - sizeof frames->templates->data;
    uint64_t count = 0;

    if (frames->sent % REFRESH == 0) {
        for (unsigned i = 0; i < KINDS; i++) {
            template_make(&frames->templates[i], i + 1, frames->endless_identities);
        }
    }
    for (; frames->len <= end; count++) {
        const struct frame_template *template = &frames->templates[count % KINDS];
        uint8_t *frame = attack_put_be32(frames->buffer + frames->len, template->len);

        memcpy(frame, template->data, template->len);
        if (frames->endless_identities) {
            put_identity(frames, frame + template->identity);
        }
        if (frames->endless_names) {
            put_name(frames, template, frame);
        }
        frames->len += 4 + template->len;
    }
    attack_count(frames->attack, count);
}

/* To both inputs in turn. A connection begins with START and ends after `lifetime` buffers (0:
 * never). */
static void frames_send(struct frame_attack *frames, unsigned lifetime)
{
    unsigned turn = frames->sent++;
    int *fd = &frames->fds[turn % 2];

    if (*fd < 0) {
        uint8_t start[ATTACK_START_SIZE];

        (void)attack_put_start(start);
        *fd = attack_connect_either(frames->attack, turn);
        (void)(*fd >= 0 && attack_send(*fd, start, sizeof start));
    }
    if (*fd >= 0 && attack_send(*fd, frames->buffer, frames->len) < 0) {
        attack_count_failed(frames->attack);
        attack_abort(*fd);
        *fd = -1;
    } else if (*fd >= 0 && lifetime > 0 && turn / 2 % lifetime == lifetime - 1) {
        (void)close(*fd);
        *fd = -1;
    }
    frames->len = 0;
    attack_rest(frames->attack);
}

static struct frame_attack *frames_create(struct attack *attack)
{
    struct frame_attack *frames = calloc(1, sizeof *frames);

    if (frames == NULL) {
        abort();
    }
    frames->attack = attack;
    frames->random = 1;
    frames->fds[0] = frames->fds[1] = -1;
    return frames;
}

/* A server that leaves gives its place to another: so the connections do not stay. */
void attack_identities(struct attack *attack)
{
    struct frame_attack *frames = frames_create(attack);

    frames->endless_identities = true;
    for (;;) {
        frames_fill(frames);
        frames_send(frames, 4);
    }
}

void attack_names(struct attack *attack)
{
    struct frame_attack *frames = frames_create(attack);

    frames->endless_names = true;
    for (;;) {
        frames_fill(frames);
        frames_send(frames, 0);
    }
}

/* Frames of 8 to 64 random bytes. */
void attack_garbage(struct attack *attack)
{
    struct frame_attack *frames = frames_create(attack);

    for (;;) {
        uint64_t count = 0;

        for (; frames->len + 4 + 64 <= BUFFER; count++) {
            size_t words = 1 + random_below(&frames->random, 8);
            uint8_t *at = attack_put_be32(frames->buffer + frames->len, 8 * words);

            for (size_t i = 0; i < words; i++) {
                uint64_t bytes = random_next(&frames->random);
                memcpy(at + 8 * i, &bytes, 8);
            }
            frames->len += 4 + 8 * words;
        }
        attack_count(attack, count);
        frames_send(frames, 0);
    }
}

/* Frames of 1 MiB, the largest that are passed over, and of a byte more than limits.frame_size. */
void attack_oversize(struct attack *attack)
{
    static const size_t sizes[] = {(size_t)1024 * 1024, (size_t)128 * 1024 + 1};
    struct frame_attack *frames = frames_create(attack);
    size_t left[2] = {0}; /* of the frame that each connection is in */

    for (unsigned turn = 0;; turn++) {
        size_t *rest = &left[turn % 2];

        memset(frames->buffer, 0, BUFFER);
        if (frames->fds[turn % 2] < 0) {
            *rest = 0; /* a new connection begins with a frame */
        }
        for (size_t at = 0; at < BUFFER;) {
            if (*rest == 0) {
                if (at + 4 > BUFFER) {
                    break;
                }
                *rest = sizes[turn / 2 % 2];
                (void)attack_put_be32(frames->buffer + at, *rest);
                at += 4;
                attack_count(attack, 1);
            }
            size_t part = *rest < BUFFER - at ? *rest : BUFFER - at;
            *rest -= part;
            at += part;
            frames->len = at;
        }
        frames_send(frames, 0);
    }
}
