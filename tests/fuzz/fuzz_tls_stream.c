/* SPDX-License-Identifier: Apache-2.0 */
/* A stream with TLS, of a server or a client, to which somebody says any bytes: it fails or waits,
 * and never opens. The first byte is the role, and the length of the pieces. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "stream/byte_stream.h"
#include "support/certificates.h"
#include "support/temp_folder.h"

static struct tls_context *contexts[2]; /* of a server, of a client */

static struct tls_context *make_context(const char *folder, bool is_client)
{
    struct tls_settings settings = certificate_settings(folder, is_client, "server", "server");
    struct tls_context *context = NULL;
    struct text error = {0};

    if (tls_context_load(&context, &settings, "", "server.test", &error) < 0) {
        abort();
    }
    tls_settings_deinit(&settings);
    return context;
}

static void make_contexts(void)
{
    static const struct certificate_plan plan = {
        .name = "server", .dns = "server.test", .days_from = -1, .days_to = 1, .is_ca = true};
    char folder[] = "/tmp/fuzz_tls_stream.XXXXXX";

    if (mkdtemp(folder) == NULL || !certificate_make_files(folder, &plan, NULL)) {
        abort();
    }
    contexts[0] = make_context(folder, false);
    contexts[1] = make_context(folder, true);
    temp_folder_remove(folder);
}

/* Whether it may go on. */
static bool step(struct byte_stream *stream)
{
    switch (byte_stream_open(stream)) {
    case BYTE_STREAM_OK:
        abort(); /* it has no key of the session */
    case BYTE_STREAM_AGAIN:
        return true;
    case BYTE_STREAM_ERROR:
        if (byte_stream_tls_failure(stream) == TLS_FAILURE_NONE ||
            byte_stream_error(stream)[0] == '\0') {
            abort();
        }
        break;
    case BYTE_STREAM_END:
    case BYTE_STREAM_TRUNCATED:
        break;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct byte_stream *stream;
    int ends[2];

    if (contexts[0] == NULL) {
        make_contexts();
    }
    if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0 ||
        byte_stream_create(&stream, ends[0], false, contexts[data[0] % 2]) < 0) {
        return 0;
    }
    size_t piece = 1 + data[0] / 2 * (size_t)8;
    bool goes_on = step(stream);
    for (size_t at = 1; at < size && goes_on; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        if (send(ends[1], data + at, count, MSG_NOSIGNAL) != (ssize_t)count) {
            abort();
        }
        goes_on = step(stream);
    }
    (void)shutdown(ends[1], SHUT_WR);
    for (unsigned i = 0; i < 8 && goes_on; i++) {
        goes_on = step(stream);
    }
    if (goes_on) {
        abort(); /* it has come to its end */
    }
    byte_stream_free(stream);
    (void)close(ends[1]);
    return 0;
}
