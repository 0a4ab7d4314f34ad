/* SPDX-License-Identifier: Apache-2.0 */
#include "count/label_sets.h"

#include "count/dns_mnemonic.h"

/* Rcodes and extended errors that IANA has not assigned, but that get a series of their own. */
#define UNASSIGNED_CODES_MAX 16

const struct config_rows label_limit_rows = CONFIG_ROWS(LABEL_LIMIT_KEYS, struct label_limits);

const struct config_rows answer_rows = CONFIG_ROWS(ANSWER_KEYS, struct label_limits);

const struct config_rows matching_rows = CONFIG_ROWS(MATCHING_KEYS, struct label_limits);

int label_sets_init(struct label_sets *labels, const struct label_limits *limits)
{
    const struct code_labels_bounds qtypes = {limits->qtypes, limits->expiry_ns};
    const struct code_labels_bounds others = {UNASSIGNED_CODES_MAX, limits->expiry_ns};
    const struct server_set_bounds servers = {limits->servers, limits->series, limits->expiry_ns};
    struct label_sets made = {0};
    int result = hash_key_draw(&made.key);

    dns_mnemonic_init();
    if (result == 0) {
        result = server_set_create(&made.servers, &servers, &made.key);
    }
    if (result == 0) {
        result = code_labels_create(&made.codes[CODE_QTYPE], dns_mnemonic_qtype, &qtypes);
    }
    if (result == 0) {
        result = code_labels_create(&made.codes[CODE_RCODE], dns_mnemonic_rcode, &others);
    }
    if (result == 0) {
        result = code_labels_create(&made.codes[CODE_INFO_CODE], dns_mnemonic_info_code, &others);
    }
    if (result == 0) {
        result = stream_states_create(&made.streams, limits->servers + 1);
    }
    if (result < 0) {
        label_sets_deinit(&made);
        return result;
    }
    *labels = made;
    return 0;
}

void label_sets_deinit(struct label_sets *labels)
{
    server_set_free(labels->servers);
    for (enum code_kind kind = 0; kind < CODE_KINDS; kind++) {
        code_labels_free(labels->codes[kind]);
    }
    stream_states_free(labels->streams);
    *labels = (struct label_sets){0};
}
