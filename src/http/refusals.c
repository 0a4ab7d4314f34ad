/* SPDX-License-Identifier: Apache-2.0 */
#include "refusals_internal.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "expose/registry.h"

#define LOG_INTERVAL_NS (60 * NS_PER_SECOND) /* chosen: a loop of refusals must not fill disks */

static const char *const messages[WEB_REFUSAL_COUNT] = {
    [WEB_REFUSAL_NOT_TLS] = "it sent no TLS hello: this address takes https:// only",
    [WEB_REFUSAL_TLS_VERSION] = "it has no version of TLS from min_version to max_version",
    [WEB_REFUSAL_TLS_HANDSHAKE] = ("the TLS handshake failed: it does not trust the certificate "
                                   "of cert_file, or there is no common cipher suite"),
    [WEB_REFUSAL_NO_CLIENT_CERTIFICATE] = ("it has no client certificate, client_auth_type asks "
                                           "for one"),
    [WEB_REFUSAL_CLIENT_CERTIFICATE] = ("its certificate is not of client_ca_file, not valid now, "
                                        "not for clients, or has none of client_allowed_sans"),
    [WEB_REFUSAL_MALFORMED] = "a malformed request",
    [WEB_REFUSAL_HOST] = "the Host is neither an address nor a name of this machine; see web.hosts",
    [WEB_REFUSAL_CROSS_ORIGIN] = "a page of another site asked for a reload",
    [WEB_REFUSAL_PASSWORD] = "wrong user name or password",
    [WEB_REFUSAL_BUSY] = "too many passwords wait to be verified",
    [WEB_REFUSAL_RATE_LIMIT] = "more requests than rate_limit allows",
};

void refusals_init(struct refusals *refusals, struct registry *registry)
{
    *refusals = (struct refusals){.registry = registry};
    (void)pthread_mutex_init(&refusals->lock, NULL);
}

void refusals_deinit(struct refusals *refusals)
{
    (void)pthread_mutex_destroy(&refusals->lock);
}

/* Whether there is to be a line; *unlogged is how many had none since the last one. */
static bool is_line_due(struct refusals *refusals, enum web_refusal reason, uint64_t *unlogged)
{
    uint64_t now_ns = clock_monotonic_ns();

    (void)pthread_mutex_lock(&refusals->lock);
    uint64_t logged_ns = refusals->reasons[reason].logged_ns;
    bool is_due = logged_ns == 0 || now_ns - logged_ns >= LOG_INTERVAL_NS;
    *unlogged = refusals->reasons[reason].unlogged;
    refusals->reasons[reason].unlogged = is_due ? 0 : *unlogged + 1;
    if (is_due) {
        refusals->reasons[reason].logged_ns = now_ns;
    }
    (void)pthread_mutex_unlock(&refusals->lock);
    return is_due;
}

void refusals_note(struct refusals *refusals, enum web_refusal reason, const char *address,
                   const char *detail)
{
    uint64_t unlogged;
    char number[24];

    registry_count_refusal(refusals->registry, reason);
    if (!is_line_due(refusals, reason, &unlogged)) {
        return;
    }
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)unlogged);
    struct log_pair pairs[4] = {{"client", address}, {"reason", messages[reason]}};
    size_t count = 2;
    if (detail != NULL) {
        pairs[count++] = (struct log_pair){"host", detail};
    }
    if (unlogged > 0) {
        pairs[count++] = (struct log_pair){"suppressed", number};
    }
    log_write_pairs(LOG_LEVEL_WARN, "HTTP client refused", pairs, count);
}
