/* SPDX-License-Identifier: Apache-2.0 */
/* The command top: the status of an exporter in a terminal, each second anew. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "program/http_get.h"
#include "program/program.h"
#include "program/top_view.h"

#define DOCUMENTS 10 /* a second apart: rates are over so many */
#define PERIOD_MS 1000
#define COLUMNS   80 /* where the terminal does not say how wide it is, or there is none */
#define ROWS      24

/* Control sequences (ECMA-48). */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define LINE_END     "\033[K\r\n"
#define SCREEN_REST  "\033[J"

struct top {
    const char *name;
    struct endpoint endpoint;
    char *prefix;
    struct text documents[DOCUMENTS];
    unsigned count; /* so far */
    struct text error;
};

static bool fetch(struct top *top)
{
    struct text fresh = {0};

    text_clear(&top->error);
    if (http_get(&top->endpoint, top->prefix, "/api/v1/status?limit=10", &fresh, &top->error) < 0) {
        text_deinit(&fresh);
        return false;
    }
    struct text *document = &top->documents[top->count++ % DOCUMENTS];
    text_deinit(document);
    *document = fresh;
    return true;
}

static int write_view(const struct top *top, unsigned columns, unsigned rows, struct text *out)
{
    static const struct text none;
    unsigned first = top->count > DOCUMENTS ? top->count - DOCUMENTS : 0;
    const struct text *before = top->count > 1 ? &top->documents[first % DOCUMENTS] : &none;

    return top_view_write(before, &top->documents[(top->count - 1) % DOCUMENTS], top->name, columns,
                          rows, out);
}

/* --- Once --- */

static int show_once(struct top *top)
{
    struct text page = {0};
    int status = EXIT_FAILURE;
    bool fetched = fetch(top) && poll(NULL, 0, PERIOD_MS) == 0 && fetch(top);

    if (!fetched) {
        (void)fprintf(stderr, "dnstap_exporter: %s: %s\n", top->name, text_string(&top->error));
    } else if (write_view(top, COLUMNS, UINT32_MAX, &page) < 0) {
        (void)fprintf(stderr, "dnstap_exporter: %s: not the status of an exporter\n", top->name);
    } else {
        bool written = fputs(text_string(&page), stdout) >= 0 && fflush(stdout) == 0;
        status = written ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    text_deinit(&page);
    return status;
}

/* --- In a terminal --- */

static void draw(struct top *top)
{
    struct winsize size = {0};
    struct text page = {0};
    struct text screen = {0};
    char *rest;

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    unsigned rows = size.ws_row > 1 ? size.ws_row - 1U : ROWS - 1U;
    if (top->error.len > 0) {
        text_append_format(&page, "No answer from %s: %s\n", top->name, text_string(&top->error));
        rows--;
    }
    if (top->count > 0 &&
        write_view(top, size.ws_col > 0 ? size.ws_col : COLUMNS, rows, &page) < 0) {
        text_append_format(&page, "%s: not the status of an exporter\n", top->name);
    }
    text_append_string(&screen, SCREEN_HOME);
    for (char *line = page.len > 0 ? strtok_r(page.data, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        text_append_format(&screen, "%s%s", line, LINE_END);
    }
    text_append_string(&screen, SCREEN_REST);
    (void)fputs(text_string(&screen), stdout);
    (void)fflush(stdout);
    text_deinit(&page);
    text_deinit(&screen);
}

static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGWINCH);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Wait a second, or for a key or a signal. Returns false where it is time to end. */
static bool wait_a_second(int signals)
{
    struct pollfd wanted[] = {{.fd = signals, .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};
    struct signalfd_siginfo info;
    char key = '\0';

    if (poll(wanted, 2, PERIOD_MS) <= 0) {
        return true;
    }
    if (wanted[1].revents != 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q')) {
        return false;
    }
    return read(signals, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo == SIGWINCH;
}

static int show_in_terminal(struct top *top)
{
    struct termios before, raw;
    int signals = open_signals();

    if (signals < 0 || tcgetattr(STDIN_FILENO, &before) < 0) {
        (void)fprintf(stderr, "dnstap_exporter: top needs a terminal; --once prints text\n");
        return EXIT_FAILURE;
    }
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    (void)fputs(SCREEN_BEGIN, stdout);
    do {
        (void)fetch(top);
        draw(top);
    } while (wait_a_second(signals));
    (void)fputs(SCREEN_END, stdout);
    (void)fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    (void)close(signals);
    return EXIT_SUCCESS;
}

int program_top(const struct command_line *line)
{
    struct top top = {.name = line->address, .prefix = malloc(strlen(line->address) + 1)};
    int status = EXIT_USAGE;

    if (top.prefix == NULL) {
        return EXIT_FAILURE;
    }
    if (http_get_parse(line->address, &top.endpoint, top.prefix)) {
        status = line->once ? show_once(&top) : show_in_terminal(&top);
    } else {
        (void)fprintf(stderr,
                      "dnstap_exporter: top: expected http://HOST:PORT or the path of a socket, "
                      "got '%s'\n",
                      line->address);
    }
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        text_deinit(&top.documents[i]);
    }
    text_deinit(&top.error);
    free(top.prefix);
    return status;
}
