/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * fstrm_client.h - the sending end of a Frame Stream: a socket with both handshakes, or a file
 *
 * What a DNS server does, without a DNS server. Every failure ends the process with a message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FSTRM_CLIENT_BUFFER ((size_t)256 * 1024)

struct fstrm_client {
    int fd;
    bool is_file;
    void *tls; /* of fstrm_tls.c, which replaces the two functions; NULL: plain */
    ssize_t (*send)(const struct fstrm_client *client, const void *data, size_t len);
    ssize_t (*receive)(const struct fstrm_client *client, void *data, size_t size);
    size_t len; /* bytes in the buffer */
    uint8_t buffer[FSTRM_CLIENT_BUFFER];
};

/** Connect to `target`: the path of a unix socket (it has a slash), ADDRESS:PORT with an IPv4
 * address for TCP, or "-" for standard output, which becomes a file. */
void fstrm_client_open(struct fstrm_client *client, const char *target);

void fstrm_client_close(struct fstrm_client *client);

/** READY, ACCEPT and START; START alone in a file. */
void fstrm_client_begin(struct fstrm_client *client);

/** STOP, and, but for files, the wait for FINISH: then everything has been read. */
void fstrm_client_end(struct fstrm_client *client);

/** Add bytes, which go out when the buffer is full. */
void fstrm_client_put(struct fstrm_client *client, const void *data, size_t len);

/** Add a number of 32 bits, the highest first. */
void fstrm_client_put_be32(struct fstrm_client *client, size_t value);

/** Send bytes as one write, what has been put so far before them. */
void fstrm_client_write(struct fstrm_client *client, const void *data, size_t len);
