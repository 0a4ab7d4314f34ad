/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * dns_mnemonic.h - what IANA calls the numbers of DNS
 *
 * Query types come from ldns; its rcodes, opcodes and extended errors are incomplete (no BADVERS,
 * BADCOOKIE, DSO; NOTIMPL for NOTIMP), so these are listed here, as are types that ldns lacks. No
 * two numbers have the same label, whatever ldns says.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/** Room for any label below, its NUL included. */
#define DNS_MNEMONIC_SIZE 40

/** Copy ldns' names, once: nothing else here takes memory, which ldns ends the process without. Any
 * thread. */
void dns_mnemonic_init(void);

/* Each writes the label of a number and says whether the number is assigned. An unassigned one is
 * TYPE65280, RCODE3841, OPCODE3 or, for an extended error, its plain number. */

NONNULL bool dns_mnemonic_qtype(uint16_t code, char label[DNS_MNEMONIC_SIZE]);
NONNULL bool dns_mnemonic_rcode(uint16_t code, char label[DNS_MNEMONIC_SIZE]);
NONNULL bool dns_mnemonic_opcode(uint16_t code, char label[DNS_MNEMONIC_SIZE]);
/** The names of RFC 8914 and of IANA's registry since. */
NONNULL bool dns_mnemonic_info_code(uint16_t code, char label[DNS_MNEMONIC_SIZE]);
