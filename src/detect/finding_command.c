/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/finding_command.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "client/client_key.h"
#include "detect/detector.h"

/* Servers send a message some time after they have stamped it; the alert on the ingest delay has
 * half of it. */
#define DELAY_NS  (10 * NS_PER_SECOND)

#define TIME_SIZE 32 /* 2026-11-29T12:00:00Z, and room */

static void append_filter(struct text *out, const char *flag, const char *value)
{
    text_append_format(out, " --%s=", flag);
    text_append_shell_word(out, value);
}

/* RFC 3339. */
static void append_time(struct text *out, const char *flag, uint64_t seconds)
{
    time_t time = (time_t)seconds;
    char value[TIME_SIZE];
    struct tm utc;

    (void)gmtime_r(&time, &utc);
    (void)strftime(value, sizeof value, "%Y-%m-%dT%H:%M:%SZ", &utc);
    append_filter(out, flag, value);
}

/* A single quote as \039, which print reads as well: the log escapes what it shows, so that what
 * ends a quoted word of the shell in a command would be something else in the log. */
static void append_name(struct text *out, const char *name)
{
    char quoteless[DNS_NAME_TEXT_SIZE];
    size_t len = 0;

    for (; *name != '\0' && len + sizeof "\\039" <= sizeof quoteless; name++) {
        if (*name == '\'') {
            memcpy(quoteless + len, "\\039", 4);
            len += 4;
        } else {
            quoteless[len++] = *name;
        }
    }
    quoteless[len] = '\0';
    append_filter(out, "name", quoteless);
}

static void append_names(struct text *out, const struct finding *finding,
                         const struct finding_text *names)
{
    if (names->domain[0] != '\0') {
        append_name(out, names->domain);
    }
    for (unsigned i = 0; finding->detector->looks_at_examples && i < FINDING_EXAMPLES_MAX; i++) {
        if (names->examples[i][0] != '\0') {
            append_name(out, names->examples[i]);
        }
    }
}

/* Whole seconds, outwards. */
static void append_times(struct text *out, const struct finding *finding, uint64_t since_1970_ns)
{
    uint64_t since_ns = finding->since_ns + since_1970_ns;
    uint64_t from_ns = since_ns > DELAY_NS + NS_PER_SECOND ? since_ns - DELAY_NS : NS_PER_SECOND;

    append_time(out, "from", from_ns / NS_PER_SECOND);
    if (finding->ended_ns > 0) {
        append_time(out, "until", (finding->ended_ns + since_1970_ns) / NS_PER_SECOND + 1);
    }
}

/* A path that begins with "-" would be a flag. */
static void append_path(struct text *out, const char *path)
{
    text_append_string(out, path[0] == '-' ? " ./" : " ");
    text_append_shell_word(out, path);
}

/* As it is, also in the log. */
static bool is_shown(const char *path)
{
    struct bytes left = bytes_of_string(path);

    while (left.len > 0) {
        size_t len = utf8_shown(left);
        if (len == 0) {
            return false;
        }
        left = (struct bytes){left.data + len, left.len - len};
    }
    return strpbrk(path, "'\\") == NULL;
}

static bool are_readable(const struct recordings *recordings)
{
    for (size_t i = 0; i < recordings->count; i++) {
        if (strcmp(recordings->paths[i], "-") == 0 || !is_shown(recordings->paths[i])) {
            return false;
        }
    }
    return recordings->count > 0;
}

void finding_command_append(const struct finding *finding, const struct finding_text *names,
                            const struct recordings *recordings, uint64_t since_1970_ns,
                            struct text *out)
{
    if (!are_readable(recordings) || client_key_is_hash(&finding->client)) {
        return;
    }
    text_append_string(out, "dnstap_exporter print");
    if (names->client[0] != '\0') {
        append_filter(out, "client", names->client);
    }
    append_names(out, finding, names);
    text_append_string(out, finding->detector->print_flags);
    append_times(out, finding, since_1970_ns);
    for (size_t i = 0; i < recordings->count; i++) {
        append_path(out, recordings->paths[i]);
    }
}
