/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "program/program.h"
#include "stream/listener.h"
#include "stream/socket.h"
#include "tls/tls_context.h"

static void print_memory(const struct settings *settings)
{
    struct program_memory memory;

    program_memory_of(settings, settings->input_count, &memory);
    program_print_memory(&memory);
}

static void warn_of(int result, const struct text *error)
{
    (void)fprintf(stderr, "dnstap_exporter: %s: %s\n",
                  result == -EADDRINUSE ? "in use, by this exporter if it runs"
                                        : "it would not start here, by this user and now",
                  text_string(error));
}

/* What may be otherwise where and when the service starts, so that nothing of it is a mistake. */
static void try_sockets(const struct settings *settings)
{
    const struct config_strings *addresses = &settings->web.listen_addresses;
    struct text error = {0};
    struct endpoint endpoint;
    int fd;

    for (unsigned i = 0; i < settings->input_count && !settings->has_default_input; i++) {
        text_clear(&error);
        if (settings->inputs[i].endpoint.is_dialled) {
            continue;
        }
        int result = listener_check(&settings->inputs[i], &error);
        if (result < 0) {
            warn_of(result, &error);
        }
    }
    for (unsigned i = 0; i < addresses->count && !settings->web.systemd_socket; i++) {
        text_clear(&error);
        if (!endpoint_parse_tcp(addresses->items[i], &endpoint)) {
            continue;
        }
        int result = socket_listen_tcp(&endpoint, &fd, &error);
        if (result == 0) {
            (void)close(fd);
        } else {
            warn_of(result, &error);
        }
    }
    text_deinit(&error);
}

static int check_certificates(const struct settings *settings, const char *path, struct text *error)
{
    struct tls_context *tls;
    int result = 0;

    for (unsigned i = 0; i < settings->input_count && result == 0; i++) {
        result = tls_context_load(&tls, &settings->inputs[i].tls, path, "", error);
        tls_context_release(tls);
    }
    for (unsigned i = 0; i < settings->output_count && result == 0; i++) {
        result = tls_context_load(&tls, &settings->outputs[i].tls, path, "", error);
        tls_context_release(tls);
    }
    return result;
}

/* What the configuration names has to be sound too: certificates, the web configuration, the public
 * suffix list. */
int program_check(const struct command_line *line, const struct settings *settings)
{
    const struct aggregator_setup setup = {
        .time = SHARD_TIME_FRAMES, .shard_count = 1, .input_count = 1};
    struct web_security *security = NULL;
    struct aggregator *aggregator = NULL;
    struct text error = {0};
    int result = check_certificates(settings, line->file, &error);

    if (result == 0) {
        result = program_load_web(&security, settings, NULL, &error);
    }
    if (result == 0) {
        result = program_create_aggregator(&aggregator, settings, &setup, &error);
    }
    if (result < 0) {
        program_fail(&error, result);
    } else {
        (void)printf("%s%s%s: the configuration is sound\n",
                     line->file != NULL ? line->file : "built-in defaults",
                     settings->web.config_file[0] != '\0' ? ", " : "", settings->web.config_file);
        print_memory(settings);
        try_sockets(settings);
    }
    aggregator_free(aggregator);
    web_security_release(security);
    text_deinit(&error);
    return result < 0 ? EXIT_USAGE : EXIT_SUCCESS;
}
