/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS server that never rests: dnstap frames as fast as the receiver takes them, or into a file.
 * Queries and responses in turn, for names and clients that are all different, or drawn by Zipf's
 * law. */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dnstap.pb-c.h"
#include "fstrm_client.h"
#include "support/random.h"

#define DNS_HEADER  12
#define NUMBER_SIZE 16                   /* hexadecimal digits of a name's first label */
#define DOMAINS_MAX 10000                /* four digits, as identities have */
#define BATCH       10000                /* frames between two looks at the clock */
#define FILE_START  UINT64_C(1700000000) /* of a file's time */

struct flood {
    uint64_t frames, first;  /* how many; number of the first name */
    uint64_t names, clients; /* how many different ones */
    unsigned domains, identities;
    unsigned nxdomain_percent, servfail_percent;
    unsigned name_size;            /* bytes in wire format */
    unsigned file_seconds;         /* time from a file's first frame to its last */
    double zipf;                   /* exponent; 0: one after the other */
    double *name_law, *client_law; /* cumulative, where there is an exponent */
    uint64_t seed;
    struct fstrm_client client;
};

/* A packed frame, and where in it is what changes from one to the next. */
struct template
{
    uint8_t frame[1024];
    size_t len;
    size_t address, id, rcode, name, domain, identity;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- Frames --- */

/* "NUMBER.[filler.]dDOMAIN.example" in `size` bytes; returns the whole message's length. */
static size_t make_message(uint8_t message[512], bool response, unsigned size)
{
    size_t filler = size - (1 + NUMBER_SIZE) - (1 + 5) - (1 + 7) - 1;
    uint8_t *at = message + DNS_HEADER;

    memset(message, 0, 512);
    message[2] = response ? 0x81 : 0x01; /* QR, RD */
    message[3] = response ? 0x80 : 0;    /* RA */
    message[5] = 1;                      /* one question */
    *at++ = NUMBER_SIZE;
    at += NUMBER_SIZE;
    while (filler > 1) {
        size_t label = filler > 64 ? 63 : filler - 1;
        label -= filler - 1 - label == 1; /* a single byte is no label */
        *at++ = (uint8_t)label;
        memset(at, 'x', label);
        at += label;
        filler -= 1 + label;
    }
    memcpy(at, "\5d0000\7example\0\0\1\0\1", 19);
    return (size_t)(at + 19 - message);
}

static size_t find(const struct template *template, const void *what, size_t len)
{
    const uint8_t *found = memmem(template->frame, template->len, what, len);

    if (found == NULL) {
        abort();
    }
    return (size_t)(found - template->frame);
}

static ProtobufCBinaryData binary(void *data, size_t len)
{
    return (ProtobufCBinaryData){len, data};
}

static void make_template(struct template *template, bool response, unsigned name_size,
                          uint64_t now_ns)
{
    static uint8_t identity[] = "flood0000";
    uint8_t client[] = {0xa1, 0xa2, 0xa3, 0xa4};
    uint8_t server[] = {127, 0, 0, 1};
    uint8_t dns[512];
    Dnstap__Message message = DNSTAP__MESSAGE__INIT;
    Dnstap__Dnstap frame = DNSTAP__DNSTAP__INIT;
    size_t dns_len = make_message(dns, response, name_size);

    message.type = response ? DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE
                            : DNSTAP__MESSAGE__TYPE__CLIENT_QUERY;
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
    message.query_message = message.response_message = binary(dns, dns_len);
    frame.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
    frame.message = &message;
    frame.has_identity = 1;
    frame.identity = binary(identity, sizeof identity - 1);
    template->len = dnstap__dnstap__pack(&frame, template->frame);
    template->address = find(template, client, sizeof client);
    template->id = find(template, dns, dns_len);
    template->rcode = template->id + 3;
    template->name = template->id + DNS_HEADER + 1;
    template->domain = find(template, "d0000\7example", 13) + 1;
    template->identity = find(template, identity, sizeof identity - 1) + 5;
}

static void write_digits(uint8_t at[4], unsigned number)
{
    for (unsigned i = 4; i-- > 0; number /= 10) {
        at[i] = (uint8_t)('0' + number % 10);
    }
}

static void put_frame(struct flood *flood, struct template *template, uint64_t name,
                      uint64_t client, unsigned rcode)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t mixed = name;
    uint64_t number = random_next(&mixed); /* one to one */
    uint8_t *at = template->frame + template->name;

    for (unsigned i = 0; i < NUMBER_SIZE; i++) {
        at[i] = (uint8_t)digits[number >> (4 * i) & 15];
    }
    write_digits(template->frame + template->domain, (unsigned)(number % flood->domains));
    write_digits(template->frame + template->identity, (unsigned)(client % flood->identities));
    template->frame[template->id] = (uint8_t)(name >> 8);
    template->frame[template->id + 1] = (uint8_t)name;
    if (rcode != 16) {
        template->frame[template->rcode] = (uint8_t)(0x80 | rcode);
    }
    at = template->frame + template->address;
    at[0] = (uint8_t)(10 + (client >> 24));
    at[1] = (uint8_t)(client >> 16);
    at[2] = (uint8_t)(client >> 8);
    at[3] = (uint8_t)client;
    fstrm_client_put_be32(&flood->client, template->len);
    fstrm_client_put(&flood->client, template->frame, template->len);
}

/* --- Who asks for what --- */

/* Rank r comes with a probability in proportion to 1 / (r + 1)^exponent. */
static double *make_law(double exponent, uint64_t count)
{
    double *law = malloc(count * sizeof *law);
    double sum = 0;

    if (law == NULL) {
        die("flood");
    }
    for (uint64_t i = 0; i < count; i++) {
        sum += pow((double)(i + 1), -exponent);
        law[i] = sum;
    }
    return law;
}

static uint64_t draw(const double *law, uint64_t count, uint64_t *seed)
{
    double at = (double)(random_next(seed) >> 11) * 0x1p-53 * law[count - 1];
    uint64_t low = 0;
    uint64_t high = count - 1;

    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (law[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t time_of(const struct flood *flood, uint64_t sent)
{
    if (!flood->client.is_file) {
        return clock_realtime_ns();
    }
    return FILE_START * NS_PER_SECOND +
           flood->file_seconds * NS_PER_SECOND / (flood->frames / BATCH + 1) * (sent / BATCH);
}

static void put_frames(struct flood *flood)
{
    struct template query;
    struct template response;

    for (uint64_t sent = 0; sent + 2 <= flood->frames; sent += 2) {
        uint64_t turn = flood->first + sent / 2;
        uint64_t name = turn % flood->names;
        uint64_t client = turn * 7919 % flood->clients; /* a prime: all, in another order */

        if (sent % BATCH == 0) {
            make_template(&query, false, flood->name_size, time_of(flood, sent));
            make_template(&response, true, flood->name_size, time_of(flood, sent));
        }
        if (flood->zipf > 0) {
            name = draw(flood->name_law, flood->names, &flood->seed);
            client = draw(flood->client_law, flood->clients, &flood->seed);
        }
        size_t lot = random_below(&flood->seed, 100);
        unsigned rcode = lot < flood->nxdomain_percent                             ? 3
                         : lot < flood->nxdomain_percent + flood->servfail_percent ? 2
                                                                                   : 0;
        put_frame(flood, &query, name, client, 16);
        put_frame(flood, &response, name, client, rcode);
    }
}

enum {
    FRAMES = 256,
    FIRST,
    NAMES,
    CLIENTS,
    DOMAINS,
    IDENTITIES,
    NXDOMAIN,
    SERVFAIL,
    NAME_SIZE,
    SECONDS,
    ZIPF,
};

static bool is_count(unsigned number)
{
    return number > 0 && number <= DOMAINS_MAX;
}

static void parse(struct flood *flood, int argc, char *argv[])
{
    static const struct option options[] = {
        {"frames", required_argument, NULL, FRAMES},
        {"first", required_argument, NULL, FIRST},
        {"names", required_argument, NULL, NAMES},
        {"clients", required_argument, NULL, CLIENTS},
        {"domains", required_argument, NULL, DOMAINS},
        {"identities", required_argument, NULL, IDENTITIES},
        {"servfail", required_argument, NULL, SERVFAIL},
        {"nxdomain", required_argument, NULL, NXDOMAIN},
        {"name-size", required_argument, NULL, NAME_SIZE},
        {"seconds", required_argument, NULL, SECONDS},
        {"zipf", required_argument, NULL, ZIPF},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (option) {
        case FRAMES:
            flood->frames = number;
            break;
        case FIRST:
            flood->first = number;
            break;
        case NAMES:
            flood->names = number;
            break;
        case CLIENTS:
            flood->clients = number;
            break;
        case DOMAINS:
            flood->domains = (unsigned)number;
            break;
        case IDENTITIES:
            flood->identities = (unsigned)number;
            break;
        case SERVFAIL:
            flood->servfail_percent = (unsigned)number;
            break;
        case NXDOMAIN:
            flood->nxdomain_percent = (unsigned)number;
            break;
        case NAME_SIZE:
            flood->name_size = (unsigned)number;
            break;
        case SECONDS:
            flood->file_seconds = (unsigned)number;
            break;
        case ZIPF:
            flood->zipf = strtod(optarg, NULL);
            break;
        default:
            exit(2);
        }
    }
    if (optind + 1 != argc || flood->name_size < 40 || flood->name_size > 255 ||
        flood->names == 0 || flood->clients == 0 || !is_count(flood->domains) ||
        !is_count(flood->identities)) {
        (void)fprintf(stderr, "usage: flood [--frames=N] [--first=N] [--names=N] [--clients=N] "
                              "[--domains=1..10000] [--identities=1..10000] [--nxdomain=PERCENT] "
                              "[--servfail=PERCENT] [--name-size=40..255] [--zipf=EXPONENT] "
                              "[--seconds=N] UNIX_SOCKET|ADDRESS:PORT|-\n");
        exit(2);
    }
}

int main(int argc, char *argv[])
{
    static struct flood flood = {
        .frames = 1000000,
        .names = UINT64_C(1) << 40,
        .clients = 10000000,
        .domains = 1000,
        .identities = 1,
        .name_size = 40,
        .file_seconds = 300,
        .seed = 1,
    };

    parse(&flood, argc, argv);
    fstrm_client_open(&flood.client, argv[optind]);
    if (flood.zipf > 0) {
        flood.name_law = make_law(flood.zipf, flood.names);
        flood.client_law = make_law(flood.zipf, flood.clients);
    }
    uint64_t began_ns = clock_monotonic_ns();
    fstrm_client_begin(&flood.client);
    put_frames(&flood);
    fstrm_client_end(&flood.client);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / (double)NS_PER_SECOND;
    (void)fprintf(stderr, "%llu frames in %.2f s, %.2f M/s\n", (unsigned long long)flood.frames,
                  seconds, (double)flood.frames / seconds / 1e6);
    fstrm_client_close(&flood.client);
    free(flood.name_law);
    free(flood.client_law);
    return 0;
}
