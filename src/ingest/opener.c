/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/opener.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wakeup.h"

#define NICENESS     10  /* chosen: workers go first */
#define CPU_SHARE    4   /* of a core: one in so many */
#define TICK_MS      100 /* how late a deadline may be noticed */
#define EVENTS_MAX   16
#define PAUSE_MAX_NS (100 * NS_PER_MS)

/* First in, first out. */
struct queue {
    struct opening openings[OPENER_PENDING];
    unsigned first, count;
};

struct opener {
    pthread_t thread;
    atomic_bool stopping;
    struct wakeup given; /* something is in `waiting`, or the thread is to end */
    struct wakeup done;  /* something is in `finished` */
    pthread_mutex_t lock;
    struct queue waiting, finished; /* under the lock */
    unsigned pending;               /* of the thread that gives and takes */
    /* Of the thread. */
    int epoll_fd;
    struct opening openings[OPENER_STREAMS]; /* stream NULL: a free place */
    uint64_t begun[OPENER_STREAMS];          /* a number for each: the oldest has the smallest */
    uint64_t next_begun;
};

/* --- Queues --- */

static void queue_push(struct queue *queue, const struct opening *opening)
{
    queue->openings[(queue->first + queue->count++) % OPENER_PENDING] = *opening;
}

static bool queue_pop(struct queue *queue, struct opening *out)
{
    if (queue->count == 0) {
        return false;
    }
    *out = queue->openings[queue->first];
    queue->first = (queue->first + 1) % OPENER_PENDING;
    queue->count--;
    return true;
}

static void lock_and_push(struct opener *opener, struct queue *queue, const struct opening *opening)
{
    (void)pthread_mutex_lock(&opener->lock);
    queue_push(queue, opening);
    (void)pthread_mutex_unlock(&opener->lock);
}

static bool lock_and_pop(struct opener *opener, struct queue *queue, struct opening *out)
{
    (void)pthread_mutex_lock(&opener->lock);
    bool is_there = queue_pop(queue, out);
    (void)pthread_mutex_unlock(&opener->lock);
    return is_there;
}

/* --- The thread --- */

/* Out of the epoll set it comes by itself when its descriptor is closed; but it stays open. */
static void finish(struct opener *opener, struct opening *opening, enum opening_result result)
{
    (void)epoll_ctl(opener->epoll_fd, EPOLL_CTL_DEL, byte_stream_fd(opening->stream), NULL);
    opening->result = result;
    lock_and_push(opener, &opener->finished, opening);
    opening->stream = NULL;
    wakeup_signal(&opener->done);
}

/* Where it has to wait, it is in the epoll set. */
static void step(struct opener *opener, struct opening *opening, int op)
{
    struct epoll_event event = {.data.ptr = opening};

    switch (byte_stream_open(opening->stream)) {
    case BYTE_STREAM_OK:
        finish(opener, opening, OPENING_OPEN);
        return;
    case BYTE_STREAM_END:
        finish(opener, opening, OPENING_ENDED);
        return;
    case BYTE_STREAM_TRUNCATED:
    case BYTE_STREAM_ERROR:
        finish(opener, opening, OPENING_FAILED);
        return;
    case BYTE_STREAM_AGAIN:
        break;
    }
    event.events = byte_stream_poll_events(opening->stream);
    if (epoll_ctl(opener->epoll_fd, op, byte_stream_fd(opening->stream), &event) < 0) {
        finish(opener, opening, OPENING_FAILED);
    }
}

/* A free place; or that of the oldest stream that was accepted, which makes room; or NULL. */
static struct opening *find_place(struct opener *opener)
{
    unsigned oldest = OPENER_STREAMS;

    for (unsigned i = 0; i < OPENER_STREAMS; i++) {
        struct opening *opening = &opener->openings[i];
        if (opening->stream == NULL) {
            return opening;
        }
        if (!opening->is_dialled &&
            (oldest == OPENER_STREAMS || opener->begun[i] < opener->begun[oldest])) {
            oldest = i;
        }
    }
    if (oldest == OPENER_STREAMS) {
        return NULL;
    }
    finish(opener, &opener->openings[oldest], OPENING_EVICTED);
    return &opener->openings[oldest];
}

static void begin(struct opener *opener, const struct opening *given)
{
    struct opening *place = find_place(opener);
    struct opening refused = *given;

    if (place == NULL) {
        finish(opener, &refused, OPENING_EVICTED);
        return;
    }
    *place = *given;
    opener->begun[place - opener->openings] = opener->next_begun++;
    step(opener, place, EPOLL_CTL_ADD);
}

static void end_late(struct opener *opener, uint64_t now_ns)
{
    for (unsigned i = 0; i < OPENER_STREAMS; i++) {
        struct opening *opening = &opener->openings[i];
        if (opening->stream != NULL && now_ns >= opening->deadline_ns) {
            finish(opener, opening, OPENING_TIMED_OUT);
        }
    }
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_SECOND + (uint64_t)used.tv_nsec;
}

/* Each turn is followed by a pause of three times the CPU that it took. */
static void pause_for(uint64_t cpu_ns)
{
    uint64_t ns = cpu_ns * (CPU_SHARE - 1);
    const struct timespec pause = {.tv_nsec = (long)(ns < PAUSE_MAX_NS ? ns : PAUSE_MAX_NS)};

    (void)nanosleep(&pause, NULL);
}

static void turn(struct opener *opener)
{
    struct epoll_event events[EVENTS_MAX];
    struct opening given;
    int count = epoll_wait(opener->epoll_fd, events, EVENTS_MAX, TICK_MS);
    uint64_t began_ns = thread_cpu_ns();

    for (int i = 0; i < count; i++) {
        struct opening *opening = events[i].data.ptr;
        if (opening == NULL) {
            wakeup_clear(&opener->given);
        } else if (opening->stream != NULL) { /* it has not made room in this turn */
            step(opener, opening, EPOLL_CTL_MOD);
        }
    }
    if (lock_and_pop(opener, &opener->waiting, &given)) {
        wakeup_signal(&opener->given); /* there may be more */
        begin(opener, &given);
    }
    end_late(opener, clock_monotonic_ns());
    pause_for(thread_cpu_ns() - began_ns);
}

static void *run(void *context)
{
    struct opener *opener = context;

    (void)pthread_setname_np(pthread_self(), "opener");
    (void)setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread only, on Linux */
    while (!atomic_load(&opener->stopping)) {
        turn(opener);
    }
    return NULL;
}

/* --- Beginning and end --- */

static void release(struct opener *opener)
{
    struct opening left;

    for (unsigned i = 0; i < OPENER_STREAMS; i++) {
        byte_stream_free(opener->openings[i].stream);
    }
    while (queue_pop(&opener->waiting, &left) || queue_pop(&opener->finished, &left)) {
        byte_stream_free(left.stream);
    }
    if (opener->epoll_fd >= 0) {
        (void)close(opener->epoll_fd);
    }
    wakeup_deinit(&opener->given);
    wakeup_deinit(&opener->done);
    (void)pthread_mutex_destroy(&opener->lock);
    free(opener);
}

static int prepare(struct opener *opener)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int result = wakeup_init(&opener->given);

    if (result == 0) {
        result = wakeup_init(&opener->done);
    }
    if (result < 0) {
        return result;
    }
    opener->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return opener->epoll_fd < 0 ||
                   epoll_ctl(opener->epoll_fd, EPOLL_CTL_ADD, opener->given.fd, &event) < 0
               ? -errno
               : 0;
}

int opener_create(struct opener **out)
{
    struct opener *opener = calloc(1, sizeof *opener);

    if (opener == NULL) {
        return -ENOMEM;
    }
    opener->epoll_fd = opener->given.fd = opener->done.fd = -1;
    (void)pthread_mutex_init(&opener->lock, NULL);
    int result = prepare(opener);
    if (result == 0) {
        result = -pthread_create(&opener->thread, NULL, run, opener);
    }
    if (result < 0) {
        release(opener);
        return result;
    }
    *out = opener;
    return 0;
}

void opener_free(struct opener *opener)
{
    if (opener != NULL) {
        atomic_store(&opener->stopping, true);
        wakeup_signal(&opener->given);
        (void)pthread_join(opener->thread, NULL);
        release(opener);
    }
}

size_t opener_memory(void)
{
    return sizeof(struct opener) + OPENER_STREAMS * byte_stream_memory(true);
}

/* --- Giving and taking --- */

bool opener_give(struct opener *opener, const struct opening *opening)
{
    if (opener->pending == OPENER_PENDING) {
        return false;
    }
    opener->pending++;
    lock_and_push(opener, &opener->waiting, opening);
    wakeup_signal(&opener->given);
    return true;
}

int opener_fd(const struct opener *opener)
{
    return opener->done.fd;
}

bool opener_take(struct opener *opener, struct opening *out)
{
    wakeup_clear(&opener->done);
    bool is_there = lock_and_pop(opener, &opener->finished, out);

    opener->pending -= is_there;
    return is_there;
}
