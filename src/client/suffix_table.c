/* SPDX-License-Identifier: Apache-2.0 */
#include "client/suffix_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/file.h"
#include "decode/dns_name.h"
#include "idn_internal.h"

#define LIST_SIZE_MAX ((uint64_t)16 * 1024 * 1024) /* bytes; that of Debian 12 has 245,996 */

/* What a suffix is; bits of a place's low byte. */
enum {
    SUFFIX_KNOWN = 1,     /* a rule, or the last labels of a longer one: the search goes on */
    SUFFIX_RULE = 2,      /* a public suffix */
    SUFFIX_WILDCARD = 4,  /* every label before it makes one */
    SUFFIX_EXCEPTION = 8, /* "!" in the public suffix list: no suffix, although a wildcard fits */
    SUFFIX_ALLOWED = 16,
    SUFFIX_REVERSE_IPV4 = 32, /* in-addr.arpa */
    SUFFIX_REVERSE_IPV6 = 64, /* ip6.arpa */
};

/* Labels below these that are one network, less the one that makes a registered domain: three
 * decimal ones are a /24 (RFC 1035 section 3.5), twelve hexadecimal ones a /48 (RFC 3596 section
 * 2.5). */
#define REVERSE_IPV4_LABELS (3 - 1)
#define REVERSE_IPV6_LABELS (12 - 1)

#define KEY_BITS            UINT64_C(0xffffffffffffff00) /* the low byte has the bits above */

struct suffix_table {
    struct hash_key secret;
    bool has_list;
    size_t count;
    size_t mask;      /* places, less one; at most half are in use */
    uint64_t *places; /* a suffix' key and bits; 0: free */
};

/* The sum of a suffix (dns_name_sum()) ends with a word that is added and not mixed: multiplicative
 * hashing (Dietzfelbinger et al. 1997) spreads it over the upper bits. */
static inline uint64_t key_of(const struct suffix_table *table, uint64_t sum)
{
    return sum * (table->secret.k1 | 1);
}

static inline uint64_t *place_of(const struct suffix_table *table, uint64_t key)
{
    size_t slot = ((key >> 32) * (table->mask + 1)) >> 32;

    while (table->places[slot] != 0 && ((table->places[slot] ^ key) & KEY_BITS) != 0) {
        slot = (slot + 1) & table->mask;
    }
    return &table->places[slot];
}

static unsigned suffix_table_bits_of(const struct suffix_table *table, uint64_t sum)
{
    return (unsigned)(*place_of(table, key_of(table, sum)) & 0xff);
}

static int suffix_table_grow(struct suffix_table *table)
{
    struct suffix_table grown = *table;

    grown.mask = table->mask * 2 + 1;
    grown.places = calloc(grown.mask + 1, sizeof *grown.places);
    if (grown.places == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i <= table->mask; i++) {
        if (table->places[i] != 0) {
            *place_of(&grown, table->places[i]) = table->places[i];
        }
    }
    free(table->places);
    *table = grown;
    return 0;
}

static int suffix_table_note(struct suffix_table *table, uint64_t sum, unsigned bits)
{
    if (2 * (table->count + 1) > table->mask && suffix_table_grow(table) < 0) {
        return -ENOMEM;
    }
    uint64_t key = key_of(table, sum);
    uint64_t *place = place_of(table, key);
    table->count += *place == 0;
    *place = (key & KEY_BITS) | (*place & 0xff) | bits | SUFFIX_KNOWN;
    return 0;
}

/* A name and, so that look-ups get that far, every suffix of it. */
static int note_name(struct suffix_table *table, struct bytes name, unsigned bits)
{
    struct dns_name_suffixes suffixes;
    int result = 0;

    dns_name_sum(&table->secret, name, &suffixes);
    for (unsigned i = 0; i < suffixes.labels && result == 0; i++) {
        result = suffix_table_note(table, suffixes.sums[i], i == 0 ? bits : 0);
    }
    return result;
}

/* --- The list --- */

static bool is_of_names(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A dotted name of letters, digits, hyphens and underscores in wire format; its length, or 0 where
 * it is none. */
static size_t wire_of(const char *text, uint8_t wire[DNS_NAME_MAX])
{
    size_t len = 0;

    do {
        size_t label = strcspn(text, ".");
        if (label == 0 || label > DNS_LABEL_MAX || len + label + 2 > DNS_NAME_MAX) {
            return 0;
        }
        wire[len++] = (uint8_t)label;
        for (size_t i = 0; i < label; i++) {
            char c = (char)dns_name_lower((uint8_t)text[i]);
            if (!is_of_names(c)) {
                return 0;
            }
            wire[len++] = (uint8_t)c;
        }
        text += label;
    } while (*text++ == '.');
    wire[len++] = 0;
    return len;
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

/* The list writes names in other scripts as themselves. As wire_of(), or -ENOMEM. */
static ssize_t wire_of_any(const char *text, uint8_t wire[DNS_NAME_MAX])
{
    char *ascii = NULL;

    if (is_ascii(text)) { /* nearly all are, and conversion takes 25,000 instructions */
        return (ssize_t)wire_of(text, wire);
    }
    int result = idn_to_ascii(text, &ascii);
    if (result == -ENOMEM) {
        return result;
    }
    ssize_t len = result == 0 ? (ssize_t)wire_of(ascii, wire) : 0;
    free(ascii);
    return len;
}

/* A line that is no rule of a suffix list. */
#define NO_RULE 1

/* Returns 0, NO_RULE or -ENOMEM. A rule that this build cannot convert is left out. */
static int note_rule(struct suffix_table *table, const char *rule)
{
    uint8_t wire[DNS_NAME_MAX];
    unsigned bits = SUFFIX_RULE;

    if (!idn_is_available && !is_ascii(rule)) {
        return 0;
    }

    if (rule[0] == '!') {
        bits = SUFFIX_EXCEPTION;
        rule++;
    } else if (strncmp(rule, "*.", 2) == 0) {
        bits = SUFFIX_WILDCARD | SUFFIX_RULE;
        rule += 2;
    }
    ssize_t len = wire_of_any(rule, wire);
    if (len <= 0) {
        return len < 0 ? (int)len : NO_RULE;
    }
    return note_name(table, (struct bytes){wire, (size_t)len}, bits);
}

/* A rule ends at the first white space. */
static int note_line(struct suffix_table *table, char *line)
{
    line[strcspn(line, " \t\r\n")] = '\0';
    if (line[0] == '\0' || strncmp(line, "//", 2) == 0) {
        return 0;
    }
    return note_rule(table, line);
}

static int read_list(struct suffix_table *table, const char *path, FILE *list, struct text *error)
{
    char *line = NULL;
    size_t space = 0;
    unsigned number = 0;
    int result = 0;

    while (result == 0 && getline(&line, &space, list) >= 0) {
        number++;
        result = note_line(table, line);
    }
    free(line);
    if (result == NO_RULE) {
        result = -EINVAL;
        text_append_format(error, "%s:%u: not a rule of a public suffix list", path, number);
    } else if (result == 0 && ferror(list) != 0) {
        result = -EIO;
        text_append_format(error, "%s: cannot be read", path);
    } else if (result == 0 && table->count == 0) {
        result = -EINVAL;
        text_append_format(error, "%s: no rule in it: not a public suffix list", path);
    }
    return result;
}

static int load_list(struct suffix_table *table, const char *path, struct text *error)
{
    FILE *list;
    int result = file_open_regular(path, LIST_SIZE_MAX, &list, error);

    if (result == 0) {
        result = read_list(table, path, list, error);
        (void)fclose(list);
    }
    return result;
}

static int note_reverse_names(struct suffix_table *table)
{
    static const uint8_t ipv4[] = "\7in-addr\4arpa";
    static const uint8_t ipv6[] = "\3ip6\4arpa";
    int result = note_name(table, (struct bytes){ipv4, sizeof ipv4}, SUFFIX_REVERSE_IPV4);

    return result < 0 ? result
                      : note_name(table, (struct bytes){ipv6, sizeof ipv6}, SUFFIX_REVERSE_IPV6);
}

int suffix_table_create(struct suffix_table **out, const struct hash_key *secret, const char *path,
                        const struct bytes *allowed, size_t allowed_count, struct text *error)
{
    struct suffix_table *table = calloc(1, sizeof *table);
    int result = 0;

    if (table == NULL) {
        return -ENOMEM;
    }
    table->secret = *secret;
    table->places = calloc(16, sizeof *table->places);
    if (table->places == NULL) {
        suffix_table_free(table);
        return -ENOMEM;
    }
    table->mask = 15;
    table->has_list = path != NULL;
    if (path != NULL) {
        result = load_list(table, path, error);
    }
    if (result == 0) {
        result = note_reverse_names(table);
    }
    for (size_t i = 0; i < allowed_count && result == 0; i++) {
        result = note_name(table, allowed[i], SUFFIX_ALLOWED);
    }
    if (result < 0) {
        suffix_table_free(table);
        return result;
    }
    *out = table;
    return 0;
}

void suffix_table_free(struct suffix_table *table)
{
    if (table != NULL) {
        free(table->places);
        free(table);
    }
}

/* --- Looking up --- */

/* How many labels of the name, from its end, are its public suffix by the rules, or are what a
 * reverse name has in the place of one. */
static unsigned count_suffix_labels(const struct suffix_table *table,
                                    const struct dns_name_suffixes *suffixes,
                                    struct suffix_match *match)
{
    unsigned suffix = 1;
    unsigned bits = SUFFIX_KNOWN;
    bool wildcard = false;
    unsigned reverse = 0;

    for (unsigned depth = 1; depth <= suffixes->labels && (bits & SUFFIX_KNOWN) != 0; depth++) {
        bits = suffix_table_bits_of(table, suffixes->sums[suffixes->labels - depth]);
        if ((bits & SUFFIX_EXCEPTION) != 0) {
            suffix = depth - 1;
        } else if (wildcard || (bits & SUFFIX_RULE) != 0) {
            suffix = depth;
            match->has_rule = true;
        }
        wildcard = (bits & SUFFIX_WILDCARD) != 0;
        match->allowed |= (bits & SUFFIX_ALLOWED) != 0;
        if ((bits & SUFFIX_REVERSE_IPV4) != 0) {
            reverse = depth + REVERSE_IPV4_LABELS;
        } else if ((bits & SUFFIX_REVERSE_IPV6) != 0) {
            reverse = depth + REVERSE_IPV6_LABELS;
        }
    }
    return reverse > 0 ? reverse : suffix;
}

bool suffix_table_has_top_level(const struct suffix_table *table, struct bytes label)
{
    struct dns_name_suffixes suffixes;
    uint8_t wire[DNS_LABEL_MAX + 2];

    wire[0] = (uint8_t)label.len;
    memcpy(wire + 1, label.data, label.len);
    wire[1 + label.len] = 0;
    dns_name_sum(&table->secret, (struct bytes){wire, label.len + 2}, &suffixes);
    return (suffix_table_bits_of(table, suffixes.sums[0]) & SUFFIX_RULE) != 0;
}

struct suffix_match suffix_table_match(const struct suffix_table *table, struct bytes name,
                                       const struct dns_name_suffixes *suffixes)
{
    struct suffix_match match = {.domain = name, .has_rule = !table->has_list};
    unsigned wanted = count_suffix_labels(table, suffixes, &match) + 1;

    unsigned label = wanted <= suffixes->labels ? suffixes->labels - wanted : 0;
    if (label > 0) {
        size_t offset = suffixes->offsets[label];
        match.domain = (struct bytes){name.data + offset, name.len - offset};
    }
    match.domain_hash = hash_finish(&table->secret, suffixes->sums[label]);
    return match;
}
