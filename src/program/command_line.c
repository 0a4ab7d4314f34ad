/* SPDX-License-Identifier: Apache-2.0 */
#include "program/command_line.h"

#include <stdio.h>
#include <string.h>

#include "program/settings.h"

static const char *const print_formats[] = {"json", "text", "frames", "pdns", NULL};

static const char *const role_words[] = {"auth", "resolver", "client", "forwarder",
                                         "stub", "tool",     "update", NULL};

#define OF_READ  (1U << COMMAND_READ)
#define OF_PRINT (1U << COMMAND_PRINT)
#define OF_TOP   (1U << COMMAND_TOP)

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
    {FLAG_SERVER, "server", "NAME", .commands = OF_READ | OF_PRINT, .repeats = true,
     .help = "The server of frames without an identity (read). Messages of this server, as the metrics' label "
             "has it (print).", .initial = "file, for read"},
    {FLAG_WINDOW, "window", "DURATION", "window", .commands = OF_READ,
     .help = "Lists and distinct counts cover this time, up to the end of the last file.",
     .initial = "all of the files"},
    {FLAG_ONCE, "once", .commands = OF_TOP, .help = "Print the status as text and exit."},
    {FLAG_FORMAT, "format", "FORMAT", .commands = OF_PRINT, .completion = COMPLETE_WORDS,
     .words = print_formats, .initial = "json",
     .help = "json, one object a line; text, for people; frames, a dnstap file; or pdns, Passive DNS of "
             "the answers."},
    {FLAG_FILTER, "client", "NETWORK", .commands = OF_PRINT, .repeats = true,
     .help = "Messages of this address or network's queries."},
    {FLAG_FILTER, "name", "NAME", .commands = OF_PRINT, .repeats = true,
     .help = "Questions for this domain name, and names below."},
    {FLAG_FILTER, "type", "TYPE", .commands = OF_PRINT, .repeats = true,
     .help = "Questions for this type, AAAA for one."},
    {FLAG_FILTER, "rcode", "RCODE", .commands = OF_PRINT, .repeats = true,
     .help = "Responses with this code, NXDOMAIN for one."},
    {FLAG_FILTER, "role", "ROLE", .commands = OF_PRINT, .repeats = true,
     .completion = COMPLETE_WORDS, .words = role_words,
     .help = "Messages in which the server has this role: client, resolver, auth and so on."},
    {FLAG_FILTER, "answer", "ADDRESS", .commands = OF_PRINT, .repeats = true,
     .help = "Responses whose answer has this address, one of this network, or a name at or below this "
             "one."},
    {FLAG_FILTER, "from", "TIME", .commands = OF_PRINT,
     .help = "Messages since 2026-11-29T10:00:00Z, or since -2h, two hours ago."},
    {FLAG_FILTER, "until", "TIME", .commands = OF_PRINT, .help = "Messages before this time."},
    {FLAG_FILTER, "slow", "DURATION", .commands = OF_PRINT,
     .help = "Responses that took this long, 500ms for one, or longer."},
    {FLAG_LIMIT, "limit", "NUMBER", .commands = OF_PRINT, .help = "Print so many lines at the most."},
    {FLAG_OF_KEY, "user", "NAME", "user",
     .help = "Become this user, if root starts the program.", .initial = "the user who starts it"},
    {FLAG_OF_KEY, "log.level", "LEVEL", "log.level", .completion = COMPLETE_WORDS,
     .words = log_level_words,
     .help = "The least that is logged: debug, info, warn or error.", .initial = "info"},
    {FLAG_OF_KEY, "log.format", "FORMAT", "log.format", .completion = COMPLETE_WORDS,
     .words = log_format_words,
     .help = "The format of the log: logfmt or json.", .initial = "logfmt"},
    {FLAG_VERSION, "version", .help = "Print the version and exit. -V is the same."},
    {FLAG_HELP, "help", .help = "Print the flags and exit. -h is the same."},
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

const char *command_name(enum command command)
{
    static const char *const names[COMMAND_COUNT] = {
        [COMMAND_READ] = "read",
        [COMMAND_PRINT] = "print",
        [COMMAND_TOP] = "top",
    };

    return names[command];
}

/* "read and print", of bits. */
static void append_commands(unsigned commands, struct text *out)
{
    const char *before = "";

    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if ((commands >> i & 1) != 0) {
            text_append_format(out, "%s%s", before, command_name((enum command)i));
            before = " and ";
        }
    }
}

static void print_flag(const struct flag *flag, struct text *out)
{
    struct text head = {0};
    struct text help = {0};

    text_append_format(&head, "  --%s%s%s", flag->name, flag->argument != NULL ? "=" : "",
                       flag->argument != NULL ? flag->argument : "");
    if (flag->commands != 0) {
        text_append_string(&help, "Of ");
        append_commands(flag->commands, &help);
        text_append_string(&help, ": ");
    }
    text_append_format(&help, "%s%s", flag->help, flag->repeats ? " May be given again." : "");
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
                            "       dnstap_exporter print [FLAG]... FILE|FOLDER...\n"
                            "       dnstap_exporter top [--once] [URL|SOCKET]\n"
                            "\n"
                            "Receive dnstap from DNS servers and serve it as Prometheus metrics.\n"
                            "read: print the metrics of dnstap files: plain, gzip or zstd; - is "
                            "stdin.\n"
                            "print: print the messages of dnstap files that match all flags.\n"
                            "top: show the status of an exporter in a terminal, by default of\n"
                            "" TOP_DEFAULT ".\n"
                            "\n");
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        print_flag(&command_line_flags[i], out);
    }
    text_append_string(out,
                       "\n"
                       "A flag without a value may also be --FLAG=false or --no-FLAG. Flags take\n"
                       "precedence over the file; any --input flag replaces the inputs of the "
                       "file.\nSIGHUP reads both configurations again. All keys: man 5 "
                       "dnstap_exporter.yml\n");
}

/* --- Reading the arguments --- */

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

static bool add_filter(struct command_line *line, const struct flag *flag, const char *value)
{
    if (line->filter_count == FILTERS_MAX) {
        (void)fprintf(stderr, "dnstap_exporter: more than %d filters\n", FILTERS_MAX);
        return false;
    }
    line->filters[line->filter_count++] = (struct filter_argument){flag->name, value};
    return true;
}

static bool set_format(struct command_line *line, const char *format)
{
    for (unsigned i = 0; print_formats[i] != NULL; i++) {
        if (strcmp(print_formats[i], format) == 0) {
            line->format = (enum print_format)i;
            return true;
        }
    }
    (void)fprintf(stderr,
                  "dnstap_exporter: --format: expected json, text, frames or pdns, got '%s'\n",
                  format);
    return false;
}

static bool set_limit(struct command_line *line, const char *limit)
{
    if (config_parse_number(limit, &line->limit) && line->limit > 0) {
        return true;
    }
    (void)fprintf(stderr, "dnstap_exporter: --limit: expected a number above 0, got '%s'\n", limit);
    return false;
}

/* One flag with its value, "true" for one without an argument; false where it is wrong. */
static bool take_flag(const struct flag *flag, const char *value, struct command_line *line,
                      enum command *command)
{
    bool *given = &line->given[flag - command_line_flags];

    if (*given && flag->id == FLAG_FILTER && !flag->repeats) {
        (void)fprintf(stderr, "dnstap_exporter: --%s may be given once\n", flag->name);
        return false;
    }
    *given = true;
    switch (flag->id) {
    case FLAG_OF_KEY:
        break;
    case FLAG_FILTER:
        return add_filter(line, flag, value);
    case FLAG_FORMAT:
        return set_format(line, value);
    case FLAG_LIMIT:
        return set_limit(line, value);
    case FLAG_CONFIG_FILE:
        line->file = value;
        return true;
    case FLAG_CONFIG_CHECK:
        *command = COMMAND_CHECK;
        return true;
    case FLAG_SERVER:
        line->server = value;
        return accept_server_name(value) && add_filter(line, flag, value);
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
    return add_override(line, flag, value);
}

/* A flag that goes with another command. */
static bool refuse_flag(const struct flag *flag, enum command command)
{
    bool is_alone = command == COMMAND_PRINT || command == COMMAND_TOP; /* no configuration */
    struct text others = {0};

    if (flag->commands == 0 ? !is_alone : (flag->commands >> command & 1) != 0) {
        return false;
    }
    append_commands(flag->commands, &others);
    if (flag->commands == 0) {
        (void)fprintf(stderr, "dnstap_exporter: --%s does not go with %s\n", flag->name,
                      command_name(command));
    } else {
        (void)fprintf(stderr, "dnstap_exporter: --%s goes with %s only\n", flag->name,
                      text_string(&others));
    }
    text_deinit(&others);
    return true;
}

static bool refuse_flags(const struct command_line *line, enum command command)
{
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if (line->given[i] && refuse_flag(&command_line_flags[i], command)) {
            return true;
        }
    }
    return false;
}

static enum command parse_files(enum command command, int count, char *const *arguments,
                                struct command_line *out)
{
    out->files = arguments;
    out->file_count = count;
    if (count == 0) {
        (void)fprintf(stderr, "dnstap_exporter: %s needs a file\n", command_name(command));
        return COMMAND_INVALID;
    }
    return command;
}

static enum command parse_top(int count, char *const *arguments, struct command_line *out)
{
    out->address = count > 0 ? arguments[0] : TOP_DEFAULT;
    if (count > 1) {
        (void)fprintf(stderr, "dnstap_exporter: top takes one address\n");
        return COMMAND_INVALID;
    }
    return COMMAND_TOP;
}

/* The first argument says what is to be done; the others belong to it. */
static enum command parse_command(int count, char *const *arguments, struct command_line *out)
{
    if (strcmp(arguments[0], command_name(COMMAND_READ)) == 0) {
        return parse_files(COMMAND_READ, count - 1, arguments + 1, out);
    }
    if (strcmp(arguments[0], command_name(COMMAND_PRINT)) == 0) {
        return parse_files(COMMAND_PRINT, count - 1, arguments + 1, out);
    }
    if (strcmp(arguments[0], command_name(COMMAND_TOP)) == 0) {
        return parse_top(count - 1, arguments + 1, out);
    }
    (void)fprintf(stderr, "dnstap_exporter: unexpected argument '%s'\n", arguments[0]);
    return COMMAND_INVALID;
}

static const struct flag *find_flag(const char *name, size_t len)
{
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if (strncmp(command_line_flags[i].name, name, len) == 0 &&
            command_line_flags[i].name[len] == '\0') {
            return &command_line_flags[i];
        }
    }
    return NULL;
}

/* The words of the command line; what is no flag moves to the front. */
struct words {
    char **argv;
    int argc;
    int next;  /* word */
    int count; /* of those that are no flags: argv[1] to argv[count] */
};

/* A flag without an argument: --FLAG, --no-FLAG, --FLAG=true or --FLAG=false. One that is off says
 * so where it sets a key. */
static bool take_switch(const struct flag *flag, const char *name, const char *value,
                        bool is_negated, struct command_line *line, enum command *command)
{
    bool is_true = value == NULL ? !is_negated : strcmp(value, "true") == 0;

    if (value != NULL && (is_negated || (!is_true && strcmp(value, "false") != 0))) {
        (void)fprintf(stderr, "dnstap_exporter: --%s: expected true or false after '='\n", name);
        return false;
    }
    return (!is_true && flag->key == NULL) ||
           take_flag(flag, is_true ? "true" : "false", line, command);
}

/* NAME, NAME=VALUE or no-NAME, without its dashes. The value may be the next word. */
static bool take_long(struct words *words, const char *name, struct command_line *line,
                      enum command *command)
{
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct flag *flag = find_flag(name, len);
    bool is_negated = flag == NULL && strncmp(name, "no-", 3) == 0;

    if (is_negated) {
        flag = find_flag(name + 3, len - 3);
    }
    if (flag == NULL || (is_negated && flag->argument != NULL)) {
        (void)fprintf(stderr, "dnstap_exporter: unknown flag --%.*s\n", (int)len, name);
        return false;
    }
    if (flag->argument == NULL) {
        return take_switch(flag, name, value, is_negated, line, command);
    }
    if (value == NULL && words->next == words->argc) {
        (void)fprintf(stderr, "dnstap_exporter: --%s needs a value: %s\n", name, flag->argument);
        return false;
    }
    return take_flag(flag, value != NULL ? value : words->argv[words->next++], line, command);
}

static bool take_word(struct words *words, char *word, struct command_line *line,
                      enum command *command)
{
    if (strcmp(word, "-h") == 0) {
        return take_long(words, "help", line, command);
    }
    if (strcmp(word, "-V") == 0) {
        return take_long(words, "version", line, command);
    }
    if (strncmp(word, "--", 2) == 0) {
        return take_long(words, word + 2, line, command);
    }
    if (word[0] == '-' && word[1] != '\0') {
        (void)fprintf(stderr, "dnstap_exporter: unknown flag %s\n", word);
        return false;
    }
    words->argv[++words->count] = word;
    return true;
}

enum command command_line_parse(int argc, char *argv[], struct command_line *out)
{
    struct words words = {.argv = argv, .argc = argc, .next = 1};
    enum command command = COMMAND_SERVE;

    *out = (struct command_line){.limit = UINT64_MAX};
    while (words.next < argc) {
        char *word = argv[words.next++];
        if (strcmp(word, "--") == 0) { /* no flags behind it */
            while (words.next < argc) {
                argv[++words.count] = argv[words.next++];
            }
        } else if (!take_word(&words, word, out, &command)) {
            return COMMAND_INVALID;
        }
    }
    if (command == COMMAND_VERSION || command == COMMAND_HELP) {
        return command;
    }
    if (words.count > 0 && command == COMMAND_SERVE) {
        command = parse_command(words.count, argv + 1, out);
    } else if (words.count > 0) {
        (void)fprintf(stderr, "dnstap_exporter: unexpected argument '%s'\n", argv[1]);
        return COMMAND_INVALID;
    }
    return command != COMMAND_INVALID && refuse_flags(out, command) ? COMMAND_INVALID : command;
}
