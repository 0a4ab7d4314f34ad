/* SPDX-License-Identifier: Apache-2.0 */
#include "site_internal.h"

#include <stdint.h>

/* The bytes of the files, and a NUL. */
static const uint8_t landing_html[] = {
#include "landing.html.inc"
    , 0};
static const uint8_t status_html[] = {
#include "status.html.inc"
    , 0};

static const char landing_policy[] =
#include "landing.policy.inc"
    ;
static const char status_policy[] =
#include "status.policy.inc"
    ;

const struct site_page site_landing = {(const char *)landing_html, landing_policy};
const struct site_page site_status = {(const char *)status_html, status_policy};
