/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/handshake.h"

#include <assert.h>
#include <fstrm.h>

void handshake_init(struct handshake *handshake)
{
    *handshake = (struct handshake){0};
}

static const fstrm_control_type types[] = {
    [HANDSHAKE_READY] = FSTRM_CONTROL_READY,   [HANDSHAKE_ACCEPT] = FSTRM_CONTROL_ACCEPT,
    [HANDSHAKE_START] = FSTRM_CONTROL_START,   [HANDSHAKE_STOP] = FSTRM_CONTROL_STOP,
    [HANDSHAKE_FINISH] = FSTRM_CONTROL_FINISH,
};

/* READY, ACCEPT and START carry exactly one content type, the right one: Unbound closes on none,
 * two or a wrong one in ACCEPT (design: SERVERS). STOP and FINISH carry nothing. Libfstrm aborts
 * where it gets no memory. */
void handshake_say(enum handshake_word word, struct handshake_reply *out)
{
    struct fstrm_control *control = fstrm_control_init();

    (void)fstrm_control_set_type(control, types[word]);
    if (word <= HANDSHAKE_START) {
        (void)fstrm_control_add_field_content_type(control, (const uint8_t *)DNSTAP_CONTENT_TYPE,
                                                   sizeof DNSTAP_CONTENT_TYPE - 1);
    }
    out->len = sizeof out->data;
    fstrm_res result = fstrm_control_encode(control, out->data, &out->len,
                                            FSTRM_CONTROL_FLAG_WITH_HEADER);
    assert(result == fstrm_res_success); /* all have their place in out->data */
    (void)result;
    fstrm_control_destroy(&control);
}

static bool is_dnstap(const struct fstrm_control *control)
{
    return fstrm_control_match_field_content_type(control, (const uint8_t *)DNSTAP_CONTENT_TYPE,
                                                  sizeof DNSTAP_CONTENT_TYPE - 1) ==
           fstrm_res_success;
}

bool handshake_hears(enum handshake_word word, struct bytes control)
{
    struct fstrm_control *decoded = fstrm_control_init();
    fstrm_control_type type;
    bool heard = fstrm_control_decode(decoded, control.data, control.len, 0) == fstrm_res_success &&
                 fstrm_control_get_type(decoded, &type) == fstrm_res_success &&
                 type == types[word] && (word != HANDSHAKE_ACCEPT || is_dnstap(decoded));

    fstrm_control_destroy(&decoded);
    return heard;
}

static enum handshake_result open_if_dnstap(struct handshake *handshake,
                                            const struct fstrm_control *control)
{
    if (!is_dnstap(control)) {
        return HANDSHAKE_BAD_CONTENT;
    }
    handshake->state = HANDSHAKE_OPEN;
    return HANDSHAKE_GOES_ON;
}

static enum handshake_result accept_if_dnstap(struct handshake *handshake,
                                              const struct fstrm_control *control,
                                              struct handshake_reply *reply)
{
    enum handshake_result result = open_if_dnstap(handshake, control);

    if (result == HANDSHAKE_GOES_ON) {
        handshake->bidirectional = true;
        handshake->state = HANDSHAKE_ACCEPTED;
        handshake_say(HANDSHAKE_ACCEPT, reply);
    }
    return result;
}

static enum handshake_result finish(struct handshake *handshake, struct handshake_reply *reply)
{
    handshake->state = HANDSHAKE_ENDED;
    if (handshake->bidirectional) {
        handshake_say(HANDSHAKE_FINISH, reply);
    }
    return HANDSHAKE_GOES_ON;
}

static enum handshake_result take(struct handshake *handshake, const struct fstrm_control *control,
                                  fstrm_control_type type, struct handshake_reply *reply)
{
    enum handshake_state state = handshake->state;

    if (type == FSTRM_CONTROL_READY && state == HANDSHAKE_BEGINS) {
        return accept_if_dnstap(handshake, control, reply);
    }
    if (type == FSTRM_CONTROL_START && (state == HANDSHAKE_BEGINS || state == HANDSHAKE_ACCEPTED)) {
        return open_if_dnstap(handshake, control);
    }
    if (type == FSTRM_CONTROL_STOP && state == HANDSHAKE_OPEN) {
        return finish(handshake, reply);
    }
    return HANDSHAKE_BAD_CONTROL;
}

enum handshake_result handshake_control(struct handshake *handshake, struct bytes control,
                                        struct handshake_reply *reply)
{
    struct fstrm_control *decoded = fstrm_control_init();
    enum handshake_result result = HANDSHAKE_BAD_CONTROL;
    fstrm_control_type type;

    reply->len = 0;
    if (fstrm_control_decode(decoded, control.data, control.len, 0) == fstrm_res_success &&
        fstrm_control_get_type(decoded, &type) == fstrm_res_success) {
        result = take(handshake, decoded, type, reply);
    }
    fstrm_control_destroy(&decoded);
    return result;
}
