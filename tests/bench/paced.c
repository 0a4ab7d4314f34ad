/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS server with a steady load: sends a capture's frames again and again at a rate, a batch each
 * millisecond, and measures how long a write had to wait for the receiver.
 *
 * A write that finds room waits for nothing. One that does not blocks, and the wait is the time
 * until the last byte of the batch was taken. A batch that comes late because this process did not
 * run, or had to wait, is followed by batches at twice the rate at most, until the pace is right
 * again: the sender's own lateness is no burst.
 *
 * After the last frame one line of JSON goes to standard output. STOP follows when standard input
 * ends, so that the caller may look at the receiver before; then the wait for FINISH. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture_frames.h"
#include "fstrm_client.h"

#define BATCH_NS NS_PER_MS

struct paced {
    struct capture_frames frames;
    struct fstrm_client client;
    double rate;      /* frames a second */
    uint64_t seconds; /* how long */
    size_t next;      /* frame to send */
    uint64_t sent;
    uint64_t *waits_ns; /* [batch_count] */
    size_t batch_count;
    uint64_t longest_late_ns; /* from the end of a sleep that was asked for to that which was had */
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Sends all of the bytes; returns for how long that had to wait. */
static uint64_t paced_write(int fd, const uint8_t *data, size_t len)
{
    ssize_t taken = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    uint64_t began_ns = clock_monotonic_ns();

    if (taken == (ssize_t)len) {
        return 0;
    }
    if (taken < 0 && errno != EAGAIN) {
        die("send");
    }
    for (size_t done = taken > 0 ? (size_t)taken : 0; done < len; done += (size_t)taken) {
        taken = send(fd, data + done, len - done, MSG_NOSIGNAL);
        if (taken < 0) {
            die("send");
        }
    }
    return clock_monotonic_ns() - began_ns;
}

/* Sends `count` frames, in two writes where the capture begins again; returns the wait. */
static uint64_t paced_send_batch(struct paced *paced, uint64_t count)
{
    const struct capture_frames *frames = &paced->frames;
    uint64_t wait_ns = 0;

    while (count > 0) {
        size_t run = frames->count - paced->next;

        run = run < count ? run : count;
        wait_ns += paced_write(paced->client.fd, frames->data + frames->offsets[paced->next],
                               frames->offsets[paced->next + run] - frames->offsets[paced->next]);
        paced->next = (paced->next + run) % frames->count;
        paced->sent += run;
        count -= run;
    }
    return wait_ns;
}

static void paced_sleep_until(struct paced *paced, uint64_t due_ns)
{
    const struct timespec due = {.tv_sec = (time_t)(due_ns / NS_PER_SECOND),
                                 .tv_nsec = (long)(due_ns % NS_PER_SECOND)};

    if (clock_monotonic_ns() >= due_ns) {
        return;
    }
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    uint64_t late_ns = clock_monotonic_ns() - due_ns;
    if (late_ns > paced->longest_late_ns) {
        paced->longest_late_ns = late_ns;
    }
}

static void paced_run(struct paced *paced)
{
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t earliest_ns = 0;

    for (size_t i = 0; i < paced->batch_count; i++) {
        uint64_t due_ns = began_ns + i * BATCH_NS;
        double due_frames = (double)((i + 1) * BATCH_NS) * paced->rate / (double)NS_PER_SECOND;

        paced_sleep_until(paced, due_ns > earliest_ns ? due_ns : earliest_ns);
        earliest_ns = clock_monotonic_ns() + BATCH_NS / 2;
        paced->waits_ns[i] = paced_send_batch(paced, (uint64_t)due_frames - paced->sent);
    }
}

static int compare_waits(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static double cpu_seconds(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / (double)NS_PER_SECOND;
}

static void paced_print(struct paced *paced, double seconds)
{
    const uint64_t *longest_ns = &paced->waits_ns[paced->batch_count - 1];
    size_t above_p999 = paced->batch_count / 1000;

    qsort(paced->waits_ns, paced->batch_count, sizeof *paced->waits_ns, compare_waits);
    (void)printf("{\"frames\": %" PRIu64 ", \"seconds\": %.3f, \"longest_wait_ms\": %.3f, "
                 "\"p999_wait_ms\": %.3f, \"longest_late_ms\": %.3f, \"cpu_seconds\": %.3f}\n",
                 paced->sent, seconds, (double)*longest_ns / (double)NS_PER_MS,
                 (double)*(longest_ns - above_p999) / (double)NS_PER_MS,
                 (double)paced->longest_late_ns / (double)NS_PER_MS, cpu_seconds());
    (void)fflush(stdout);
}

static void wait_for_end_of_input(void)
{
    char unused[64];

    while (read(STDIN_FILENO, unused, sizeof unused) > 0) {
    }
}

enum { RATE = 256, SECONDS };

static void parse(struct paced *paced, int argc, char *argv[])
{
    static const struct option options[] = {
        {"rate", required_argument, NULL, RATE},
        {"seconds", required_argument, NULL, SECONDS},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case RATE:
            paced->rate = strtod(optarg, NULL);
            break;
        case SECONDS:
            paced->seconds = strtoull(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 2 || !(paced->rate > 0) || paced->seconds == 0) {
        (void)fprintf(stderr, "usage: paced [--rate=FRAMES_A_SECOND] [--seconds=N] CAPTURE "
                              "UNIX_SOCKET|ADDRESS:PORT\n");
        exit(2);
    }
}

int main(int argc, char *argv[])
{
    static struct paced paced = {.rate = 200000, .seconds = 10};

    parse(&paced, argc, argv);
    paced.frames = capture_frames_load(argv[optind]);
    paced.batch_count = paced.seconds * NS_PER_SECOND / BATCH_NS;
    paced.waits_ns = calloc(paced.batch_count, sizeof *paced.waits_ns);
    if (paced.waits_ns == NULL) {
        die("paced");
    }
    fstrm_client_open(&paced.client, argv[optind + 1]);
    fstrm_client_begin(&paced.client);
    fstrm_client_write(&paced.client, "",
                       0); /* START goes out before what does not pass the client */
    uint64_t began_ns = clock_monotonic_ns();
    paced_run(&paced);
    paced_print(&paced, (double)(clock_monotonic_ns() - began_ns) / (double)NS_PER_SECOND);
    wait_for_end_of_input();
    fstrm_client_end(&paced.client);
    fstrm_client_close(&paced.client);
    capture_frames_deinit(&paced.frames);
    free(paced.waits_ns);
    return 0;
}
