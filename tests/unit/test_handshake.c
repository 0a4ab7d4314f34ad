/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fstrm.h>
#include <stdlib.h>

#include "stream/handshake.h"
#include "support/random.h"

/* As libfstrm's senders do: the type, and content types if any. Payload only, as the stream cutter
 * gives it. */
static size_t encode(fstrm_control_type type, const char *const *contents, uint8_t out[512])
{
    struct fstrm_control *control = fstrm_control_init();
    size_t len = 512;

    assert_int_equal(fstrm_control_set_type(control, type), fstrm_res_success);
    for (; contents != NULL && *contents != NULL; contents++) {
        assert_int_equal(fstrm_control_add_field_content_type(control, (const uint8_t *)*contents,
                                                              strlen(*contents)),
                         fstrm_res_success);
    }
    assert_int_equal(fstrm_control_encode(control, out, &len, 0), fstrm_res_success);
    fstrm_control_destroy(&control);
    return len;
}

/* The control frame in a block of exactly its size. */
static enum handshake_result take_bytes(struct handshake *handshake, const uint8_t *bytes,
                                        size_t len, struct control_frame *reply)
{
    uint8_t *block = malloc(len > 0 ? len : 1);

    assert_non_null(block);
    memcpy(block, bytes, len);
    enum handshake_result result = handshake_control(handshake, (struct bytes){block, len}, reply);
    free(block);
    return result;
}

static enum handshake_result take(struct handshake *handshake, fstrm_control_type type,
                                  const char *const *contents, struct control_frame *reply)
{
    uint8_t bytes[512];

    return take_bytes(handshake, bytes, encode(type, contents, bytes), reply);
}

static const char *const dnstap[] = {"protobuf:dnstap.Dnstap", NULL};

static const uint8_t accept_frame[] = "\0\0\0\0"  /* escape */
                                      "\0\0\0\42" /* 34 bytes */
                                      "\0\0\0\1"  /* ACCEPT */
                                      "\0\0\0\1"  /* content type */
                                      "\0\0\0\26"
                                      "protobuf:dnstap.Dnstap";

static const uint8_t finish_frame[] = "\0\0\0\0"
                                      "\0\0\0\4"
                                      "\0\0\0\5";

static void test_bidirectional(void **state)
{
    struct handshake handshake;
    struct control_frame reply;

    (void)state;
    handshake_init(&handshake);
    assert_int_equal(handshake.state, HANDSHAKE_BEGINS);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_READY, dnstap, &reply), HANDSHAKE_GOES_ON);
    assert_int_equal(reply.len, sizeof accept_frame - 1);
    assert_memory_equal(reply.data, accept_frame, reply.len);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_START, dnstap, &reply), HANDSHAKE_GOES_ON);
    assert_int_equal(reply.len, 0);
    assert_int_equal(handshake.state, HANDSHAKE_OPEN);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_STOP, NULL, &reply), HANDSHAKE_GOES_ON);
    assert_int_equal(reply.len, sizeof finish_frame - 1);
    assert_memory_equal(reply.data, finish_frame, reply.len);
    assert_int_equal(handshake.state, HANDSHAKE_ENDED);
}

static void test_unidirectional(void **state)
{
    struct handshake handshake;
    struct control_frame reply;

    (void)state;
    handshake_init(&handshake);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_START, dnstap, &reply), HANDSHAKE_GOES_ON);
    assert_int_equal(handshake.state, HANDSHAKE_OPEN);
    assert_int_equal(reply.len, 0);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_STOP, NULL, &reply), HANDSHAKE_GOES_ON);
    assert_int_equal(reply.len, 0); /* nobody reads one */
    assert_int_equal(handshake.state, HANDSHAKE_ENDED);
}

/* --- Content types
 * ---------------------------------------------------------------------------------- */

static void test_content_types(void **state)
{
    static const struct {
        const char *contents[4];
        bool ready, start; /* taken in this frame */
    } cases[] = {
        {{"protobuf:dnstap.Dnstap"}, true, true},
        {{"protobuf:other", "protobuf:dnstap.Dnstap", "x"}, true, false},
        {{"protobuf:other"}, false, false},
        {{"protobuf:dnstap.Dnstap2"}, false, false},
        {{"protobuf:dnstap.Dnsta"}, false, false},
        {{"Protobuf:dnstap.Dnstap"}, false, false},
        {{""}, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct handshake handshake;
        struct control_frame reply;

        handshake_init(&handshake);
        assert_int_equal(take(&handshake, FSTRM_CONTROL_READY, cases[i].contents, &reply),
                         cases[i].ready ? HANDSHAKE_GOES_ON : HANDSHAKE_BAD_CONTENT);
        assert_int_equal(handshake.state, cases[i].ready ? HANDSHAKE_ACCEPTED : HANDSHAKE_BEGINS);
        if (cases[i].contents[1] != NULL) {
            continue; /* libfstrm encodes one content type in START at the most */
        }
        handshake_init(&handshake);
        assert_int_equal(take(&handshake, FSTRM_CONTROL_START, cases[i].contents, &reply),
                         cases[i].start ? HANDSHAKE_GOES_ON : HANDSHAKE_BAD_CONTENT);
        assert_int_equal(handshake.state, cases[i].start ? HANDSHAKE_OPEN : HANDSHAKE_BEGINS);
    }
}

/* A sender that names no content type may send any, as libfstrm has it. */
static void test_no_content_type(void **state)
{
    struct handshake handshake;
    struct control_frame reply;

    (void)state;
    handshake_init(&handshake);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_READY, NULL, &reply), HANDSHAKE_GOES_ON);
    assert_int_equal(reply.len, sizeof accept_frame - 1);
    assert_int_equal(take(&handshake, FSTRM_CONTROL_START, NULL, &reply), HANDSHAKE_GOES_ON);
}

/* --- Orders
 * ----------------------------------------------------------------------------------------- */

#define TYPES 5
#define STEPS 5

/* The state after a control frame, or -1 where it is out of place. */
static int next_state(enum handshake_state state, fstrm_control_type type)
{
    switch (state) {
    case HANDSHAKE_BEGINS:
        return type == FSTRM_CONTROL_READY   ? HANDSHAKE_ACCEPTED
               : type == FSTRM_CONTROL_START ? HANDSHAKE_OPEN
                                             : -1;
    case HANDSHAKE_ACCEPTED:
        return type == FSTRM_CONTROL_START ? HANDSHAKE_OPEN : -1;
    case HANDSHAKE_OPEN:
        return type == FSTRM_CONTROL_STOP ? HANDSHAKE_ENDED : -1;
    case HANDSHAKE_ENDED:
        break;
    }
    return -1;
}

/* Every sequence of up to five control frames, until one is out of place. */
static void try_after(const struct handshake *so_far, unsigned steps_left)
{
    static const fstrm_control_type types[TYPES] = {
        FSTRM_CONTROL_ACCEPT, FSTRM_CONTROL_START,  FSTRM_CONTROL_STOP,
        FSTRM_CONTROL_READY,  FSTRM_CONTROL_FINISH,
    };

    for (unsigned i = 0; i < TYPES && steps_left > 0; i++) {
        struct handshake handshake = *so_far;
        struct control_frame reply;
        bool names = types[i] != FSTRM_CONTROL_STOP && types[i] != FSTRM_CONTROL_FINISH;
        int expected = next_state(so_far->state, types[i]);
        enum handshake_result result = take(&handshake, types[i], names ? dnstap : NULL, &reply);

        if (expected < 0) {
            assert_int_equal(result, HANDSHAKE_BAD_CONTROL);
            assert_int_equal(handshake.state, so_far->state);
            continue;
        }
        assert_int_equal(result, HANDSHAKE_GOES_ON);
        assert_int_equal(handshake.state, expected);
        try_after(&handshake, steps_left - 1);
    }
}

static void test_all_orders(void **state)
{
    struct handshake handshake;

    (void)state;
    handshake_init(&handshake);
    try_after(&handshake, STEPS);
}

/* --- Broken frames
 * ---------------------------------------------------------------------------------- */

static void test_broken(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"", 0},
        {"\0\0\0", 3},
        {"\0\0\0\0", 4}, /* no such type */
        {"\0\0\0\6", 4}, /* nor this */
        {"\377\377\377\377", 4},
        {"\0\0\0\2\0\0\0\1", 8},             /* a field without length */
        {"\0\0\0\2\0\0\0\1\0\0\0\5abc", 15}, /* a field longer than the frame */
        {"\0\0\0\2\0\0\0\1\377\377\377\377", 12},
        {"\0\0\0\2\0\0\0\2\0\0\0\1a", 13}, /* an unknown field */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct handshake handshake;
        struct control_frame reply;

        handshake_init(&handshake);
        assert_int_equal(
            take_bytes(&handshake, (const uint8_t *)cases[i].bytes, cases[i].len, &reply),
            HANDSHAKE_BAD_CONTROL);
        assert_int_equal(handshake.state, HANDSHAKE_BEGINS);
    }
}

static void test_truncated_at_every_length(void **state)
{
    uint8_t bytes[512];
    size_t len = encode(FSTRM_CONTROL_READY, dnstap, bytes);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        struct handshake handshake;
        struct control_frame reply;
        bool bare = cut == 4; /* READY without a field is a frame */

        handshake_init(&handshake);
        assert_int_equal(take_bytes(&handshake, bytes, cut, &reply),
                         bare ? HANDSHAKE_GOES_ON : HANDSHAKE_BAD_CONTROL);
    }
}

/* --- The sender's side --- */

/* What we say as a sender, we understand as a receiver, and the other way round. */
static void test_words(void **state)
{
    static const fstrm_control_type types[] = {FSTRM_CONTROL_READY, FSTRM_CONTROL_ACCEPT,
                                               FSTRM_CONTROL_START, FSTRM_CONTROL_STOP,
                                               FSTRM_CONTROL_FINISH};

    (void)state;
    for (enum control_type word = CONTROL_READY; word <= CONTROL_FINISH; word++) {
        bool has_content = word <= CONTROL_START;
        struct control_frame said;
        uint8_t expected[512];

        control_encode(word, &said);
        size_t len = encode(types[word], has_content ? dnstap : NULL, expected);
        assert_int_equal(said.len, 8 + len);
        assert_memory_equal(said.data + 8, expected, len);
        for (enum control_type other = CONTROL_READY; other <= CONTROL_FINISH; other++) {
            assert_int_equal(control_matches(other, (struct bytes){expected, len}), other == word);
        }
        for (size_t cut = 0; cut < len; cut++) {
            /* A word without contents is one, and accepts all of them. */
            assert_int_equal(control_matches(word, (struct bytes){expected, cut}), cut == 4);
        }
    }
}

static void test_accept_of_other_contents(void **state)
{
    static const char *const other[] = {"protobuf:other", NULL};
    uint8_t bytes[512];

    (void)state;
    size_t len = encode(FSTRM_CONTROL_ACCEPT, other, bytes);
    assert_false(control_matches(CONTROL_ACCEPT, (struct bytes){bytes, len}));
}

/* --- Libfstrm as the oracle --- */

static const enum control_type words[] = {CONTROL_READY, CONTROL_ACCEPT, CONTROL_START,
                                          CONTROL_STOP, CONTROL_FINISH};
static const fstrm_control_type word_types[] = {FSTRM_CONTROL_READY, FSTRM_CONTROL_ACCEPT,
                                                FSTRM_CONTROL_START, FSTRM_CONTROL_STOP,
                                                FSTRM_CONTROL_FINISH};

static bool oracle_hears(enum control_type word, struct bytes payload)
{
    struct fstrm_control *control = fstrm_control_init();
    fstrm_control_type type;
    bool heard = fstrm_control_decode(control, payload.data, payload.len, 0) == fstrm_res_success &&
                 fstrm_control_get_type(control, &type) == fstrm_res_success &&
                 type == word_types[word];

    if (heard && word == CONTROL_ACCEPT) {
        heard = fstrm_control_match_field_content_type(control, (const uint8_t *)dnstap[0],
                                                       strlen(dnstap[0])) == fstrm_res_success;
    }
    fstrm_control_destroy(&control);
    return heard;
}

static size_t add_field(uint64_t *chance, uint8_t *out)
{
    bool names_dnstap = random_below(chance, 2) == 0;
    size_t size = strlen(dnstap[0]);

    if (!names_dnstap) { /* the limit is 256 */
        size = random_below(chance, 8) == 0 ? 250 + random_below(chance, 12)
                                            : random_below(chance, 30);
    }
    memset(out, 0, 8 + size);
    out[3] = random_below(chance, 20) == 0 ? 2 : 1;
    out[6] = (uint8_t)(size >> 8);
    out[7] = (uint8_t)size;
    if (names_dnstap) {
        memcpy(out + 8, dnstap[0], size);
    }
    return 8 + size;
}

/* Control frames of every type, with fields of every length, several of them, and damage. */
static void test_oracle(void **state)
{
    uint64_t chance = 1;
    unsigned heard = 0;

    (void)state;
    for (unsigned turn = 0; turn < 100000; turn++) {
        uint8_t bytes[1024] = {0, 0, 0, (uint8_t)random_below(&chance, 7)};
        size_t len = 4;

        for (size_t fields = random_below(&chance, 4); fields > 0 && len < 220; fields--) {
            len += add_field(&chance, bytes + len); /* at most 512, as the stream has it */
        }
        if (random_below(&chance, 3) == 0) {
            len = random_mutate(&chance, bytes, len);
        }
        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
            bool ours = control_matches(words[i], (struct bytes){bytes, len});
            assert_int_equal(ours, oracle_hears(words[i], (struct bytes){bytes, len}));
            heard += ours;
        }
    }
    assert_true(heard > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oracle),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_accept_of_other_contents),
        cmocka_unit_test(test_bidirectional),
        cmocka_unit_test(test_unidirectional),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_no_content_type),
        cmocka_unit_test(test_all_orders),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_truncated_at_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
