/* SPDX-License-Identifier: Apache-2.0 */
/* One attack on an exporter, with half a core at most: `attack NAME UNIX_SOCKET TCP WEB`, the
 * latter two as ADDRESS:PORT. Runs until SIGTERM, then prints what it did as a line of JSON.
 * Written in C, as an attacker would: what he saves, the exporter may not spend either. */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define SHARE         0.5 /* of a core, for all threads together */
#define CREDIT_MAX_NS (10 * (int64_t)NS_PER_MS)
#define REST_NS       ((int64_t)NS_PER_MS / 2) /* of CPU time: no shorter sleeps */
#define THREADS_MAX   16
#define CONTENT_TYPE  "protobuf:dnstap.Dnstap"

static const struct {
    const char *name;
    attack_function *run;
    unsigned threads;
    const char *step;
} kinds[] = {
    {"bytes", attack_bytes, 1, "bytes"},
    {"reconnect", attack_reconnect, 1, "connections"},
    {"silent", attack_silent, 1, "connections"},
    {"lengths", attack_lengths, 1, "connections"},
    {"protocols", attack_protocols, 1, "connections"},
    {"identities", attack_identities, 1, "frames"},
    {"names", attack_names, 1, "frames"},
    {"garbage", attack_garbage, 1, "frames"},
    {"oversize", attack_oversize, 1, "frames"},
    {"slow-requests", attack_slow_requests, 1, "bytes"},
    {"busy-scrapers", attack_busy_scrapers, 6, "pages"},
    {"slow-readers", attack_slow_readers, 1, "bytes"},
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- A share of the CPU --- */

static uint64_t thread_cpu_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_SECOND + (uint64_t)used.tv_nsec;
}

static void sleep_ns(uint64_t duration_ns)
{
    const struct timespec duration = {.tv_sec = (time_t)(duration_ns / NS_PER_SECOND),
                                      .tv_nsec = (long)(duration_ns % NS_PER_SECOND)};

    (void)nanosleep(&duration, NULL);
}

void attack_rest(struct attack *attack)
{
    struct attack_budget *budget = &attack->budget;
    uint64_t wall_ns = clock_monotonic_ns();
    uint64_t cpu_ns = thread_cpu_ns();

    budget->credit_ns += (int64_t)((double)(wall_ns - budget->wall_ns) * budget->share) -
                         (int64_t)(cpu_ns - budget->cpu_ns);
    if (budget->credit_ns > CREDIT_MAX_NS) {
        budget->credit_ns = CREDIT_MAX_NS;
    }
    budget->wall_ns = wall_ns;
    budget->cpu_ns = cpu_ns;
    if (budget->credit_ns < -REST_NS) {
        sleep_ns((uint64_t)((double)-budget->credit_ns / budget->share));
    }
}

void attack_sleep_ms(unsigned ms)
{
    sleep_ns(ms * NS_PER_MS);
}

void attack_count(struct attack *attack, uint64_t steps)
{
    atomic_fetch_add_explicit(&attack->counts->steps, steps, memory_order_relaxed);
}

void attack_count_failed(struct attack *attack)
{
    atomic_fetch_add_explicit(&attack->counts->failed, 1, memory_order_relaxed);
}

/* --- Connections --- */

static int attack_socket(int family)
{
    const struct timeval patience = {.tv_sec = 1};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
        die("socket");
    }
    return fd;
}

static int attack_connect(struct attack *attack, int fd, const void *address, socklen_t size)
{
    if (connect(fd, address, size) < 0) {
        attack_count_failed(attack);
        (void)close(fd);
        return -1;
    }
    return fd;
}

int attack_connect_unix(struct attack *attack)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", attack->targets->unix_path);
    return attack_connect(attack, attack_socket(AF_UNIX), &address, sizeof address);
}

int attack_connect_tcp(struct attack *attack)
{
    return attack_connect(attack, attack_socket(AF_INET), &attack->targets->tcp,
                          sizeof attack->targets->tcp);
}

int attack_connect_either(struct attack *attack, unsigned number)
{
    return number % 2 == 0 ? attack_connect_unix(attack) : attack_connect_tcp(attack);
}

int attack_connect_web(struct attack *attack, uint8_t host, int receive_buffer)
{
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host)};
    int fd = attack_socket(AF_INET);

    if (bind(fd, (const struct sockaddr *)&from, sizeof from) < 0 ||
        (receive_buffer > 0 &&
         setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer) < 0)) {
        die("web client");
    }
    return attack_connect(attack, fd, &attack->targets->web, sizeof attack->targets->web);
}

void attack_abort(int fd)
{
    const struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(fd);
}

int attack_send(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t count = send(fd, (const uint8_t *)data + done, len - done, MSG_NOSIGNAL);
        if (count < 0) {
            return -1;
        }
        done += (size_t)count;
    }
    return 0;
}

uint8_t *attack_put_be32(uint8_t *at, size_t value)
{
    *at++ = (uint8_t)(value >> 24);
    *at++ = (uint8_t)(value >> 16);
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

uint8_t *attack_put_start(uint8_t *at)
{
    const size_t len = sizeof CONTENT_TYPE - 1;

    at = attack_put_be32(at, 0);
    at = attack_put_be32(at, 12 + len);
    at = attack_put_be32(at, 2); /* START */
    at = attack_put_be32(at, 1); /* content type */
    at = attack_put_be32(at, len);
    memcpy(at, CONTENT_TYPE, len);
    return at + len;
}

/* --- The process --- */

struct thread {
    struct attack attack;
    attack_function *run;
};

static void *thread_run(void *argument)
{
    struct thread *thread = argument;

    thread->attack.budget.wall_ns = clock_monotonic_ns();
    thread->run(&thread->attack);
    return NULL;
}

static void parse_address(struct sockaddr_in *address, const char *text)
{
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(text, ':');

    address->sin_family = AF_INET;
    if (colon != NULL && (size_t)(colon - text) < sizeof host) {
        memcpy(host, text, (size_t)(colon - text));
        address->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    }
    if (inet_pton(AF_INET, host, &address->sin_addr) != 1) {
        errno = EINVAL;
        die(text);
    }
}

static size_t find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return i;
        }
    }
    (void)fprintf(stderr, "attack: no such attack: %s\n", name);
    exit(2);
}

int main(int argc, char *argv[])
{
    static struct thread threads[THREADS_MAX];
    static struct attack_targets targets;
    static struct attack_counts counts;
    struct timespec cpu;
    pthread_t id;
    sigset_t end;
    int signal;

    if (argc != 5) {
        (void)fprintf(stderr, "usage: attack NAME UNIX_SOCKET TCP_ADDRESS:PORT WEB_ADDRESS:PORT\n");
        return 2;
    }
    size_t kind = find_kind(argv[1]);
    targets.unix_path = argv[2];
    parse_address(&targets.tcp, argv[3]);
    parse_address(&targets.web, argv[4]);
    (void)sigemptyset(&end);
    (void)sigaddset(&end, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &end, NULL); /* before threads that would inherit another */
    for (unsigned i = 0; i < kinds[kind].threads; i++) {
        threads[i].run = kinds[kind].run;
        threads[i].attack = (struct attack){
            .targets = &targets,
            .counts = &counts,
            .budget.share = SHARE / kinds[kind].threads,
            .thread = i,
        };
        errno = pthread_create(&id, NULL, thread_run, &threads[i]);
        if (errno != 0) {
            die("attack");
        }
    }
    (void)sigwait(&end, &signal);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    (void)printf("{\"steps\": %llu, \"step\": \"%s\", \"failed\": %llu, \"cpu_seconds\": %.3f}\n",
                 atomic_load(&counts.steps), kinds[kind].step, atomic_load(&counts.failed),
                 (double)cpu.tv_sec + (double)cpu.tv_nsec / (double)NS_PER_SECOND);
    (void)fflush(stdout);
    _exit(0); /* the threads go on until then */
}
