/* SPDX-License-Identifier: Apache-2.0 */
/* Ask http://127.0.0.1:PORT/-/healthy: exit status 0 when it says 200, else 1. The image has no
 * shell to do it with. How long it may take is HEALTHCHECK's --timeout. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char request[] = "GET /-/healthy HTTP/1.0\r\n\r\n";

static int complain(const char *what)
{
    (void)fprintf(stderr, "healthcheck: %s\n", what);
    return 1;
}

/* The answer's first line, as far as it fits and comes; "" for nothing. */
static void read_start(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got = 1;

    while (got > 0 && len + 1 < size) {
        got = read(fd, out + len, size - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    out[len] = '\0';
}

int main(int argc, char *argv[])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[sizeof "HTTP/1.x 200"];
    int port = argc == 2 ? atoi(argv[1]) : 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (port <= 0 || port > 65535) {
        return complain("usage: healthcheck PORT");
    }
    address.sin_port = htons((uint16_t)port);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        write(fd, request, sizeof request - 1) != sizeof request - 1) {
        return complain(strerror(errno));
    }
    read_start(fd, answer, sizeof answer);
    if (strncmp(answer, "HTTP/1.", 7) != 0 || strcmp(answer + 8, " 200") != 0) {
        return complain("the exporter does not answer 200");
    }
    return 0;
}
