/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * config_row.h - one row for each key of a configuration file
 *
 * A module lists its keys once, as an X-macro, from which come the struct of their values and the
 * rows that the engine works with (config/config.h):
 *
 *     #define MATCHING_KEYS(KEY, S)                                           \
 *         KEY(S, number, capacity, "matching.capacity", "65536",              \
 *             .help = "Messages that wait, for each worker.",                 \
 *             .least = 8, .most = 16777216)
 *     struct matching_settings { MATCHING_KEYS(CONFIG_MEMBER, ) };            // in the header
 *     const struct config_rows matching_rows =                                // in the .c file
 *         CONFIG_ROWS(MATCHING_KEYS, struct matching_settings);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/text.h"

struct config_row;

/** A kind of value: how it is read and written. */
struct config_kind {
    size_t size; /* bytes of the member */
    /** Whether the value is a list: parse() adds one item then. */
    bool is_list;
    /** Whether the value is a mapping with keys of the user's own: parse() adds "KEY: VALUE". */
    bool is_map;
    bool is_endpoint; /* the member may have another key that sets it */
    /** Read a value into the member, which keeps its old one unless this returns 0. Returns 0,
     *  -EINVAL (not such a value) or -ENOMEM. */
    int (*parse)(const struct config_row *row, const char *text, void *member);
    /** Write the value as parse() reads it, in YAML. */
    void (*print)(const struct config_row *row, const void *member, struct text *out);
    /** What parse() takes: "true or false"; or if NULL, print_expected() writes it. */
    const char *expected;
    /** Write what parse() takes, which depends on the row: "a number from 1 to 10". */
    void (*print_expected)(const struct config_row *row, struct text *out);
    /** Free what the member owns; NULL: nothing. The member is all zero then. */
    void (*clear)(void *member);
};

struct config_row {
    const struct config_kind *kind;
    const char *key;     /* "limits.connections"; in a list of mappings the key of an entry: "name",
                            "tls.key_file" */
    const char *initial; /* as in a file; NULL: none, and of a set all words */
    size_t offset;       /* of the member in the struct */
    const char *help;    /* sentences, for the example file and the manual */
    uint64_t least, most;     /* of numbers; of durations in nanoseconds; of lists the items */
    const char *const *words; /* of a choice or a set, NULL-terminated */
    bool (*check)(const char *text); /* what a string has to be, besides one; NULL: anything */
    const char *expected; /* what the check says of it; in place of print_expected() if not NULL */
    const char *built_in; /* of a list of mappings: the value in the entry that there is if the
                             configuration has none; there is none if the first row has no such */
    const char *example;  /* a value for the example file, where there is no initial one */
    const char *needs;    /* in a list of mappings: the key that this one goes with; NULL: any */
    bool live;            /* the value may change while the program runs */
    bool secret;          /* the value is not printed */
};

/** The rows of one struct. */
struct config_rows {
    const struct config_row *rows; /* [count] */
    unsigned count;
};

/* --- What the X-macros are expanded with --- */

#define CONFIG_MEMBER(S, kind_, member, ...) CONFIG_MEMBER_##kind_(member)

#define CONFIG_ROW(S, kind_, member_, key_, initial_, ...)                                         \
    {.kind = &config_##kind_,                                                                      \
     .key = key_,                                                                                  \
     .initial = initial_,                                                                          \
     .offset = offsetof(S, member_),                                                               \
     __VA_ARGS__},

#define CONFIG_ONE(...) +1

#define CONFIG_ROWS(KEYS, S)                                                                       \
    {                                                                                              \
        (const struct config_row[]){KEYS(CONFIG_ROW, S)}, 0 KEYS(CONFIG_ONE, S)                    \
    }

/* --- Kinds --- */

/** A number from `least` to `most`, and a number of bytes. */
extern const struct config_kind config_number, config_bytes;
#define CONFIG_MEMBER_number(member) unsigned member;
#define CONFIG_MEMBER_bytes(member)  unsigned member;

/** A number of bytes of up to 64 bits, with a unit: "64MiB". */
extern const struct config_kind config_size;
#define CONFIG_MEMBER_size(member) uint64_t member;

/** A duration, in nanoseconds. */
extern const struct config_kind config_duration;
#define CONFIG_MEMBER_duration(member) uint64_t member;

/** true or false. */
extern const struct config_kind config_boolean;
#define CONFIG_MEMBER_boolean(member) bool member;

/** on or off. True and false are taken, too: what reads and writes YAML 1.1 makes that of them. */
extern const struct config_kind config_on_off;
#define CONFIG_MEMBER_on_off(member) bool member;

/** Any text that `check` lets pass; owned; NULL only where there is no initial one. */
extern const struct config_kind config_string;
#define CONFIG_MEMBER_string(member) char *member;

/** One of `words`: its index. */
extern const struct config_kind config_choice;
#define CONFIG_MEMBER_choice(member) unsigned member;

/** Some of `words`, at most 64: a bit for each. */
extern const struct config_kind config_set;
#define CONFIG_MEMBER_set(member) uint64_t member;

/** Up to `most` texts that `check` lets pass. */
struct config_strings {
    char **items; /* [count], owned */
    unsigned count;
};
extern const struct config_kind config_strings;
#define CONFIG_MEMBER_strings(member) struct config_strings member;

/** Texts under keys of the user's own, in the form "KEY: VALUE"; `check` looks at that. */
extern const struct config_kind config_map;
#define CONFIG_MEMBER_map(member) struct config_strings member;

/** Permission bits, in octal. */
extern const struct config_kind config_mode;
#define CONFIG_MEMBER_mode(member) unsigned member;

/** A user or group. */
struct config_id {
    uint32_t number; /* CONFIG_ID_KEEP for "" */
    char text[33];   /* as it was given: a name of at most 32 bytes (useradd(8)), or a number */
};

#define CONFIG_ID_KEEP UINT32_MAX
extern const struct config_kind config_user, config_group;
#define CONFIG_MEMBER_user(member)  struct config_id member;
#define CONFIG_MEMBER_group(member) struct config_id member;

/** An endpoint has a key for each kind and one member, which the first key names. A second key in
 *  the same mapping is a mistake. `tcp_address` takes no domain name; `dialled` is the URL of a
 *  server that listens. */
extern const struct config_kind config_unix, config_tcp, config_tcp_address, config_dialled;
#define CONFIG_MEMBER_unix(member) struct endpoint member;
#define CONFIG_MEMBER_tcp(member)
#define CONFIG_MEMBER_tcp_address(member)
#define CONFIG_MEMBER_dialled(member)

/** A key of other programs' files that this one does not take; `expected` says why. */
extern const struct config_kind config_refused;
#define CONFIG_MEMBER_refused(member)

/** Write what the row's value is to be. */
NONNULL void config_row_print_expected(const struct config_row *row, struct text *out);
