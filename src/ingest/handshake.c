/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/handshake.h"

#include <assert.h>
#include <fstrm.h>

void handshake_init(struct handshake *handshake)
{
    *handshake = (struct handshake){0};
}

/* ACCEPT carries exactly one content type, the right one: Unbound closes on none, two or a wrong
 * one (design: SERVERS). FINISH carries nothing. Libfstrm aborts where it gets no memory. */
static void encode_reply(fstrm_control_type type, struct handshake_reply *reply)
{
    struct fstrm_control *control = fstrm_control_init();

    (void)fstrm_control_set_type(control, type);
    if (type == FSTRM_CONTROL_ACCEPT) {
        (void)fstrm_control_add_field_content_type(control, (const uint8_t *)DNSTAP_CONTENT_TYPE,
                                                   sizeof DNSTAP_CONTENT_TYPE - 1);
    }
    reply->len = sizeof reply->data;
    fstrm_res result = fstrm_control_encode(control, reply->data, &reply->len,
                                            FSTRM_CONTROL_FLAG_WITH_HEADER);
    assert(result == fstrm_res_success); /* both frames have their place in reply->data */
    (void)result;
    fstrm_control_destroy(&control);
}

static enum handshake_result open_if_dnstap(struct handshake *handshake,
                                            const struct fstrm_control *control)
{
    fstrm_res match = fstrm_control_match_field_content_type(
        control, (const uint8_t *)DNSTAP_CONTENT_TYPE, sizeof DNSTAP_CONTENT_TYPE - 1);

    if (match != fstrm_res_success) {
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
        encode_reply(FSTRM_CONTROL_ACCEPT, reply);
    }
    return result;
}

static enum handshake_result finish(struct handshake *handshake, struct handshake_reply *reply)
{
    handshake->state = HANDSHAKE_ENDED;
    if (handshake->bidirectional) {
        encode_reply(FSTRM_CONTROL_FINISH, reply);
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
