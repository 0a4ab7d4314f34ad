/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/byte_stream.h"
#include "support/certificates.h"
#include "support/random.h"
#include "support/temp_folder.h"
#include "tls/tls_stream.h"

#define TURNS_MAX 10000

static char folder[] = "/tmp/test_tls_stream.XXXXXX";
static struct certificate ca, other_ca;

static int make_files(void **state)
{
    static const struct certificate_plan authorities[] = {
        {.name = "ca", .days_from = -10, .days_to = 10, .is_ca = true},
        {.name = "other_ca", .days_from = -10, .days_to = 10, .is_ca = true},
    };
    static const struct certificate_plan plans[] = {
        {.name = "server", .dns = "server.test", .ip = "192.0.2.1", .days_to = 5},
        {.name = "expired", .dns = "server.test", .days_from = -5, .days_to = -1},
        {.name = "early", .dns = "server.test", .days_from = 1, .days_to = 5},
        {.name = "client", .dns = "client.test", .days_to = 5},
    };

    (void)state;
    bool made = mkdtemp(folder) != NULL && certificate_make(folder, &authorities[0], NULL, &ca) &&
                certificate_make(folder, &authorities[1], NULL, &other_ca);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0] && made; i++) {
        made = certificate_make_files(folder, &plans[i], &ca);
    }
    const struct certificate_plan foreign = {.name = "foreign", .dns = "server.test", .days_to = 5};
    return made && certificate_make_files(folder, &foreign, &other_ca) ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    certificate_deinit(&ca);
    certificate_deinit(&other_ca);
    temp_folder_remove(folder);
    return 0;
}

/* --- Two ends --- */

static struct tls_context *context_of(struct tls_settings settings, const char *name)
{
    struct tls_context *context = NULL;
    struct text error = {0};

    if (tls_context_load(&context, &settings, "test.yml", name, &error) < 0) {
        fail_msg("%s", text_string(&error));
    }
    tls_settings_deinit(&settings);
    text_deinit(&error);
    return context;
}

struct pair {
    struct byte_stream *server, *client;
};

/* The contexts are given up. */
static struct pair make_pair(struct tls_context *server, struct tls_context *client)
{
    struct pair pair = {NULL, NULL};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(byte_stream_create(&pair.server, ends[0], false, server), 0);
    assert_int_equal(byte_stream_create(&pair.client, ends[1], true, client), 0);
    tls_context_release(server);
    tls_context_release(client);
    return pair;
}

static void free_pair(struct pair *pair)
{
    byte_stream_free(pair->server);
    byte_stream_free(pair->client);
}

/* Each in turn, until both are open or have failed; one that fails hangs up. */
static void open_pair(struct pair *pair, enum byte_stream_result results[2])
{
    struct byte_stream *ends[2] = {pair->server, pair->client};

    results[0] = results[1] = BYTE_STREAM_AGAIN;
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        enum byte_stream_result *result = &results[i % 2];
        if (*result == BYTE_STREAM_AGAIN) {
            *result = byte_stream_open(ends[i % 2]);
            if (*result == BYTE_STREAM_ERROR) {
                (void)shutdown(byte_stream_fd(ends[i % 2]), SHUT_RDWR);
            }
        }
    }
}

static struct pair make_open_pair(unsigned min_version, unsigned max_version)
{
    struct tls_settings settings = certificate_settings(folder, false, "server", NULL);
    enum byte_stream_result results[2];

    settings.min_version = min_version;
    settings.max_version = max_version;
    struct pair pair = make_pair(
        context_of(settings, ""),
        context_of(certificate_settings(folder, true, NULL, "ca"), "server.test"));
    open_pair(&pair, results);
    assert_int_equal(results[0], BYTE_STREAM_OK);
    assert_int_equal(results[1], BYTE_STREAM_OK);
    return pair;
}

static void test_bytes_and_end(void **state)
{
    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        struct pair pair = make_open_pair(version, version);
        uint8_t got[16];
        size_t count = 0;

        assert_int_equal(byte_stream_open(pair.server), BYTE_STREAM_OK); /* again */
        assert_int_equal(byte_stream_read(pair.server, got, sizeof got, &count), BYTE_STREAM_AGAIN);
        assert_int_equal(byte_stream_poll_events(pair.server), EPOLLIN);
        assert_false(byte_stream_pending(pair.server));
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(
                byte_stream_write(pair.client, (struct bytes){(const uint8_t *)"abcd", 4}, &count),
                BYTE_STREAM_OK);
            assert_int_equal(count, 4);
        }
        /* As many records as fit; the rest is pending. */
        assert_int_equal(byte_stream_read(pair.server, got, 10, &count), BYTE_STREAM_OK);
        assert_int_equal(count, 10);
        assert_memory_equal(got, "abcdabcdab", 10);
        assert_true(byte_stream_pending(pair.server));
        assert_int_equal(byte_stream_end(pair.client), BYTE_STREAM_OK);
        assert_int_equal(byte_stream_read(pair.server, got, sizeof got, &count), BYTE_STREAM_OK);
        assert_int_equal(count, 2);
        assert_int_equal(byte_stream_read(pair.server, got, sizeof got, &count), BYTE_STREAM_END);
        assert_int_equal(byte_stream_read(pair.server, got, sizeof got, &count), BYTE_STREAM_END);
        /* The other direction goes on. */
        assert_int_equal(
            byte_stream_write(pair.server, (struct bytes){(const uint8_t *)"ok", 2}, &count),
            BYTE_STREAM_OK);
        assert_int_equal(byte_stream_read(pair.client, got, sizeof got, &count), BYTE_STREAM_OK);
        assert_int_equal(count, 2);
        free_pair(&pair);
    }
}

static void test_end_without_close_notify(void **state)
{
    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        struct pair pair = make_open_pair(version, version);
        uint8_t got[16];
        size_t count = 0;

        assert_int_equal(
            byte_stream_write(pair.client, (struct bytes){(const uint8_t *)"abcd", 4}, &count),
            BYTE_STREAM_OK);
        byte_stream_free(pair.client);
        pair.client = NULL;
        assert_int_equal(byte_stream_read(pair.server, got, sizeof got, &count), BYTE_STREAM_OK);
        assert_int_equal(count, 4);
        assert_int_equal(byte_stream_read(pair.server, got, sizeof got, &count),
                         BYTE_STREAM_TRUNCATED);
        free_pair(&pair);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whoever writes more than the socket takes waits for room, and goes on with the same bytes. */
static void test_large(void **state)
{
    enum { SIZE = 3000000 };
    uint8_t *data = malloc(SIZE);
    uint8_t *got = malloc(SIZE);
    uint64_t chance = 7;

    (void)state;
    assert_non_null(data);
    assert_non_null(got);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)random_below(&chance, 256);
    }
    struct pair pair = make_open_pair(2, 3);
    size_t sent = 0;
    size_t received = 0;
    bool waited = false;
    while (received < SIZE) {
        size_t count = 0;
        struct bytes left = {data + sent, SIZE - sent};
        if (sent < SIZE) {
            enum byte_stream_result result = byte_stream_write(pair.client, left, &count);
            assert_true(result == BYTE_STREAM_OK || result == BYTE_STREAM_AGAIN);
            if (result == BYTE_STREAM_AGAIN) {
                waited = true;
                assert_int_equal(byte_stream_poll_events(pair.client), EPOLLOUT);
            }
            sent += count;
        }
        count = 0;
        enum byte_stream_result result = byte_stream_read(
            pair.server, got + received, 1 + random_below(&chance, least(SIZE - received, 9000)),
            &count);
        assert_true(result == BYTE_STREAM_OK || result == BYTE_STREAM_AGAIN);
        if (result == BYTE_STREAM_AGAIN) {
            assert_false(byte_stream_pending(pair.server));
        }
        received += count;
    }
    assert_true(waited);
    assert_memory_equal(data, got, SIZE);
    free_pair(&pair);
    free(data);
    free(got);
}

/* --- Who is refused --- */

struct refusal {
    const char *what;
    const char *server, *client_ca; /* the server's files */
    const char *client;             /* the client's certificate */
    const char *name;               /* that the client expects */
    const char *allowed;            /* of the client's names */
    enum tls_failure of_server, of_client;
};

static void test_refusals(void **state)
{
    static const struct refusal table[] = {
        {"sound", "server", NULL, NULL, "server.test", NULL, TLS_FAILURE_NONE, TLS_FAILURE_NONE},
        {"an address", "server", NULL, NULL, "192.0.2.1", NULL, TLS_FAILURE_NONE, TLS_FAILURE_NONE},
        {"both", "server", "ca", "client", "server.test", NULL, TLS_FAILURE_NONE, TLS_FAILURE_NONE},
        {"allowed", "server", "ca", "client", "server.test", "client.test", TLS_FAILURE_NONE,
         TLS_FAILURE_NONE},
        {"wrong name", "server", NULL, NULL, "other.test", NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_NAME},
        {"wrong address", "server", NULL, NULL, "192.0.2.2", NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_NAME},
        {"expired", "expired", NULL, NULL, "server.test", NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_EXPIRED},
        {"not valid yet", "early", NULL, NULL, "server.test", NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_EXPIRED},
        {"unknown CA", "foreign", NULL, NULL, "server.test", NULL, TLS_FAILURE_REFUSED,
         TLS_FAILURE_UNKNOWN_CA},
        {"no client certificate", "server", "ca", NULL, "server.test", NULL,
         TLS_FAILURE_NO_CERTIFICATE, TLS_FAILURE_REFUSED},
        {"client of an unknown CA", "server", "other_ca", "client", "server.test", NULL,
         TLS_FAILURE_UNKNOWN_CA, TLS_FAILURE_REFUSED},
        {"expired client", "server", "ca", "expired", "server.test", NULL, TLS_FAILURE_EXPIRED,
         TLS_FAILURE_REFUSED},
        {"client that is not allowed", "server", "ca", "client", "server.test", "other.test",
         TLS_FAILURE_NAME, TLS_FAILURE_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (unsigned version = 2; version <= 3; version++) {
            const struct refusal *row = &table[i];
            struct tls_settings settings = certificate_settings(folder, false, row->server,
                                                                row->client_ca);
            enum byte_stream_result results[2];
            uint8_t got[1];
            size_t count = 0;

            print_message("  %s, TLS 1.%u\n", row->what, version);
            settings.max_version = version;
            if (row->allowed != NULL) {
                settings.allowed_sans.items = calloc(1, sizeof(char *));
                settings.allowed_sans.items[0] = strdup(row->allowed);
                settings.allowed_sans.count = 1;
            }
            struct pair pair = make_pair(
                context_of(settings, ""),
                context_of(certificate_settings(folder, true, row->client, "ca"), row->name));
            open_pair(&pair, results);
            /* With TLS 1.3 a client is open before its certificate has been looked at. */
            if (results[1] == BYTE_STREAM_OK && row->of_client != TLS_FAILURE_NONE) {
                assert_int_equal(version, 3);
                results[1] = byte_stream_read(pair.client, got, sizeof got, &count);
            }
            assert_int_equal(byte_stream_tls_failure(pair.server), row->of_server);
            assert_int_equal(byte_stream_tls_failure(pair.client), row->of_client);
            assert_int_equal(results[0], row->of_server == TLS_FAILURE_NONE ? BYTE_STREAM_OK
                                                                            : BYTE_STREAM_ERROR);
            if (row->of_client != TLS_FAILURE_NONE) {
                assert_true(strlen(byte_stream_error(pair.client)) > 0);
                assert_true(strlen(byte_stream_error(pair.server)) > 0);
            }
            free_pair(&pair);
        }
    }
}

static void test_versions(void **state)
{
    struct tls_settings server = certificate_settings(folder, false, "server", NULL);
    struct tls_settings client = certificate_settings(folder, true, NULL, "ca");
    enum byte_stream_result results[2];

    (void)state;
    server.min_version = 3;
    client.max_version = 2;
    struct pair pair = make_pair(context_of(server, ""), context_of(client, "server.test"));
    open_pair(&pair, results);
    assert_int_equal(byte_stream_tls_failure(pair.server), TLS_FAILURE_VERSION);
    assert_int_equal(byte_stream_tls_failure(pair.client), TLS_FAILURE_VERSION);
    free_pair(&pair);

    server = certificate_settings(folder, false, "server", NULL);
    client = certificate_settings(folder, true, NULL, "ca");
    server.max_version = 2;
    client.min_version = 3;
    pair = make_pair(context_of(server, ""), context_of(client, "server.test"));
    open_pair(&pair, results);
    assert_int_equal(byte_stream_tls_failure(pair.server), TLS_FAILURE_VERSION);
    assert_int_equal(byte_stream_tls_failure(pair.client), TLS_FAILURE_VERSION);
    free_pair(&pair);
}

/* --- What is no TLS --- */

/* One end with TLS, the other one says `bytes` and hangs up. */
static enum byte_stream_result say_to(bool to_client, struct bytes bytes, enum tls_failure *failure)
{
    struct tls_context *context =
        to_client ? context_of(certificate_settings(folder, true, NULL, "ca"), "server.test")
                  : context_of(certificate_settings(folder, false, "server", NULL), "");
    struct byte_stream *stream;
    enum byte_stream_result result = BYTE_STREAM_AGAIN;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(byte_stream_create(&stream, ends[0], to_client, context), 0);
    tls_context_release(context);
    if (bytes.len > 0) {
        assert_int_equal(send(ends[1], bytes.data, bytes.len, 0), bytes.len);
    }
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    for (unsigned i = 0; i < 10 && result == BYTE_STREAM_AGAIN; i++) {
        result = byte_stream_open(stream);
    }
    *failure = byte_stream_tls_failure(stream);
    byte_stream_free(stream);
    (void)close(ends[1]);
    return result;
}

static void test_not_tls(void **state)
{
    uint8_t bytes[64];
    enum tls_failure failure;

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        memset(bytes, (int)first, sizeof bytes);
        bytes[0] = (uint8_t)first;
        for (unsigned to_client = 0; to_client < 2; to_client++) {
            assert_int_equal(say_to(to_client, (struct bytes){bytes, sizeof bytes}, &failure),
                             BYTE_STREAM_ERROR);
            if (failure != TLS_FAILURE_NOT_TLS) {
                fail_msg("first byte %u to the %s: failure %d", first,
                         to_client ? "client" : "server", (int)failure);
            }
        }
    }
    /* A Frame Streams READY, and a request of HTTP. */
    static const uint8_t ready[] = "\0\0\0\0\0\0\0\42\0\0\0\4\0\0\0\1\0\0\0\26"
                                   "protobuf:dnstap.Dnstap";
    static const uint8_t get[] = "GET / HTTP/1.1\r\n\r\n";
    assert_int_equal(say_to(false, (struct bytes){ready, sizeof ready - 1}, &failure),
                     BYTE_STREAM_ERROR);
    assert_int_equal(failure, TLS_FAILURE_NOT_TLS);
    assert_int_equal(say_to(true, (struct bytes){ready, sizeof ready - 1}, &failure),
                     BYTE_STREAM_ERROR);
    assert_int_equal(failure, TLS_FAILURE_NOT_TLS);
    assert_int_equal(say_to(false, (struct bytes){get, sizeof get - 1}, &failure),
                     BYTE_STREAM_ERROR);
    assert_int_equal(failure, TLS_FAILURE_NOT_TLS);
}

/* A client that has said nothing is none that failed; a server is. */
/* As many as some servers send before their hello, of a name that they do not know (RFC 6066
 * section 3), in one piece with it. Nothing is left where epoll does not see it. */
static void test_warnings(void **state)
{
    static const uint8_t warning[] = {21, 3, 3, 0, 2, 1, 112};

    (void)state;
    for (unsigned count = 1; count <= 20; count += 19) {
        struct pair pair = make_pair(
            context_of(certificate_settings(folder, false, "server", NULL), ""),
            context_of(certificate_settings(folder, true, NULL, "ca"), "server.test"));

        assert_int_equal(byte_stream_open(pair.client), BYTE_STREAM_AGAIN);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(
                send(byte_stream_fd(pair.server), warning, sizeof warning, MSG_NOSIGNAL),
                sizeof warning);
        }
        assert_int_equal(byte_stream_open(pair.server), BYTE_STREAM_AGAIN);
        assert_int_equal(byte_stream_open(pair.client),
                         count == 1 ? BYTE_STREAM_OK : BYTE_STREAM_ERROR);
        free_pair(&pair);
    }
}

/* A hello that says it has 16 MiB is not kept until all of it has come. */
static void test_long_message(void **state)
{
    static const uint8_t head[] = {22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff, 3, 3};
    static uint8_t record[5 + 0x4000];
    struct pair pair = make_pair(
        context_of(certificate_settings(folder, false, "server", NULL), ""),
        context_of(certificate_settings(folder, true, NULL, "ca"), "server.test"));
    enum byte_stream_result result = BYTE_STREAM_AGAIN;
    unsigned records = 0;

    (void)state;
    memcpy(record, head, sizeof head);
    while (result == BYTE_STREAM_AGAIN && records < 16) {
        assert_int_equal(send(byte_stream_fd(pair.client), record, sizeof record, MSG_NOSIGNAL),
                         sizeof record);
        memset(record + 5, 0, sizeof head - 5);
        records++;
        result = byte_stream_open(pair.server);
    }
    assert_int_equal(result, BYTE_STREAM_ERROR);
    assert_int_equal(byte_stream_tls_failure(pair.server), TLS_FAILURE_PROTOCOL);
    assert_true(records <= 4);
    free_pair(&pair);
}

static void test_silence(void **state)
{
    enum tls_failure failure;

    (void)state;
    assert_int_equal(say_to(false, (struct bytes){NULL, 0}, &failure), BYTE_STREAM_END);
    assert_int_equal(say_to(true, (struct bytes){NULL, 0}, &failure), BYTE_STREAM_ERROR);
    assert_int_equal(failure, TLS_FAILURE_PROTOCOL);
}

/* --- A wire that cuts, delays and breaks --- */

struct wire {
    int ends[2]; /* what the client sends comes here, and what the server sends */
};

/* Move up to `most` bytes from one end to the other. Returns how many. */
static size_t carry(const struct wire *wire, unsigned from, size_t most, uint64_t *breaks_at)
{
    uint8_t bytes[4096];
    ssize_t got = recv(wire->ends[from], bytes, most < sizeof bytes ? most : sizeof bytes, 0);

    if (got <= 0) {
        return 0;
    }
    if (*breaks_at < (uint64_t)got) {
        bytes[*breaks_at] ^= 1;
        *breaks_at = UINT64_MAX;
    } else if (*breaks_at != UINT64_MAX) {
        *breaks_at -= (uint64_t)got;
    }
    assert_int_equal(send(wire->ends[1 - from], bytes, (size_t)got, MSG_NOSIGNAL), got);
    return (size_t)got;
}

struct exchange {
    struct pair pair;
    struct wire wire;
    enum byte_stream_result results[2]; /* of the server, of the client */
    size_t carried[2];                  /* bytes from the client, from the server */
    size_t received;                    /* by the server */
};

static void begin_exchange(struct exchange *exchange, unsigned version)
{
    struct tls_settings settings = certificate_settings(folder, false, "server", "ca");
    struct tls_context *server;
    struct tls_context *client;
    int of_server[2];
    int of_client[2];

    *exchange = (struct exchange){.results = {BYTE_STREAM_AGAIN, BYTE_STREAM_AGAIN}};
    settings.max_version = version;
    server = context_of(settings, "");
    client = context_of(certificate_settings(folder, true, "client", "ca"), "server.test");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, of_server), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, of_client), 0);
    assert_int_equal(byte_stream_create(&exchange->pair.server, of_server[0], false, server), 0);
    assert_int_equal(byte_stream_create(&exchange->pair.client, of_client[0], true, client), 0);
    tls_context_release(server);
    tls_context_release(client);
    exchange->wire = (struct wire){{of_client[1], of_server[1]}};
}

static void end_exchange(struct exchange *exchange)
{
    free_pair(&exchange->pair);
    (void)close(exchange->wire.ends[0]);
    (void)close(exchange->wire.ends[1]);
}

#define MESSAGE      "a message in one record"
#define MESSAGE_SIZE (sizeof MESSAGE - 1)

static void step_client(struct exchange *exchange, bool *has_sent)
{
    size_t count = 0;

    if (exchange->results[1] == BYTE_STREAM_AGAIN) {
        exchange->results[1] = byte_stream_open(exchange->pair.client);
    }
    if (exchange->results[1] == BYTE_STREAM_OK && !*has_sent) {
        struct bytes message = {(const uint8_t *)MESSAGE, MESSAGE_SIZE};
        *has_sent = byte_stream_write(exchange->pair.client, message, &count) == BYTE_STREAM_OK;
    }
}

static void step_server(struct exchange *exchange)
{
    uint8_t got[100];
    size_t count = 0;

    if (exchange->results[0] == BYTE_STREAM_AGAIN) {
        exchange->results[0] = byte_stream_open(exchange->pair.server);
    }
    if (exchange->results[0] != BYTE_STREAM_OK) {
        return;
    }
    switch (byte_stream_read(exchange->pair.server, got, sizeof got, &count)) {
    case BYTE_STREAM_OK:
        assert_memory_equal(got, MESSAGE, count);
        exchange->received += count;
        break;
    case BYTE_STREAM_AGAIN:
        assert_false(byte_stream_pending(exchange->pair.server));
        break;
    case BYTE_STREAM_END:
    case BYTE_STREAM_TRUNCATED:
    case BYTE_STREAM_ERROR:
        exchange->results[0] = BYTE_STREAM_ERROR;
        break;
    }
}

/* Pieces of `piece` bytes; of what `from` sends one bit is wrong at breaks_at. */
static void run_exchange(struct exchange *exchange, size_t piece, unsigned from, uint64_t breaks_at)
{
    uint64_t unbroken = UINT64_MAX;
    bool has_sent = false;

    for (unsigned i = 0;
         i < TURNS_MAX && exchange->received < MESSAGE_SIZE &&
         exchange->results[0] != BYTE_STREAM_ERROR && exchange->results[1] != BYTE_STREAM_ERROR;
         i++) {
        step_client(exchange, &has_sent);
        for (unsigned end = 0; end < 2; end++) {
            exchange->carried[end] += carry(&exchange->wire, end, piece,
                                            end == from ? &breaks_at : &unbroken);
        }
        step_server(exchange);
    }
}

static void test_pieces(void **state)
{
    static const size_t pieces[] = {1, 2, 5, 7, 100, 4096};

    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            struct exchange exchange;
            begin_exchange(&exchange, version);
            run_exchange(&exchange, pieces[i], 0, UINT64_MAX);
            assert_int_equal(exchange.received, MESSAGE_SIZE);
            end_exchange(&exchange);
        }
    }
}

/* One wrong bit anywhere: the message comes as it was, or not at all. */
static void test_broken_bits(void **state)
{
    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        struct exchange sound;
        begin_exchange(&sound, version);
        run_exchange(&sound, 4096, 0, UINT64_MAX);
        for (unsigned from = 0; from < 2; from++) {
            for (uint64_t at = 0; at < sound.carried[from]; at += 13) {
                struct exchange exchange;
                begin_exchange(&exchange, version);
                run_exchange(&exchange, 4096, from, at);
                assert_true(exchange.received == 0 || exchange.received == MESSAGE_SIZE);
                end_exchange(&exchange);
            }
        }
        end_exchange(&sound);
    }
}

/* --- The context --- */

static void copy_file(const char *from, const char *to)
{
    char command[256];

    (void)snprintf(command, sizeof command, "%s/%s", folder, from);
    FILE *in = fopen(command, "r");
    (void)snprintf(command, sizeof command, "%s/%s", folder, to);
    FILE *out = fopen(command, "w");
    assert_non_null(in);
    assert_non_null(out);
    for (int c; (c = getc(in)) != EOF;) {
        (void)putc(c, out);
    }
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

static bool is_renewed(struct tls_context **context, struct text *error)
{
    bool renewed = false;

    text_clear(error);
    for (unsigned i = 0; i < 3 && !renewed && error->len == 0; i++) {
        renewed = tls_context_renew(context, error);
    }
    return renewed;
}

static void test_renewal(void **state)
{
    struct text error = {0};

    (void)state;
    copy_file("expired.pem", "renewed.pem");
    copy_file("expired.key", "renewed.key");
    struct tls_context *server = context_of(certificate_settings(folder, false, "renewed", NULL),
                                            "");
    assert_false(is_renewed(&server, &error));
    assert_int_equal(error.len, 0);

    /* A file that cannot be used leaves the context as it was, and is told once. */
    copy_file("expired.key", "renewed.pem");
    struct tls_context *before = server;
    assert_false(is_renewed(&server, &error));
    assert_non_null(strstr(text_string(&error), "test.yml:1: cert_file: "));
    assert_ptr_equal(server, before);
    assert_false(is_renewed(&server, &error));
    assert_int_equal(error.len, 0);

    /* One of two files that belong together does not do. */
    copy_file("server.pem", "renewed.pem");
    assert_false(is_renewed(&server, &error));
    assert_non_null(strstr(text_string(&error), "not the key of the certificate"));
    copy_file("server.key", "renewed.key");
    assert_true(is_renewed(&server, &error));
    assert_ptr_not_equal(server, before);

    enum byte_stream_result results[2];
    struct pair pair = make_pair(
        server, context_of(certificate_settings(folder, true, NULL, "ca"), "server.test"));
    open_pair(&pair, results);
    assert_int_equal(results[0], BYTE_STREAM_OK);
    free_pair(&pair);
    text_deinit(&error);
}

/* What --config.check counts with is not less than what a stream takes. */
static void test_memory(void **state)
{
    enum { COUNT = 16 };
    struct exchange exchanges[COUNT];

    (void)state;
    struct mallinfo2 before = mallinfo2();
    for (unsigned i = 0; i < COUNT; i++) {
        begin_exchange(&exchanges[i], 3);
        run_exchange(&exchanges[i], 4096, 0, UINT64_MAX);
    }
    size_t taken = mallinfo2().uordblks - before.uordblks;
    print_message("  %zu bytes for two ends, %zu are counted for one\n", taken / COUNT,
                  byte_stream_memory(true));
    if (before.uordblks > 0) { /* a sanitizer's allocator does not say */
        assert_true(taken / COUNT <= 2 * byte_stream_memory(true));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        end_exchange(&exchanges[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_end), cmocka_unit_test(test_end_without_close_notify),
        cmocka_unit_test(test_large),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_versions),      cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_warnings),      cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_silence),       cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_broken_bits),   cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
