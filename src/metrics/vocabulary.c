/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/vocabulary.h"

/* Rcodes and extended errors that IANA has not assigned, but that get a series of their own. */
#define UNASSIGNED_CODES_MAX 16

int vocabulary_init(struct vocabulary *vocabulary, const struct metrics_limits *limits)
{
    struct vocabulary made = {0};
    int result = hash_key_draw(&made.key);

    if (result == 0) {
        result = server_set_create(&made.servers, limits->servers);
    }
    if (result == 0) {
        result = code_set_create(&made.qtypes, dns_mnemonic_qtype, limits->qtypes);
    }
    if (result == 0) {
        result = code_set_create(&made.rcodes, dns_mnemonic_rcode, UNASSIGNED_CODES_MAX);
    }
    if (result == 0) {
        result = code_set_create(&made.info_codes, dns_mnemonic_info_code, UNASSIGNED_CODES_MAX);
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
    code_set_free(vocabulary->qtypes);
    code_set_free(vocabulary->rcodes);
    code_set_free(vocabulary->info_codes);
    *vocabulary = (struct vocabulary){0};
}
