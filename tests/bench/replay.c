/* SPDX-License-Identifier: Apache-2.0 */
/* Send a capture's frames again and again: at full speed or at a rate, over one connection or
 * several at a time, in writes of a given size, plain or over TLS. Prints what was sent and the
 * seconds from the first START to the last FINISH, when the receiver has read everything. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "capture_frames.h"
#include "fstrm_client.h"
#include "fstrm_tls.h"

#define CONNECTIONS_MAX 64
#define SPIN_NS         100000 /* a sleep ends up to this late */

struct plan {
    struct capture_frames frames;
    uint64_t total;    /* frames to send over each connection */
    double rate;       /* frames a second over each connection; 0: as fast as they are taken */
    size_t write_size; /* bytes to have for a write, if they are due */
    unsigned connections;
    bool has_tls;
    const char *target;
    uint64_t start_ns;
};

struct connection {
    pthread_t thread;
    const struct plan *plan;
    struct fstrm_client client;
    unsigned number;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void wait_until(uint64_t due_ns)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (due_ns > now_ns + SPIN_NS) {
        uint64_t sleep_ns = due_ns - now_ns - SPIN_NS;
        const struct timespec duration = {.tv_sec = (time_t)(sleep_ns / NS_PER_SECOND),
                                          .tv_nsec = (long)(sleep_ns % NS_PER_SECOND)};
        (void)nanosleep(&duration, NULL);
    }
    while (clock_monotonic_ns() < due_ns) {
    }
}

/* The frames from `first` on that make one write: all that fit, but one at least. */
static size_t count_for_write(const struct plan *plan, size_t first, uint64_t left)
{
    const size_t *offsets = plan->frames.offsets;
    size_t end = first + 1;

    while (end < plan->frames.count && end - first < left &&
           offsets[end + 1] - offsets[first] <= plan->write_size) {
        end++;
    }
    return end - first;
}

static void send_frames(struct connection *connection)
{
    const struct plan *plan = connection->plan;
    const struct capture_frames *frames = &plan->frames;
    size_t at = frames->count * connection->number / plan->connections;

    for (uint64_t sent = 0; sent < plan->total;) {
        size_t count = count_for_write(plan, at, plan->total - sent);
        if (plan->rate > 0) {
            double due = (double)(sent + count) / plan->rate;
            wait_until(plan->start_ns + (uint64_t)(due * (double)NS_PER_SECOND));
        }
        fstrm_client_write(&connection->client, frames->data + frames->offsets[at],
                           frames->offsets[at + count] - frames->offsets[at]);
        sent += count;
        at = (at + count) % frames->count;
    }
}

static void *run(void *argument)
{
    struct connection *connection = argument;

    fstrm_client_begin(&connection->client);
    send_frames(connection);
    fstrm_client_end(&connection->client);
    return NULL;
}

static void replay(struct plan *plan)
{
    static struct connection connections[CONNECTIONS_MAX];

    for (unsigned i = 0; i < plan->connections; i++) {
        connections[i].plan = plan;
        connections[i].number = i;
        fstrm_client_open(&connections[i].client, plan->target);
        if (plan->has_tls) {
            fstrm_tls_begin(&connections[i].client);
        }
    }
    plan->start_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < plan->connections; i++) {
        errno = pthread_create(&connections[i].thread, NULL, run, &connections[i]);
        if (errno != 0) {
            die("replay");
        }
    }
    for (unsigned i = 0; i < plan->connections; i++) {
        (void)pthread_join(connections[i].thread, NULL);
        if (plan->has_tls) {
            fstrm_tls_end(&connections[i].client);
        }
        fstrm_client_close(&connections[i].client);
    }
}

enum { FRAMES = 256, CONNECTIONS, RATE, WRITE_SIZE, TLS };

static void usage(void)
{
    (void)fprintf(stderr,
                  "usage: replay [--frames=N] [--connections=1..64] [--rate=FRAMES_A_SECOND] "
                  "[--write-size=BYTES] [--tls] CAPTURE UNIX_SOCKET|ADDRESS:PORT|-\n");
    exit(2);
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"frames", required_argument, NULL, FRAMES},
        {"connections", required_argument, NULL, CONNECTIONS},
        {"rate", required_argument, NULL, RATE},
        {"write-size", required_argument, NULL, WRITE_SIZE},
        {"tls", no_argument, NULL, TLS},
        {NULL, 0, NULL, 0},
    };
    struct plan plan = {.connections = 1, .write_size = FSTRM_CLIENT_BUFFER};
    uint64_t frames = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case FRAMES:
            frames = strtoull(optarg, NULL, 10);
            break;
        case CONNECTIONS:
            plan.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case RATE:
            plan.rate = strtod(optarg, NULL);
            break;
        case WRITE_SIZE:
            plan.write_size = strtoull(optarg, NULL, 10);
            break;
        case TLS:
            plan.has_tls = true;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 2 || plan.connections < 1 || plan.connections > CONNECTIONS_MAX) {
        usage();
    }
    plan.frames = capture_frames_load(argv[optind]);
    plan.target = argv[optind + 1];
    plan.total = (frames > 0 ? frames : plan.frames.count) / plan.connections;
    plan.rate /= plan.connections;
    replay(&plan);
    double seconds = (double)(clock_monotonic_ns() - plan.start_ns) / (double)NS_PER_SECOND;
    (void)fprintf(stderr, "frames=%" PRIu64 " seconds=%.6f\n", plan.total * plan.connections,
                  seconds);
    capture_frames_deinit(&plan.frames);
    return 0;
}
