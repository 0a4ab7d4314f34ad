/* SPDX-License-Identifier: Apache-2.0 */
#include "program/top_view.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVERS_MAX                                                                                \
    455 /* pairs of a server and a role that are looked at; more than the default                  \
         */
#define LIST_ROWS    5
#define FINDING_ROWS 3
#define LINE_SIZE    512

struct view {
    const json_t *before, *now; /* before: NULL: none */
    double seconds;             /* between them */
    unsigned columns;
    unsigned rows_left;
    struct text *out;
};

/* --- Lines --- */

/* Append at most `columns` characters of UTF-8. What a terminal could take for a command becomes a
 * question mark. */
static void append_safe(struct text *out, const char *line, unsigned columns)
{
    unsigned column = 0;

    for (const char *at = line; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        bool is_start = (c & 0xc0) != 0x80;
        bool is_control = c < 0x20 || c == 0x7f ||
                          (c == 0xc2 && ((unsigned char)at[1] & 0xe0) == 0x80);
        column += is_start;
        if (column > columns) {
            break;
        }
        if (is_control && c == 0xc2) {
            at++;
        }
        text_append_char(out, is_control ? '?' : (char)c);
    }
}

__attribute__((format(printf, 2, 3))) static void put(struct view *view, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    if (view->rows_left == 0) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    append_safe(view->out, line, view->columns);
    text_append_char(view->out, '\n');
    view->rows_left--;
}

#define INDENT 9

/* In lines that break between words; all but the first begin with the indent. */
static void put_words(struct view *view, const char *text)
{
    size_t room = view->columns > 2 * INDENT ? view->columns : (size_t)2 * INDENT;
    unsigned indent = 0;

    while (strlen(text) + indent > room) {
        size_t len = room - indent;
        while (len > 0 && text[len] != ' ') {
            len--;
        }
        if (len == 0) {
            break; /* a word that is longer than a line is cut */
        }
        put(view, "%*s%.*s", (int)indent, "", (int)len, text);
        text += len + 1;
        indent = INDENT;
    }
    put(view, "%*s%s", (int)indent, "", text);
}

#define CELL_SIZE 160 /* 39 characters of four bytes */

/* The text in so many columns: cut between characters of UTF-8, or with spaces behind it. */
static const char *fit(const char *text, unsigned columns, char out[CELL_SIZE])
{
    size_t len = 0;
    unsigned column = 0;

    while (len < CELL_SIZE - 1 && text[len] != '\0') {
        bool is_start = ((unsigned char)text[len] & 0xc0) != 0x80;
        if (is_start && column == columns) {
            break;
        }
        column += is_start;
        out[len] = text[len];
        len++;
    }
    while (column++ < columns && len < CELL_SIZE - 1) {
        out[len++] = ' ';
    }
    out[len] = '\0';
    return out;
}

/* --- Values --- */

static const char *string_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static double number_in(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

#define NUMBER_SIZE 16

static const char *print_rate(double rate, char out[NUMBER_SIZE])
{
    (void)snprintf(out, NUMBER_SIZE, rate < 100 ? "%.1f" : "%.0f", rate);
    return out;
}

static const char *print_share(double part, double all, char out[NUMBER_SIZE])
{
    if (all > 0) {
        (void)snprintf(out, NUMBER_SIZE, "%.1f%%", 100 * part / all);
    } else {
        (void)snprintf(out, NUMBER_SIZE, "-");
    }
    return out;
}

static const char *print_duration(double seconds, char out[NUMBER_SIZE])
{
    if (seconds < 0) {
        (void)snprintf(out, NUMBER_SIZE, "-");
    } else if (seconds < 1e-3) {
        (void)snprintf(out, NUMBER_SIZE, "%.0fus", seconds * 1e6);
    } else if (seconds < 1) {
        (void)snprintf(out, NUMBER_SIZE, "%.3gms", seconds * 1e3);
    } else {
        (void)snprintf(out, NUMBER_SIZE, "%.3gs", seconds);
    }
    return out;
}

/* --- Servers: what they did between the documents --- */

struct row {
    const json_t *now, *before; /* before: NULL: nothing */
    double queries, responses, unanswered, servfails, refused;
    double trouble; /* the largest share of failures */
};

static double more(const struct row *row, const char *key)
{
    return number_in(row->now, key) - number_in(row->before, key);
}

static double more_of(const struct row *row, const char *group, const char *key)
{
    return number_in(json_object_get(row->now, group), key) -
           number_in(json_object_get(row->before, group), key);
}

static const json_t *server_before(const struct view *view, const json_t *now)
{
    const json_t *servers = json_object_get(view->before, "servers");

    for (size_t i = 0; i < json_array_size(servers); i++) {
        const json_t *server = json_array_get(servers, i);
        if (strcmp(string_in(server, "server"), string_in(now, "server")) == 0 &&
            strcmp(string_in(server, "role"), string_in(now, "role")) == 0 &&
            number_in(server, "queries") <= number_in(now, "queries") &&
            number_in(server, "responses") <= number_in(now, "responses")) {
            return server;
        }
    }
    return NULL;
}

static struct row row_of(const struct view *view, const json_t *now)
{
    struct row row = {.now = now, .before = server_before(view, now)};

    row.queries = more(&row, "queries");
    row.responses = more(&row, "responses");
    row.unanswered = more(&row, "unanswered_queries");
    row.servfails = more_of(&row, "rcodes", "SERVFAIL");
    row.refused = more_of(&row, "rcodes", "REFUSED");
    if (row.responses > 0) {
        row.trouble = fmax(row.servfails, row.refused) / row.responses;
    }
    if (row.queries > 0) {
        row.trouble = fmax(row.trouble, row.unanswered / row.queries);
    }
    return row;
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *one = a;
    const struct row *other = b;
    double left = one->trouble > 0.05 ? one->trouble : 0; /* less is nobody's trouble */
    double right = other->trouble > 0.05 ? other->trouble : 0;

    if (left == right) {
        left = one->queries + one->responses;
        right = other->queries + other->responses;
    }
    return (left < right) - (left > right);
}

/* The number in the bucket of `times` with this upper bound. */
static double times_before(const json_t *times, double upper)
{
    for (size_t i = 0; i < json_array_size(times); i++) {
        const json_t *bucket = json_array_get(times, i);
        if (json_number_value(json_array_get(bucket, 1)) == upper) {
            return json_number_value(json_array_get(bucket, 2));
        }
    }
    return 0;
}

/* The upper bound of the bucket that has the quantile, in seconds; below 0: there is none. */
static double quantile(const struct row *row, double q)
{
    const json_t *now = json_object_get(row->now, "response_time_seconds");
    const json_t *before = json_object_get(row->before, "response_time_seconds");
    double all = 0;
    double seen = 0;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < json_array_size(now); i++) {
            const json_t *bucket = json_array_get(now, i);
            double upper = json_number_value(json_array_get(bucket, 1));
            double count = json_number_value(json_array_get(bucket, 2)) -
                           times_before(before, upper);
            all += pass == 0 ? count : 0;
            seen += pass == 1 ? count : 0;
            if (pass == 1 && count > 0 && seen >= q * all) {
                return json_number_value(json_array_get(bucket, 0)) > 0 ? upper : 0;
            }
        }
    }
    return -1;
}

static void put_server(struct view *view, const struct row *row)
{
    char queries[NUMBER_SIZE], responses[NUMBER_SIZE], unanswered[NUMBER_SIZE];
    char servfails[NUMBER_SIZE], refused[NUMBER_SIZE], p50[NUMBER_SIZE], p99[NUMBER_SIZE];
    char server[CELL_SIZE];
    bool is_complete = !json_is_true(json_object_get(row->now, "responses_only")) &&
                       !json_is_true(json_object_get(row->now, "queries_only")) &&
                       !json_is_true(json_object_get(row->now, "sampled"));
    double seconds = view->seconds > 0 ? view->seconds : 1;

    put(view, "%s %-9.9s %7s %7s %6s %8s %7s %6s %6s",
        fit(string_in(row->now, "server"), 15, server), string_in(row->now, "role"),
        print_rate(row->queries / seconds, queries),
        print_rate(row->responses / seconds, responses),
        print_share(row->unanswered, is_complete ? row->queries : 0, unanswered),
        print_share(row->servfails, row->responses, servfails),
        print_share(row->refused, row->responses, refused), print_duration(quantile(row, 0.5), p50),
        print_duration(quantile(row, 0.99), p99));
}

/* Those in trouble first, then those with most messages. */
static void put_servers(struct view *view, unsigned rows_max)
{
    const json_t *servers = json_object_get(view->now, "servers");
    size_t count = json_array_size(servers) < SERVERS_MAX ? json_array_size(servers) : SERVERS_MAX;
    struct row rows[SERVERS_MAX];
    const char *unit = view->seconds > 0 ? "/s" : "";

    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(view, json_array_get(servers, i));
    }
    if (count > 0) {
        qsort(rows, count, sizeof rows[0], compare_rows);
        put(view, "%-15s %-9s %5s%-2s %5s%-2s %6s %8s %7s %6s %6s", "SERVER", "ROLE", "QUERY", unit,
            "RESP", unit, "UNANSW", "SERVFAIL", "REFUSED", "P50", "P99");
    }
    for (size_t i = 0; i < count && i < rows_max; i++) {
        put_server(view, &rows[i]);
    }
    if (count > rows_max) {
        put(view, "and %zu more", count - rows_max);
    }
}

/* --- Indicators, lists and findings --- */

static bool is_trouble(const json_t *indicator)
{
    const char *level = string_in(indicator, "level");

    return strcmp(level, "critical") == 0 || strcmp(level, "warning") == 0;
}

/* What is in trouble has a line each; the others are named. */
static void put_indicators(struct view *view)
{
    const json_t *health = json_object_get(view->now, "health");
    char good[LINE_SIZE] = "good:   ";
    char unknown[LINE_SIZE] = "unknown:";
    size_t empty = strlen(good);

    for (size_t i = 0; i < json_array_size(health); i++) {
        const json_t *indicator = json_array_get(health, i);
        bool is_good = strcmp(string_in(indicator, "level"), "good") == 0;
        char *names = is_good ? good : unknown;
        size_t len = strlen(names);
        if (is_trouble(indicator)) {
            char line[LINE_SIZE];
            (void)snprintf(line, sizeof line, "%-8s %s: %s", string_in(indicator, "level"),
                           string_in(indicator, "title"), string_in(indicator, "text"));
            put_words(view, line);
        } else {
            (void)snprintf(names + len, LINE_SIZE - len, "%s %s", len > empty ? "," : "",
                           string_in(indicator, "title"));
        }
    }
    if (strlen(unknown) > empty) {
        put_words(view, unknown);
    }
    if (strlen(good) > empty) {
        put_words(view, good);
    }
}

static const json_t *entry_of(const struct view *view, const char *list, size_t index)
{
    const json_t *lists = json_object_get(json_object_get(view->now, "top"), "lists");

    return json_array_get(json_object_get(json_object_get(lists, list), "entries"), index);
}

static void put_entries(struct view *view, const json_t *client, const json_t *domain)
{
    char clients[NUMBER_SIZE] = "";
    char domains[NUMBER_SIZE] = "";

    if (client != NULL) {
        (void)snprintf(clients, sizeof clients, "%.0f", number_in(client, "value"));
    }
    if (domain != NULL) {
        (void)snprintf(domains, sizeof domains, "%.0f", number_in(domain, "value"));
    }
    put(view, "%-25.25s %9s   %-32.32s %9s", string_in(client, "client"), clients,
        string_in(domain, "domain"), domains);
}

/* Clients by queries beside domains by failures, or by queries where none fails. */
static void put_lists(struct view *view)
{
    const char *domains = entry_of(view, "domain_servfails", 0) != NULL ? "domain_servfails"
                                                                        : "domain_queries";
    bool fails = strcmp(domains, "domain_servfails") == 0;

    if (entry_of(view, "client_queries", 0) == NULL && entry_of(view, domains, 0) == NULL) {
        return;
    }
    put(view, "%-25s %9s   %-32s %9s", "TOP CLIENTS", "QUERIES", "TOP DOMAINS",
        fails ? "SERVFAIL" : "QUERIES");
    for (size_t i = 0; i < LIST_ROWS; i++) {
        const json_t *client = entry_of(view, "client_queries", i);
        const json_t *domain = entry_of(view, domains, i);
        if (client != NULL || domain != NULL) {
            put_entries(view, client, domain);
        }
    }
}

static void put_findings(struct view *view)
{
    const json_t *findings = json_object_get(json_object_get(view->now, "top"), "findings");
    size_t count = json_array_size(findings);

    for (size_t i = 0; i < count && i < FINDING_ROWS; i++) {
        const json_t *finding = json_array_get(findings, i);
        const char *client = string_in(finding, "client");
        const char *domain = string_in(finding, "domain");
        put(view, "finding  %s %s%s%s, score %.1f", string_in(finding, "detector"), client,
            client[0] != '\0' && domain[0] != '\0' ? " below " : "", domain,
            number_in(finding, "score"));
    }
    if (count > FINDING_ROWS) {
        put(view, "and %zu more findings", count - FINDING_ROWS);
    }
}

/* --- All --- */

static void put_head(struct view *view, const char *name)
{
    double up = number_in(view->now, "time_seconds") - number_in(view->now, "start_time_seconds");
    time_t seconds = (time_t)number_in(view->now, "time_seconds");
    char when[16];
    struct tm local;

    (void)localtime_r(&seconds, &local);
    (void)strftime(when, sizeof when, "%H:%M:%S", &local);
    put(view, "%s  %s  up %.0f h %02.0f min", when, name, floor(up / 3600),
        floor(fmod(up, 3600) / 60));
}

static void write_view(struct view *view, const char *name)
{
    double start = number_in(view->before, "start_time_seconds");

    if (view->before != NULL && start == number_in(view->now, "start_time_seconds")) {
        view->seconds = number_in(view->now, "time_seconds") -
                        number_in(view->before, "time_seconds");
    } else {
        view->before = NULL; /* another life of the exporter */
    }
    put_head(view, name);
    put_indicators(view);
    put_findings(view);
    unsigned below = LIST_ROWS + 2;
    put_servers(view, view->rows_left > below + 2 ? view->rows_left - below : 1);
    put_lists(view);
}

int top_view_write(const struct text *before, const struct text *now, const char *name,
                   unsigned columns, unsigned rows, struct text *out)
{
    json_t *earlier = json_loads(text_string(before), 0, NULL);
    json_t *latest = json_loads(text_string(now), 0, NULL);
    struct view view = {
        .before = earlier, .now = latest, .columns = columns, .rows_left = rows, .out = out};

    if (json_is_object(latest) && json_object_get(latest, "servers") != NULL) {
        write_view(&view, name);
    }
    bool is_document = view.rows_left < rows;
    json_decref(earlier);
    json_decref(latest);
    return is_document ? 0 : -EPROTO;
}
