/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fstrm.h>
#include <stdlib.h>

#include "stream/control_frame.h"
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

static const char *const dnstap[] = {"protobuf:dnstap.Dnstap", NULL};

/* The frame in a block of exactly its size. */
static bool read_frame(const void *bytes, size_t len, struct control_frame *out)
{
    uint8_t *block = malloc(len > 0 ? len : 1);

    assert_non_null(block);
    memcpy(block, bytes, len);
    bool is = control_frame_read((struct bytes){block, len}, out);
    free(block);
    return is;
}

static void test_content_types(void **state)
{
    static const struct {
        const char *contents[4];
        unsigned count;
        bool takes;
    } cases[] = {
        {{NULL}, 0, true}, /* any, as libfstrm has it */
        {{"protobuf:dnstap.Dnstap"}, 1, true},
        {{"protobuf:other", "protobuf:dnstap.Dnstap", "x"}, 3, true},
        {{"protobuf:other"}, 1, false},
        {{"protobuf:dnstap.Dnstap2"}, 1, false},
        {{"protobuf:dnstap.Dnsta"}, 1, false},
        {{"Protobuf:dnstap.Dnstap"}, 1, false},
        {{""}, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct control_frame frame;
        uint8_t bytes[512];
        size_t len = encode(FSTRM_CONTROL_READY, cases[i].contents, bytes);

        assert_true(read_frame(bytes, len, &frame));
        assert_int_equal(frame.type, CONTROL_READY);
        assert_int_equal(frame.content_types, cases[i].count);
        assert_int_equal(control_frame_takes_dnstap(&frame), cases[i].takes);
    }
}

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
        struct control_frame frame;
        assert_false(read_frame(cases[i].bytes, cases[i].len, &frame));
    }
}

/* --- Both ways --- */

static const enum control_type words[] = {CONTROL_READY, CONTROL_ACCEPT, CONTROL_START,
                                          CONTROL_STOP, CONTROL_FINISH};
static const fstrm_control_type word_types[] = {FSTRM_CONTROL_READY, FSTRM_CONTROL_ACCEPT,
                                                FSTRM_CONTROL_START, FSTRM_CONTROL_STOP,
                                                FSTRM_CONTROL_FINISH};

/* What is written is what libfstrm writes, and is read again; cut, it is no frame. */
static void test_written(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        bool has_content = words[i] <= CONTROL_START;
        uint8_t written[CONTROL_FRAME_SIZE];
        uint8_t expected[512];
        struct control_frame frame;

        size_t written_len = control_frame_write(words[i], written);
        size_t len = encode(word_types[i], has_content ? dnstap : NULL, expected);
        assert_int_equal(written_len, 8 + len);
        assert_memory_equal(written + 8, expected, len);
        for (size_t cut = 0; cut <= len; cut++) {
            bool is = cut == len || cut == 4; /* without contents it is one, too */
            assert_int_equal(read_frame(expected, cut, &frame), is);
            assert_true(!is || (frame.type == words[i] && control_frame_takes_dnstap(&frame)));
        }
    }
}

/* --- Libfstrm as the oracle --- */

/* Whether it is this one, and takes dnstap if it is ACCEPT. */
static bool oracle_is(enum control_type word, struct bytes payload)
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
            struct control_frame frame;
            bool ours = control_frame_read((struct bytes){bytes, len}, &frame) &&
                        frame.type == words[i] &&
                        (words[i] != CONTROL_ACCEPT || control_frame_takes_dnstap(&frame));
            assert_int_equal(ours, oracle_is(words[i], (struct bytes){bytes, len}));
            heard += ours;
        }
    }
    assert_true(heard > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oracle),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
