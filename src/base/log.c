/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/wakeup.h"

#define QUEUE_SIZE ((size_t)64 * 1024) /* bytes: hundreds of lines */
#define STOP_S     1                   /* how long log_stop() waits for lines to be written */

/* Relaxed: a line that is written while the setting changes may use the old or the new one. */
static _Atomic(enum log_level) threshold = LOG_LEVEL_INFO;
static _Atomic(enum log_format) style = LOG_FORMAT_LOGFMT;

/* Standard error leads to the journal, which takes priorities (sd-daemon(3)). Relaxed, as above. */
static atomic_bool to_journal;

/* Relaxed: no other memory depends on it. */
static _Atomic uint64_t lost;

/* Lines on their way to the thread that writes them. It takes all of one half at a time, while the
 * other one is being filled, so that the lock is never held in a write. */
static struct {
    pthread_mutex_t lock;
    struct wakeup filled;  /* there is a line, or log_stop() was called */
    struct wakeup stopped; /* the thread has written all */
    pthread_t thread;
    bool running;         /* log_start() was called, and log_stop() was not */
    bool stopping;        /* no line will come any more */
    bool done;            /* the thread has written all */
    unsigned half;        /* index of the half that lines are added to */
    size_t len;           /* bytes in it */
    uint64_t lost_before; /* lines lost before the next one */
    char halves[2][QUEUE_SIZE];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct line {
    char data[4096];
    size_t len;
    bool has_pair;
};

/* JOURNAL_STREAM has device and inode of the stream (systemd.exec(5)). */
static bool leads_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[48];
    struct stat found;

    if (stream == NULL || fstat(STDERR_FILENO, &found) < 0) {
        return false;
    }
    (void)snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)found.st_dev, (uintmax_t)found.st_ino);
    return strcmp(stream, ours) == 0;
}

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&to_journal, leads_to_journal(), memory_order_relaxed);
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
    atomic_store_explicit(&style, format, memory_order_relaxed);
}

/* Room that is kept for what ends a line: dots, quote, the count of lost lines, brace and newline.
 */
#define END_SIZE 64

static size_t room_in(const struct line *line)
{
    size_t used = line->len + END_SIZE;

    return used < sizeof line->data ? sizeof line->data - used : 0;
}

static void log_add(struct line *line, const char *piece)
{
    size_t len = strlen(piece);

    memcpy(line->data + line->len, piece, len);
    line->len += len;
}

/* The next character of a value as it stands between quotes. Returns how many bytes of the value it
 * is. What is not shown is written as in labels, \\xNN for each byte. */
static size_t escape(struct bytes value, char piece[8])
{
    size_t len = utf8_shown(value);
    bool is_marked = value.data[0] == '"' || value.data[0] == '\\';

    if (is_marked) {
        (void)snprintf(piece, 8, "\\%c", value.data[0]);
    } else if (len > 0) {
        (void)snprintf(piece, 8, "%.*s", (int)len, (const char *)value.data);
    } else if (value.data[0] < 0x80) {
        (void)snprintf(piece, 8, "\\u%04x", value.data[0]);
    } else {
        (void)snprintf(piece, 8, "\\\\x%02x", value.data[0]);
    }
    return len > 0 ? len : 1;
}

/* A value that does not fit is cut, and shows it. */
static void log_add_escaped(struct line *line, const char *value)
{
    struct bytes left = bytes_of_string(value);

    while (left.len > 0) {
        char piece[8];
        size_t taken = escape(left, piece);

        if (room_in(line) < sizeof piece) {
            log_add(line, "...");
            return;
        }
        log_add(line, piece);
        left = (struct bytes){left.data + taken, left.len - taken};
    }
}

static bool needs_quotes(const char *value)
{
    if (*value == '\0') {
        return true;
    }
    for (const char *p = value; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\' || *p == '=') {
            return true;
        }
    }
    return false;
}

static void add_pair(struct line *line, enum log_format format, const char *key, const char *value)
{
    bool json = format == LOG_FORMAT_JSON;
    bool quoted = json || needs_quotes(value);

    if (line->has_pair) {
        log_add(line, json ? "," : " ");
    }
    line->has_pair = true;
    log_add(line, json ? "\"" : "");
    log_add(line, key);
    log_add(line, json ? "\":" : "=");
    if (quoted) {
        line->data[line->len++] = '"';
    }
    log_add_escaped(line, value);
    if (quoted) {
        line->data[line->len++] = '"';
    }
}

static void add_timestamp(struct line *line, enum log_format format)
{
    struct timespec now;
    struct tm utc;
    char seconds[32];
    char stamp[48];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp, sizeof stamp, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
    add_pair(line, format, "ts", stamp);
}

static void add_lost(struct line *line, enum log_format format, uint64_t count)
{
    char number[24];

    if (count > 0) { /* not as a pair, which might be cut */
        (void)snprintf(number, sizeof number, "%" PRIu64, count);
        log_add(line,
                format == LOG_FORMAT_JSON ? ",\"lines_lost_before\":\"" : " lines_lost_before=");
        log_add(line, number);
        log_add(line, format == LOG_FORMAT_JSON ? "\"" : "");
    }
}

static void end_line(struct line *line, enum log_format format)
{
    if (format == LOG_FORMAT_JSON) {
        line->data[line->len++] = '}';
    }
    line->data[line->len++] = '\n';
}

/* --- Writing --- */

/* Waits as long as the reader of standard error lets it. Others may have made the descriptor
 * non-blocking. */
static void write_lines(const char *data, size_t len)
{
    struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};

    while (len > 0) {
        ssize_t written = write(STDERR_FILENO, data, len);
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        } else if (errno == EAGAIN) {
            (void)poll(&wanted, 1, -1);
        } else if (errno != EINTR) { /* nobody will ever read them */
            for (size_t i = 0; i < len; i++) {
                atomic_fetch_add_explicit(&lost, data[i] == '\n', memory_order_relaxed);
            }
            return;
        }
    }
}

static void *write_queue(void *nothing)
{
    (void)nothing;
    (void)pthread_mutex_lock(&queue.lock);
    for (;;) {
        while (queue.len == 0 && !queue.stopping) {
            (void)pthread_mutex_unlock(&queue.lock);
            wakeup_wait(&queue.filled, UINT64_MAX);
            wakeup_clear(&queue.filled);
            (void)pthread_mutex_lock(&queue.lock);
        }
        if (queue.len == 0) {
            break;
        }
        const char *data = queue.halves[queue.half];
        size_t len = queue.len;
        queue.half ^= 1;
        queue.len = 0;
        (void)pthread_mutex_unlock(&queue.lock);
        write_lines(data, len);
        (void)pthread_mutex_lock(&queue.lock);
    }
    queue.done = true;
    wakeup_signal(&queue.stopped);
    (void)pthread_mutex_unlock(&queue.lock);
    return NULL;
}

/* Under the lock. */
static void put_line(struct line *line, enum log_format format)
{
    add_lost(line, format, queue.lost_before);
    end_line(line, format);
    if (queue.len + line->len > QUEUE_SIZE) {
        queue.lost_before++;
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        return;
    }
    memcpy(queue.halves[queue.half] + queue.len, line->data, line->len);
    queue.len += line->len;
    queue.lost_before = 0;
    wakeup_signal(&queue.filled);
}

static void finish_line(struct line *line, enum log_format format)
{
    (void)pthread_mutex_lock(&queue.lock);
    bool running = queue.running;
    if (running) {
        put_line(line, format);
    }
    (void)pthread_mutex_unlock(&queue.lock);
    if (!running) {
        end_line(line, format);
        write_lines(line->data, line->len);
    }
}

/* Signals are for the thread that waits for them; but for SIGSYS, which seccomp(2) sends to whoever
 * has made a call. */
static int log_start_thread(void)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = -pthread_create(&queue.thread, NULL, write_queue, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int log_start(void)
{
    int result = wakeup_init(&queue.filled);

    if (result < 0) {
        return result;
    }
    result = wakeup_init(&queue.stopped);
    if (result < 0) {
        wakeup_deinit(&queue.filled);
        return result;
    }
    queue.stopping = queue.done = false;
    result = log_start_thread();
    if (result < 0) {
        wakeup_deinit(&queue.filled);
        wakeup_deinit(&queue.stopped);
        return result;
    }
    queue.running = true;
    return 0;
}

static bool log_is_done(void)
{
    (void)pthread_mutex_lock(&queue.lock);
    bool done = queue.done;
    queue.running = !done; /* what would have to wait goes into the queue, and is lost */
    (void)pthread_mutex_unlock(&queue.lock);
    return done;
}

/* A thread whose line nobody reads is left behind: the process ends without it. */
void log_stop(void)
{
    uint64_t until_ns = clock_monotonic_ns() + STOP_S * NS_PER_SECOND;

    (void)pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    wakeup_signal(&queue.filled);
    (void)pthread_mutex_unlock(&queue.lock);
    while (!log_is_done() && clock_monotonic_ns() < until_ns) {
        wakeup_wait(&queue.stopped, until_ns);
    }
    if (!log_is_done()) {
        (void)pthread_detach(queue.thread);
        return;
    }
    (void)pthread_join(queue.thread, NULL);
    wakeup_deinit(&queue.filled);
    wakeup_deinit(&queue.stopped);
}

uint64_t log_lost(void)
{
    return atomic_load_explicit(&lost, memory_order_relaxed);
}

/* Whether a line of this level is written; then its beginning is in *line. */
static bool begin_line(struct line *line, enum log_level level, enum log_format format,
                       const char *message)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    static const char *const priorities[] = {"<7>", "<6>", "<4>", "<3>"}; /* syslog(3) */

    if (level < atomic_load_explicit(&threshold, memory_order_relaxed)) {
        return false;
    }
    line->len = 0;
    line->has_pair = false;
    if (atomic_load_explicit(&to_journal, memory_order_relaxed)) {
        log_add(line, priorities[level]);
    }
    if (format == LOG_FORMAT_JSON) {
        log_add(line, "{");
    }
    add_timestamp(line, format);
    add_pair(line, format, "level", names[level]);
    add_pair(line, format, "msg", message);
    return true;
}

static void add_pair_if_it_fits(struct line *line, enum log_format format, const char *key,
                                const char *value)
{
    if (room_in(line) > strlen(key) + END_SIZE) { /* or nothing of its value might fit */
        add_pair(line, format, key, value);
    }
}

void log_write(enum log_level level, const char *message, ...)
{
    enum log_format format = atomic_load_explicit(&style, memory_order_relaxed);
    struct line line;
    va_list pairs;

    if (!begin_line(&line, level, format, message)) {
        return;
    }
    va_start(pairs, message);
    for (const char *key; (key = va_arg(pairs, const char *)) != NULL;) {
        add_pair_if_it_fits(&line, format, key, va_arg(pairs, const char *));
    }
    va_end(pairs);
    finish_line(&line, format);
}

void log_write_pairs(enum log_level level, const char *message, const struct log_pair *pairs,
                     size_t count)
{
    enum log_format format = atomic_load_explicit(&style, memory_order_relaxed);
    struct line line;

    if (!begin_line(&line, level, format, message)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        add_pair_if_it_fits(&line, format, pairs[i].key, pairs[i].value);
    }
    finish_line(&line, format);
}
