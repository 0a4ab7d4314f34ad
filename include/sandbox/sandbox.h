/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * sandbox.h - the process gives up what it does not need: new privileges, files, ports, system
 * calls
 *
 * Files and ports are Landlock's (landlock(7)). It binds a thread and those that this one starts,
 * so that it comes before the first of them. System calls are seccomp's (seccomp(2)). It binds all
 * threads, and comes when all that is needed once has been called. What the kernel cannot do is
 * left out, which is no error: sandbox_state_of() says what is in force. Nothing of it can be
 * undone.
 *
 * A refused file is EACCES, a refused port too, a refused system call EPERM. The latter is counted.
 * A call that only an attacker makes, such as execve(2), ends the process, with a line on standard
 * error that names it. One thread uses a sandbox.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/** What may be done in a folder and in all folders of it. */
#define SANDBOX_READ    1U /* read files, list folders */
#define SANDBOX_SOCKETS 2U /* make, replace and remove unix sockets */
#define SANDBOX_WRITE   4U /* make, write, replace and remove files */

/** What a process does, and so which system calls it needs. */
enum sandbox_mode {
    SANDBOX_SERVE,
    SANDBOX_READ_FILES, /* without any network */
};

/** What is in force. */
struct sandbox_state {
    bool no_new_privileges;
    bool files;
    bool network; /* connections to TCP ports */
    bool system_calls;
};

struct sandbox; /* opaque: src/sandbox/sandbox.c */

/** Create one that allows no file and no port, and is not in force. On success the caller frees
 *  *out, which does not end what is in force. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int sandbox_create(struct sandbox **out, enum sandbox_mode mode);

void sandbox_free(struct sandbox *sandbox);

/** Allow `access` to a file or a folder; to none where there is none. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int sandbox_allow(struct sandbox *sandbox, const char *path, unsigned access);

/** Allow `access` to the folder of a file, since files are replaced by another of their name; and
 *  to the folder of the file that a symbolic link leads to. In the root folder it is the file
 * alone. Returns 0 or -ENOMEM. */
NONNULL MUST_USE int sandbox_allow_folder_of(struct sandbox *sandbox, const char *path,
                                             unsigned access);

/** Allow connections to a TCP port. */
NONNULL void sandbox_allow_port(struct sandbox *sandbox, uint16_t port);

/** Put the rules on files and ports in force for this thread and those that it starts. */
NONNULL void sandbox_restrict_files(struct sandbox *sandbox);

/** Put the mode's list of system calls in force, for all threads. */
NONNULL void sandbox_restrict_calls(struct sandbox *sandbox);

NONNULL const struct sandbox_state *sandbox_state_of(const struct sandbox *sandbox);

/** Whether the rules on files that are in force allow `access` to the path, or to a new file there.
 *  True where they are not in force, and for a path in a folder that does not exist. */
NONNULL bool sandbox_allows(const struct sandbox *sandbox, const char *path, unsigned access);

/** Whether the rules on ports that are in force allow a connection to this one. True where they are
 *  not in force. */
NONNULL bool sandbox_allows_port(const struct sandbox *sandbox, uint16_t port);

/** System calls that were refused. Any thread. */
uint64_t sandbox_violations(void);

#define SANDBOX_CALL_SIZE 32

/** Write the name, or the number, of a system call that was refused and that this function has not
 *  named yet. Returns false if there is none. */
bool sandbox_next_violation(char name[SANDBOX_CALL_SIZE]);
