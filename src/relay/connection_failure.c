/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/connection_failure.h"

#include <string.h>

enum connection_failure connection_failure_of(const struct byte_stream *stream)
{
    switch (byte_stream_tls_failure(stream)) {
    case TLS_FAILURE_NOT_TLS:
        return CONNECTION_FAILURE_NOT_TLS;
    case TLS_FAILURE_VERSION:
        return CONNECTION_FAILURE_TLS_VERSION;
    case TLS_FAILURE_UNKNOWN_CA:
        return CONNECTION_FAILURE_TLS_UNKNOWN_CA;
    case TLS_FAILURE_EXPIRED:
        return CONNECTION_FAILURE_TLS_EXPIRED;
    case TLS_FAILURE_NAME:
        return CONNECTION_FAILURE_TLS_WRONG_NAME;
    case TLS_FAILURE_CERTIFICATE:
    case TLS_FAILURE_NO_CERTIFICATE:
        return CONNECTION_FAILURE_TLS_CERTIFICATE;
    case TLS_FAILURE_REFUSED:
        return CONNECTION_FAILURE_TLS_REFUSED;
    case TLS_FAILURE_PROTOCOL:
        return CONNECTION_FAILURE_TLS_HANDSHAKE;
    case TLS_FAILURE_NONE:
    case TLS_FAILURE_COUNT:
        break;
    }
    return CONNECTION_FAILURE_CONNECT;
}

bool connection_failure_is_tls(struct bytes heard)
{
    return heard.len >= 2 && (heard.data[0] == 0x15 || heard.data[0] == 0x16) &&
           heard.data[1] == 0x03;
}
