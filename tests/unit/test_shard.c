/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dnstap.pb-c.h"
#include "record/shard.h"
#include "support/hex.h"
#include "support/random.h"

#define AT UINT64_C(1700000000) /* seconds: when the queries below were asked */

/* Header: id, flags, counts of question, answer, authority, additional. */
#define HEADER(id, flags, counts) id flags counts
#define ONE_QUESTION              "0001 0000 0000 0000 "
#define QUESTION_A                "0377 7777 0765 7861 6d70 6c65 00 0001 0001 " /* www.example. */
#define QUERY_A                   HEADER("1234 ", "0100 ", ONE_QUESTION) QUESTION_A
#define RESPONSE_A                                                                                 \
    HEADER("1234 ", "8180 ", "0001 0001 0000 0000 ")                                               \
    QUESTION_A "c00c 0001 0001 0000003c 0004 c0000201 "

#define EXPIRY_NS (3600 * NS_PER_SECOND)

static struct label_limits limits;
static struct label_sets labels;
static struct shard *shard;
static struct source source;
static struct shard_sum sum;

/* --- Making frames --- */

/* Bytes of a hex text, blanks aside; the caller frees them. */
static ProtobufCBinaryData from_hex(const char *hex)
{
    ProtobufCBinaryData out = {0, malloc(strlen(hex) / 2 + 1)};

    assert_non_null(out.data);
    out.len = hex_read(hex, out.data, strlen(hex) / 2 + 1);
    return out;
}

/* One message in few words; 0 and NULL leave a field out. */
struct seen {
    Dnstap__Message__Type type;
    const char *dns;                /* hex */
    uint64_t query_ns, response_ns; /* since AT, plus 1 */
    const char *identity;
    uint32_t transport;         /* as in dnstap; 0: UDP */
    uint32_t port;              /* of the query; 0: 4000 */
    const char *query_address;  /* hex; NULL: 192.0.2.1 */
    const char *server_address; /* hex; NULL: 192.0.2.53 */
    const char *query_dns;      /* of a response: hex of its query */
    uint32_t http_protocol;     /* as in dnstap */
};

static void set_times(Dnstap__Message *message, const struct seen *seen)
{
    if (seen->query_ns != 0) {
        message->has_query_time_sec = message->has_query_time_nsec = 1;
        message->query_time_sec = AT + (seen->query_ns - 1) / NS_PER_SECOND;
        message->query_time_nsec = (uint32_t)((seen->query_ns - 1) % NS_PER_SECOND);
    }
    if (seen->response_ns != 0) {
        message->has_response_time_sec = message->has_response_time_nsec = 1;
        message->response_time_sec = AT + (seen->response_ns - 1) / NS_PER_SECOND;
        message->response_time_nsec = (uint32_t)((seen->response_ns - 1) % NS_PER_SECOND);
    }
}

static bool in_batch; /* whether one is open for several frames */

static enum decode_status record_packed(Dnstap__Message *message, const char *identity)
{
    Dnstap__Dnstap frame = DNSTAP__DNSTAP__INIT;
    /* A batch's frames stay where they are. */
    static uint8_t buffers[64][4096];
    static unsigned buffers_used;
    uint8_t *buffer = buffers[buffers_used++ % 64];
    char name[512];

    frame.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
    frame.message = message;
    if (identity != NULL) {
        size_t len = strlen(identity);
        assert_true(len < sizeof name);
        memcpy(name, identity, len);
        frame.has_identity = 1;
        frame.identity = (ProtobufCBinaryData){len, (uint8_t *)name};
    }
    assert_true(dnstap__dnstap__get_packed_size(&frame) <= sizeof buffers[0]);
    size_t len = dnstap__dnstap__pack(&frame, buffer);
    if (in_batch) {
        return shard_record(shard, &source, (struct bytes){buffer, len});
    }
    shard_begin(shard);
    enum decode_status status = shard_record(shard, &source, (struct bytes){buffer, len});
    shard_end(shard);
    return status;
}

static void record_with_policy(const struct seen *seen, Dnstap__Policy *policy)
{
    Dnstap__Message message = DNSTAP__MESSAGE__INIT;
    bool query = (seen->type & 1) != 0;
    const char *from = seen->query_address != NULL ? seen->query_address : "c0000201";
    const char *to = seen->server_address != NULL ? seen->server_address : "c0000235";
    ProtobufCBinaryData dns = from_hex(seen->dns != NULL ? seen->dns : "");
    ProtobufCBinaryData query_dns = from_hex(seen->query_dns != NULL ? seen->query_dns : "");
    ProtobufCBinaryData query_address = from_hex(from);
    ProtobufCBinaryData server_address = from_hex(to);

    message.type = seen->type;
    message.has_socket_protocol = 1;
    message.socket_protocol = seen->transport != 0 ? (Dnstap__SocketProtocol)seen->transport
                                                   : DNSTAP__SOCKET_PROTOCOL__UDP;
    message.has_query_address = message.has_response_address = 1;
    message.query_address = query_address;
    message.response_address = server_address;
    message.has_query_port = 1;
    message.query_port = seen->port != 0 ? seen->port : 4000;
    message.policy = policy;
    message.has_http_protocol = seen->http_protocol != 0;
    message.http_protocol = (Dnstap__HttpProtocol)seen->http_protocol;
    set_times(&message, seen);
    if (query) {
        message.has_query_message = seen->dns != NULL;
        message.query_message = dns;
    } else {
        message.has_response_message = seen->dns != NULL;
        message.response_message = dns;
        message.has_query_message = seen->query_dns != NULL;
        message.query_message = query_dns;
    }
    assert_int_equal(record_packed(&message, seen->identity), DECODE_OK);
    free(dns.data);
    free(query_dns.data);
    free(query_address.data);
    free(server_address.data);
}

static void record(struct seen seen)
{
    record_with_policy(&seen, NULL);
}

static void query_at(uint64_t ns)
{
    record(
        (struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = QUERY_A, .query_ns = ns});
}

static void response_at(uint64_t ns)
{
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, .dns = RESPONSE_A, .response_ns = ns});
}

/* --- A shard for each test --- */

/* Under one key in fifty, messages of a small table evict each other, and the counts differ. */
static int init_labels(void)
{
    int result = label_sets_init(&labels, &limits);

    memset(&labels.key, 0x5a, sizeof labels.key);
    return result;
}

static int set_up_with(enum shard_time time)
{
    limits = (struct label_limits){.servers = 4,
                                   .series = 100,
                                   .qtypes = 2,
                                   .expiry_ns = EXPIRY_NS,
                                   .matching_capacity = 1024,
                                   .matching_timeout_ns = 10 * NS_PER_SECOND};
    source = (struct source){.input = 1, .server_name = "unix"};
    if (init_labels() < 0) {
        return -1;
    }
    return shard_create(&shard, &labels, &limits, 2, time) < 0 ||
                   shard_sum_init(&sum, &limits, 2) < 0
               ? -1
               : 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(SHARD_TIME_FRAMES);
}

static int set_up_live(void **state)
{
    (void)state;
    return set_up_with(SHARD_TIME_LIVE);
}

static int tear_down(void **state)
{
    (void)state;
    shard_sum_deinit(&sum);
    shard_free(shard);
    label_sets_deinit(&labels);
    return 0;
}

static const struct server_counters *cell_of(unsigned server, enum role role)
{
    shard_add_to(shard, &sum);
    return &sum.counters.servers[counters_index(server, role)];
}

static const struct server_counters *client(void)
{
    return cell_of(1, ROLE_CLIENT);
}

static const struct input_counters *input(void)
{
    shard_add_to(shard, &sum);
    return &sum.counters.inputs[1];
}

static void settle(void)
{
    shard_begin(shard);
    shard_flush(shard);
    shard_end(shard);
}

static void expire(void)
{
    shard_begin(shard);
    shard_expire(shard);
    shard_end(shard);
}

/* Of one kind of message in a counters. */
#define TRAFFIC_COUNT ((size_t)FAMILY_COUNT * TRANSPORT_COUNT)

static uint64_t sum_of(const uint64_t *numbers, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += numbers[i];
    }
    return total;
}

static const char *label_of(unsigned server)
{
    static struct server_info infos[256];

    memset(infos, 0, sizeof infos);
    server_set_read(labels.servers, infos);
    return infos[server].label;
}

static uint64_t code_count(struct code_labels *set, const uint64_t *counts, const char *label)
{
    static struct code_label_texts texts;

    code_labels_read(set, &texts);
    for (unsigned index = 0; index < CODE_LABELS_MAX; index++) {
        if (strcmp(texts.labels[index].text, label) == 0) {
            return counts[index];
        }
    }
    return 0;
}

/* --- What frames count --- */

static void test_messages_by_role_kind_family_transport(void **state)
{
    static const enum role roles[] = {ROLE_AUTH, ROLE_RESOLVER, ROLE_CLIENT, ROLE_FORWARDER,
                                      ROLE_STUB, ROLE_TOOL,     ROLE_UPDATE};
    static const enum transport transports[] = {
        TRANSPORT_UDP,          TRANSPORT_TCP,          TRANSPORT_DOT, TRANSPORT_DOH,
        TRANSPORT_DNSCRYPT_UDP, TRANSPORT_DNSCRYPT_TCP, TRANSPORT_DOQ};

    (void)state;
    for (uint32_t type = 1; type <= 14; type++) {
        for (uint32_t transport = 1; transport <= 7; transport++) {
            record((struct seen){.type = (Dnstap__Message__Type)type,
                                 .dns = type % 2 ? QUERY_A : RESPONSE_A,
                                 .transport = transport});
        }
    }
    for (size_t pair = 0; pair < 7; pair++) {
        const struct server_counters *counts = cell_of(1, roles[pair]);
        for (size_t kind = 0; kind < KIND_COUNT; kind++) {
            assert_int_equal(sum_of(&counts->messages[kind][0][0], TRAFFIC_COUNT), 7);
            for (size_t i = 0; i < 7; i++) {
                assert_int_equal(counts->messages[kind][FAMILY_IPV4][transports[i]], 1);
                assert_int_equal(histogram_count(&counts->message_size[kind][transports[i]]), 1);
            }
        }
    }
}

static void test_query_counts(void **state)
{
    (void)state;
    /* RD AD CD, one additional: OPT with DO, NSID and an unknown option */
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                         .dns = HEADER("0001 ", "0130 ", "0001 0000 0000 0001 ") QUESTION_A
                         "00 0029 04d0 00008000 0008 0003 0000 fde9 0000 "});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = QUERY_A});
    record(
        (struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                      .dns = HEADER("0002 ", "2800 ", ONE_QUESTION) "00 0006 0001"}); /* UPDATE */

    const struct server_counters *counts = client();
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "A"), 2);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "SOA"), 1);
    assert_int_equal(counts->opcodes[0], 2);
    assert_int_equal(counts->opcodes[5], 1);
    assert_int_equal(counts->query_flags[QUERY_FLAG_RD], 2);
    assert_int_equal(counts->query_flags[QUERY_FLAG_AD], 1);
    assert_int_equal(counts->query_flags[QUERY_FLAG_CD], 1);
    assert_int_equal(counts->query_flags[QUERY_FLAG_DO], 1);
    assert_int_equal(counts->query_flags[QUERY_FLAG_EDNS], 1);
    assert_int_equal(counts->edns_options[KIND_QUERY][EDNS_OPTION_NSID], 1);
    assert_int_equal(counts->edns_options[KIND_QUERY][EDNS_OPTION_OTHER], 1);
    assert_int_equal(sum_of(&counts->edns_options[0][0], KIND_COUNT * EDNS_OPTION_COUNT), 2);
    assert_int_equal(histogram_count(&counts->qname_size), 3);
    assert_int_equal((uint64_t)histogram_sum(&counts->qname_size), 13 + 13 + 1);
    assert_int_equal((uint64_t)histogram_sum(&counts->message_size[KIND_QUERY][TRANSPORT_UDP]),
                     48 + 29 + 17);
    assert_int_equal(sum_of(counts->rcodes, CODE_LABELS_MAX), 0);
    assert_int_equal(sum_of(counts->outcomes, DNS_OUTCOME_COUNT), 0);
    assert_int_equal(sum_of(counts->response_flags, RESPONSE_FLAG_COUNT), 0);
}

static void test_response_counts(void **state)
{
    (void)state;
    /* AA TC RD RA AD, extended rcode 23, EDE 15 twice and 65000 */
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = HEADER("0001 ", "87a7 ", "0001 0000 0000 0001 ") QUESTION_A
                         "00 0029 04d0 01000000 0012 000f 0002 000f 000f 0002 000f "
                         "000f 0002 fde8 "});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, .dns = RESPONSE_A});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = HEADER("0001 ", "8183 ", ONE_QUESTION) QUESTION_A});

    const struct server_counters *counts = client();
    assert_int_equal(code_count(labels.codes[CODE_RCODE], counts->rcodes, "BADCOOKIE"), 1);
    assert_int_equal(code_count(labels.codes[CODE_RCODE], counts->rcodes, "NOERROR"), 1);
    assert_int_equal(code_count(labels.codes[CODE_RCODE], counts->rcodes, "NXDOMAIN"), 1);
    assert_int_equal(sum_of(counts->rcodes, CODE_LABELS_MAX), 3);
    assert_int_equal(counts->outcomes[DNS_OUTCOME_ANSWER], 1);
    assert_int_equal(counts->outcomes[DNS_OUTCOME_NXDOMAIN], 1);
    assert_int_equal(counts->outcomes[DNS_OUTCOME_OTHER], 1);
    assert_int_equal(counts->response_flags[RESPONSE_FLAG_AA], 1);
    assert_int_equal(counts->response_flags[RESPONSE_FLAG_TC], 1);
    assert_int_equal(counts->response_flags[RESPONSE_FLAG_RA], 3);
    assert_int_equal(counts->response_flags[RESPONSE_FLAG_AD], 1);
    assert_int_equal(code_count(labels.codes[CODE_INFO_CODE], counts->info_codes, "Blocked"), 2);
    assert_int_equal(code_count(labels.codes[CODE_INFO_CODE], counts->info_codes, "65000"), 1);
    assert_int_equal(counts->edns_options[KIND_RESPONSE][EDNS_OPTION_EDE], 1);
    assert_int_equal(sum_of(counts->qtypes, CODE_LABELS_MAX), 0);
    assert_int_equal(sum_of(counts->opcodes, OPCODE_COUNT), 0);
    assert_int_equal(histogram_count(&counts->qname_size), 0);
}

static void test_malformed_dns_counts_all_the_same(void **state)
{
    static const struct {
        const char *dns;
        enum dns_defect defect;
        const char *qtype, *rcode;
    } cases[] = {
        {NULL, DNS_DEFECT_MISSING, "none", "malformed"},
        {"", DNS_DEFECT_SHORT, "malformed", "malformed"},
        {"1234 8180 0001 0000 0000 00", DNS_DEFECT_SHORT, "malformed", "malformed"},
        {"1234 8180 0000 0000 0000 0000", DNS_DEFECT_NONE, "none", "NOERROR"},
        {"1234 8180 0001 0000 0000 0000 03", DNS_DEFECT_QUESTION, "malformed", "NOERROR"},
        {"1234 8180 0001 0001 0000 0000 00 0002 0001", DNS_DEFECT_TRUNCATED, "NS", "NOERROR"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(set_up(state), 0);
        for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
            uint32_t type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY + kind;
            record((struct seen){.type = (Dnstap__Message__Type)type, .dns = cases[i].dns});
        }
        const struct server_counters *counts = client();
        for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
            assert_int_equal(counts->messages[kind][FAMILY_IPV4][TRANSPORT_UDP], 1);
            assert_int_equal(counts->malformed[kind][cases[i].defect], 1);
            assert_int_equal(histogram_count(&counts->message_size[kind][TRANSPORT_UDP]),
                             cases[i].dns != NULL);
        }
        assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, cases[i].qtype), 1);
        assert_int_equal(sum_of(counts->qtypes, CODE_LABELS_MAX), 1);
        assert_int_equal(code_count(labels.codes[CODE_RCODE], counts->rcodes, cases[i].rcode), 1);
        assert_int_equal(sum_of(counts->rcodes, CODE_LABELS_MAX), 1);
        assert_int_equal(sum_of(counts->outcomes, DNS_OUTCOME_COUNT), 1);
        (void)tear_down(state);
    }
}

static void test_policy(void **state)
{
    Dnstap__Policy policy = DNSTAP__POLICY__INIT;
    struct seen seen = {.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, .dns = RESPONSE_A};

    (void)state;
    record_with_policy(&seen, &policy); /* says nothing: unknown */
    policy.has_action = policy.has_match = 1;
    policy.action = DNSTAP__POLICY__ACTION__DROP;
    policy.match = DNSTAP__POLICY__MATCH__NS_NAME;
    record_with_policy(&seen, &policy);
    record_with_policy(&seen, &policy);
    record(seen);
    (void)client();
    uint64_t(*actions)[POLICY_MATCH_COUNT] = sum.counters.policies[1].actions;
    assert_int_equal(actions[POLICY_ACTION_DROP][POLICY_MATCH_NS_NAME], 2);
    assert_int_equal(actions[POLICY_ACTION_UNKNOWN][POLICY_MATCH_UNKNOWN], 1);
    assert_int_equal(sum_of(&actions[0][0], (size_t)POLICY_ACTION_COUNT * POLICY_MATCH_COUNT), 3);
}

static void test_rejected_frames(void **state)
{
    static const struct {
        const char *frame;
        enum decode_status status;
        enum reject_reason reason;
    } cases[] = {
        {"ff", DECODE_PROTOBUF, REJECTED_PROTOBUF},
        {"7202 0805", DECODE_NOT_MESSAGE, REJECTED_NOT_MESSAGE},      /* no type */
        {"7801", DECODE_NOT_MESSAGE, REJECTED_NOT_MESSAGE},           /* no message */
        {"", DECODE_NOT_MESSAGE, REJECTED_NOT_MESSAGE},               /* nothing */
        {"7202 0805 7802", DECODE_NOT_MESSAGE, REJECTED_NOT_MESSAGE}, /* another type */
        {"7202 080f 7801", DECODE_MESSAGE_TYPE, REJECTED_MESSAGE_TYPE},
        {"7200 7801", DECODE_MESSAGE_TYPE, REJECTED_MESSAGE_TYPE},
    };
    uint64_t reasons[REJECT_REASON_COUNT] = {0};
    uint64_t bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ProtobufCBinaryData frame = from_hex(cases[i].frame);
        shard_begin(shard);
        assert_int_equal(shard_record(shard, &source, (struct bytes){frame.data, frame.len}),
                         cases[i].status);
        shard_end(shard);
        bytes += frame.len;
        reasons[cases[i].reason]++;
        free(frame.data);
    }
    shard_begin(shard);
    shard_record_oversize(shard, &source);
    shard_end(shard);
    reasons[REJECTED_OVERSIZE]++;

    assert_int_equal(input()->frames, sizeof cases / sizeof cases[0] + 1);
    assert_int_equal(input()->frame_bytes, bytes);
    assert_memory_equal(input()->rejected, reasons, sizeof reasons);
    assert_int_equal(sum.counters.inputs[0].frames, 0);
}

static void test_connections(void **state)
{
    (void)state;
    shard_begin(shard);
    shard_record_accepted(shard, 1);
    shard_record_accepted(shard, 1);
    shard_record_closed(shard, 1, CLOSED_LIMIT);
    shard_record_overflow(shard, LIMIT_CONNECTIONS);
    shard_end(shard);
    assert_int_equal(input()->accepted, 2);
    assert_int_equal(input()->closed[CLOSED_LIMIT], 1);
    assert_int_equal(sum.counters.global.overflows[LIMIT_CONNECTIONS], 1);
}

/* --- Servers --- */

static void record_from(const char *identity)
{
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = QUERY_A, .identity = identity});
}

static void test_servers(void **state)
{
    char long_name[300];

    (void)state;
    record_from("a");
    record_from("b");
    record_from("a");
    record_from(NULL); /* the input's name */
    record_from("");
    record_from("a");
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], cell_of(1, ROLE_CLIENT)->qtypes, "A"), 3);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], cell_of(2, ROLE_CLIENT)->qtypes, "A"), 1);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], cell_of(3, ROLE_CLIENT)->qtypes, "A"), 2);
    assert_string_equal(label_of(3), "unix");
    assert_int_equal(sum.counters.global.overflows[LIMIT_SERVERS], 0);

    memset(long_name, 'x', sizeof long_name);
    long_name[256] = '\0';
    record_from("d");
    record_from("e"); /* the fifth */
    record_from("e");
    record_from(long_name);
    assert_int_equal(
        code_count(labels.codes[CODE_QTYPE], cell_of(SERVER_OTHER, ROLE_CLIENT)->qtypes, "A"), 3);
    assert_int_equal(sum.counters.global.overflows[LIMIT_SERVERS], 3);
    record_from("a"); /* the source has not mistaken the long name for another */
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], cell_of(1, ROLE_CLIENT)->qtypes, "A"), 4);
}

/* A fixture with other limits than set_up() has. */
static void set_up_again(enum shard_time time)
{
    assert_int_equal(init_labels(), 0);
    assert_int_equal(shard_create(&shard, &labels, &limits, 2, time), 0);
    assert_int_equal(shard_sum_init(&sum, &limits, 2), 0);
}

/* Servers in turn in one stream, as a relay sends them, are kept apart. */
static void test_many_servers_in_turn(void **state)
{
    enum { SERVERS = 64, ROUNDS = 3 };
    unsigned servers = limits.servers;
    char name[16];

    (void)tear_down(state);
    limits.servers = SERVERS;
    set_up_again(SHARD_TIME_LIVE);
    for (unsigned i = 0; i < SERVERS * ROUNDS; i++) {
        (void)snprintf(name, sizeof name, "server%u", i % SERVERS);
        record_from(name);
    }
    for (unsigned i = 1; i <= SERVERS; i++) {
        assert_int_equal(code_count(labels.codes[CODE_QTYPE], cell_of(i, ROLE_CLIENT)->qtypes, "A"),
                         ROUNDS);
        (void)snprintf(name, sizeof name, "server%u", i - 1);
        assert_string_equal(label_of(i), name);
    }
    limits.servers = servers;
}

/* Pairs of a server and a role over limits.series count as another server's, and no sum is wrong.
 */
static void test_series_over_the_limit(void **state)
{
    unsigned series = limits.series;

    (void)tear_down(state);
    limits.series = 2;
    set_up_again(SHARD_TIME_LIVE);
    for (unsigned round = 0; round < 3; round++) {
        record_from("a");
        record_from("b");
        record_from("c");
        record_from("d");
    }
    assert_int_equal(server_counters_messages(cell_of(1, ROLE_CLIENT), KIND_QUERY), 3);
    assert_int_equal(server_counters_messages(cell_of(2, ROLE_CLIENT), KIND_QUERY), 3);
    assert_int_equal(server_counters_messages(cell_of(3, ROLE_CLIENT), KIND_QUERY), 0);
    assert_int_equal(server_counters_messages(cell_of(SERVER_OTHER, ROLE_CLIENT), KIND_QUERY), 6);
    assert_int_equal(sum.counters.global.overflows[LIMIT_SERIES], 6);
    assert_int_equal(sum.counters.global.overflows[LIMIT_SERVERS], 0);
    assert_int_equal(sum.counters.inputs[1].frames, 12);
    limits.series = series;
}

static void test_qtypes_over_the_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        char dns[64];
        (void)snprintf(dns, sizeof dns, "0001 0100 0001 0000 0000 0000 00 ff0%u 0001", i);
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = dns});
    }
    const struct server_counters *counts = client();
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "TYPE65280"), 1);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "TYPE65281"), 1);
    assert_int_equal(counts->qtypes[CODE_LABEL_OTHER], 3);
    assert_int_equal(sum.counters.global.overflows[LIMIT_QTYPES], 3);
}

/* --- Answers --- */

#define OWNER          "c00c "
#define RECORD_A       OWNER "0001 0001 0000012c 0004 "
#define RECORD_AAAA    OWNER "001c 0001 0000012c 0010 "
#define RECORD_CNAME   OWNER "0005 0001 0000003c 0002 c010 "
#define RECORD_RRSIG   OWNER "002e 0001 0000012c 0002 ffff "
#define RECORD_SOA     OWNER "0006 0001 00000005 0004 00000000 "
#define RECORD_PRIVATE OWNER "0001 0001 00000001 0004 0a000001 "

static int set_up_answers(void **state)
{
    int result = set_up(state);

    if (result == 0) {
        (void)tear_down(state);
        limits.answers = true;
        set_up_again(SHARD_TIME_FRAMES);
    }
    return result;
}

static const struct answer_counters *answers(void)
{
    shard_add_to(shard, &sum);
    return &sum.counters.answers[counters_index(1, ROLE_CLIENT)];
}

static uint64_t answer_count(const char *type)
{
    return code_count(labels.codes[CODE_QTYPE], answers()->types, type);
}

static void record_answer(const char *dns)
{
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, .dns = dns, .response_ns = 1});
}

static uint64_t answers_with_ttl(uint64_t least, uint64_t most)
{
    const struct answer_counters *counts = answers();
    uint64_t count = 0;

    for (size_t i = 0; i < answer_ttl_bounds.count; i++) {
        bool inside = answer_ttl_bounds.upper[i] >= least && answer_ttl_bounds.upper[i] <= most;
        count += inside ? counts->ttl.buckets[i] : 0;
    }
    return count + (most == UINT64_MAX ? counts->ttl.buckets[answer_ttl_bounds.count] : 0);
}

/* All records of the answer section, and none of the others; the least TTL of each response. */
static void test_answers(void **state)
{
    (void)state;
    record_answer("0001 8180 0001 0004 0001 0001 " QUESTION_A RECORD_CNAME RECORD_A
                  "c0000201 " RECORD_A "c0000202 " RECORD_RRSIG RECORD_SOA RECORD_PRIVATE);
    record_answer("0002 8180 0001 0001 0000 0000 " QUESTION_A RECORD_A "c0000201 ");
    record_answer("0003 8183 0001 0000 0001 0000 " QUESTION_A RECORD_SOA);
    assert_int_equal(answer_count("CNAME"), 1);
    assert_int_equal(answer_count("A"), 3);
    assert_int_equal(answer_count("RRSIG"), 1);
    assert_int_equal(sum_of(answers()->types, CODE_LABELS_MAX), 5);
    assert_int_equal(answers_with_ttl(60, 60), 1);
    assert_int_equal(answers_with_ttl(300, 300), 1);
    assert_int_equal(histogram_count(&answers()->ttl), 2);
    assert_true(histogram_sum(&answers()->ttl) == 60 + 300);
    assert_int_equal(answers()->private_addresses, 0);
}

static void test_answers_of_other_messages(void **state)
{
    static const char answer[] = "0001 8180 0001 0001 0000 0000 " QUESTION_A RECORD_PRIVATE;

    (void)state;
    record(
        (struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = answer, .query_ns = 1});
    /* An UPDATE's prerequisites; no message; no header; a question that cannot be read. */
    record_answer("0001 a880 0001 0001 0000 0000 " QUESTION_A RECORD_PRIVATE);
    record_answer(NULL);
    record_answer("0001 8180 0001 0001 0000");
    record_answer("0001 8180 0001 0001 0000 0000 ff " RECORD_PRIVATE);
    assert_int_equal(sum_of((const uint64_t *)answers(), sizeof(struct answer_counters) / 8), 0);
    record_answer("0001 8180 0000 0001 0000 0000 00 0001 0001 00000001 0004 c0a80001 ");
    assert_int_equal(answer_count("A"), 1); /* a response without a question */
    assert_int_equal(answers()->private_addresses, 1);
}

/* The table of a server and role is its own. */
static void test_answers_by_role(void **state)
{
    (void)state;
    record_answer(RESPONSE_A);
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__RESOLVER_RESPONSE, .dns = RESPONSE_A, .response_ns = 1});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__RESOLVER_RESPONSE,
                         .dns = RESPONSE_A,
                         .response_ns = 1,
                         .identity = "second"});
    assert_int_equal(answer_count("A"), 1);
    assert_int_equal(histogram_count(&sum.counters.answers[counters_index(1, ROLE_RESOLVER)].ttl),
                     1);
    assert_int_equal(histogram_count(&sum.counters.answers[counters_index(2, ROLE_RESOLVER)].ttl),
                     1);
}

/* The records before the damage count. */
static void test_damaged_answers(void **state)
{
    static const char whole[] = "0001 8180 0001 0002 0000 0000 " QUESTION_A RECORD_PRIVATE RECORD_A
                                "0a000002 ";
    uint8_t bytes[128];
    size_t len = hex_read(whole, bytes, sizeof bytes);
    size_t first_end = len - 16;

    (void)state;
    for (size_t cut = 12; cut <= len; cut++) {
        char dns[2 * sizeof bytes + 1];
        for (size_t i = 0; i < cut; i++) {
            (void)snprintf(dns + 2 * i, 3, "%02x", bytes[i]);
        }
        uint64_t before = answer_count("A");
        uint64_t private_before = answers()->private_addresses;
        uint64_t ttls_before = histogram_count(&answers()->ttl);
        record_answer(dns);
        uint64_t expected = cut == len ? 2 : cut >= first_end ? 1 : 0;
        assert_int_equal(answer_count("A") - before, expected);
        assert_int_equal(answers()->private_addresses - private_before, expected);
        assert_int_equal(histogram_count(&answers()->ttl) - ttls_before, expected > 0);
    }
    assert_int_equal(answers_with_ttl(1, 1), histogram_count(&answers()->ttl));
    /* Damage behind the answer section, and a promise of more records than there are. */
    record_answer("0001 8180 0001 0001 0000 0001 " QUESTION_A RECORD_CNAME "ff");
    record_answer("0001 8180 0001 ffff 0000 0000 " QUESTION_A RECORD_CNAME);
    assert_int_equal(answer_count("CNAME"), 2);
    assert_int_equal(answers_with_ttl(60, 60), 2);
}

static void test_answer_ttls(void **state)
{
    static const struct {
        const char *ttl;
        uint64_t bound, sum;
    } cases[] = {
        {"00000000", 0, 0},
        {"00000001", 1, 1},
        {"00000002", 5, 2},
        {"00015180", 86400, 86400},
        {"0002a300", 172800, 172800},
        {"0002a301", UINT64_MAX, 172801},
        {"00093a80", UINT64_MAX, 604800},
        {"00093a81", UINT64_MAX, 604800},
        {"80000000", UINT64_MAX, 604800},
        {"ffffffff", UINT64_MAX, 604800},
    };
    uint64_t total = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char dns[256];
        uint64_t before = answers_with_ttl(cases[i].bound, cases[i].bound);
        (void)snprintf(dns, sizeof dns,
                       "0001 8180 0001 0001 0000 0000 " QUESTION_A "c00c 0001 0001 %s 0004 "
                       "c0000201",
                       cases[i].ttl);
        record_answer(dns);
        total += cases[i].sum;
        assert_int_equal(answers_with_ttl(cases[i].bound, cases[i].bound), before + 1);
        assert_true(histogram_sum(&answers()->ttl) == (double)total);
    }
}

/* What is private is what dns_record_address() says. */
static void test_private_addresses(void **state)
{
    static const struct {
        const char *record;
        unsigned count;
    } cases[] = {
        {RECORD_A "0a010203 ", 1},
        {RECORD_A "ac1f0001 ", 1},
        {RECORD_A "ac200001 ", 0},
        {RECORD_A "c0a80001 ", 1},
        {RECORD_A "a9fe0001 ", 1},
        {RECORD_A "64400001 ", 1},
        {RECORD_A "7f000001 ", 0}, /* loopback and 0.0.0.0: what policies answer */
        {RECORD_A "00000000 ", 0},
        {RECORD_A "c0000201 ", 0},
        {RECORD_AAAA "fd000000 00000000 00000000 00000001 ", 1},
        {RECORD_AAAA "fe800000 00000000 00000000 00000001 ", 1},
        {RECORD_AAAA "00000000 00000000 00000000 00000001 ", 0},
        {RECORD_AAAA "20010db8 00000000 00000000 00000001 ", 0},
        {OWNER "0010 0001 0000012c 0004 0a010203 ", 0},    /* TXT */
        {OWNER "0001 0001 0000012c 0005 0a010203 04 ", 0}, /* too long */
        {OWNER "001c 0001 0000012c 0004 0a010203 ", 0},    /* AAAA of four bytes */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char dns[256];
        uint64_t before = answers()->private_addresses;
        (void)snprintf(dns, sizeof dns, "0001 8180 0001 0002 0000 0000 " QUESTION_A "%s%s",
                       cases[i].record, RECORD_A "c0000201");
        record_answer(dns);
        if (answers()->private_addresses != before + cases[i].count) {
            fail_msg("%s", cases[i].record);
        }
    }
}

/* Two hundred types that are not assigned, of which two get a label (limits.unassigned_qtypes). */
static void test_answer_types_over_the_limit(void **state)
{
    enum { TYPES = 200, RECORD_DIGITS = 22 };
    char dns[64 + TYPES * RECORD_DIGITS];
    size_t at = (size_t)snprintf(dns, sizeof dns, "0001818000000%03x00000000", TYPES);

    (void)state;
    for (unsigned i = 0; i < TYPES; i++) {
        at += (size_t)snprintf(dns + at, sizeof dns - at, "00%04x0001000000050000", 0xff00 + i);
    }
    record_answer(dns);
    assert_int_equal(answer_count("TYPE65280"), 1);
    assert_int_equal(answer_count("TYPE65281"), 1);
    assert_int_equal(answers()->types[CODE_LABEL_OTHER], TYPES - 2);
    assert_int_equal(sum_of(answers()->types, CODE_LABELS_MAX), TYPES);
    assert_int_equal(sum.counters.global.overflows[LIMIT_QTYPES], TYPES - 2);
    assert_int_equal(answers_with_ttl(5, 5), 1);
}

/* Counts of a type that lost its index to another one go to `other`, those in the sum as well. */
static void test_answer_types_leave(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        char dns[64];
        (void)snprintf(dns, sizeof dns, "00018180000000010000000000ff0%u0001000000050000", i / 2);
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                             .dns = dns,
                             .response_ns = 1 + i / 2 * 4000 * NS_PER_SECOND});
        assert_int_equal(sum_of(answers()->types, CODE_LABELS_MAX), i + 1);
    }
    assert_int_equal(answer_count("TYPE65280"), 0);
    assert_int_equal(answer_count("TYPE65281"), 2);
    assert_in_range(answers()->types[CODE_LABEL_OTHER], 2, 4);
    assert_int_equal(answer_count("TYPE65282") + answers()->types[CODE_LABEL_OTHER], 4);
}

static void test_answers_off(void **state)
{
    (void)state;
    record_answer(RESPONSE_A);
    shard_add_to(shard, &sum);
    assert_null(sum.counters.answers);
    assert_true(counters_memory(4, 2, true, 4) - counters_memory(4, 2, false, 4) >=
                4 * sizeof(struct answer_counters));
}

/* --- Response times --- */

static void check_times(uint64_t count, uint64_t sum_ns, uint64_t unmatched, uint64_t unanswered,
                        uint64_t negative)
{
    const struct server_counters *counts = client();

    assert_int_equal(histogram_count(&counts->response_time), count);
    assert_int_equal((uint64_t)histogram_sum(&counts->response_time), sum_ns);
    assert_int_equal(counts->unmatched_responses, unmatched);
    assert_int_equal(counts->unanswered_queries, unanswered);
    assert_int_equal(counts->negative_response_times, negative);
}

static void test_paired(void **state)
{
    (void)state;
    query_at(1);
    response_at(1 + 3 * NS_PER_MS);
    settle();
    check_times(1, 3 * NS_PER_MS, 0, 0, 0);
}

static void test_response_before_its_query(void **state)
{
    (void)state;
    response_at(1 + 4 * NS_PER_MS);
    query_at(1);
    settle();
    check_times(1, 4 * NS_PER_MS, 0, 0, 0);
}

static void test_own_times_take_the_query_off_the_table(void **state)
{
    struct seen response = {.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                            .dns = RESPONSE_A,
                            .query_ns = 1 + NS_PER_MS,
                            .response_ns = 1 + 6 * NS_PER_MS};

    (void)state;
    query_at(1);
    record(response);
    response.port = 4001;
    record(response);
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = QUERY_A, .query_ns = 1, .port = 4001});
    settle();
    check_times(2, 10 * NS_PER_MS, 0, 0, 0);
}

static void test_unmatched_and_unanswered(void **state)
{
    (void)state;
    response_at(1);
    settle();
    check_times(0, 0, 1, 0, 0);
    query_at(1);
    settle();
    check_times(0, 0, 1, 1, 0);
}

static void test_negative_times(void **state)
{
    (void)state;
    query_at(1 + NS_PER_MS);
    response_at(1);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = RESPONSE_A,
                         .query_ns = 1 + NS_PER_MS,
                         .response_ns = 1,
                         .port = 4001});
    settle();
    check_times(0, 0, 0, 0, 2);
}

static void test_times_missing(void **state)
{
    (void)state;
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__UPDATE_RESPONSE, .response_ns = 1});
    query_at(0);
    response_at(1 + NS_PER_MS); /* meets a query that does not say when */
    query_at(1);
    response_at(0); /* does not say itself, but answers */
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, .dns = NULL, .response_ns = 5});
    settle();
    check_times(0, 0, 3, 0, 0);
}

/* The same instant is a time of zero; a nanosecond before is none. */
static void test_smallest_times(void **state)
{
    (void)state;
    query_at(5);
    response_at(5);
    check_times(1, 0, 0, 0, 0);
    query_at(5);
    response_at(4);
    check_times(1, 0, 0, 0, 1);
}

/* A file may begin with frames that do not say when: they have not waited since 1970. */
static void test_file_begins_without_times(void **state)
{
    (void)state;
    query_at(0);
    response_at(1);
    settle();
    check_times(0, 0, 1, 0, 0);
}

/* Clock errors of hours do not drown the sum. */
static void test_absurd_times(void **state)
{
    (void)state;
    query_at(1);
    response_at(1 + 5 * NS_PER_SECOND);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = RESPONSE_A,
                         .query_ns = 1,
                         .response_ns = 1 + 100000 * NS_PER_SECOND});
    check_times(2, 3605 * NS_PER_SECOND, 0, 0, 0);
}

/* A table so small that the sweep of each frame passes over all of it. */
static void set_up_small(void **state)
{
    (void)tear_down(state);
    limits.matching_capacity = 8;
    set_up_again(SHARD_TIME_FRAMES);
}

/* In files the frames' own time moves the time-outs. */
static void test_time_outs_in_files(void **state)
{
    set_up_small(state);
    query_at(1);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = "ffff 8180 0000 0000 0000 0000",
                         .response_ns = 1});
    expire();
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY,
                         .dns = QUERY_A,
                         .query_ns = 1 + 3 * NS_PER_SECOND});
    expire();
    check_times(0, 0, 1, 0, 0);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY,
                         .dns = QUERY_A,
                         .query_ns = 2 + 10 * NS_PER_SECOND});
    expire();
    check_times(0, 0, 1, 1, 0);
    response_at(2 + 10 * NS_PER_SECOND); /* too late */
    settle();
    check_times(0, 0, 2, 1, 0);
}

#define YEAR (365 * 24 * 3600 * NS_PER_SECOND)

/* One absurd time stamp does not move the clock of a file: what waits goes on waiting, and
 * time-outs work. */
static void test_one_absurd_stamp_in_a_file(void **state)
{
    set_up_small(state);
    query_at(YEAR);
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY, .dns = QUERY_A, .query_ns = 200 * YEAR});
    expire();
    response_at(YEAR + 5);
    check_times(1, 5, 0, 0, 0);
    query_at(YEAR + NS_PER_SECOND);
    expire();
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY,
                         .dns = QUERY_A,
                         .query_ns = YEAR + 20 * NS_PER_SECOND});
    expire();
    check_times(1, 5, 0, 1, 0);
}

/* Recordings that follow each other, earlier or later by any time, have a time of their own each:
 * nothing is lost at the seams. */
static void test_recordings_that_follow_each_other(void **state)
{
    static const uint64_t starts[] = {2 * YEAR, YEAR, 3 * YEAR, 3 * YEAR + 7200 * NS_PER_SECOND};
    uint64_t samples = 0;

    set_up_small(state);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        query_at(starts[i]);
        response_at(starts[i] + 10);
        samples++;
        check_times(samples, 10 * samples, 0, 0, 0);
        expire();
    }
    query_at(5);
    query_at(6); /* another recording, in which time-outs work as well */
    expire();
    response_at(6 + 30 * NS_PER_SECOND);
    expire();
    response_at(6 + 32 * NS_PER_SECOND);
    expire();
    check_times(samples, 10 * samples, 0, 2, 0);
    settle();
    check_times(samples, 10 * samples, 2, 2, 0);
}

/* Nor does one that is minutes ahead, while a silence of minutes does. */
static void test_stamps_ahead_in_a_file(void **state)
{
    set_up_small(state);
    query_at(YEAR);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY,
                         .dns = QUERY_A,
                         .query_ns = YEAR + 600 * NS_PER_SECOND});
    response_at(YEAR + 5);
    expire();
    check_times(1, 5, 0, 0, 0);
    query_at(YEAR + NS_PER_SECOND);
    expire();
    check_times(1, 5, 0, 0, 0);
    query_at(YEAR + 300 * NS_PER_SECOND); /* the silence ends */
    query_at(YEAR + 301 * NS_PER_SECOND);
    expire();
    check_times(1, 5, 0, 1, 0);
}

/* Two absurd stamps in a row that do not agree are two errors. */
static void test_two_absurd_stamps_in_a_file(void **state)
{
    (void)state;
    query_at(YEAR);
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY, .dns = QUERY_A, .query_ns = 200 * YEAR});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY, .dns = QUERY_A, .query_ns = 1});
    expire();
    response_at(YEAR + 5);
    check_times(1, 5, 0, 0, 0);
}

static void test_evictions(void **state)
{
    (void)state;
    (void)tear_down(state);
    limits.matching_capacity = 1; /* one set, of seven places */
    set_up_again(SHARD_TIME_FRAMES);
    for (uint32_t port = 1; port <= 7; port++) {
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                             .dns = RESPONSE_A,
                             .response_ns = port,
                             .port = port});
    }
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = QUERY_A, .query_ns = 9, .port = 9});
    (void)client();
    assert_int_equal(sum.counters.global.matching_evictions, 1);
    check_times(0, 0, 1, 0, 0); /* the response that was pushed out will find no query */
    settle();
    check_times(0, 0, 7, 1, 0);
}

/* What a batch has brought is paired before its time-outs are looked at, or all is given up. */
static void test_time_outs_within_a_batch(void **state)
{
    (void)state;
    query_at(1);
    expire(); /* the first one only sets the clock */
    shard_begin(shard);
    in_batch = true;
    response_at(4);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__AUTH_QUERY,
                         .dns = QUERY_A,
                         .query_ns = 1 + 25 * NS_PER_SECOND});
    shard_expire(shard);
    query_at(1 + 25 * NS_PER_SECOND);
    shard_flush(shard);
    in_batch = false;
    shard_end(shard);
    check_times(1, 3, 0, 1, 0);
}

/* --- What makes a pair --- */

#define OTHER_ID        "4321 8180 0001 0000 0000 0000 " QUESTION_A
#define OTHER_TYPE      "1234 8180 0001 0000 0000 0000 0377 7777 0765 7861 6d70 6c65 00 001c 0001"
#define OTHER_NAME      "1234 8180 0001 0000 0000 0000 0377 7778 0765 7861 6d70 6c65 00 0001 0001"
#define SAME_NAME_UPPER "1234 8180 0001 0000 0000 0000 0357 5757 0765 7861 6d70 6c65 00 0001 0001"

static void test_what_makes_a_pair(void **state)
{
    enum {
        AUTH = DNSTAP__MESSAGE__TYPE__AUTH_QUERY,
        CLIENT = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
        RESOLVER = DNSTAP__MESSAGE__TYPE__RESOLVER_QUERY,
        FORWARDER = DNSTAP__MESSAGE__TYPE__FORWARDER_QUERY,
        STUB = DNSTAP__MESSAGE__TYPE__STUB_QUERY,
    };
    static const struct {
        int query_type, response_type; /* the latter less one */
        struct seen differs;           /* the response, where not as in the query */
        bool pair;
    } cases[] = {
        {CLIENT, CLIENT, {.dns = NULL}, true},
        {AUTH, AUTH, {.dns = NULL}, true},
        {AUTH, CLIENT, {.dns = NULL}, true}, /* BIND's CH queries */
        {CLIENT, STUB, {.dns = NULL}, false},
        {RESOLVER, FORWARDER, {.dns = NULL}, false},
        {CLIENT, CLIENT, {.port = 4001}, false},
        {RESOLVER, RESOLVER, {.port = 4001}, true},
        {FORWARDER, FORWARDER, {.port = 4001}, true},
        {CLIENT, CLIENT, {.transport = DNSTAP__SOCKET_PROTOCOL__TCP}, false},
        {RESOLVER, RESOLVER, {.transport = DNSTAP__SOCKET_PROTOCOL__TCP}, false},
        {CLIENT, CLIENT, {.query_address = "c0000202"}, false},
        {RESOLVER, RESOLVER, {.query_address = "c0000202"}, true},
        {CLIENT, CLIENT, {.server_address = "c0000236"}, false},
        {RESOLVER, RESOLVER, {.server_address = "c0000236"}, false},
        /* zero bytes behind four make another address */
        {CLIENT, CLIENT, {.query_address = "c0000201 00000000 00000000 00000000"}, false},
        {CLIENT, CLIENT, {.dns = OTHER_ID}, false},
        {RESOLVER, RESOLVER, {.dns = OTHER_ID}, false},
        {CLIENT, CLIENT, {.dns = OTHER_TYPE}, false},
        {RESOLVER, RESOLVER, {.dns = OTHER_NAME}, false},
        {CLIENT, CLIENT, {.dns = SAME_NAME_UPPER}, true},
        {CLIENT, CLIENT, {.identity = "another"}, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen response = cases[i].differs;

        assert_int_equal(set_up(state), 0);
        record((struct seen){
            .type = (Dnstap__Message__Type)cases[i].query_type, .dns = QUERY_A, .query_ns = 1});
        response.type = (Dnstap__Message__Type)(cases[i].response_type + 1);
        response.dns = response.dns != NULL ? response.dns : RESPONSE_A;
        response.response_ns = 1 + NS_PER_MS;
        record(response);
        settle();
        shard_add_to(shard, &sum);
        uint64_t times = 0;
        for (size_t j = 0; j < (size_t)sum.counters.server_count * ROLE_COUNT; j++) {
            times += histogram_count(&sum.counters.servers[j].response_time);
        }
        if (times != cases[i].pair) {
            fail_msg("case %zu", i);
        }
        (void)tear_down(state);
    }
}

/* --- One exchange in two forms --- */

#define EMPTY_RESPONSE "1234 8185 0000 0000 0000 0000" /* REFUSED, as Unbound and NSD send it */
#define MAPPED(ipv4)   "00000000000000000000ffff" ipv4

/* Each pair of frames is one exchange: nothing is unanswered, unmatched or without a time. */
static void test_forms_of_an_exchange(void **state)
{
    static const struct {
        const char *what;
        struct seen query, response;
    } cases[] = {
        {"no question in the response", {.dns = QUERY_A}, {.dns = EMPTY_RESPONSE}},
        {"no question in either",
         {.dns = "1234 0100 0001 0000 0000 0000 ff"},
         {.dns = EMPTY_RESPONSE}},
        {"IPv4 and its mapped form",
         {.dns = QUERY_A,
          .query_address = MAPPED("c0000201"),
          .server_address = MAPPED("c0000235")},
         {.dns = RESPONSE_A}},
        {"a query without its message", {.dns = NULL}, {.dns = RESPONSE_A}},
        {"a query without its message, a response without its question",
         {.dns = NULL},
         {.dns = EMPTY_RESPONSE}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen query = cases[i].query;
        struct seen response = cases[i].response;

        print_message("  %s\n", cases[i].what);
        assert_int_equal(set_up(state), 0);
        query.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY;
        query.query_ns = 1;
        response.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE;
        response.response_ns = 1 + NS_PER_MS;
        record(query);
        record(response);
        settle();
        check_times(1, NS_PER_MS, 0, 0, 0);
        (void)tear_down(state);
    }
}

/* Queries without their messages: of several from one port the nearest in time is answered, and
 * another port's is not. */
static void test_empty_queries(void **state)
{
    static const struct seen query = {.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .query_ns = 1};
    struct seen late = query;
    struct seen elsewhere = query;

    (void)state;
    late.query_ns = 1 + NS_PER_MS;
    elsewhere.port = 4001;
    record(query);
    record(late);
    record(elsewhere);
    response_at(1 + 3 * NS_PER_MS);
    response_at(1 + 5 * NS_PER_MS);
    settle();
    check_times(2, 7 * NS_PER_MS, 0, 1, 0);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], client()->qtypes, "none"), 3);
    assert_int_equal(client()->malformed[KIND_QUERY][DNS_DEFECT_MISSING], 3);
}

/* One such query changes nothing for those that come whole: in any order, and with duplicates, also
 * from the same port. */
static void test_whole_queries_beside_an_empty_one(void **state)
{
    static const struct seen empty = {.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .query_ns = 1};

    (void)state;
    record(empty);
    response_at(2);
    response_at(1 + 3 * NS_PER_MS);
    query_at(1 + 2 * NS_PER_MS);
    response_at(1 + 4 * NS_PER_MS);
    settle();
    check_times(2, NS_PER_MS + 1, 0, 0, 0);
    assert_int_equal(client()->duplicate_responses, 1);
}

/* BIND without recursion asks as auth and answers as client; each frame keeps its own role. */
static void test_auth_query_and_client_response(void **state)
{
    (void)state;
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__AUTH_QUERY, .dns = QUERY_A, .query_ns = 1});
    response_at(1 + NS_PER_MS);
    settle();
    check_times(1, NS_PER_MS, 0, 0, 0);
    const struct server_counters *auth = cell_of(1, ROLE_AUTH);
    assert_int_equal(auth->unanswered_queries, 0);
    assert_int_equal(server_counters_messages(auth, KIND_QUERY), 1);
    assert_int_equal(server_counters_messages(auth, KIND_RESPONSE), 0);
    assert_int_equal(server_counters_messages(client(), KIND_RESPONSE), 1);
}

/* A further response is known as such for two seconds, also where it carries both times. */
static void test_duplicate_responses(void **state)
{
    (void)state;
    query_at(1);
    response_at(1 + NS_PER_MS);
    response_at(1 + NS_PER_SECOND);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = RESPONSE_A,
                         .query_ns = 1,
                         .response_ns = 2 + NS_PER_SECOND});
    settle();
    check_times(1, NS_PER_MS, 0, 0, 0);
    assert_int_equal(client()->duplicate_responses, 2);
    assert_int_equal(server_counters_messages(client(), KIND_RESPONSE), 3);

    query_at(2 + NS_PER_SECOND);
    response_at(2 + NS_PER_SECOND + NS_PER_MS);
    response_at(10 * NS_PER_SECOND);
    settle();
    check_times(2, 2 * NS_PER_MS, 1, 0, 0);
    assert_int_equal(client()->duplicate_responses, 2);
}

/* dnsdist as it is often configured: an identity for queries, and others for responses. */
static void test_identities_by_direction(void **state)
{
    static const char *const answers[] = {"response", "cache-response"};

    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t at = 1 + 30 * i * NS_PER_SECOND;
        uint32_t port = 4000 + (uint32_t)i;
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                             .dns = QUERY_A,
                             .query_ns = at,
                             .identity = "query",
                             .port = port});
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                             .dns = RESPONSE_A,
                             .query_ns = at,
                             .response_ns = at + NS_PER_MS,
                             .identity = answers[i % 2],
                             .port = port});
    }
    settle();
    assert_int_equal(cell_of(1, ROLE_CLIENT)->unanswered_queries, 0);
    for (unsigned server = 1; server <= 3; server++) {
        const struct server_counters *counts = cell_of(server, ROLE_CLIENT);
        assert_int_equal(counts->unmatched_responses, 0);
        assert_int_equal(histogram_count(&counts->response_time), server == 1 ? 0 : 10);
        /* Neither direction lacks the other: nothing is counted twice or left out. */
        assert_int_equal(stream_states_flags(labels.streams, stream_index(server, ROLE_CLIENT)), 0);
        assert_int_equal(sum_of(counts->qtypes, CODE_LABELS_MAX), server == 1 ? 20 : 0);
    }
}

/* --- Streams that lack something --- */

static unsigned flags_of(enum role role)
{
    return stream_states_flags(labels.streams, stream_index(1, role));
}

static void response_of(uint64_t ns, uint32_t port, const char *query_dns)
{
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = RESPONSE_A,
                         .response_ns = ns,
                         .port = port,
                         .query_dns = query_dns});
}

static void test_responses_only(void **state)
{
    uint32_t port = 5000;

    (void)state;
    /* Counts are handed in when the next frame has brought the time forward. */
    for (uint64_t second = 0; second <= 16; second++) {
        response_of(1 + second * NS_PER_SECOND, port++, NULL);
        assert_int_equal(flags_of(ROLE_CLIENT), second < 16 ? 0 : STREAM_RESPONSES_ONLY);
    }
    uint64_t before = sum_of(client()->qtypes, CODE_LABELS_MAX);
    response_of(1 + 16 * NS_PER_SECOND, port++, NULL);
    /* A query in the frame tells what it was: AAAA with the flag CD. */
    response_of(1 + 16 * NS_PER_SECOND, port++,
                "1234 0110 0001 0000 0000 0000 0377 7777 0765 7861 6d70 6c65 00 001c 0001");
    const struct server_counters *counts = client();
    assert_int_equal(sum_of(counts->qtypes, CODE_LABELS_MAX), before + 2);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "AAAA"), 1);
    assert_int_equal(histogram_count(&counts->qname_size), before + 2);
    assert_int_equal(counts->classes[QUERY_CLASS_IN], before + 2);
    assert_int_equal(counts->query_flags[QUERY_FLAG_CD], 1);
    assert_int_equal(server_counters_messages(counts, KIND_QUERY), 0);

    query_at(1 + 17 * NS_PER_SECOND);
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
    response_at(2 + 17 * NS_PER_SECOND);
    assert_int_equal(sum_of(client()->qtypes, CODE_LABELS_MAX), before + 3);
}

/* A zone transfer: the only query was long ago, and its responses go on. None is a query as well.
 */
static void test_responses_to_one_query(void **state)
{
    (void)state;
    query_at(1);
    for (uint32_t i = 1; i < 40; i++) {
        response_at(1 + i * NS_PER_SECOND);
        assert_int_equal(flags_of(ROLE_CLIENT), 0);
    }
    settle();
    assert_int_equal(sum_of(client()->qtypes, CODE_LABELS_MAX), 1);
    assert_int_equal(client()->duplicate_responses, 38);
    check_times(1, NS_PER_SECOND, 0, 0, 0);
}

/* A few responses in a long time are no sign, nor are many with a query among them. */
static void test_not_responses_only(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 9; i++) {
        response_of(1 + 20 * i * NS_PER_SECOND, 5000 + i, NULL);
    }
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
    query_at(1 + 180 * NS_PER_SECOND);
    for (uint32_t i = 0; i < 100; i++) {
        response_of(1 + 181 * NS_PER_SECOND + i * 100 * NS_PER_MS, 5000 + i, NULL);
    }
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
    /* BIND's queries as auth are the other direction of its responses as client. */
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t at = 1 + 200 * NS_PER_SECOND + i * NS_PER_SECOND;
        record((struct seen){
            .type = DNSTAP__MESSAGE__TYPE__AUTH_QUERY, .dns = QUERY_A, .query_ns = at});
        response_at(at + 1);
    }
    assert_int_equal(flags_of(ROLE_CLIENT) | flags_of(ROLE_AUTH), 0);
}

static void query_of(uint64_t ns, uint32_t port)
{
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = QUERY_A, .query_ns = ns, .port = port});
}

static void test_queries_only(void **state)
{
    set_up_small(state);
    for (uint64_t second = 0; second < 100; second++) {
        query_of(1 + second * NS_PER_SECOND, 5000 + (uint32_t)second);
        expire();
        assert_int_equal(flags_of(ROLE_CLIENT), second < 61 ? 0 : STREAM_QUERIES_ONLY);
    }
    uint64_t unanswered = client()->unanswered_queries;
    assert_in_range(unanswered, 45, 52); /* those of the first minute, after 10 s */
    settle();
    assert_int_equal(client()->unanswered_queries, unanswered);
    response_of(1 + 100 * NS_PER_SECOND, 5099, NULL);
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
}

/* One in ten of both kinds: next to nothing fits together. */
static void test_sampled(void **state)
{
    uint32_t port = 5000;

    set_up_small(state);
    for (uint64_t second = 0; second < 150; second++) {
        query_of(1 + second * NS_PER_SECOND, port++);
        response_of(1 + second * NS_PER_SECOND + NS_PER_MS, port++, NULL);
        expire();
    }
    assert_int_equal(flags_of(ROLE_CLIENT), STREAM_SAMPLED);
    uint64_t unanswered = client()->unanswered_queries;
    uint64_t unmatched = client()->unmatched_responses;
    for (uint64_t second = 150; second < 200; second++) {
        query_of(1 + second * NS_PER_SECOND, port++);
        response_of(1 + second * NS_PER_SECOND + NS_PER_MS, port++, NULL);
        expire();
    }
    assert_int_equal(client()->unanswered_queries, unanswered);
    assert_int_equal(client()->unmatched_responses, unmatched);
    for (uint64_t second = 200; second < 400; second++) { /* all of it again */
        query_of(1 + second * NS_PER_SECOND, port);
        response_of(1 + second * NS_PER_SECOND + NS_PER_MS, port++, NULL);
        expire();
    }
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
}

/* A tenth of the queries lost is not sampling, and no reason to count nothing. */
static void test_not_sampled(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t at = 1 + i * 100 * NS_PER_MS;
        if (i % 10 > 0) {
            query_of(at, 5000 + i);
        }
        if (i % 10 > 1) {
            response_of(at + NS_PER_MS, 5000 + i, NULL);
        }
        expire();
    }
    settle();
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
    assert_int_equal(client()->unanswered_queries, 200);
}

/* Until there are ten messages of each kind nothing is judged, however long that takes. */
static void test_few_messages_of_a_sample(void **state)
{
    set_up_small(state);
    for (uint32_t i = 0; i < 12; i++) {
        query_of(1 + 30 * i * NS_PER_SECOND, 5000 + i);
        response_of(2 + 30 * i * NS_PER_SECOND, 6000 + i, NULL);
        expire();
        assert_int_equal(flags_of(ROLE_CLIENT), i < 10 ? 0 : STREAM_SAMPLED);
    }
}

/* What comes by a sampled input is never missed; the state is known when counts are handed in, and
 * ends when the server comes by another input. */
static void test_sampled_input(void **state)
{
    (void)state;
    source.sampled = true;
    query_at(1);
    response_of(2, 5000, NULL);
    query_of(1 + NS_PER_SECOND, 5001);
    assert_int_equal(flags_of(ROLE_CLIENT), STREAM_SAMPLED_INPUT);
    settle();
    check_times(0, 0, 0, 0, 0);
    source.sampled = false;
    query_of(1 + 2 * NS_PER_SECOND, 5002);
    query_of(1 + 3 * NS_PER_SECOND, 5003);
    query_of(1 + 4 * NS_PER_SECOND, 5004);
    assert_int_equal(flags_of(ROLE_CLIENT), 0);
    settle();
    check_times(0, 0, 0, 3, 0);
}

/* Recordings of the same hour, one after the other, have their own time each: the second one's
 * time-outs and states are those that it has alone. */
static void test_recordings_of_the_same_time(void **state)
{
    set_up_small(state);
    for (unsigned recording = 0; recording < 2; recording++) {
        shard_begin(shard);
        shard_begin_recording(shard);
        shard_end(shard);
        for (uint64_t second = 0; second < 100; second++) {
            query_of(1 + second * NS_PER_SECOND, 5000 + (uint32_t)second);
            expire();
        }
        assert_int_equal(flags_of(ROLE_CLIENT), STREAM_QUERIES_ONLY);
        shard_begin(shard);
        shard_flush(shard);
        shard_end(shard);
        response_of(1 + 101 * NS_PER_SECOND, 1, NULL);
        assert_int_equal(flags_of(ROLE_CLIENT), 0);
    }
    assert_in_range(client()->unanswered_queries, 90, 104); /* of each first minute, after 10 s */
}

/* --- Classes and DoH --- */

static void test_classes(void **state)
{
    static const struct {
        const char *qclass;
        enum query_class expected;
    } cases[] = {
        {"0001", QUERY_CLASS_IN},    {"0003", QUERY_CLASS_CH},    {"0004", QUERY_CLASS_HS},
        {"00fe", QUERY_CLASS_NONE},  {"00ff", QUERY_CLASS_ANY},   {"0002", QUERY_CLASS_OTHER},
        {"0000", QUERY_CLASS_OTHER}, {"ffff", QUERY_CLASS_OTHER},
    };
    uint64_t expected[QUERY_CLASS_COUNT] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char dns[80];
        (void)snprintf(dns, sizeof dns, "0001 0100 0001 0000 0000 0000 00 0010 %s",
                       cases[i].qclass);
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = dns});
        expected[cases[i].expected]++;
    }
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY, .dns = NULL});
    assert_memory_equal(client()->classes, expected, sizeof expected);
}

static void test_doh_queries(void **state)
{
    static const uint64_t expected[HTTP_VERSION_COUNT] = {1, 1, 2, 1};

    (void)state;
    for (uint32_t version = 0; version <= 3; version++) {
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                             .dns = QUERY_A,
                             .transport = DNSTAP__SOCKET_PROTOCOL__DOH,
                             .http_protocol = version});
    }
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                         .dns = QUERY_A,
                         .transport = DNSTAP__SOCKET_PROTOCOL__DOH,
                         .http_protocol = 2});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                         .dns = QUERY_A,
                         .transport = DNSTAP__SOCKET_PROTOCOL__DOT,
                         .http_protocol = 2});
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE,
                         .dns = RESPONSE_A,
                         .transport = DNSTAP__SOCKET_PROTOCOL__DOH,
                         .http_protocol = 2});
    assert_memory_equal(client()->doh_queries, expected, sizeof expected);
}

/* --- Servers that leave --- */

static uint64_t all_messages(void)
{
    uint64_t count = 0;

    for (size_t i = 0; i < (size_t)sum.counters.server_count * ROLE_COUNT; i++) {
        count += server_counters_messages(&sum.counters.servers[i], KIND_QUERY) +
                 server_counters_messages(&sum.counters.servers[i], KIND_RESPONSE);
    }
    return count;
}

/* A connection of its own for each server: the newest four have their places, and nothing is lost
 * of what the others have counted. */
static void test_servers_leave(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pod-%u", i);
        source = (struct source){.input = 1, .server_name = "unix"};
        assert_int_equal(shard_open_source(shard, &source), 0);
        record_from(name);
        record_from(name);
        shard_close_source(shard, &source);
    }
    (void)client();
    assert_int_equal(sum.counters.inputs[1].frames, 40);
    assert_int_equal(sum.counters.global.expired_messages, 32);
    assert_int_equal(all_messages(), 8);
    assert_int_equal(server_counters_messages(cell_of(SERVER_OTHER, ROLE_CLIENT), KIND_QUERY), 0);
    /* What waits of a server that left is nobody's. */
    settle();
    for (unsigned server = 1; server <= 4; server++) {
        assert_int_equal(cell_of(server, ROLE_CLIENT)->unanswered_queries, 2);
    }
}

/* Of two workers one still has counts of the server that left. */
static void test_servers_leave_in_two_shards(void **state)
{
    struct shard *second = NULL;
    struct shard *first = shard;

    (void)state;
    assert_int_equal(shard_create(&second, &labels, &limits, 2, SHARD_TIME_LIVE), 0);
    for (unsigned i = 0; i < 10; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pod-%u", i);
        source = (struct source){.input = 1, .server_name = "unix"};
        assert_int_equal(shard_open_source(first, &source), 0);
        struct source other = {.input = 1, .server_name = "unix"};
        assert_int_equal(shard_open_source(first, &other), 0);
        record_from(name);
        if (i % 3 == 0) {
            struct source kept = source;
            shard = second;
            source = other;
            record_from(name);
            other = source;
            source = kept;
            shard = first;
        }
        shard_add_to(i % 2 == 0 ? first : second, &sum); /* in either order */
        shard_add_to(i % 2 == 0 ? second : first, &sum);
        assert_int_equal(all_messages() + sum.counters.global.expired_messages,
                         sum.counters.inputs[1].frames);
        assert_int_equal(sum.counters.inputs[1].frames, i + 1 + (i / 3 + 1));
        shard_close_source(first, &source);
        shard_close_source(first, &other);
    }
    shard_free(second);
}

/* A connection that goes on under an identity whose place was taken has a new one. */
static void test_a_server_comes_back(void **state)
{
    (void)state;
    assert_int_equal(shard_open_source(shard, &source), 0);
    struct source first = source;
    record_from("a");
    first = source;
    shard_close_source(shard, &first); /* as if it were closed: its place is free */
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pod-%u", i);
        source = (struct source){.input = 1, .server_name = "unix"};
        assert_int_equal(shard_open_source(shard, &source), 0);
        record_from(name);
        shard_close_source(shard, &source);
    }
    source = (struct source){.input = 1, .server_name = "unix"};
    record_from("a");
    record_from("a");
    (void)client();
    assert_int_equal(all_messages() + sum.counters.global.expired_messages, 7);
    assert_int_equal(server_counters_messages(cell_of(SERVER_OTHER, ROLE_CLIENT), KIND_QUERY), 2);
    shard_close_source(shard, &source);
}

/* Counts of a type that lost its index go to `other`. */
static void test_qtypes_leave(void **state)
{
    static const char *const types[] = {"ff00", "ff01", "ff02"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char dns[64];
        (void)snprintf(dns, sizeof dns, "0001 0100 0001 0000 0000 0000 00 %s 0001", types[i]);
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                             .dns = dns,
                             .query_ns = 1 + i * 4000 * NS_PER_SECOND});
        record((struct seen){.type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY,
                             .dns = dns,
                             .query_ns = 1 + i * 4000 * NS_PER_SECOND});
    }
    const struct server_counters *counts = client();
    assert_int_equal(sum_of(counts->qtypes, CODE_LABELS_MAX), 6);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "TYPE65280"), 0);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "TYPE65281"), 2);
    assert_int_equal(code_count(labels.codes[CODE_QTYPE], counts->qtypes, "TYPE65282") +
                         counts->qtypes[CODE_LABEL_OTHER],
                     4);
}

/* --- Live --- */

static void test_ingest_delay(void **state)
{
    uint64_t now = clock_realtime_ns();
    uint64_t since = now - AT * NS_PER_SECOND;

    (void)state;
    query_at(1 + since - 2 * NS_PER_SECOND);
    assert_int_equal(histogram_count(&input()->ingest_delay), 1);
    assert_in_range((uint64_t)histogram_sum(&input()->ingest_delay), 2 * NS_PER_SECOND,
                    30 * NS_PER_SECOND);
    /* The future took no time, and no time stamp is no sample. */
    query_at(1 + since + 3600 * NS_PER_SECOND);
    query_at(0);
    assert_int_equal(histogram_count(&input()->ingest_delay), 2);
    assert_in_range((uint64_t)histogram_sum(&input()->ingest_delay), 2 * NS_PER_SECOND,
                    30 * NS_PER_SECOND);
    /* Yesterday's frames count, but not for more than an hour. */
    query_at(1);
    assert_int_equal(histogram_count(&input()->ingest_delay), 3);
    assert_in_range((uint64_t)histogram_sum(&input()->ingest_delay), 3602 * NS_PER_SECOND,
                    3630 * NS_PER_SECOND);
    /* A response without its own time says when its query was. */
    record((struct seen){
        .type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE, .dns = RESPONSE_A, .query_ns = 1});
    assert_int_equal(histogram_count(&input()->ingest_delay), 4);
}

/* Live, the frames' time stamps do not move the time-outs. */
static void test_live_time(void **state)
{
    (void)state;
    query_at(1);
    expire();
    query_at(1 + 3600 * NS_PER_SECOND);
    expire();
    check_times(0, 0, 0, 0, 0);
}

static void test_no_ingest_delay_in_files(void **state)
{
    (void)state;
    query_at(1);
    assert_int_equal(histogram_count(&input()->ingest_delay), 0);
}

/* --- Upstream servers --- */

static struct part *upstreams; /* the shard's */

static void set_up_upstreams(void)
{
    const struct pane_shape panes = {.lists = 0xfu << TOP_UPSTREAM_QUERIES, .capacity = 100};
    static const struct detect_setup detectors;
    static const struct client_event_rules rules;

    assert_int_equal(part_create(&upstreams, &panes, &detectors), 0);
    shard_set_part(shard, upstreams, &rules);
}

static void upstream_query(uint64_t query_ns, uint32_t port)
{
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__RESOLVER_QUERY,
                         .dns = QUERY_A,
                         .query_ns = query_ns,
                         .port = port,
                         .server_address = "c0000201"});
}

static void upstream_response(uint64_t query_ns, uint64_t response_ns, const char *dns)
{
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__RESOLVER_RESPONSE,
                         .dns = dns,
                         .query_ns = query_ns,
                         .response_ns = response_ns,
                         .server_address = "c0000201"});
}

static void check_upstream(enum top_list list, const char *address, uint64_t expected)
{
    struct heavy_hitter top;
    uint8_t key[16];
    size_t len = hex_read(address, key, sizeof key);
    const struct heavy_hitters *keys = upstreams->pane->lists[list];

    assert_int_equal(heavy_hitters_total(keys), expected);
    if (expected > 0) {
        assert_int_equal(heavy_hitters_top(keys, &top, 1), 1);
        assert_int_equal(top.upper, expected);
        assert_int_equal(top.key.len, len);
        assert_memory_equal(top.key.data, key, len);
    }
}

static void check_upstreams(uint64_t queries, uint64_t unanswered, uint64_t servfails,
                            uint64_t response_ns)
{
    check_upstream(TOP_UPSTREAM_QUERIES, "c0000201", queries);
    check_upstream(TOP_UPSTREAM_UNANSWERED, "c0000201", unanswered);
    check_upstream(TOP_UPSTREAM_SERVFAILS, "c0000201", servfails);
    check_upstream(TOP_UPSTREAM_RESPONSE_SECONDS, "c0000201", response_ns);
}

#define SERVFAIL_A HEADER("1234 ", "8182 ", ONE_QUESTION) QUESTION_A

/* The times of a response's own frame count, and else those of its query. */
static void test_upstreams(void **state)
{
    (void)state;
    set_up_upstreams();
    upstream_query(1, 5000);
    upstream_response(1, 1 + 3 * NS_PER_MS, RESPONSE_A);
    check_upstreams(1, 0, 0, 3 * NS_PER_MS);
    upstream_query(1 + NS_PER_SECOND, 5000);
    upstream_response(0, 1 + NS_PER_SECOND + 4 * NS_PER_MS, SERVFAIL_A);
    check_upstreams(2, 0, 1, 7 * NS_PER_MS);
    upstream_response(0, 1 + 5 * NS_PER_SECOND + 5 * NS_PER_MS, RESPONSE_A);
    upstream_query(1 + 5 * NS_PER_SECOND, 5000); /* after its response */
    check_upstreams(3, 0, 1, 12 * NS_PER_MS);
    upstream_response(2, 1, RESPONSE_A); /* a negative time is none */
    check_upstreams(3, 0, 1, 12 * NS_PER_MS);
    upstream_query(1 + 9 * NS_PER_SECOND, 5000);
    settle();
    check_upstreams(4, 1, 1, 12 * NS_PER_MS);
}

/* A second response to the same query, other roles and the unspecified address add nothing. */
static void test_no_upstreams(void **state)
{
    (void)state;
    set_up_upstreams();
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__TOOL_QUERY, .dns = QUERY_A, .query_ns = 1});
    settle();
    check_upstreams(0, 0, 0, 0);
    upstream_query(1, 5000);
    upstream_response(1, 1 + NS_PER_MS, SERVFAIL_A);
    upstream_response(1, 1 + NS_PER_MS, SERVFAIL_A);
    check_upstreams(1, 0, 1, NS_PER_MS);
    record((struct seen){.type = DNSTAP__MESSAGE__TYPE__FORWARDER_QUERY,
                         .dns = QUERY_A,
                         .query_ns = 1,
                         .server_address = "00000000"}); /* nobody */
    settle();
    check_upstreams(1, 0, 1, NS_PER_MS);
}

/* A server that logs responses only: each stands for its query. One that samples has no unanswered
 * queries. */
static void test_upstreams_of_incomplete_streams(void **state)
{
    (void)state;
    set_up_upstreams();
    for (uint64_t second = 0; second < 30; second++) {
        upstream_response(1 + second * NS_PER_SECOND, 1 + second * NS_PER_SECOND + NS_PER_MS,
                          RESPONSE_A);
    }
    assert_int_equal(flags_of(ROLE_RESOLVER), STREAM_RESPONSES_ONLY);
    uint64_t before = heavy_hitters_total(upstreams->pane->lists[TOP_UPSTREAM_QUERIES]);
    upstream_response(1 + 30 * NS_PER_SECOND, 1 + 30 * NS_PER_SECOND + NS_PER_MS, RESPONSE_A);
    check_upstreams(before + 1, 0, 0, 31 * NS_PER_MS);
    source.sampled = true;
    upstream_query(1 + 31 * NS_PER_SECOND, 5000);
    settle();
    check_upstreams(before + 2, 0, 0, 31 * NS_PER_MS);
}

/* --- Conservation --- */

/* frames = queries + responses + rejected, whatever the frames are. */
static void test_conservation(void **state)
{
    static const uint8_t whole[] = {
        0x0a, 3, 'n',  's', '1', 0x72, 35, 0x08, 5,    0x18, 1,   0x22, 4,    192, 0,
        2,    1, 0x52, 23,  0,   1,    1,  0,    0,    1,    0,   0,    0,    0,   0,
        0,    1, 'x',  0,   0,   1,    0,  1,    0xff, 0xff, 'y', 'z',  0x78, 1,
    };
    uint64_t random = 7;
    uint64_t messages = 0;
    uint64_t sizes = 0;

    (void)state;
    for (size_t i = 0; i < 50000; i++) {
        uint8_t frame[sizeof whole];
        memcpy(frame, whole, sizeof whole);
        size_t len = random_mutate(&random, frame, sizeof frame);
        shard_begin(shard);
        (void)shard_record(shard, &source, (struct bytes){frame, len});
        shard_end(shard);
        sizes += len;
    }
    settle();
    (void)client();
    for (size_t i = 0; i < (size_t)sum.counters.server_count * ROLE_COUNT; i++) {
        const struct server_counters *counts = &sum.counters.servers[i];
        uint64_t queries = sum_of(&counts->messages[KIND_QUERY][0][0], TRAFFIC_COUNT);
        uint64_t responses = sum_of(&counts->messages[KIND_RESPONSE][0][0], TRAFFIC_COUNT);
        assert_int_equal(sum_of(counts->qtypes, CODE_LABELS_MAX), queries);
        assert_int_equal(sum_of(counts->rcodes, CODE_LABELS_MAX), responses);
        assert_int_equal(sum_of(counts->outcomes, DNS_OUTCOME_COUNT), responses);
        assert_int_equal(histogram_count(&counts->response_time) + counts->unmatched_responses +
                             counts->negative_response_times + counts->duplicate_responses,
                         responses);
        messages += queries + responses;
    }
    uint64_t rejected = sum_of(sum.counters.inputs[1].rejected, REJECT_REASON_COUNT);
    assert_int_equal(sum.counters.inputs[1].frames, 50000);
    assert_int_equal(sum.counters.inputs[1].frame_bytes, sizes);
    assert_int_equal(messages + rejected, 50000);
    assert_true(messages > 1000 && rejected > 1000);
}

#define IN_FILE(test)      cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_ANSWERS(test) cmocka_unit_test_setup_teardown(test, set_up_answers, tear_down)
#define LIVE(test)         cmocka_unit_test_setup_teardown(test, set_up_live, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FILE(test_messages_by_role_kind_family_transport),
        IN_FILE(test_query_counts),
        IN_FILE(test_response_counts),
        cmocka_unit_test(test_malformed_dns_counts_all_the_same),
        IN_FILE(test_policy),
        IN_FILE(test_rejected_frames),
        IN_FILE(test_connections),
        IN_FILE(test_servers),
        IN_FILE(test_many_servers_in_turn),
        IN_FILE(test_series_over_the_limit),
        IN_FILE(test_qtypes_over_the_limit),
        WITH_ANSWERS(test_answers),
        WITH_ANSWERS(test_answers_of_other_messages),
        WITH_ANSWERS(test_answers_by_role),
        WITH_ANSWERS(test_damaged_answers),
        WITH_ANSWERS(test_answer_ttls),
        WITH_ANSWERS(test_private_addresses),
        WITH_ANSWERS(test_answer_types_over_the_limit),
        WITH_ANSWERS(test_answer_types_leave),
        IN_FILE(test_answers_off),
        IN_FILE(test_paired),
        IN_FILE(test_response_before_its_query),
        IN_FILE(test_own_times_take_the_query_off_the_table),
        IN_FILE(test_unmatched_and_unanswered),
        IN_FILE(test_negative_times),
        IN_FILE(test_smallest_times),
        IN_FILE(test_times_missing),
        IN_FILE(test_file_begins_without_times),
        IN_FILE(test_absurd_times),
        IN_FILE(test_time_outs_in_files),
        IN_FILE(test_one_absurd_stamp_in_a_file),
        IN_FILE(test_stamps_ahead_in_a_file),
        IN_FILE(test_recordings_that_follow_each_other),
        IN_FILE(test_two_absurd_stamps_in_a_file),
        IN_FILE(test_evictions),
        IN_FILE(test_time_outs_within_a_batch),
        cmocka_unit_test(test_what_makes_a_pair),
        cmocka_unit_test(test_forms_of_an_exchange),
        IN_FILE(test_empty_queries),
        IN_FILE(test_whole_queries_beside_an_empty_one),
        IN_FILE(test_auth_query_and_client_response),
        IN_FILE(test_duplicate_responses),
        IN_FILE(test_identities_by_direction),
        IN_FILE(test_responses_only),
        IN_FILE(test_responses_to_one_query),
        IN_FILE(test_not_responses_only),
        IN_FILE(test_queries_only),
        IN_FILE(test_sampled),
        IN_FILE(test_not_sampled),
        IN_FILE(test_few_messages_of_a_sample),
        IN_FILE(test_recordings_of_the_same_time),
        IN_FILE(test_sampled_input),
        IN_FILE(test_classes),
        IN_FILE(test_doh_queries),
        LIVE(test_servers_leave),
        LIVE(test_servers_leave_in_two_shards),
        LIVE(test_a_server_comes_back),
        IN_FILE(test_qtypes_leave),
        LIVE(test_ingest_delay),
        LIVE(test_live_time),
        IN_FILE(test_no_ingest_delay_in_files),
        IN_FILE(test_upstreams),
        IN_FILE(test_no_upstreams),
        IN_FILE(test_upstreams_of_incomplete_streams),
        IN_FILE(test_conservation),
    };

    shard_free(NULL); /* is fine */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
