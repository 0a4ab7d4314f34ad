/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * command_line.h - what the command line asks for
 */

#include "base/attr.h"
#include "config/config.h"

enum command {
    COMMAND_SERVE, /* listen and serve */
    COMMAND_READ,  /* read files, print the metrics */
    COMMAND_CHECK, /* check the configuration */
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_INVALID, /* the command line is wrong; standard error has been told */
};

/** Borrowed from argv. */
struct command_line {
    struct config_flags flags;
    char *const *files; /* COMMAND_READ: [file_count], at least one */
    int file_count;
    const char *server; /* COMMAND_READ: stands for an empty identity; NULL: the default */
    bool has_window;    /* COMMAND_READ: the key `window` is meant, and not all of the files */
};

/** Read the arguments. */
NONNULL enum command command_line_parse(int argc, char *argv[], struct command_line *out);

/** The text of --help. */
extern const char command_line_help[];
