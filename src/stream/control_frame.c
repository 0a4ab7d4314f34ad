/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/control_frame.h"

#include <limits.h>

#include "base/cursor.h"

#define FIELD_CONTENT_TYPE 1   /* the only control field of Frame Streams */
#define CONTENT_TYPE_MAX   256 /* bytes, as libfstrm has it */

#define TYPE(number)       "\0\0\0" number
#define EMPTY(number)      "\0\0\0\0" /* escape */ "\0\0\0\4" TYPE(number)
#define WITH_TYPE(number)  "\0\0\0\0\0\0\0\42" TYPE(number) "\0\0\0\1\0\0\0\26" DNSTAP_CONTENT_TYPE

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

_Static_assert(sizeof WITH_TYPE("\1") - 1 == CONTROL_FRAME_SIZE, "the largest one");

size_t control_frame_write(enum control_type type, uint8_t out[CONTROL_FRAME_SIZE])
{
    memcpy(out, controls[type].frame, controls[type].len);
    return controls[type].len;
}

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

static void read_field(struct cursor *cursor, struct control_frame *out)
{
    uint32_t field = cursor_be32(cursor);
    uint32_t len = cursor_be32(cursor);
    struct bytes content = cursor_take(cursor, len);
    struct bytes dnstap = bytes_of_string(DNSTAP_CONTENT_TYPE);

    if (field != FIELD_CONTENT_TYPE || len > CONTENT_TYPE_MAX) {
        cursor_fail(cursor);
        return;
    }
    out->content_types++;
    out->has_dnstap |= !cursor->failed && bytes_equal(content, dnstap);
}

/* How many content types a frame may name. */
static unsigned content_types_max(enum control_type type)
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

bool control_frame_read(struct bytes payload, struct control_frame *out)
{
    struct cursor cursor = cursor_over(payload);
    struct control_frame frame = {0};

    if (!find_type(cursor_be32(&cursor), &frame.type)) {
        return false;
    }
    while (cursor_left(&cursor) > 0) {
        read_field(&cursor, &frame);
    }
    if (cursor.failed || frame.content_types > content_types_max(frame.type)) {
        return false;
    }
    *out = frame;
    return true;
}

bool control_frame_takes_dnstap(const struct control_frame *frame)
{
    return frame->content_types == 0 || frame->has_dnstap;
}
