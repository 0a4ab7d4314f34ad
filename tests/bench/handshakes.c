/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers who shake hands in TLS with a server, so many a second, and then say nothing. It keeps
 * as many connections as it is told to; for a further one it closes the oldest. At the end it
 * prints as a line of JSON what it did. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define HELD_MAX   4096
#define EVENTS_MAX 64

/* What a stranger does before it is silent. */
enum kind {
    KIND_COMPLETE, /* the whole handshake */
    KIND_HELLO,    /* a ClientHello */
    KIND_SILENT,   /* it connects */
    KIND_COUNT,
};

static const char *const kind_names[KIND_COUNT] = {"complete", "hello", "silent"};

struct stranger {
    int fd; /* -1: none */
    enum kind kind;
    gnutls_session_t tls; /* NULL: of the kind that only connects */
    bool is_done;         /* it has said what it says */
};

struct strangers {
    struct sockaddr_in address;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    enum kind kinds[16]; /* in turn */
    unsigned kind_count;
    double rate; /* connections a second */
    uint64_t seconds;
    unsigned held;
    int epoll_fd;
    struct stranger all[HELD_MAX]; /* the first `held` */
    uint64_t begun, completed, closed, failed;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void check(int result)
{
    if (result < 0) {
        (void)fprintf(stderr, "handshakes: %s\n", gnutls_strerror(result));
        exit(1);
    }
}

/* With a reset, so that no port stays taken. */
static void leave(struct stranger *stranger)
{
    const struct linger at_once = {.l_onoff = 1};

    if (stranger->fd >= 0) {
        (void)setsockopt(stranger->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        (void)close(stranger->fd);
        if (stranger->tls != NULL) {
            gnutls_deinit(stranger->tls);
        }
    }
    stranger->fd = -1;
    stranger->tls = NULL;
}

static void begin_session(const struct strangers *strangers, struct stranger *stranger)
{
    check(gnutls_init(&stranger->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL));
    check(gnutls_priority_set(stranger->tls, strangers->priority));
    check(gnutls_credentials_set(stranger->tls, GNUTLS_CRD_CERTIFICATE, strangers->credentials));
    gnutls_transport_set_int(stranger->tls, stranger->fd);
}

static void begin(struct strangers *strangers)
{
    struct stranger *stranger = &strangers->all[strangers->begun % strangers->held];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = stranger};

    leave(stranger);
    stranger->kind = strangers->kinds[strangers->begun++ % strangers->kind_count];
    stranger->is_done = stranger->kind == KIND_SILENT;
    stranger->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stranger->fd < 0) {
        die("socket");
    }
    if (connect(stranger->fd, (const struct sockaddr *)&strangers->address,
                sizeof strangers->address) < 0 &&
        errno != EINPROGRESS) {
        strangers->failed++;
        leave(stranger);
        return;
    }
    if (stranger->kind != KIND_SILENT) {
        begin_session(strangers, stranger);
    }
    if (epoll_ctl(strangers->epoll_fd, EPOLL_CTL_ADD, stranger->fd, &event) < 0) {
        die("epoll");
    }
}

/* Go on with the handshake; false if the server has ended it. */
static bool shake_hands(struct strangers *strangers, struct stranger *stranger)
{
    int result = gnutls_handshake(stranger->tls);

    if (result == 0) {
        strangers->completed++;
        stranger->is_done = true;
    } else if (result == GNUTLS_E_AGAIN && stranger->kind == KIND_HELLO) {
        stranger->is_done = gnutls_record_get_direction(stranger->tls) == 0;
    }
    return result == 0 || gnutls_error_is_fatal(result) == 0;
}

/* Whether the server has not closed a connection that is silent. */
static bool is_kept(const struct stranger *stranger, uint32_t events)
{
    char unused[512];

    if (stranger->kind != KIND_COMPLETE) {
        return (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0;
    }
    ssize_t got = gnutls_record_recv(stranger->tls, unused, sizeof unused);
    return got > 0 || (got < 0 && gnutls_error_is_fatal((int)got) == 0);
}

static void go_on(struct strangers *strangers, struct stranger *stranger, uint32_t events)
{
    if (stranger->fd < 0) {
        return;
    }
    bool stays = stranger->is_done || shake_hands(strangers, stranger);
    if (!stays || (stranger->is_done && !is_kept(stranger, events))) {
        strangers->closed++;
        leave(stranger);
    }
}

static void run(struct strangers *strangers)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t total = (uint64_t)(strangers->rate * (double)strangers->seconds);

    for (;;) {
        double elapsed = (double)(clock_monotonic_ns() - began_ns) / (double)NS_PER_SECOND;
        if (elapsed >= (double)strangers->seconds) {
            return;
        }
        if (strangers->begun < total && (double)strangers->begun <= elapsed * strangers->rate) {
            begin(strangers);
        }
        int count = epoll_wait(strangers->epoll_fd, events, EVENTS_MAX, 1);
        for (int i = 0; i < count; i++) {
            go_on(strangers, events[i].data.ptr, events[i].events);
        }
    }
}

static void parse_kinds(struct strangers *strangers, char *text)
{
    const unsigned most = sizeof strangers->kinds / sizeof *strangers->kinds;

    strangers->kind_count = 0;
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        enum kind kind = KIND_COMPLETE;
        while (kind < KIND_COUNT && strcmp(word, kind_names[kind]) != 0) {
            kind++;
        }
        if (kind == KIND_COUNT || strangers->kind_count == most) {
            errno = EINVAL;
            die(word);
        }
        strangers->kinds[strangers->kind_count++] = kind;
    }
}

static void parse_address(struct sockaddr_in *address, const char *port)
{
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
}

enum { RATE = 256, SECONDS, KINDS, HELD, CERT, KEY };

static void parse(struct strangers *strangers, int argc, char *argv[])
{
    static const struct option options[] = {
        {"rate", required_argument, NULL, RATE},
        {"seconds", required_argument, NULL, SECONDS},
        {"kinds", required_argument, NULL, KINDS},
        {"held", required_argument, NULL, HELD},
        {"cert", required_argument, NULL, CERT},
        {"key", required_argument, NULL, KEY},
        {NULL, 0, NULL, 0},
    };
    const char *cert = NULL;
    const char *key = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case RATE:
            strangers->rate = strtod(optarg, NULL);
            break;
        case SECONDS:
            strangers->seconds = strtoull(optarg, NULL, 10);
            break;
        case KINDS:
            parse_kinds(strangers, optarg);
            break;
        case HELD:
            strangers->held = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case CERT:
            cert = optarg;
            break;
        case KEY:
            key = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 1 || strangers->held < 1 || strangers->held > HELD_MAX ||
        strangers->kind_count == 0 || (cert == NULL) != (key == NULL)) {
        (void)fprintf(stderr, "usage: handshakes [--rate=A_SECOND] [--seconds=N] "
                              "[--kinds=complete,hello,silent] [--held=1..4096] [--cert=FILE "
                              "--key=FILE] PORT\n");
        exit(2);
    }
    parse_address(&strangers->address, argv[optind]);
    check(gnutls_certificate_allocate_credentials(&strangers->credentials));
    if (cert != NULL) {
        check(gnutls_certificate_set_x509_key_file(strangers->credentials, cert, key,
                                                   GNUTLS_X509_FMT_PEM));
    }
}

int main(int argc, char *argv[])
{
    static struct strangers strangers = {
        .rate = 200, .seconds = 10, .held = 512, .kind_count = 1, .kinds = {KIND_COMPLETE}};

    parse(&strangers, argc, argv);
    check(gnutls_priority_init(&strangers.priority, NULL, NULL));
    for (unsigned i = 0; i < strangers.held; i++) {
        strangers.all[i].fd = -1;
    }
    strangers.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (strangers.epoll_fd < 0) {
        die("epoll");
    }
    run(&strangers);
    for (unsigned i = 0; i < strangers.held; i++) {
        leave(&strangers.all[i]);
    }
    (void)printf("{\"begun\": %" PRIu64 ", \"completed\": %" PRIu64 ", \"closed\": %" PRIu64
                 ", \"failed\": %" PRIu64 "}\n",
                 strangers.begun, strangers.completed, strangers.closed, strangers.failed);
    gnutls_priority_deinit(strangers.priority);
    gnutls_certificate_free_credentials(strangers.credentials);
    return 0;
}
