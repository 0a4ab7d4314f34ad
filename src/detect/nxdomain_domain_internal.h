/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * nxdomain_domain_internal.h - what other detectors ask of a random-subdomain attack
 */

#include "detect/finding.h"

/** Details of a finding of nxdomain_domain. */
enum {
    NXDOMAIN_DOMAIN_A_MINUTE,
    NXDOMAIN_DOMAIN_NAMES,
    NXDOMAIN_DOMAIN_MESSAGES,
    NXDOMAIN_DOMAIN_CLIENTS,
    NXDOMAIN_DOMAIN_DETAILS
};

/** Failing names of the attack, for each client that took part, on average. */
NONNULL double nxdomain_domain_names_per_client(const struct finding *finding);
