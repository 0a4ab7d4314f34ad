/* SPDX-License-Identifier: Apache-2.0 */
#include "present/passive_dns.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "message_text_internal.h"
#include "present/message_filter.h"
#include "present/record_text.h"

#if defined __GNUC__ && !defined __clang__
/* The analyzer of gcc 12 does not see that a list owns its items. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define SLOTS_START 1024
#define CLASS_IN    1
#define OWNER_SIZE  ((size_t)DNS_NAME_TEXT_SIZE)

struct record {
    uint64_t first_ns, last_ns; /* since 1970 */
    uint64_t count;
    char *text; /* owned: the owner, NUL, the data */
    uint32_t text_len;
    uint16_t owner_len;
    uint16_t type;
    uint64_t hash; /* of the text and type */
};

struct passive_dns {
    struct hash_key key;
    struct record *records; /* [count], room for space */
    size_t count, space;
    uint32_t *slots; /* [slot_count], a power of two: 1 + the index of a record; 0: free */
    size_t slot_count;
    struct text text; /* of the record that is added */
};

int passive_dns_create(struct passive_dns **out)
{
    struct passive_dns *table = calloc(1, sizeof *table);
    int result;

    if (table == NULL) {
        return -ENOMEM;
    }
    result = hash_key_draw(&table->key);
    table->slots = calloc(SLOTS_START, sizeof table->slots[0]);
    table->slot_count = SLOTS_START;
    if (result == 0 && table->slots == NULL) {
        result = -ENOMEM;
    }
    if (result < 0) {
        passive_dns_free(table);
        return result;
    }
    *out = table;
    return 0;
}

void passive_dns_free(struct passive_dns *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->records[i].text);
    }
    text_deinit(&table->text);
    free(table->records);
    free(table->slots);
    free(table);
}

/* --- The table --- */

static struct bytes text_of(const struct record *record)
{
    return (struct bytes){(const uint8_t *)record->text, record->text_len};
}

/* Where the record is, or the free slot for it. */
static uint32_t *find_slot(struct passive_dns *table, const struct record *wanted)
{
    size_t at = (size_t)wanted->hash & (table->slot_count - 1);

    for (;; at = (at + 1) & (table->slot_count - 1)) {
        uint32_t *slot = &table->slots[at];
        if (*slot == 0) {
            return slot;
        }
        const struct record *record = &table->records[*slot - 1];
        if (record->hash == wanted->hash && record->type == wanted->type &&
            bytes_equal(text_of(record), text_of(wanted))) {
            return slot;
        }
    }
}

/* Room for one record more, and two slots for each. */
static int make_room(struct passive_dns *table)
{
    if (table->count == table->space) {
        size_t space = table->space > 0 ? 2 * table->space : SLOTS_START / 2;
        struct record *records = space <= UINT32_MAX / 4
                                     ? realloc(table->records, space * sizeof *records)
                                     : NULL;
        if (records == NULL) {
            return -ENOMEM;
        }
        table->records = records;
        table->space = space;
    }
    if (2 * (table->count + 1) <= table->slot_count) {
        return 0;
    }
    uint32_t *slots = calloc(2 * table->slot_count, sizeof *slots);
    if (slots == NULL) {
        return -ENOMEM;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count *= 2;
    for (size_t i = 0; i < table->count; i++) {
        *find_slot(table, &table->records[i]) = (uint32_t)i + 1;
    }
    return 0;
}

/* `seen` borrows its text. */
static int add_record(struct passive_dns *table, const struct record *seen)
{
    uint32_t *slot = find_slot(table, seen);

    if (*slot > 0) {
        struct record *record = &table->records[*slot - 1];
        record->count += seen->count;
        record->first_ns = seen->first_ns < record->first_ns ? seen->first_ns : record->first_ns;
        record->last_ns = seen->last_ns > record->last_ns ? seen->last_ns : record->last_ns;
        return 0;
    }
    int result = make_room(table);
    char *text = result == 0 ? malloc(seen->text_len) : NULL;
    if (text == NULL) {
        return -ENOMEM;
    }
    memcpy(text, seen->text, seen->text_len);
    struct record *record = &table->records[table->count++];
    *record = *seen;
    record->text = text;
    *find_slot(table, seen) = (uint32_t)table->count;
    return 0;
}

static uint64_t passive_hash(const struct passive_dns *table, const struct record *record)
{
    uint64_t sum = hash_add(&table->key, HASH_START, record->type);

    return hash_finish(&table->key, hash_add_bytes(&table->key, sum, text_of(record)));
}

/* --- Adding --- */

static int add_answer(struct passive_dns *table, const struct event *event,
                      const struct dns_record *answer)
{
    uint8_t wire[DNS_NAME_MAX];
    struct bytes owner = {wire, dns_record_owner(answer, event->message, wire)};
    struct text *text = &table->text;

    text_clear(text);
    char *at = text_room(text, OWNER_SIZE);
    if (at == NULL) {
        return -ENOMEM;
    }
    if (owner.len == 0) {
        return 0; /* no name */
    }
    at = put_name(at, owner);
    struct record record = {
        .first_ns = message_time_ns(event),
        .last_ns = message_time_ns(event),
        .count = 1,
        .owner_len = (uint16_t)(at - text->data),
        .type = answer->type,
    };
    *at = '\0';
    text_added(text, at + 1);
    int result = record_text_data(answer, event->message, text);
    if (text->failed) {
        return -ENOMEM;
    }
    if (result != RECORD_TEXT_SOUND) {
        return 0; /* nothing that could be resolved to */
    }
    record.text = text->data;
    record.text_len = (uint32_t)text->len;
    record.hash = passive_hash(table, &record);
    return add_record(table, &record);
}

/* An UPDATE has prerequisites where other messages have answers (RFC 2136 section 2.2). */
int passive_dns_add(struct passive_dns *table, const struct event *event)
{
    struct dns_record_reader reader;
    struct dns_record record;
    int result = 0;

    if (event->kind != KIND_RESPONSE || event->dns.opcode != DNS_OPCODE_QUERY ||
        event->dns.records_offset == 0 || message_time_ns(event) == 0) {
        return 0;
    }
    dns_record_reader_init(&reader, event->message, event->dns.records_offset);
    while (result == 0 && dns_record_next(&reader, &record) &&
           record.section == DNS_SECTION_ANSWER) {
        if (record.type != DNS_TYPE_OPT && record.class == CLASS_IN) {
            result = add_answer(table, event, &record);
        }
    }
    return result;
}

int passive_dns_merge(struct passive_dns *table, const struct passive_dns *other)
{
    int result = 0;

    for (size_t i = 0; i < other->count && result == 0; i++) {
        struct record record = other->records[i];
        record.hash = passive_hash(table, &record);
        result = add_record(table, &record);
    }
    return result;
}

/* --- Printing --- */

static int compare_records(const void *a, const void *b)
{
    const struct record *left = a;
    const struct record *right = b;
    int order = strcmp(left->text, right->text);

    if (order == 0) {
        order = (left->type > right->type) - (left->type < right->type);
    }
    return order != 0 ? order : bytes_compare(text_of(left), text_of(right));
}

/* The slots are of no use afterwards: nothing is added any more. */
void passive_dns_sort(struct passive_dns *table)
{
    if (table->count > 0) {
        qsort(table->records, table->count, sizeof table->records[0], compare_records);
    }
}

size_t passive_dns_count(const struct passive_dns *table)
{
    return table->count;
}

void passive_dns_line(const struct passive_dns *table, size_t index, struct text *out)
{
    const struct record *record = &table->records[index];
    size_t data_len = record->text_len - record->owner_len - 1U;
    char *at = text_room(out, 2 * (size_t)record->text_len + 200);

    if (at == NULL) {
        return;
    }
    at = PUT(at, "{\"rrname\":\"");
    memcpy(at, record->text, record->owner_len);
    at = escape_json(at, at + record->owner_len);
    at = PUT(at, "\",\"rrtype\":\"");
    at = put_qtype(at, record->type);
    at = PUT(at, "\",\"rdata\":\"");
    memcpy(at, record->text + record->owner_len + 1, data_len);
    at = escape_json(at, at + data_len);
    at = PUT(at, "\",\"time_first\":");
    at = put_number(at, record->first_ns / NS_PER_SECOND);
    at = PUT(at, ",\"time_last\":");
    at = put_number(at, record->last_ns / NS_PER_SECOND);
    at = PUT(at, ",\"count\":");
    at = put_number(at, record->count);
    text_added(out, PUT(at, "}\n"));
}
