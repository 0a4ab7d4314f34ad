/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * outlet.h - the sending end of a Frame Stream: a socket with both handshakes, or a file
 *
 * What a DNS server does, without a DNS server. Every failure ends the process with a message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTLET_BUFFER ((size_t)256 * 1024)

struct outlet {
    int fd;
    bool is_file;
    size_t len; /* bytes in the buffer */
    uint8_t buffer[OUTLET_BUFFER];
};

/** Connect to `target`: the path of a unix socket (it has a slash), ADDRESS:PORT with an IPv4
 * address for TCP, or "-" for standard output, which becomes a file. */
void outlet_open(struct outlet *outlet, const char *target);

void outlet_close(struct outlet *outlet);

/** READY, ACCEPT and START; START alone in a file. */
void outlet_begin(struct outlet *outlet);

/** STOP, and, but for files, the wait for FINISH: then everything has been read. */
void outlet_end(struct outlet *outlet);

/** Add bytes, which go out when the buffer is full. */
void outlet_put(struct outlet *outlet, const void *data, size_t len);

/** Add a number of 32 bits, the highest first. */
void outlet_put_be32(struct outlet *outlet, size_t value);

/** Send bytes as one write, what has been put so far before them. */
void outlet_write(struct outlet *outlet, const void *data, size_t len);
