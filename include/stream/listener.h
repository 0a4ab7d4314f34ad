/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * listener.h - a socket that DNS servers connect to
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/text.h"
#include "stream/input_settings.h"

struct listener {
    int fd;           /* listening, non-blocking */
    const char *path; /* of a unix socket, borrowed from the configuration; NULL for others */
    dev_t device;     /* what the path named when it was made, so that nothing else is removed */
    ino_t inode;
    /* What else the path named when it was last looked at; 0: nothing. */
    dev_t other_device;
    ino_t other_inode;
};

/** Listen as `input` says. A socket file that nobody listens on is replaced; one that somebody
 * does, or a file that is no socket, is left alone and is an error. Returns 0 and *listener for
 *  listener_close(), or a negative errno and what went wrong in *error. */
NONNULL MUST_USE int listener_open(struct listener *listener, const struct input_settings *input,
                                   struct text *error);

/** Whether listener_open() would do, by this user and now, as far as that can be known without a
 * change. Returns 0, or a negative errno and what would go wrong in *error. */
NONNULL MUST_USE int listener_check(const struct input_settings *input, struct text *error);

/** Listen on a socket that somebody else has made, and cares for; a duplicate of `fd` is taken.
 * Returns 0 and *listener for listener_close(), or a negative errno. */
NONNULL MUST_USE int listener_adopt(struct listener *listener, int fd);

/** Give the socket the owner, group and mode that `input` says. Returns 0 or a negative errno, with
 *  what went wrong in *error. */
NONNULL MUST_USE int listener_set_permissions(const struct listener *listener,
                                              const struct input_settings *input,
                                              struct text *error);

/** Whether the path still names the socket that was made. True for a socket without a path. */
NONNULL bool listener_is_reachable(const struct listener *listener);

/** Whether the path names something else, or nothing, since this was last asked: then it makes
 * sense to listen again. */
NONNULL bool listener_is_changed(struct listener *listener);

/** Stop listening and remove the socket file, if it is still the one that was made. One without a
 *  descriptor is fine. */
NONNULL void listener_close(struct listener *listener);
