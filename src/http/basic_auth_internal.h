/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * basic_auth_internal.h - names and passwords (RFC 7617)
 *
 * A password that has been right before is right at once. Any other is verified by one thread of
 * low priority, one after the other, with the request suspended meanwhile: a flood of wrong ones
 * takes the processor time that is left over, and a place in a short queue, of which one address
 * gets a part.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct request;
struct basic_auth_queue; /* opaque: src/http/basic_auth.c */

enum basic_auth_state {
    BASIC_AUTH_NOT_ASKED,
    BASIC_AUTH_ACCEPTED, /* or none is needed */
    BASIC_AUTH_REFUSED,  /* no name, or the wrong password */
    BASIC_AUTH_BUSY,     /* too many wait already */
};

struct basic_auth {
    enum basic_auth_state state;
    bool is_given;         /* there is a header Authorization */
    char *user, *password; /* owned */
};

/** Start the thread; on success the caller ends *out with basic_auth_queue_free(). Returns 0 or a
 *  negative errno. */
NONNULL MUST_USE int basic_auth_queue_create(struct basic_auth_queue **out);

/** Stop the thread. Those that wait, and all who come later, are busy. */
NONNULL void basic_auth_queue_end(struct basic_auth_queue *queue);

/** Free what has ended, when nobody can come any more. NULL is fine. */
void basic_auth_queue_free(struct basic_auth_queue *queue);

/** Find out whether the request may be served, which request->auth.state then says. False where
 * that takes a while: then the request is suspended, and not the caller's until it is resumed. */
NONNULL MUST_USE bool basic_auth_check(struct basic_auth_queue *queue, struct request *request);

/** Forget name and password. */
NONNULL void basic_auth_deinit(struct basic_auth *auth);
