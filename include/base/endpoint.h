/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * endpoint.h - where a socket listens, or connects to: a unix socket or a TCP port
 *
 * A value: nothing is looked up or owned. An IP address and a path have one form here, however they
 * were written, so that two endpoints can be compared.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum endpoint_kind {
    ENDPOINT_NONE,
    ENDPOINT_UNIX,
    ENDPOINT_TCP,
};

#define ENDPOINT_PATH_SIZE 108 /* Linux' sun_path, with the NUL */
#define ENDPOINT_HOST_SIZE 256 /* a domain name (RFC 1035 section 2.3.4), with the NUL */
/* "tls://", brackets, colon and port besides. */
#define ENDPOINT_TEXT_SIZE (ENDPOINT_HOST_SIZE + 14)

struct endpoint {
    enum endpoint_kind kind;
    char path[ENDPOINT_PATH_SIZE]; /* of ENDPOINT_UNIX: absolute, without "//" and "/./" */
    /* Of ENDPOINT_TCP: an IP address or a domain name without brackets; "": every address. */
    char host[ENDPOINT_HOST_SIZE];
    uint16_t port;
    bool has_address; /* `host` is an IP address */
    bool is_dialled;  /* a server listens there, and the exporter connects to it */
    bool has_tls;     /* connections are TLS; of one that listens its owner says so */
};

/** Read the path of a unix socket: absolute, at most 107 bytes. False where it is none; *out is
 *  written only on success. */
NONNULL MUST_USE bool endpoint_parse_unix(const char *text, struct endpoint *out);

/** Read "127.0.0.1:9353", "[::1]:9353", "localhost:9353" or ":9353". False where it is none of
 *  these; *out is written only on success. */
NONNULL MUST_USE bool endpoint_parse_tcp(const char *text, struct endpoint *out);

/** Read "unix:/PATH", "tcp://ADDRESS:PORT" or "tls://ADDRESS:PORT", where a server listens. A
 * domain name is not taken. False where it is none of these; *out is written only on success. */
NONNULL MUST_USE bool endpoint_parse_dialled(const char *text, struct endpoint *out);

/** Whether both are the same path, or host and port, no matter who connects. A domain name is never
 *  the same as an address. */
NONNULL bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/** Whether only this machine can connect to it: a loopback address, or the name localhost. */
NONNULL bool endpoint_is_loopback(const struct endpoint *endpoint);

/** Write the path, or HOST:PORT; of one that is dialled the URL. Returns `out`. */
NONNULL const char *endpoint_print(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE]);

/** The endpoint's key in the configuration: "unix", "tcp", "connect". */
NONNULL const char *endpoint_key(const struct endpoint *endpoint);
