/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/archive_index.h"
#include "support/random.h"
#include "support/temp_file.h"
#include "support/wire_name.h"

#define FILE_SIZE 12345

static struct archive_index_builder *builder;

static int set_up(void **state)
{
    (void)state;
    return archive_index_builder_create(&builder);
}

static int tear_down(void **state)
{
    (void)state;
    archive_index_builder_free(builder);
    return 0;
}

/* --- Messages --- */

struct message {
    uint8_t wire[1024];
    size_t len;
    uint8_t client[16];
};

static void put(struct message *message, const void *data, size_t len)
{
    assert_true(message->len + len <= sizeof message->wire);
    memcpy(message->wire + message->len, data, len);
    message->len += len;
}

static void put_number(struct message *message, unsigned number)
{
    const uint8_t bytes[] = {(uint8_t)(number >> 8), (uint8_t)number};

    put(message, bytes, sizeof bytes);
}

static void put_name(struct message *message, const char *name)
{
    uint8_t wire[256];
    struct bytes bytes = wire_name(name, wire);

    put(message, bytes.data, bytes.len);
}

/* A response of `answers` records, which follow. */
static void begin(struct message *message, const char *qname, unsigned answers)
{
    message->len = 0;
    put_number(message, 1);
    put_number(message, 0x8180);
    put_number(message, 1);
    put_number(message, answers);
    put_number(message, 0);
    put_number(message, 0);
    put_name(message, qname);
    put_number(message, 1);
    put_number(message, 1);
}

static void put_record(struct message *message, unsigned type, const void *data, size_t len)
{
    put_number(message, 0xc00c); /* the question's name */
    put_number(message, type);
    put_number(message, 1);
    put_number(message, 0);
    put_number(message, 60);
    put_number(message, (unsigned)len);
    put(message, data, len);
}

/* `before`: numbers of 16 bits in front of the name. */
static void put_pointing(struct message *message, unsigned type, unsigned before, const char *name)
{
    uint8_t data[300] = {0};
    struct bytes wire = wire_name(name, data + 2 * (size_t)before);

    put_record(message, type, data, 2 * (size_t)before + wire.len);
}

static void set_address(uint8_t address[16], const char *text, size_t *len)
{
    struct network network;

    assert_true(network_parse(text, &network));
    memcpy(address, network.address, sizeof network.address);
    *len = network.len;
}

static void add(struct message *message, const char *client, uint64_t query_ns,
                uint64_t response_ns)
{
    struct event event = {
        .kind = KIND_RESPONSE,
        .message = {message->wire, message->len},
        .query_time_ns = query_ns,
        .response_time_ns = response_ns,
    };

    event.query_address.data = message->client;
    set_address(message->client, client, &event.query_address.len);
    dns_message_read(event.message, &event.dns);
    archive_index_builder_add(builder, &event);
}

/* --- Questions --- */

static struct archive_index *finish(void)
{
    struct archive_index *index;

    assert_int_equal(
        archive_index_read(archive_index_builder_finish(builder, FILE_SIZE), FILE_SIZE, &index), 0);
    return index;
}

static bool has_client(const struct archive_index *index, const char *text)
{
    struct network network;

    assert_true(network_parse(text, &network));
    return archive_index_may_have_client(index, &network);
}

static bool has_answer(const struct archive_index *index, const char *text)
{
    struct network network;

    assert_true(network_parse(text, &network));
    return archive_index_may_have_answer_address(index, &network);
}

static bool has_name(const struct archive_index *index, const char *text)
{
    uint8_t wire[256];

    return archive_index_may_have_name(index, wire_name(text, wire));
}

static bool has_target(const struct archive_index *index, const char *text)
{
    uint8_t wire[256];

    return archive_index_may_have_answer_name(index, wire_name(text, wire));
}

/* With so few keys, an error has a probability below 1e-5: what is denied is as good as certain. */
static void test_clients(void **state)
{
    struct message message;

    (void)state;
    archive_index_builder_clear(builder);
    begin(&message, "www.example.com", 0);
    add(&message, "192.0.2.77", 5, 0);
    add(&message, "2001:db8:1:2:3::4", 0, 9);
    struct archive_index *index = finish();
    static const char *const there[] = {
        "192.0.2.77", "192.0.2.64/28", "192.0.2.0/24", "192.0.0.0/23", "192.0.0.0/16", "10.0.0.0/8",
        "0.0.0.0/0", "::/0", "2001:db8:1:2:3::4", "2001:db8:1:2:3::/80", "2001:db8:1:2::/64",
        "2001:db8:1::/48", "2001:db8::/32", "2002::/31",
        /* one of the addresses in the same /24 or /64 cannot be denied by a network in between */
        "192.0.2.0/31", "2001:db8:1:2::/127"};
    static const char *const absent[] = {
        "192.0.2.78",      "192.0.3.0/24",      "192.0.3.0/31",
        "192.1.0.0/17",    "2001:db8:1:2:3::5", "2001:db8:1:3::/64",
        "2001:db8:2::/50", "2001:db9::/32",     "::ffff:192.0.2.77"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        print_message("  %s\n", there[i]);
        assert_true(has_client(index, there[i]));
    }
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        print_message("  not %s\n", absent[i]);
        assert_false(has_client(index, absent[i]));
    }
    assert_false(has_answer(index, "192.0.2.77"));
    assert_true(archive_index_first_ns(index) == 5);
    assert_true(archive_index_last_ns(index) == 9);
    archive_index_free(index);
}

static void test_names(void **state)
{
    struct message message;

    (void)state;
    archive_index_builder_clear(builder);
    begin(&message, "a.b.www.Example.co.uk", 0);
    add(&message, "0.0.0.0", 0, 0);
    begin(&message, "example.com", 0);
    add(&message, "0.0.0.0", 0, 0);
    begin(&message, "local", 0);
    add(&message, "0.0.0.0", 0, 0);
    begin(&message, "", 0);
    add(&message, "0.0.0.0", 0, 0);
    struct archive_index *index = finish();
    static const char *const there[] = {"", "com", "org", "example.com", "co.uk", "example.co.uk",
                                        "www.example.co.uk", "b.www.example.co.uk",
                                        /* what is below the last three labels is not known */
                                        "mail.example.co.uk"};
    static const char *const absent[] = {"example.org",  "www.example.com", "ac.uk",
                                         "other.co.uk",  "a.local",         "uk.co",
                                         "co.uk.example"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        print_message("  %s\n", there[i]);
        assert_true(has_name(index, there[i]));
    }
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        print_message("  not %s\n", absent[i]);
        assert_false(has_name(index, absent[i]));
    }
    assert_false(has_target(index, "example.com"));
    assert_true(archive_index_first_ns(index) == 0);
    assert_true(archive_index_last_ns(index) == 0);
    archive_index_free(index);
}

static void test_answers(void **state)
{
    static const uint8_t ipv4[] = {203, 0, 113, 5};
    static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    struct message message;

    (void)state;
    archive_index_builder_clear(builder);
    begin(&message, "www.example.com", 8);
    put_record(&message, DNS_TYPE_A, ipv4, sizeof ipv4);
    put_record(&message, DNS_TYPE_AAAA, ipv6, sizeof ipv6);
    put_pointing(&message, DNS_TYPE_CNAME, 0, "edge.cdn.test");
    put_pointing(&message, DNS_TYPE_DNAME, 0, "d.dname.test");
    put_pointing(&message, DNS_TYPE_NS, 0, "a.ns.test");
    put_pointing(&message, DNS_TYPE_PTR, 0, "a.ptr.test");
    put_pointing(&message, DNS_TYPE_MX, 1, "a.mx.test");
    put_pointing(&message, DNS_TYPE_SRV, 3, "a.srv.test");
    add(&message, "192.0.2.1", 1, 1);
    struct archive_index *index = finish();
    static const char *const addresses[] = {"203.0.113.5", "203.0.113.0/24", "2001:db8::1",
                                            "2001:db8::/64", "2001:db8::/32"};
    static const char *const names[] = {"cdn.test",     "edge.cdn.test", "x.edge.cdn.test",
                                        "d.dname.test", "ns.test",       "a.ptr.test",
                                        "a.mx.test",    "srv.test",      "test"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        print_message("  %s\n", addresses[i]);
        assert_true(has_answer(index, addresses[i]));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        print_message("  %s\n", names[i]);
        assert_true(has_target(index, names[i]));
    }
    assert_false(has_answer(index, "203.0.113.6"));
    assert_false(has_answer(index, "192.0.2.1"));
    assert_false(has_target(index, "example.com"));
    assert_false(has_target(index, "b.mx.test"));
    assert_false(has_name(index, "cdn.test"));
    archive_index_free(index);
}

/* --- At random --- */

#define KEYS 100000

static void random_address(uint64_t *seed, uint8_t out[16], size_t *len)
{
    *len = random_below(seed, 2) == 0 ? 4 : 16;
    for (size_t i = 0; i < *len; i++) {
        out[i] = (uint8_t)random_next(seed);
    }
}

/* Of one to six labels. */
static struct bytes random_name(uint64_t *seed, uint8_t out[DNS_NAME_MAX])
{
    size_t len = 0;

    for (size_t left = 1 + random_below(seed, 6); left > 0; left--) {
        size_t label = 1 + random_below(seed, 12);
        out[len++] = (uint8_t)label;
        while (label-- > 0) {
            out[len++] = (uint8_t)('a' + random_below(seed, 26));
        }
    }
    out[len++] = 0;
    return (struct bytes){out, len};
}

/* A network that the address is in. */
static struct network random_network_of(uint64_t *seed, const uint8_t *address, size_t len)
{
    struct network network = {.len = (uint8_t)len,
                              .prefix = (uint8_t)random_below(seed, 8 * len + 1)};

    memcpy(network.address, address, len);
    return network;
}

/* Whatever was added is found: addresses by every network that they are in, names by every name at
 * or above them. */
static void test_nothing_is_denied(void **state)
{
    uint64_t adding = 7, asking = 7, other = 1;

    (void)state;
    archive_index_builder_clear(builder);
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t address[16];
        struct event event = {.kind = KIND_QUERY};
        random_address(&adding, address, &event.query_address.len);
        event.query_address.data = address;
        struct bytes name = random_name(&adding, event.dns.qname);
        event.dns.has_question = true;
        event.dns.qname_len = (uint16_t)name.len;
        archive_index_builder_add(builder, &event);
    }
    struct archive_index *index = finish();
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t address[16], wire[DNS_NAME_MAX];
        size_t len;
        random_address(&asking, address, &len);
        struct network network = random_network_of(&other, address, len);
        assert_true(archive_index_may_have_client(index, &network));
        struct bytes name = random_name(&asking, wire);
        while (name.len > 0) {
            assert_true(archive_index_may_have_name(index, name));
            size_t label = (size_t)name.data[0] + 1;
            name = (struct bytes){name.data + label, name.len - label};
        }
    }
    archive_index_free(index);
}

/* How often a client that is not there seems to be, with so many that are: random addresses, each
 * of which is three keys. Only one key is asked for: the error of several is smaller. */
static double measure_error(unsigned clients, size_t *size)
{
    uint64_t seed = 3;
    unsigned seeming = 0;
    const unsigned asked = 200000;

    archive_index_builder_clear(builder);
    for (unsigned i = 0; i < clients; i++) {
        uint64_t address = random_next(&seed) | 0x80; /* 128.0.0.0/1 */
        struct event event = {.kind = KIND_QUERY, .query_address = {(const uint8_t *)&address, 4}};
        archive_index_builder_add(builder, &event);
    }
    struct bytes bytes = archive_index_builder_finish(builder, FILE_SIZE);
    struct archive_index *index;
    assert_int_equal(archive_index_read(bytes, FILE_SIZE, &index), 0);
    for (unsigned i = 0; i < asked; i++) {
        struct network network = {.len = 4, .prefix = 16}; /* of 0.0.0.0/1 */
        uint64_t random = random_next(&seed);
        memcpy(network.address, &random, 4);
        network.address[0] &= 0x7f;
        seeming += archive_index_may_have_client(index, &network);
    }
    archive_index_free(index);
    *size = bytes.len;
    return (double)seeming / asked;
}

static void test_error(void **state)
{
    static const unsigned clients[] = {1, 10, 1000, 20000, 100000, 290000};

    (void)state;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        size_t size;
        double error = measure_error(clients[i], &size);
        print_message("  %u clients: %zu bytes, error %.4f\n", clients[i], size, error);
        assert_true(error <= 0.0115); /* some 0.01, and the deviation of the measurement */
        /* No larger than needed: 13 bits a key, rounded up to a power of two. */
        assert_in_range(size, 1, 2048 + 2 * (size_t)clients[i] * 3 * 14 / 8);
    }
    size_t size;
    double error = measure_error(2000000, &size);
    print_message("  beyond the bound: %.4f\n", error);
    assert_true(error > 0.05);
}

/* --- Damage --- */

static void test_damage(void **state)
{
    struct message message;
    struct archive_index *index;
    uint8_t copy[4096];

    (void)state;
    archive_index_builder_clear(builder);
    begin(&message, "www.example.com", 0);
    add(&message, "192.0.2.77", 5, 0);
    struct bytes bytes = archive_index_builder_finish(builder, FILE_SIZE);
    assert_in_range(bytes.len, 100, sizeof copy - 8);
    memcpy(copy, bytes.data, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1 << bit);
            int result = archive_index_read((struct bytes){copy, bytes.len}, FILE_SIZE, &index);
            assert_int_equal(result, i / 8 == 1 ? -ENOTSUP : -EBADMSG);
            copy[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(archive_index_read((struct bytes){copy, len}, FILE_SIZE, &index),
                         -EBADMSG);
    }
    memset(copy + bytes.len, 0, 8);
    assert_int_equal(archive_index_read((struct bytes){copy, bytes.len + 8}, FILE_SIZE, &index),
                     -EBADMSG);
    assert_int_equal(archive_index_read((struct bytes){copy, bytes.len}, FILE_SIZE + 1, &index),
                     -ESTALE);
    assert_int_equal(archive_index_read((struct bytes){copy, bytes.len}, FILE_SIZE, &index), 0);
    archive_index_free(index);
}

static void write_to(const char *path, struct bytes bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
    char path[] = "/tmp/dnstap_exporter-test-index-XXXXXX";
    char index_path[sizeof path + sizeof ARCHIVE_INDEX_SUFFIX];
    struct archive_index *index;
    struct message message;

    (void)state;
    assert_int_equal(temp_file_make(path), 0);
    (void)snprintf(index_path, sizeof index_path, "%s%s", path, ARCHIVE_INDEX_SUFFIX);
    assert_int_equal(archive_index_load(path, &index), -ENOENT);
    write_to(path, bytes_of_string("frames"));
    archive_index_builder_clear(builder);
    begin(&message, "www.example.com", 0);
    add(&message, "192.0.2.77", 5, 0);
    write_to(index_path, archive_index_builder_finish(builder, 6));
    assert_int_equal(archive_index_load(path, &index), 0);
    assert_true(has_client(index, "192.0.2.77"));
    archive_index_free(index);
    write_to(path, bytes_of_string("more frames"));
    assert_int_equal(archive_index_load(path, &index), -ESTALE);
    write_to(index_path, bytes_of_string("no index"));
    assert_int_equal(archive_index_load(path, &index), -EBADMSG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(archive_index_load(path, &index), -ENOENT);
    assert_int_equal(unlink(index_path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients), cmocka_unit_test(test_names),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_nothing_is_denied),
        cmocka_unit_test(test_error),   cmocka_unit_test(test_damage),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
