/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/peers.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct peer unix_peer(int fd, struct connection_peer *description)
{
    struct ucred credentials = {0};
    socklen_t len = sizeof credentials;
    struct peer peer = {{'U'}};

    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
    memcpy(peer.id + 1, &credentials.pid, sizeof credentials.pid);
    (void)snprintf(description->text, CONNECTION_PEER_SIZE, "pid %d, uid %u", (int)credentials.pid,
                   (unsigned)credentials.uid);
    description->id_len = strcspn(description->text, ",");
    return peer;
}

static struct peer tcp_peer(int fd, struct connection_peer *description)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[48] = "?";
    char port[8] = "?";
    struct peer peer = {{'T'}};

    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0 &&
        getnameinfo((const struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        /* A host is known well enough by the first bytes of its address as text. */
        memcpy(peer.id + 1, host, strnlen(host, sizeof peer.id - 1));
    }
    (void)snprintf(description->text, CONNECTION_PEER_SIZE, "%s port %s", host, port);
    description->id_len = strlen(host);
    return peer;
}

struct peer peer_of(int fd, bool is_unix, struct connection_peer *description)
{
    return is_unix ? unix_peer(fd, description) : tcp_peer(fd, description);
}

unsigned peers_worker(struct peers *peers, const struct peer *peer, unsigned worker_count)
{
    unsigned known = peers->seen < PEERS_REMEMBERED ? peers->seen : PEERS_REMEMBERED;

    for (unsigned i = 0; i < known; i++) {
        if (memcmp(&peers->peers[i], peer, sizeof *peer) == 0) {
            return peers->workers[i];
        }
    }
    unsigned place = peers->seen % PEERS_REMEMBERED;
    unsigned worker = peers->seen % worker_count;
    peers->peers[place] = *peer;
    peers->workers[place] = worker;
    peers->seen++;
    return worker;
}
