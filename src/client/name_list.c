/* SPDX-License-Identifier: Apache-2.0 */
#include "client/name_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bloom.h"
#include "base/file.h"

#define FILE_SIZE_MAX ((uint64_t)1024 * 1024 * 1024)
#define FILTER_NAMES  8  /* for each word of the filter: eight bits a name, 3 % pass wrongly */
#define WORDS_OF_LINE 64 /* of a hosts file's line; chosen */
#define ZONE_MAX      255

struct name_list {
    struct hash_key secret;
    size_t places_count;
    size_t filter_count;
    uint64_t *places; /* [places_count] hashes, at most three quarters in use; 0: free */
    uint64_t *filter; /* [filter_count] */
};

/* What of a name is listed. */
enum listed { LISTED_NAME, LISTED_TREE, LISTED_BELOW }; /* a tree is a name and all below it */

static size_t places_for(size_t names)
{
    return names + names / 3 + 8;
}

static size_t filter_for(size_t names)
{
    return names / FILTER_NAMES + 1;
}

size_t name_list_memory(size_t names)
{
    return sizeof(struct name_list) + (places_for(names) + filter_for(names)) * sizeof(uint64_t);
}

/* --- The table --- */

/* A number below `count`, by the upper bits of a hash (Lemire 2019). */
static size_t scale(uint64_t hash, size_t count)
{
    __extension__ typedef unsigned __int128 uint128;

    return (size_t)((uint128)hash * count >> 64);
}

/* What is listed in different ways has different hashes in the table. */
static uint64_t hash_as(uint64_t hash, enum listed what)
{
    hash += what * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    return hash != 0 ? hash : 1;
}

static size_t place_of(const struct name_list *list, uint64_t hash)
{
    size_t place = scale(hash, list->places_count);

    while (list->places[place] != 0 && list->places[place] != hash) {
        place = place + 1 < list->places_count ? place + 1 : 0;
    }
    return place;
}

/* Returns whether the name is new in this way. */
static bool insert(struct name_list *list, uint64_t hash, enum listed what)
{
    size_t place = place_of(list, hash_as(hash, what));
    bool is_new = list->places[place] == 0;

    list->places[place] = hash_as(hash, what);
    list->filter[scale(hash, list->filter_count)] |= bloom_bits(hash);
    return is_new;
}

static bool has(const struct name_list *list, uint64_t hash, enum listed what)
{
    return list->places[place_of(list, hash_as(hash, what))] == hash_as(hash, what);
}

/* Whether the name may be listed in some way. */
static bool may_have(const struct name_list *list, uint64_t hash)
{
    uint64_t bits = bloom_bits(hash);

    return (list->filter[scale(hash, list->filter_count)] & bits) == bits;
}

/* The filter's words are fetched at once: none waits for what is found in another. */
bool name_list_has(const struct name_list *list, const struct dns_name_suffixes *suffixes)
{
    uint64_t hashes[DNS_LABELS_MAX];
    bool may_be_listed = false;
    bool listed = false;

    for (unsigned i = 0; i < suffixes->labels; i++) {
        hashes[i] = hash_finish(&list->secret, suffixes->sums[i]);
        may_be_listed |= may_have(list, hashes[i]);
    }
    for (unsigned i = 0; may_be_listed && i < suffixes->labels && !listed; i++) {
        listed = has(list, hashes[i], LISTED_TREE) ||
                 has(list, hashes[i], i == 0 ? LISTED_NAME : LISTED_BELOW);
    }
    return listed;
}

/* --- Lines --- */

/* The reading of a file: once to count, once to insert. */
struct reading {
    struct name_list *list; /* NULL: names are counted only */
    struct name_list_counts *counts;
    size_t entries;          /* names, of which some may be the same */
    size_t room;             /* of the list: what was counted */
    char zone[ZONE_MAX + 1]; /* a response policy zone, whose owners end in it; "": not known */
};

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/* Returns whether the text is a name. */
static bool take_name(struct reading *reading, const char *text, enum listed what)
{
    struct dns_name_suffixes suffixes;
    uint8_t wire[DNS_NAME_MAX];
    size_t len = text[strspn(text, NAME_CHARACTERS)] == '\0' ? dns_name_parse(text, wire) : 0;

    if (len == 0) {
        return false;
    }
    reading->entries++;
    if (reading->list != NULL && reading->entries <= reading->room) {
        const struct hash_key *secret = &reading->list->secret;
        dns_name_sum(secret, (struct bytes){wire, len}, &suffixes);
        reading->counts->names += insert(reading->list, hash_finish(secret, suffixes.sums[0]),
                                         what);
    }
    return true;
}

/* ||example.com^ and nothing behind it. */
static bool take_adblock(struct reading *reading, char *rule)
{
    size_t len = strcspn(rule, "^");

    if (rule[len] != '^' || rule[len + 1] != '\0') {
        return false;
    }
    rule[len] = '\0';
    return strchr(rule, '.') != NULL && take_name(reading, rule, LISTED_TREE);
}

static bool is_address(const char *text)
{
    uint8_t address[16];

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_of_machine(const char *name)
{
    static const char *const names[] = {"localhost",  "localhost.localdomain",
                                        "local",      "localhost4",
                                        "localhost6", "localhost6.localdomain6"};
    bool is_one = strncmp(name, "ip6-", 4) == 0 && strchr(name, '.') == NULL;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        is_one |= strcasecmp(name, names[i]) == 0;
    }
    return is_one;
}

/* An address and names, of which those of the machine itself are none of the list. */
static bool take_hosts(struct reading *reading, char *const *words, unsigned count)
{
    bool is_sound = true;

    for (unsigned i = 1; i < count; i++) {
        if (!is_of_machine(words[i]) && !is_address(words[i])) {
            is_sound &= take_name(reading, words[i], LISTED_NAME);
        }
    }
    return is_sound;
}

static bool is_class_or_ttl(const char *word)
{
    return strcasecmp(word, "IN") == 0 || word[strspn(word, "0123456789smhdwSMHDW")] == '\0';
}

/* What a policy answers with: another name, or an address. */
static bool is_action(const char *type, const char *data)
{
    bool is_alias = strcasecmp(type, "CNAME") == 0;
    bool is_host = strcasecmp(type, "A") == 0 || strcasecmp(type, "AAAA") == 0;

    return (is_alias && strcmp(data, "rpz-passthru.") != 0) || (is_host && is_address(data));
}

/* The owner of the SOA record is the zone, if it is an absolute name. */
static void note_zone(struct reading *reading, const char *owner)
{
    size_t len = strlen(owner);

    if (len > 1 && len <= ZONE_MAX && owner[len - 1] == '.') {
        memcpy(reading->zone, owner, len + 1);
    }
}

/* Cut the zone off an owner, which is to be the name without it. */
static void cut_zone(const struct reading *reading, char *owner)
{
    size_t len = strlen(owner);
    size_t zone_len = strlen(reading->zone);

    if (zone_len > 0 && len > zone_len && owner[len - zone_len - 1] == '.' &&
        strcasecmp(owner + len - zone_len, reading->zone) == 0) {
        owner[len - zone_len - 1] = '\0';
    }
}

/* A record of a response policy zone whose trigger is a query name. */
static bool take_zone_record(struct reading *reading, char *const *words, unsigned count)
{
    unsigned type = 1;

    while (type < count && is_class_or_ttl(words[type])) {
        type++;
    }
    if (type + 1 >= count) {
        return false;
    }
    if (strcasecmp(words[type], "SOA") == 0) {
        note_zone(reading, words[0]);
    }
    if (strcasecmp(words[type], "SOA") == 0 || strcasecmp(words[type], "NS") == 0) {
        return true; /* of the zone itself */
    }
    cut_zone(reading, words[0]);
    if (!is_action(words[type], words[type + 1]) || strstr(words[0], ".rpz-") != NULL) {
        return false;
    }
    return strncmp(words[0], "*.", 2) == 0 ? take_name(reading, words[0] + 2, LISTED_BELOW)
                                           : take_name(reading, words[0], LISTED_NAME);
}

static unsigned split(char *line, char *words[WORDS_OF_LINE])
{
    unsigned count = 0;

    for (char *word = strtok_r(line, " \t\r\n", &line); word != NULL && count < WORDS_OF_LINE;
         word = strtok_r(NULL, " \t\r\n", &line)) {
        if (word[0] == '#' || word[0] == ';') {
            break; /* a comment behind something */
        }
        words[count++] = word;
    }
    return count;
}

/* A comment, a header, or a directive of a zone file. */
static bool is_passed_over(const char *word)
{
    return strchr("#!;[$", word[0]) != NULL || strncmp(word, "//", 2) == 0;
}

/* The numbers of an SOA record that goes on in further lines. */
static bool is_inside_record(char *const *words, unsigned count)
{
    bool all = true;

    for (unsigned i = 0; i < count; i++) {
        all &= words[i][0] == ')' || is_class_or_ttl(words[i]);
    }
    return all;
}

/* Returns whether the line is supported. */
static bool take_line(struct reading *reading, char *line)
{
    char *words[WORDS_OF_LINE];
    bool is_indented = line[0] == ' ' || line[0] == '\t';
    unsigned count;

    line += strspn(line, " \t");
    if (line[0] == '\0' || strchr("\r\n", line[0]) != NULL || is_passed_over(line)) {
        return true;
    }
    count = split(line, words);
    if (is_inside_record(words, count)) {
        return true;
    }
    if (count == 1 && strncmp(words[0], "||", 2) == 0) {
        return take_adblock(reading, words[0] + 2);
    }
    if (count == 1) { /* a top-level domain alone is more likely a mistake */
        return strchr(words[0], '.') != NULL && !is_address(words[0]) &&
               take_name(reading, words[0], LISTED_TREE);
    }
    if (is_address(words[0])) {
        return take_hosts(reading, words, count);
    }
    /* A zone's record without an owner is a further one of the owner before (RFC 1035 section 5.1).
     */
    return is_indented || take_zone_record(reading, words, count);
}

static int read_lines(struct reading *reading, FILE *file, const char *path, struct text *error)
{
    struct name_list_counts *counts = reading->counts;
    char *line = NULL;
    size_t space = 0;
    size_t number = 0;

    *counts = (struct name_list_counts){0};
    reading->entries = 0;
    while (getline(&line, &space, file) >= 0) {
        number++;
        if (!take_line(reading, line)) {
            counts->first_unsupported_line += counts->unsupported++ == 0 ? number : 0;
        }
    }
    free(line);
    if (ferror(file) != 0) {
        text_append_format(error, "%s: cannot be read", path);
        return -EIO;
    }
    return 0;
}

/* --- Loading --- */

static int refuse(const char *path, const struct reading *reading, size_t names_max,
                  struct text *error)
{
    if (reading->entries > names_max) {
        text_append_format(error, "%s: %zu names, of at most %zu", path, reading->entries,
                           names_max);
        return -EINVAL;
    }
    if (reading->entries == 0 && reading->counts->unsupported > 0) {
        text_append_format(error, "%s:%zu: not a list of names: no line is supported", path,
                           reading->counts->first_unsupported_line);
        return -EINVAL;
    }
    return 0;
}

static int make_tables(struct name_list *list, size_t names)
{
    list->places_count = places_for(names);
    list->filter_count = filter_for(names);
    list->places = calloc(list->places_count, sizeof *list->places);
    list->filter = calloc(list->filter_count, sizeof *list->filter);
    return list->places != NULL && list->filter != NULL ? 0 : -ENOMEM;
}

static int load_file(struct name_list *list, FILE *file, const char *path, size_t names_max,
                     struct name_list_counts *counts, struct text *error)
{
    struct reading reading = {.counts = counts};
    int result = read_lines(&reading, file, path, error);

    if (result == 0) {
        result = refuse(path, &reading, names_max, error);
    }
    if (result == 0) {
        result = make_tables(list, reading.entries);
    }
    if (result < 0) {
        return result;
    }
    size_t entries = reading.entries;
    rewind(file);
    reading.list = list;
    reading.room = entries;
    result = read_lines(&reading, file, path, error);
    if (result == 0 && reading.entries != entries) {
        text_append_format(error, "%s: it changed while it was read", path);
        return -EAGAIN;
    }
    return result;
}

int name_list_load(struct name_list **out, const struct hash_key *secret, const char *path,
                   size_t names_max, struct name_list_counts *counts, struct text *error)
{
    FILE *file;
    int result = file_open_regular(path, FILE_SIZE_MAX, &file, error);
    struct name_list *list = result == 0 ? calloc(1, sizeof *list) : NULL;

    if (result < 0) {
        return result;
    }
    if (list == NULL) {
        (void)fclose(file);
        return -ENOMEM;
    }
    list->secret = *secret;
    result = load_file(list, file, path, names_max, counts, error);
    (void)fclose(file);
    if (result < 0) {
        name_list_free(list);
        return result;
    }
    *out = list;
    return 0;
}

void name_list_free(struct name_list *list)
{
    if (list != NULL) {
        free(list->places);
        free(list->filter);
        free(list);
    }
}
