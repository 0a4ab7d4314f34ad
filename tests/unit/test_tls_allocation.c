/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/opener.h"
#include "stream/byte_stream.h"
#include "support/certificates.h"
#include "support/failing_allocation.h"
#include "support/temp_folder.h"

static struct tls_settings tls[2]; /* of a server, of a client */

/* Two ends of a socket, a server and a client of TLS. */
static int open_tls(void)
{
    struct tls_context *contexts[2] = {NULL, NULL};
    struct byte_stream *streams[2] = {NULL, NULL};
    struct text error = {0};
    int ends[2];
    int result = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        result = tls_context_load(&contexts[i], &tls[i], "file", "server.test", &error);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (result == 0) {
            result = byte_stream_create(&streams[i], ends[i], false, contexts[i]);
        }
        if (result < 0) {
            (void)close(ends[i]);
        }
        tls_context_release(contexts[i]);
    }
    for (unsigned i = 0; i < 1000 && result == 0; i++) {
        result = byte_stream_open(streams[i % 2]) == BYTE_STREAM_ERROR ? -EIO : 0;
    }
    byte_stream_free(streams[0]);
    byte_stream_free(streams[1]);
    text_deinit(&error);
    return result;
}

static void test_tls(void **state)
{
    static const struct certificate_plan plan = {
        .name = "server", .dns = "server.test", .days_from = -1, .days_to = 1, .is_ca = true};
    char folder[] = "/tmp/test_allocation.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_true(certificate_make_files(folder, &plan, NULL));
    tls[0] = certificate_settings(folder, false, "server", "server");
    tls[1] = certificate_settings(folder, true, "server", "server");
    assert_true(fail_in_turn(open_tls) > 12);
    tls_settings_deinit(&tls[0]);
    tls_settings_deinit(&tls[1]);
    temp_folder_remove(folder);
}

static int create_opener(void)
{
    struct opener *opener;
    int result = opener_create(&opener);

    if (result == 0) {
        opener_free(opener);
    }
    return result;
}

static void test_opener(void **state)
{
    (void)state;
    assert_int_equal(fail_in_turn(create_opener), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_opener),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
