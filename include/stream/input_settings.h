/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * input_settings.h - the sockets that DNS servers connect to
 */

#include "base/attr.h"
#include "config/config.h"
#include "config/config_value.h"
#include "tls/tls_settings.h"

#define INPUTS_MAX 64 /* chosen: a bit for each in a uint64_t */

/** Where the socket is when nothing says otherwise. */
#define INPUT_DEFAULT_DIRECTORY "/run/dnstap_exporter"
#define INPUT_DEFAULT_SOCKET    INPUT_DEFAULT_DIRECTORY "/dnstap.sock"

/* clang-format off */
#define INPUT_KEYS(KEY, S)                                                                         \
    KEY(S, string, name, "name", NULL, .built_in = "unix",                                          \
        .check = config_is_name, .expected = CONFIG_EXPECTED_NAME,                                 \
        .help = "The label `input` of the input's metrics. It stands for the label `server` where a " \
                "server sends no identity. A socket that systemd passes under this name is the "   \
                "input's.")                                                                        \
    KEY(S, unix, endpoint, "unix", NULL, .built_in = INPUT_DEFAULT_SOCKET,                          \
        .help = "Path of the socket. Without any configuration, and if this user may not create "  \
                "it, another path is used and logged at start.")                                   \
    KEY(S, tcp, endpoint, "tcp", NULL, .example = "127.0.0.1:6000",                                \
        .help = "In place of unix: listen on HOST:PORT. Anybody who can connect can send frames, so " \
                "listen where only your servers are.")                                             \
    KEY(S, dialled, endpoint, "connect", NULL, .example = "tls://192.0.2.1:6000",                  \
        .help = "In place of unix: a server that listens for receivers of dnstap, as CoreDNS can. This " \
                "program connects to it, again and again where it has to.")                        \
    KEY(S, number, sampling, "sampling", "1", .least = 1, .most = 1000000,                         \
        .help = "N, if the servers of this input send only one in N messages. No counter is scaled " \
                "by it, and queries without a response do not count as unanswered.")               \
    KEY(S, mode, mode, "mode", "0660", .needs = "unix",                                           \
        .help = "Who may connect to the unix socket: the DNS server's user needs write "           \
                "permission.")                                                                     \
    KEY(S, user, owner, "owner", "", .needs = "unix",                                              \
        .help = "User of the unix socket, by name or number; \"\" is the user of this process.")   \
    KEY(S, group, group, "group", "", .needs = "unix",                                               \
        .help = "Group of the unix socket, by name or number; \"\" is the group of this process.")
/* clang-format on */

/** With those of the member `tls`. */
#define INPUT_ALL_KEYS(KEY, S)                                                                     \
    INPUT_KEYS(KEY, S)                                                                             \
    TLS_STREAM_CERTIFICATE_KEYS(KEY, S)                                                            \
    TLS_STREAM_SERVER_KEYS(KEY, S, "tcp")                                                          \
    TLS_STREAM_CLIENT_KEYS(KEY, S, "connect")                                                      \
    TLS_STREAM_VERSION_KEYS(KEY, S)

struct input_settings {
    INPUT_KEYS(CONFIG_MEMBER, )
    struct tls_settings tls; /* where servers connect by TCP, or of connect: tls:// */
};

extern const struct config_rows input_rows; /* of a struct input_settings */

/** Check inputs[count]. Inputs of the command line get their names: the first of a kind the kind's,
 *  the others with a number. For a section's check. */
NONNULL MUST_USE int input_settings_check(const struct config_check *check,
                                          struct input_settings *inputs, unsigned count);

/** Whether the endpoint is one of inputs[count]. */
NONNULL bool input_settings_has(const struct input_settings *inputs, unsigned count,
                                const struct endpoint *endpoint);
