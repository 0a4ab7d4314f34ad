/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Relaxed: a line written while the setting changes may follow either. */
static _Atomic(enum log_level) threshold = LOG_LEVEL_INFO;
static _Atomic(enum log_format) style = LOG_FORMAT_LOGFMT;

/* Lines that could not be written since the last that could. */
static atomic_uint lost;

/* The last line was written in part. */
static atomic_bool torn;

/* Set before other threads start. */
static int log_fd = STDERR_FILENO;
static bool is_socket;

struct line {
    char data[4096];
    size_t len;
};

void log_configure(enum log_level level, enum log_format format)
{
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

static void add(struct line *line, const char *piece)
{
    size_t len = strlen(piece);

    memcpy(line->data + line->len, piece, len);
    line->len += len;
}

/* A value that does not fit is cut, and shows it. */
static void add_escaped(struct line *line, const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        char piece[8] = {(char)*p, '\0'};

        if (room_in(line) < sizeof piece) {
            add(line, "...");
            return;
        }

        if (*p == '"' || *p == '\\') {
            (void)snprintf(piece, sizeof piece, "\\%c", *p);
        } else if (*p < ' ' || *p > '~') {
            (void)snprintf(piece, sizeof piece, "\\u%04x", *p);
        }
        add(line, piece);
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

    if (line->len > 1) {
        add(line, json ? "," : " ");
    }
    add(line, json ? "\"" : "");
    add(line, key);
    add(line, json ? "\":" : "=");
    if (quoted) {
        line->data[line->len++] = '"';
    }
    add_escaped(line, value);
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

/* Standard error is shared with other processes, which may not expect that it is non-blocking. A
 * second open of the same pipe or terminal has flags of its own. */
void log_open(void)
{
    struct stat found;

    if (fstat(STDERR_FILENO, &found) < 0) {
        return;
    }
    is_socket = S_ISSOCK(found.st_mode);
    if (S_ISFIFO(found.st_mode) || S_ISCHR(found.st_mode)) {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        log_fd = fd >= 0 ? fd : STDERR_FILENO;
    }
}

/* A reader of the log that has stopped must not stop the program. A terminal that is ready need not
 * have room for a whole line. */
static bool can_write(void)
{
    struct pollfd wanted = {.fd = log_fd, .events = POLLOUT};

    return poll(&wanted, 1, 0) > 0 && (wanted.revents & POLLOUT) != 0;
}

static ssize_t write_now(const char *data, size_t len)
{
    return is_socket ? send(log_fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                     : write(log_fd, data, len);
}

/* A line that was cut off ends before the next one begins. */
static void write_line(const struct line *line)
{
    if (atomic_exchange_explicit(&torn, false, memory_order_relaxed) && write_now("\n", 1) != 1) {
        atomic_store_explicit(&torn, true, memory_order_relaxed);
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        return;
    }
    ssize_t written = write_now(line->data, line->len);
    if (written != (ssize_t)line->len) {
        atomic_store_explicit(&torn, written > 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    }
}

static void add_lost(struct line *line, enum log_format format)
{
    unsigned count = atomic_exchange_explicit(&lost, 0, memory_order_relaxed);
    char number[16];

    if (count > 0) { /* not as a pair, which might be cut */
        (void)snprintf(number, sizeof number, "%u", count);
        add(line, format == LOG_FORMAT_JSON ? ",\"lines_lost_before\":\"" : " lines_lost_before=");
        add(line, number);
        add(line, format == LOG_FORMAT_JSON ? "\"" : "");
    }
}

void log_write(enum log_level level, const char *message, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    enum log_format format = atomic_load_explicit(&style, memory_order_relaxed);
    struct line line;
    va_list pairs;

    if (level < atomic_load_explicit(&threshold, memory_order_relaxed)) {
        return;
    }
    if (!can_write()) {
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
        return;
    }
    line.len = 0;
    if (format == LOG_FORMAT_JSON) {
        add(&line, "{");
    }
    add_timestamp(&line, format);
    add_pair(&line, format, "level", names[level]);
    add_pair(&line, format, "msg", message);
    va_start(pairs, message);
    for (const char *key; (key = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        if (room_in(&line) > strlen(key) + END_SIZE) { /* or nothing of its value might fit */
            add_pair(&line, format, key, value);
        }
    }
    va_end(pairs);
    add_lost(&line, format);
    if (format == LOG_FORMAT_JSON) {
        line.data[line.len++] = '}';
    }
    line.data[line.len++] = '\n';
    write_line(&line);
}
