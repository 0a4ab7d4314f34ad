/* SPDX-License-Identifier: Apache-2.0 */
/* A dnstap frame as the command print has it: whatever is in it is one line of JSON that jansson
 * reads, and one line of text; a filter that it matches needs no more memory than it has. */
#include <jansson.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "present/message_filter.h"
#include "present/message_text.h"
#include "present/passive_dns.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_json(const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

    require(json_is_object(json));
    json_decref(json);
}

static void check_line(const struct text *text)
{
    require(!text->failed && strcspn(text->data, "\n") == text->len - 1);
}

static void check_records(const struct event *event)
{
    struct passive_dns *table;
    struct text line = {0};

    require(passive_dns_create(&table) == 0 && passive_dns_add(table, event) == 0);
    for (size_t i = 0; i < passive_dns_count(table); i++) {
        text_clear(&line);
        passive_dns_line(table, i, &line);
        check_line(&line);
        check_json(line.data, line.len);
    }
    text_deinit(&line);
    passive_dns_free(table);
}

static void check_filter(const struct event *event)
{
    static const char *const filters[][2] = {
        {"answer", "example"}, {"answer", "192.0.2.0/24"}, {"name", "example"}, {"server", "a"}};

    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct message_filter filter = {0};
        struct text error = {0};
        require(message_filter_set(&filter, filters[i][0], filters[i][1], 1, &error) == 0);
        (void)message_filter_matches_dns(&filter, event);
        text_deinit(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_text state = {0};
    struct text out = {0};
    struct event event;

    if (event_read((struct bytes){data, size}, &event) != DECODE_OK) {
        return 0;
    }
    message_text_json(&state, &event, &out);
    check_line(&out);
    check_json(out.data, out.len);
    text_clear(&out);
    message_text_line(&state, &event, &out);
    check_line(&out);
    check_records(&event);
    check_filter(&event);
    text_deinit(&out);
    return 0;
}
