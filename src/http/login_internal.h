/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * login_internal.h - names and passwords (RFC 7617)
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
struct login_queue; /* opaque: src/http/login.c */

enum login_state {
    LOGIN_NOT_ASKED,
    LOGIN_ACCEPTED, /* or none is needed */
    LOGIN_REFUSED,  /* no name, or the wrong password */
    LOGIN_BUSY,     /* too many wait already */
};

struct login {
    enum login_state state;
    char *user, *password; /* libmicrohttpd's, owned */
};

/** Start the thread; on success the caller ends *out with login_queue_free(). Returns 0 or a
 *  negative errno. */
NONNULL MUST_USE int login_queue_create(struct login_queue **out);

/** Stop the thread. Those that wait, and all who come later, are busy. */
NONNULL void login_queue_end(struct login_queue *queue);

/** Free what has ended, when nobody can come any more. NULL is fine. */
void login_queue_free(struct login_queue *queue);

/** Find out whether the request may be served, which request->login.state then says. False where
 * that takes a while: then the request is suspended, and not the caller's until it is resumed. */
NONNULL MUST_USE bool login_check(struct login_queue *queue, struct request *request);

/** Forget name and password. */
NONNULL void login_deinit(struct login *login);
