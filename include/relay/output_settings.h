/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * output_settings.h - the receivers that frames are passed on to
 */

#include "base/attr.h"
#include "stream/input_settings.h"

#define OUTPUTS_MAX      8         /* chosen */
#define OUTPUT_QUEUE_MIN (2 << 20) /* more than limits.frame_size can be */
#define OUTPUT_QUEUE_MAX (1 << 30) /* bytes; chosen */

/* clang-format off */
#define OUTPUT_KEYS(KEY, S)                                                                        \
    KEY(S, string, name, "name", NULL, .example = "archive",                                       \
        .check = config_is_name, .expected = CONFIG_EXPECTED_NAME,                                 \
        .help = "The label `output` of the output's metrics.")                                     \
    KEY(S, unix, endpoint, "unix", NULL, .example = "/run/archive/dnstap.sock",                    \
        .help = "Path of the receiver's socket, which this program's user may write.")             \
    KEY(S, tcp_address, endpoint, "tcp", NULL, .example = "192.0.2.1:6000",                        \
        .help = "In place of unix: the receiver's ADDRESS:PORT.")                                  \
    KEY(S, strings, inputs, "inputs", NULL, .example = "[unix]",                                   \
        .least = 1, .most = INPUTS_MAX, .check = config_is_name, .expected = "names of inputs",    \
        .help = "The inputs whose frames are passed on. Without this key: all inputs.")            \
    KEY(S, bytes, queue, "queue", "4194304", .least = OUTPUT_QUEUE_MIN, .most = OUTPUT_QUEUE_MAX,  \
        .help = "Bytes that wait for a receiver that is slow or away. What finds no room is "      \
                "dropped and counted.")
/* clang-format on */

/** With those of the member `tls`. */
#define OUTPUT_ALL_KEYS(KEY, S)                                                                    \
    OUTPUT_KEYS(KEY, S)                                                                            \
    TLS_STREAM_CERTIFICATE_KEYS(KEY, S)                                                            \
    TLS_STREAM_CLIENT_KEYS(KEY, S, "tcp")                                                          \
    TLS_STREAM_VERSION_KEYS(KEY, S)

struct output_settings {
    OUTPUT_KEYS(CONFIG_MEMBER, )
    struct tls_settings tls; /* with tcp */
};

extern const struct config_rows output_rows; /* of a struct output_settings */

/** Whether the output gets the frames of the input with this name. */
NONNULL bool output_settings_takes(const struct output_settings *output, const char *input);

/** Check outputs[output_count]. For a section's check. */
NONNULL MUST_USE int output_settings_check(const struct config_check *check,
                                           struct output_settings *outputs, unsigned output_count,
                                           const struct input_settings *inputs,
                                           unsigned input_count);
