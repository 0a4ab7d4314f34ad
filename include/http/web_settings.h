/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * web_settings.h - where metrics are served, and to how many clients
 */

#include "base/clock.h"
#include "config/config_row.h"
#include "config/config_value.h"

#define WEB_ADDRESSES_MAX 8  /* chosen */
#define WEB_HOSTS_MAX     64 /* chosen */

/* clang-format off */
#define WEB_KEYS(KEY, S)                                                                           \
    KEY(S, strings, listen_addresses, "web.listen_addresses", ":9353",                            \
        .least = 1, .most = WEB_ADDRESSES_MAX, .check = config_is_tcp, .expected = CONFIG_EXPECTED_TCP,                                   \
        .help = "Each HOST:PORT. Without a host: every address, IPv6 and IPv4.")        \
    KEY(S, number, connections_max, "web.connections", "64", .least = 1, .most = 10000,            \
        .help = "Connections at the same time to all listening addresses together; at most half "  \
                "of them from one client address. An eighth is kept for complete requests. A "     \
                "request has ten seconds to arrive; idle and slow connections make room for "      \
                "others.")                                                                         \
    KEY(S, duration, timeout_ns, "web.timeout", "10s",                                             \
        .least = NS_PER_SECOND, .most = 3600 * NS_PER_SECOND,                                      \
        .help = "How long a connection may stay without anything moving while a request is under " \
                "way. Between two requests it may be idle for 75 s.")                         \
    KEY(S, strings, hosts, "web.hosts", NULL, .live = true, .most = WEB_HOSTS_MAX,                 \
        .check = web_settings_is_host, .expected = "a host name without a port",                   \
        .example = "[dns1.example.net]",                                                           \
        .help = "Names in the public DNS under which clients ask for pages, where there is neither " \
                "TLS nor a password. Addresses, names without a dot, those of this machine and "   \
                "those of private domains such as .internal need not be here. A request with "     \
                "another Host is refused: a page from elsewhere may have made it (DNS "            \
                "rebinding).")                                                                     \
    KEY(S, string, config_file, "web.config_file", "", .live = true,                               \
        .help = "TLS, client certificates, users and headers: a file in the format of Prometheus' " \
                "exporters, which `promtool check web-config` checks. It is read again with this " \
                "one, and when it or a certificate of it changes.")                                                                            \
    KEY(S, boolean, lifecycle, "web.enable_lifecycle", "false",                                    \
        .help = "Whether POST and PUT of /-/reload read the configuration again.")                 \
    KEY(S, boolean, systemd_socket, "web.systemd_socket", "false",                                 \
        .help = "Serve on the sockets that systemd passes, in place of web.listen_addresses.")
/* clang-format on */

struct web_settings {
    WEB_KEYS(CONFIG_MEMBER, )
};

/** What host names are made of; '_' is not in RFC 1123 and occurs. */
#define WEB_HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/** Whether it is a host name, at least in its letters and its length. */
NONNULL bool web_settings_is_host(const char *text);

extern const struct config_rows web_rows; /* of a struct web_settings */
