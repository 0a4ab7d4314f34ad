/* SPDX-License-Identifier: Apache-2.0 */
#include "config/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const char command_line_help[] =
    "Usage: dnstap_exporter [FLAG]...\n"
    "       dnstap_exporter read [FLAG]... FILE...\n"
    "\n"
    "Receive dnstap from DNS servers and serve it as Prometheus metrics; or read dnstap files\n"
    "(plain, gzip or zstd; - is standard input) and print the metrics.\n"
    "\n"
    "  --config.file=FILE            read the configuration from FILE\n"
    "  --config.check                check the configuration, print its memory, exit\n"
    "  --web.listen-address=ADDRESS  serve metrics on HOST:PORT; may be given again (default "
    ":9353)\n"
    "  --web.systemd-socket          serve metrics on the sockets that systemd passes instead\n"
    "  --web.config.file=FILE        TLS, users and headers, in the format of Prometheus' "
    "exporters\n"
    "  --web.enable-lifecycle        let /-/reload read the configuration again\n"
    "  --input.unix=PATH             listen on this unix socket; may be given again\n"
    "                                (default " CONFIG_DEFAULT_SOCKET ")\n"
    "  --input.tcp=ADDRESS           listen on HOST:PORT; may be given again\n"
    "  --server=NAME                 read: the server whose frames have no identity\n"
    "                                (default file)\n"
    "  --window=DURATION             read: lists and distinct counts cover this time,\n"
    "                                up to the end of the last file (default: all files)\n"
    "  --log.level=LEVEL             debug, info, warn or error (default info)\n"
    "  --log.format=FORMAT           logfmt or json (default logfmt)\n"
    "  --version                     print the version and exit\n"
    "  --help                        print this and exit\n"
    "\n"
    "Flags take precedence over the file; any --input flag replaces the inputs of the file.\n"
    "SIGHUP reads both configurations again. All keys: config/dnstap_exporter.yml\n";

enum flag {
    FLAG_CONFIG_FILE = 256,
    FLAG_CONFIG_CHECK,
    FLAG_WEB_LISTEN_ADDRESS,
    FLAG_WEB_SYSTEMD_SOCKET,
    FLAG_WEB_CONFIG_FILE,
    FLAG_WEB_ENABLE_LIFECYCLE,
    FLAG_INPUT_UNIX,
    FLAG_INPUT_TCP,
    FLAG_SERVER,
    FLAG_WINDOW,
    FLAG_LOG_LEVEL,
    FLAG_LOG_FORMAT,
    FLAG_VERSION,
    FLAG_HELP,
};

static const struct option options[] = {
    {"config.file", required_argument, NULL, FLAG_CONFIG_FILE},
    {"config.check", no_argument, NULL, FLAG_CONFIG_CHECK},
    {"web.listen-address", required_argument, NULL, FLAG_WEB_LISTEN_ADDRESS},
    {"web.systemd-socket", no_argument, NULL, FLAG_WEB_SYSTEMD_SOCKET},
    {"web.config.file", required_argument, NULL, FLAG_WEB_CONFIG_FILE},
    {"web.enable-lifecycle", no_argument, NULL, FLAG_WEB_ENABLE_LIFECYCLE},
    {"input.unix", required_argument, NULL, FLAG_INPUT_UNIX},
    {"input.tcp", required_argument, NULL, FLAG_INPUT_TCP},
    {"server", required_argument, NULL, FLAG_SERVER},
    {"window", required_argument, NULL, FLAG_WINDOW},
    {"log.level", required_argument, NULL, FLAG_LOG_LEVEL},
    {"log.format", required_argument, NULL, FLAG_LOG_FORMAT},
    {"version", no_argument, NULL, FLAG_VERSION},
    {"help", no_argument, NULL, FLAG_HELP},
    {NULL, 0, NULL, 0},
};

/* The last flag of a kind counts, so there is never more than one override of a key. */
static void set_override(struct config_flags *flags, const char *key, const char *flag,
                         const char *value)
{
    unsigned i = 0;

    while (i < flags->override_count && strcmp(flags->overrides[i].key, key) != 0) {
        i++;
    }
    flags->overrides[i] = (struct config_override){key, flag, value};
    if (i == flags->override_count) {
        flags->override_count++;
    }
}

/* Both kinds together have CONFIG_INPUTS_MAX places. */
static bool add_input(struct config_flags *flags, const char **values, unsigned *count,
                      const char *value)
{
    if (flags->unix_path_count + flags->tcp_address_count == CONFIG_INPUTS_MAX) {
        (void)fprintf(stderr, "dnstap_exporter: more than %d inputs\n", CONFIG_INPUTS_MAX);
        return false;
    }
    values[(*count)++] = value;
    return true;
}

static bool add_web_address(struct config_flags *flags, const char *value)
{
    if (flags->web_address_count == CONFIG_WEB_ADDRESSES_MAX) {
        (void)fprintf(stderr, "dnstap_exporter: more than %d addresses to serve metrics on\n",
                      CONFIG_WEB_ADDRESSES_MAX);
        return false;
    }
    flags->web_addresses[flags->web_address_count++] = value;
    return true;
}

static bool accept_server_name(const char *server)
{
    if (server[0] == '\0') {
        (void)fprintf(stderr, "dnstap_exporter: --server= needs a name\n");
    }
    return server[0] != '\0';
}

/* One flag; false where it is wrong. */
static bool take_flag(int flag, struct command_line *line, enum command *command)
{
    struct config_flags *flags = &line->flags;

    switch (flag) {
    case FLAG_CONFIG_FILE:
        flags->file = optarg;
        return true;
    case FLAG_CONFIG_CHECK:
        *command = COMMAND_CHECK;
        return true;
    case FLAG_WEB_LISTEN_ADDRESS:
        return add_web_address(flags, optarg);
    case FLAG_WEB_SYSTEMD_SOCKET:
        set_override(flags, "web.systemd_socket", "--web.systemd-socket", "true");
        return true;
    case FLAG_WEB_CONFIG_FILE:
        set_override(flags, "web.config_file", "--web.config.file", optarg);
        return true;
    case FLAG_WEB_ENABLE_LIFECYCLE:
        set_override(flags, "web.enable_lifecycle", "--web.enable-lifecycle", "true");
        return true;
    case FLAG_INPUT_UNIX:
        return add_input(flags, flags->unix_paths, &flags->unix_path_count, optarg);
    case FLAG_INPUT_TCP:
        return add_input(flags, flags->tcp_addresses, &flags->tcp_address_count, optarg);
    case FLAG_SERVER:
        line->server = optarg;
        return accept_server_name(optarg);
    case FLAG_WINDOW:
        line->has_window = true;
        set_override(flags, "window", "--window", optarg);
        return true;
    case FLAG_LOG_LEVEL:
        set_override(flags, "log.level", "--log.level", optarg);
        return true;
    case FLAG_LOG_FORMAT:
        set_override(flags, "log.format", "--log.format", optarg);
        return true;
    case FLAG_VERSION:
        *command = COMMAND_VERSION;
        return true;
    case FLAG_HELP:
        *command = COMMAND_HELP;
        return true;
    default:
        return false; /* getopt_long has said what is wrong */
    }
}

static bool refuse_flags_of_read(const struct command_line *line)
{
    const char *flag = line->server != NULL ? "--server" : line->has_window ? "--window" : NULL;

    if (flag != NULL) {
        (void)fprintf(stderr, "dnstap_exporter: %s goes with read only\n", flag);
    }
    return flag != NULL;
}

enum command command_line_parse(int argc, char *argv[], struct command_line *out)
{
    static char name[] = "dnstap_exporter"; /* getopt's messages begin with it, not with a path */
    enum command command = COMMAND_SERVE;
    int flag;

    *out = (struct command_line){0};
    argv[0] = name;
    optind = 0; /* start afresh, also when called again */
    while ((flag = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!take_flag(flag, out, &command)) {
            return COMMAND_INVALID;
        }
    }
    if (command == COMMAND_VERSION || command == COMMAND_HELP) {
        return command;
    }
    if (optind == argc) {
        return refuse_flags_of_read(out) ? COMMAND_INVALID : command;
    }
    if (command != COMMAND_SERVE || strcmp(argv[optind], "read") != 0) {
        (void)fprintf(stderr, "dnstap_exporter: unexpected argument '%s'\n", argv[optind]);
        return COMMAND_INVALID;
    }
    out->files = argv + optind + 1;
    out->file_count = argc - optind - 1;
    if (out->file_count == 0) {
        (void)fprintf(stderr, "dnstap_exporter: read needs a file\n");
        return COMMAND_INVALID;
    }
    return COMMAND_READ;
}
