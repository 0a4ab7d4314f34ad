/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the web side: clients that do not say what they want, that want too much, or that do
 * not take what they get. */
#include "attack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define REQUEST "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"

/* --- A byte of the header every three seconds --- */

#define SLOW_CONNECTIONS 80
#define SLOW_BYTE_NS     (3 * NS_PER_SECOND)

void attack_slow_requests(struct attack *attack)
{
    static const char request[] = REQUEST "X-Filler: ";
    int fds[SLOW_CONNECTIONS];
    size_t at[SLOW_CONNECTIONS] = {0};
    uint64_t due_ns[SLOW_CONNECTIONS] = {0};
    char answer[512];

    memset(fds, -1, sizeof fds);
    for (;; attack_sleep_ms(20)) {
        for (unsigned i = 0; i < SLOW_CONNECTIONS; i++) {
            uint64_t now_ns = clock_monotonic_ns();
            ssize_t got = fds[i] < 0 ? 0 : recv(fds[i], answer, sizeof answer, MSG_DONTWAIT);

            if (got == 0 || (got < 0 && errno != EAGAIN)) { /* none yet, or sent away */
                if (fds[i] >= 0) {
                    attack_abort(fds[i]);
                    attack_count_failed(attack);
                }
                fds[i] = attack_connect_web(attack, (uint8_t)(2 + i % 2), 0);
                at[i] = 0;
                due_ns[i] = now_ns;
            }
            if (fds[i] >= 0 && now_ns >= due_ns[i]) {
                const char *byte = at[i] < sizeof request - 1 ? &request[at[i]++] : "x";
                (void)attack_send(fds[i], byte, 1); /* recv() will say if that failed */
                due_ns[i] = now_ns + SLOW_BYTE_NS;
                attack_count(attack, 1);
            }
            attack_rest(attack);
        }
    }
}

/* --- Pages as fast as they come --- */

#define PAGE_BUFFER ((size_t)256 * 1024)

/* Reads one response, all of which has to be read before the next request. Returns its status, or 0
 * if the connection is at its end. */
static int scraper_read(int fd, char *buffer)
{
    size_t got = 0;
    char *body = NULL;

    while (body == NULL) {
        ssize_t count = recv(fd, buffer + got, PAGE_BUFFER - 1 - got, 0);
        if (count <= 0) {
            return 0;
        }
        got += (size_t)count;
        buffer[got] = '\0'; /* the body may have zeros, but only behind the header */
        body = strstr(buffer, "\r\n\r\n");
    }
    const char *length = strcasestr(buffer, "\r\nContent-Length:");
    if (length == NULL || length > body || got < 12) {
        return 0;
    }
    size_t total = (size_t)(body + 4 - buffer) + strtoull(length + 17, NULL, 10);
    int status = (int)strtol(buffer + 9, NULL, 10);
    while (got < total) {
        ssize_t count = recv(fd, buffer, PAGE_BUFFER, 0);
        if (count <= 0) {
            return 0;
        }
        got += (size_t)count;
    }
    return status;
}

/* Half of them take gzip, as Prometheus does. */
void attack_busy_scrapers(struct attack *attack)
{
    const char *request = attack->thread % 2 == 0 ? REQUEST "\r\n"
                                                  : REQUEST "Accept-Encoding: gzip\r\n\r\n";
    char *buffer = malloc(PAGE_BUFFER);
    int fd = -1;

    if (buffer == NULL) {
        abort();
    }
    for (;; attack_rest(attack)) {
        if (fd < 0) {
            fd = attack_connect_web(attack, 2, 0);
        }
        if (fd < 0) {
            continue;
        }
        int status = attack_send(fd, request, strlen(request)) == 0 ? scraper_read(fd, buffer) : 0;
        if (status == 200) {
            attack_count(attack, 1);
        } else {
            attack_count_failed(attack);
        }
        if (status == 0) {
            attack_abort(fd);
            fd = -1;
        }
    }
}

/* --- Pages that are not read --- */

#define READERS       12
#define READER_BUFFER 4096 /* so that most of the page stays with the exporter */

void attack_slow_readers(struct attack *attack)
{
    static const char request[] = REQUEST "\r\n";
    int fds[READERS];
    char byte;

    memset(fds, -1, sizeof fds);
    for (;; attack_sleep_ms(1000)) {
        for (unsigned i = 0; i < READERS; i++) {
            ssize_t got = fds[i] < 0 ? 0 : recv(fds[i], &byte, 1, MSG_DONTWAIT);

            if (got == 0 || (got < 0 && errno != EAGAIN)) { /* none yet, or sent away */
                if (fds[i] >= 0) {
                    attack_abort(fds[i]);
                    attack_count_failed(attack);
                }
                fds[i] = attack_connect_web(attack, (uint8_t)(2 + i % 2), READER_BUFFER);
                if (fds[i] >= 0) {
                    (void)attack_send(fds[i], request, sizeof request - 1);
                }
            } else if (got == 1) {
                attack_count(attack, 1);
            }
            attack_rest(attack);
        }
    }
}
