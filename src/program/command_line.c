/* SPDX-License-Identifier: Apache-2.0 */
#include "program/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "program/settings.h"

#define FIRST_OPTION 256 /* getopt_long() returns this for the first flag */

/* clang-format off */
const struct flag command_line_flags[FLAG_COUNT] = {
    {FLAG_CONFIG_FILE, "config.file", "FILE", .completion = COMPLETE_YAML,
     .help = "Read the configuration from FILE.",
     .initial = "built-in defaults"},
    {FLAG_CONFIG_CHECK, "config.check",
     .help = "Check the configuration, print how much memory it takes at the most, and exit."},
    {FLAG_OF_KEY, "web.listen-address", "ADDRESS", "web.listen_addresses", .repeats = true,
     .help = "Serve metrics on HOST:PORT.", .initial = ":9353, every address"},
    {FLAG_OF_KEY, "web.systemd-socket", NULL, "web.systemd_socket",
     .help = "Serve metrics on the sockets that systemd passes instead."},
    {FLAG_OF_KEY, "web.config.file", "FILE", "web.config_file", .completion = COMPLETE_YAML,
     .help = "TLS, users and headers, in the format of Prometheus' exporters."},
    {FLAG_OF_KEY, "web.enable-lifecycle", NULL, "web.enable_lifecycle",
     .help = "Let POST and PUT of /-/reload read the configuration again."},
    {FLAG_OF_KEY, "input.unix", "PATH", "inputs.unix", .repeats = true, .completion = COMPLETE_FILE,
     .help = "Listen for dnstap on this unix socket.", .initial = INPUT_DEFAULT_SOCKET},
    {FLAG_OF_KEY, "input.tcp", "ADDRESS", "inputs.tcp", .repeats = true,
     .help = "Listen for dnstap on HOST:PORT. Anybody who can connect can send frames."},
    {FLAG_SERVER, "server", "NAME", .is_of_read = true,
     .help = "The server whose frames have no identity.", .initial = "file"},
    {FLAG_WINDOW, "window", "DURATION", "window", .is_of_read = true,
     .help = "Lists and distinct counts cover this time, up to the end of the last file.",
     .initial = "all of the files"},
    {FLAG_ONCE, "once", .is_of_top = true, .help = "Print the status as text and exit."},
    {FLAG_OF_KEY, "log.level", "LEVEL", "log.level", .completion = COMPLETE_WORDS,
     .words = log_level_words,
     .help = "The least that is logged: debug, info, warn or error.", .initial = "info"},
    {FLAG_OF_KEY, "log.format", "FORMAT", "log.format", .completion = COMPLETE_WORDS,
     .words = log_format_words,
     .help = "The format of the log: logfmt or json.", .initial = "logfmt"},
    {FLAG_VERSION, "version", .help = "Print the version and exit."},
    {FLAG_HELP, "help", .help = "Print the flags and exit."},
};
/* clang-format on */

/* --- Help --- */

#define HELP_COLUMN 32
#define HELP_WIDTH  (80 - HELP_COLUMN)

/* `text` from HELP_COLUMN on, in lines of HELP_WIDTH. */
static void print_column(const char *text, struct text *out)
{
    size_t column = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + 1 + len > HELP_WIDTH) {
            text_append_format(out, "\n%*s", HELP_COLUMN, "");
            column = 0;
        }
        text_append_format(out, "%s%.*s", column > 0 ? " " : "", (int)len, text);
        column += len + (column > 0);
        text += len + (text[len] == ' ');
    }
    text_append_char(out, '\n');
}

static void print_flag(const struct flag *flag, struct text *out)
{
    struct text head = {0};
    struct text help = {0};

    text_append_format(&head, "  --%s%s%s", flag->name, flag->argument != NULL ? "=" : "",
                       flag->argument != NULL ? flag->argument : "");
    text_append_format(&help, "%s%s%s",
                       flag->is_of_read  ? "Of read: "
                       : flag->is_of_top ? "Of top: "
                                         : "",
                       flag->help, flag->repeats ? " May be given again." : "");
    if (flag->initial != NULL) {
        text_append_format(&help, " Default: %s.", flag->initial);
    }
    text_append_format(out, "%-*s", HELP_COLUMN, text_string(&head));
    print_column(text_string(&help), out);
    out->failed |= head.failed || help.failed;
    text_deinit(&head);
    text_deinit(&help);
}

void command_line_print_help(struct text *out)
{
    text_append_string(out, "Usage: dnstap_exporter [FLAG]...\n"
                            "       dnstap_exporter read [FLAG]... FILE...\n"
                            "       dnstap_exporter top [--once] [URL|SOCKET]\n"
                            "\n"
                            "Receive dnstap from DNS servers and serve it as Prometheus metrics.\n"
                            "read: print the metrics of dnstap files: plain, gzip or zstd; - is "
                            "stdin.\n"
                            "top: show the status of an exporter in a terminal, by default of\n"
                            "" TOP_DEFAULT ".\n"
                            "\n");
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        print_flag(&command_line_flags[i], out);
    }
    text_append_string(out,
                       "\n"
                       "Flags take precedence over the file; any --input flag replaces the "
                       "inputs of the\nfile. SIGHUP reads both configurations again. All keys: "
                       "man 5\ndnstap_exporter.yml\n");
}

/* --- Reading the arguments --- */

static void set_options(struct option options[FLAG_COUNT + 1])
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &command_line_flags[i];
        options[i] = (struct option){
            .name = flag->name,
            .has_arg = flag->argument != NULL ? required_argument : no_argument,
            .val = FIRST_OPTION + i,
        };
    }
    options[FLAG_COUNT] = (struct option){0};
}

static bool add_override(struct command_line *line, const struct flag *flag, const char *value)
{
    if (line->override_count == OVERRIDES_MAX) {
        (void)fprintf(stderr, "dnstap_exporter: more than %d flags\n", OVERRIDES_MAX);
        return false;
    }
    line->overrides[line->override_count++] = (struct config_override){
        .key = flag->key,
        .flag = flag->name,
        .value = value,
    };
    return true;
}

static bool accept_server_name(const char *server)
{
    if (server[0] == '\0') {
        (void)fprintf(stderr, "dnstap_exporter: --server= needs a name\n");
    }
    return server[0] != '\0';
}

/* One flag; false where it is wrong. A flag without an argument turns its key on. */
static bool take_flag(const struct flag *flag, struct command_line *line, enum command *command)
{
    switch (flag->id) {
    case FLAG_OF_KEY:
        break;
    case FLAG_CONFIG_FILE:
        line->file = optarg;
        return true;
    case FLAG_CONFIG_CHECK:
        *command = COMMAND_CHECK;
        return true;
    case FLAG_SERVER:
        line->server = optarg;
        return accept_server_name(optarg);
    case FLAG_ONCE:
        line->once = true;
        return true;
    case FLAG_WINDOW:
        line->has_window = true;
        break;
    case FLAG_VERSION:
        *command = COMMAND_VERSION;
        return true;
    case FLAG_HELP:
        *command = COMMAND_HELP;
        return true;
    }
    return add_override(line, flag, flag->argument != NULL ? optarg : "true");
}

/* A flag that goes with another command. */
static bool refuse_flags(const struct command_line *line, enum command command)
{
    const char *of_read = line->server != NULL ? "--server" : line->has_window ? "--window" : NULL;

    if (of_read != NULL && command != COMMAND_READ) {
        (void)fprintf(stderr, "dnstap_exporter: %s goes with read only\n", of_read);
        return true;
    }
    if (line->once && command != COMMAND_TOP) {
        (void)fprintf(stderr, "dnstap_exporter: --once goes with top only\n");
        return true;
    }
    return false;
}

static enum command parse_read(int count, char *const *arguments, struct command_line *out)
{
    out->files = arguments;
    out->file_count = count;
    if (count == 0) {
        (void)fprintf(stderr, "dnstap_exporter: read needs a file\n");
        return COMMAND_INVALID;
    }
    return COMMAND_READ;
}

static enum command parse_top(int count, char *const *arguments, struct command_line *out)
{
    out->address = count > 0 ? arguments[0] : TOP_DEFAULT;
    if (count > 1 || out->override_count > 0 || out->file != NULL) {
        (void)fprintf(stderr, "dnstap_exporter: top takes --once, and one address\n");
        return COMMAND_INVALID;
    }
    return COMMAND_TOP;
}

enum command command_line_parse(int argc, char *argv[], struct command_line *out)
{
    static char name[] = "dnstap_exporter"; /* getopt's messages begin with it, not with a path */
    struct option options[FLAG_COUNT + 1];
    enum command command = COMMAND_SERVE;
    int option;

    *out = (struct command_line){0};
    set_options(options);
    argv[0] = name;
    optind = 0; /* start afresh, also when called again */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        /* getopt_long() has said what is wrong. */
        if (option < FIRST_OPTION ||
            !take_flag(&command_line_flags[option - FIRST_OPTION], out, &command)) {
            return COMMAND_INVALID;
        }
    }
    if (command == COMMAND_VERSION || command == COMMAND_HELP) {
        return command;
    }
    if (optind < argc && command == COMMAND_SERVE && strcmp(argv[optind], "read") == 0) {
        command = parse_read(argc - optind - 1, argv + optind + 1, out);
    } else if (optind < argc && command == COMMAND_SERVE && strcmp(argv[optind], "top") == 0) {
        command = parse_top(argc - optind - 1, argv + optind + 1, out);
    } else if (optind < argc) {
        (void)fprintf(stderr, "dnstap_exporter: unexpected argument '%s'\n", argv[optind]);
        return COMMAND_INVALID;
    }
    return command != COMMAND_INVALID && refuse_flags(out, command) ? COMMAND_INVALID : command;
}
