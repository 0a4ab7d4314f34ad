/* SPDX-License-Identifier: Apache-2.0 */
#include "count/vocabulary.h"

#include "count/dns_mnemonic.h"

/* Rcodes and extended errors that IANA has not assigned, but that get a series of their own. */
#define UNASSIGNED_CODES_MAX 16

int vocabulary_init(struct vocabulary *vocabulary, const struct metrics_limits *limits)
{
    const struct code_set_bounds qtypes = {limits->qtypes, limits->expiry_ns};
    const struct code_set_bounds others = {UNASSIGNED_CODES_MAX, limits->expiry_ns};
    const struct server_set_bounds servers = {limits->servers, limits->series, limits->expiry_ns};
    struct vocabulary made = {0};
    int result = hash_key_draw(&made.key);

    dns_mnemonic_init();
    if (result == 0) {
        result = server_set_create(&made.servers, &servers, &made.key);
    }
    if (result == 0) {
        result = code_set_create(&made.codes[CODE_QTYPE], dns_mnemonic_qtype, &qtypes);
    }
    if (result == 0) {
        result = code_set_create(&made.codes[CODE_RCODE], dns_mnemonic_rcode, &others);
    }
    if (result == 0) {
        result = code_set_create(&made.codes[CODE_INFO_CODE], dns_mnemonic_info_code, &others);
    }
    if (result == 0) {
        result = stream_states_create(&made.streams, limits->servers + 1);
    }
    if (result < 0) {
        vocabulary_deinit(&made);
        return result;
    }
    *vocabulary = made;
    return 0;
}

void vocabulary_deinit(struct vocabulary *vocabulary)
{
    server_set_free(vocabulary->servers);
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        code_set_free(vocabulary->codes[kind]);
    }
    stream_states_free(vocabulary->streams);
    *vocabulary = (struct vocabulary){0};
}
