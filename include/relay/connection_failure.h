/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * connection_failure.h - why a stream that the exporter dialled could not be opened
 */

#include "base/attr.h"
#include "base/bytes.h"
#include "count/socket_counters.h"
#include "stream/byte_stream.h"

/** The reason, after byte_stream_open() or a read has failed. */
NONNULL enum connection_failure connection_failure_of(const struct byte_stream *stream);

/** Whether bytes that came are the beginning of TLS: a record (RFC 8446 section 5.1) with an alert
 * or a handshake. */
bool connection_failure_is_tls(struct bytes heard);
