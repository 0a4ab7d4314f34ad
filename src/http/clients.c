/* SPDX-License-Identifier: Apache-2.0 */
#include "clients_internal.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define REQUEST_NS      (10 * NS_PER_SECOND) /* chosen: Prometheus' default scrape timeout */
#define RESPONSE_NS     (60 * NS_PER_SECOND) /* scrapers give up after ten, by default */
#define SLOW_NS         (10 * NS_PER_SECOND) /* a response that takes longer may be ended */
#define KEPT_PART       8                    /* of the connections, for complete requests */

#define IPV6_HALF       8  /* bytes of a /64, which one host may have */
#define IPV4_MAPPED_LEN 12 /* bytes of ::ffff:0:0/96 (RFC 4291 section 2.5.5.2) */

void clients_init(struct clients *clients, unsigned max)
{
    *clients = (struct clients){.max = max};
    (void)pthread_mutex_init(&clients->lock, NULL);
}

void clients_deinit(struct clients *clients)
{
    (void)pthread_mutex_destroy(&clients->lock);
}

unsigned clients_per_address(const struct clients *clients)
{
    return clients->max / 2 + clients->max % 2;
}

/* --- Who it is --- */

static void set_origin(struct client *client, const struct sockaddr *address)
{
    static const uint8_t mapped[IPV4_MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};
    uint8_t *origin = client->origin;
    char *text = client->address;

    client->has_address = address->sa_family != AF_UNIX;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const void *)address;
        memcpy(origin, mapped, sizeof mapped);
        memcpy(origin + sizeof mapped, &ipv4->sin_addr, sizeof ipv4->sin_addr);
        (void)inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof client->address);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = (const void *)address;
        const uint8_t *bytes = ipv6->sin6_addr.s6_addr;
        bool is_ipv4 = memcmp(bytes, mapped, sizeof mapped) == 0;
        memcpy(origin, bytes, is_ipv4 ? sizeof ipv6->sin6_addr : IPV6_HALF);
        (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? bytes + sizeof mapped : bytes, text,
                        sizeof client->address);
    }
}

bool client_same_origin(const struct client *a, const struct client *b)
{
    return a->has_address && b->has_address && memcmp(a->origin, b->origin, sizeof a->origin) == 0;
}

/* Bytes that have arrived on the connection; 0 on a unix socket, whose clients are local. */
static uint64_t received_by(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_received : 0;
}

bool client_has_sent(const struct client *client)
{
    return received_by(client->fd) > 1; /* the end of a stream counts as one, too */
}

/* --- Who makes room; all under the lock --- */

static void shut_down(struct client *client)
{
    client->closing = true;
    (void)shutdown(client->fd, SHUT_RDWR);
}

static bool may_make_room(const struct client *client, uint64_t now_ns)
{
    return !client->closing &&
           (client->state != CLIENT_SERVED || now_ns - client->since_ns > SLOW_NS);
}

/* Whether `a` makes room before `b`. */
static bool goes_first(const struct client *a, const struct client *b)
{
    return a->state != b->state ? a->state < b->state : a->since_ns < b->since_ns;
}

/* Of the same address as `beginner`, or of any. Returns NULL where nobody else may. */
static struct client *find_who_makes_room(const struct clients *clients,
                                          const struct client *beginner, bool same_address,
                                          uint64_t now_ns)
{
    struct client *chosen = NULL;

    for (struct client *client = clients->first; client != NULL; client = client->next) {
        bool eligible = client != beginner && may_make_room(client, now_ns) &&
                        (!same_address || client_same_origin(client, beginner));
        if (eligible && (chosen == NULL || goes_first(client, chosen))) {
            chosen = client;
        }
    }
    return chosen;
}

struct counts {
    unsigned all, waiting, of_address;
};

static struct counts clients_count(const struct clients *clients, const struct client *beginner)
{
    struct counts counts = {0};

    for (const struct client *client = clients->first; client != NULL; client = client->next) {
        counts.all += !client->closing;
        counts.waiting += !client->closing && client->state != CLIENT_SERVED;
        counts.of_address += !client->closing && client_same_origin(client, beginner);
    }
    return counts;
}

/* Nobody else may make room: the beginner goes. */
static void clients_make_room(struct clients *clients, struct client *beginner)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct counts counts = clients_count(clients, beginner);
    bool same_address = counts.of_address > clients_per_address(clients);

    if (same_address || counts.all > clients->max ||
        counts.waiting > clients->max - clients->max / KEPT_PART) {
        struct client *chosen = find_who_makes_room(clients, beginner, same_address, now_ns);
        shut_down(chosen != NULL ? chosen : beginner);
    }
}

/* --- A connection's life --- */

static void enter_state(struct client *client, enum client_state state)
{
    client->state = state;
    client->since_ns = clock_monotonic_ns();
}

struct client *client_open(struct clients *clients, struct MHD_Connection *connection,
                           struct web_security *security)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection,
                                                                 MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        (void)shutdown(fd->connect_fd, SHUT_RDWR);
        web_security_release(security);
        return NULL;
    }
    client->security = security;
    client->fd = fd->connect_fd;
    (void)strcpy(client->address, "unix");
    if (address != NULL) {
        set_origin(client, address->client_addr);
    }
    enter_state(client, CLIENT_ASKS);
    (void)pthread_mutex_lock(&clients->lock);
    client->next = clients->first;
    if (clients->first != NULL) {
        clients->first->previous = client;
    }
    clients->first = client;
    clients_make_room(clients, client);
    (void)pthread_mutex_unlock(&clients->lock);
    return client;
}

void client_begin_response(struct clients *clients, struct client *client)
{
    (void)pthread_mutex_lock(&clients->lock);
    if (client->state != CLIENT_SERVED) { /* not again where it was suspended meanwhile */
        enter_state(client, CLIENT_SERVED);
    }
    (void)pthread_mutex_unlock(&clients->lock);
}

bool client_is_closing(struct clients *clients, const struct client *client)
{
    (void)pthread_mutex_lock(&clients->lock);
    bool closing = client->closing;
    (void)pthread_mutex_unlock(&clients->lock);
    return closing;
}

void clients_end_sessions(struct clients *clients)
{
    (void)pthread_mutex_lock(&clients->lock);
    for (struct client *client = clients->first; client != NULL; client = client->next) {
        if (!web_security_has_tls(client->security)) {
            continue;
        }
        if (client->state == CLIENT_SERVED) {
            client->is_outdated = true;
        } else if (!client->closing) {
            shut_down(client);
        }
    }
    (void)pthread_mutex_unlock(&clients->lock);
}

void client_end_response(struct clients *clients, struct client *client)
{
    (void)pthread_mutex_lock(&clients->lock);
    if (client->is_outdated && !client->closing) {
        shut_down(client);
    }
    enter_state(client, CLIENT_IDLE);
    client->received = received_by(client->fd);
    (void)pthread_mutex_unlock(&clients->lock);
}

void client_close(struct clients *clients, struct client *client)
{
    (void)pthread_mutex_lock(&clients->lock);
    if (client->previous != NULL) {
        client->previous->next = client->next;
    } else {
        clients->first = client->next;
    }
    if (client->next != NULL) {
        client->next->previous = client->previous;
    }
    (void)pthread_mutex_unlock(&clients->lock);
    web_security_release(client->security);
    free(client);
}

/* --- Time-outs --- */

/* How long one may be idle is libmicrohttpd's to know. */
static uint64_t timeout_ns(const struct client *client)
{
    switch (client->state) {
    case CLIENT_ASKS:
        return REQUEST_NS;
    case CLIENT_SERVED:
        return RESPONSE_NS;
    case CLIENT_IDLE:
        break;
    }
    return UINT64_MAX;
}

void clients_advance(struct clients *clients)
{
    uint64_t now_ns = clock_monotonic_ns();

    (void)pthread_mutex_lock(&clients->lock);
    for (struct client *client = clients->first; client != NULL; client = client->next) {
        if (client->state == CLIENT_IDLE && received_by(client->fd) != client->received) {
            enter_state(client, CLIENT_ASKS);
        }
        if (!client->closing && now_ns > client->since_ns &&
            now_ns - client->since_ns > timeout_ns(client)) {
            shut_down(client);
        }
    }
    (void)pthread_mutex_unlock(&clients->lock);
}

void clients_end_slowest(struct clients *clients)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct client *chosen = NULL;

    (void)pthread_mutex_lock(&clients->lock);
    for (struct client *client = clients->first; client != NULL; client = client->next) {
        if (client->state == CLIENT_SERVED && may_make_room(client, now_ns) &&
            (chosen == NULL || goes_first(client, chosen))) {
            chosen = client;
        }
    }
    if (chosen != NULL) {
        shut_down(chosen);
    }
    (void)pthread_mutex_unlock(&clients->lock);
}
