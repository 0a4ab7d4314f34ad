/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/handshake.h"

#include <limits.h>

#include "base/cursor.h"

#define FIELD_CONTENT_TYPE 1   /* the only control field of Frame Streams */
#define CONTENT_TYPE_MAX   256 /* bytes, as libfstrm has it */

void handshake_init(struct handshake *handshake)
{
    *handshake = (struct handshake){0};
}

/* --- Writing control frames --- */

#define TYPE(number)      "\0\0\0" number
#define EMPTY(number)     "\0\0\0\0" /* escape */ "\0\0\0\4" TYPE(number)
#define WITH_TYPE(number) "\0\0\0\0\0\0\0\42" TYPE(number) "\0\0\0\1\0\0\0\26" DNSTAP_CONTENT_TYPE

/* READY, ACCEPT and START carry exactly one content type, the right one: Unbound closes on none,
 * two or a wrong one in ACCEPT. STOP and FINISH carry nothing. */
static const struct {
    uint32_t number;
    const char *frame;
    size_t len;
} controls[] = {
#define CONTROL(number, text, frame)                                                               \
    {                                                                                              \
        number, frame(text), sizeof frame(text) - 1                                                \
    }
    [CONTROL_READY] = CONTROL(4, "\4", WITH_TYPE), [CONTROL_ACCEPT] = CONTROL(1, "\1", WITH_TYPE),
    [CONTROL_START] = CONTROL(2, "\2", WITH_TYPE), [CONTROL_STOP] = CONTROL(3, "\3", EMPTY),
    [CONTROL_FINISH] = CONTROL(5, "\5", EMPTY),
#undef CONTROL
};

void control_encode(enum control_type type, struct control_frame *out)
{
    out->len = controls[type].len;
    memcpy(out->data, controls[type].frame, controls[type].len);
}

/* --- Reading them --- */

struct control {
    enum control_type type;
    unsigned contents; /* content types that it names */
    bool has_dnstap;   /* one of them is dnstap */
};

static bool find_type(uint32_t number, enum control_type *type)
{
    for (unsigned i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (controls[i].number == number) {
            *type = (enum control_type)i;
            return true;
        }
    }
    return false;
}

static void read_field(struct cursor *cursor, struct control *out)
{
    uint32_t field = cursor_be32(cursor);
    uint32_t len = cursor_be32(cursor);
    struct bytes content = cursor_take(cursor, len);
    struct bytes dnstap = bytes_of_string(DNSTAP_CONTENT_TYPE);

    if (field != FIELD_CONTENT_TYPE || len > CONTENT_TYPE_MAX) {
        cursor_fail(cursor);
        return;
    }
    out->contents++;
    out->has_dnstap |= !cursor->failed && bytes_equal(content, dnstap);
}

/* How many content types a frame may name. */
static unsigned contents_max(enum control_type type)
{
    switch (type) {
    case CONTROL_START:
        return 1;
    case CONTROL_STOP:
    case CONTROL_FINISH:
        return 0;
    case CONTROL_READY:
    case CONTROL_ACCEPT:
        break;
    }
    return UINT_MAX;
}

/* Returns false where it is no control frame. */
static bool read_control(struct bytes payload, struct control *out)
{
    struct cursor cursor = cursor_over(payload);
    uint32_t number = cursor_be32(&cursor);

    *out = (struct control){0};
    if (!find_type(number, &out->type)) {
        return false;
    }
    while (cursor_left(&cursor) > 0) {
        read_field(&cursor, out);
    }
    return !cursor.failed && out->contents <= contents_max(out->type);
}

/* A frame that names no content type stands for all of them, as libfstrm has it. */
static bool takes_dnstap(const struct control *control)
{
    return control->contents == 0 || control->has_dnstap;
}

bool control_matches(enum control_type type, struct bytes payload)
{
    struct control control;

    return read_control(payload, &control) && control.type == type &&
           (type != CONTROL_ACCEPT || takes_dnstap(&control));
}

/* --- The receiver's side --- */

static enum handshake_result open_if_dnstap(struct handshake *handshake,
                                            const struct control *control)
{
    if (!takes_dnstap(control)) {
        return HANDSHAKE_BAD_CONTENT;
    }
    handshake->state = HANDSHAKE_OPEN;
    return HANDSHAKE_GOES_ON;
}

static enum handshake_result accept_if_dnstap(struct handshake *handshake,
                                              const struct control *control,
                                              struct control_frame *reply)
{
    enum handshake_result result = open_if_dnstap(handshake, control);

    if (result == HANDSHAKE_GOES_ON) {
        handshake->bidirectional = true;
        handshake->state = HANDSHAKE_ACCEPTED;
        control_encode(CONTROL_ACCEPT, reply);
    }
    return result;
}

static enum handshake_result handshake_finish(struct handshake *handshake,
                                              struct control_frame *reply)
{
    handshake->state = HANDSHAKE_ENDED;
    if (handshake->bidirectional) {
        control_encode(CONTROL_FINISH, reply);
    }
    return HANDSHAKE_GOES_ON;
}

enum handshake_result handshake_control(struct handshake *handshake, struct bytes payload,
                                        struct control_frame *reply)
{
    enum handshake_state state = handshake->state;
    bool begins = state == HANDSHAKE_BEGINS;
    struct control control;

    reply->len = 0;
    if (!read_control(payload, &control)) {
        return HANDSHAKE_BAD_CONTROL;
    }
    if (control.type == CONTROL_READY && begins) {
        return accept_if_dnstap(handshake, &control, reply);
    }
    if (control.type == CONTROL_START && (begins || state == HANDSHAKE_ACCEPTED)) {
        return open_if_dnstap(handshake, &control);
    }
    if (control.type == CONTROL_STOP && state == HANDSHAKE_OPEN) {
        return handshake_finish(handshake, reply);
    }
    return HANDSHAKE_BAD_CONTROL;
}
