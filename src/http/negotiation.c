/* SPDX-License-Identifier: Apache-2.0 */
#include "http/negotiation.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* A piece of the header. */
struct piece {
    const char *start;
    size_t len;
};

static bool is(struct piece piece, const char *word)
{
    return piece.len == strlen(word) && strncasecmp(piece.start, word, piece.len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct piece negotiation_trim(struct piece piece)
{
    while (piece.len > 0 && is_blank(piece.start[0])) {
        piece.start++;
        piece.len--;
    }
    while (piece.len > 0 && is_blank(piece.start[piece.len - 1])) {
        piece.len--;
    }
    return piece;
}

/* The piece before `separator`, which is one only outside quotes; *rest loses both. */
static struct piece negotiation_cut(struct piece *rest, char separator)
{
    struct piece before = *rest;
    bool quoted = false;
    size_t end = 0;

    while (end < rest->len && (quoted || rest->start[end] != separator)) {
        quoted ^= rest->start[end] == '"';
        end++;
    }
    before.len = end;
    end += end < rest->len;
    rest->start += end;
    rest->len -= end;
    return negotiation_trim(before);
}

/* A value without its quotes. */
static struct piece negotiation_unquote(struct piece value)
{
    if (value.len >= 2 && value.start[0] == '"' && value.start[value.len - 1] == '"') {
        return (struct piece){value.start + 1, value.len - 2};
    }
    return value;
}

#define WEIGHT_MAX 1000 /* q=1, in thousandths (RFC 9110 section 12.4.2) */

/* In thousandths. */
static unsigned parse_weight(struct piece text)
{
    unsigned scale = WEIGHT_MAX;
    unsigned weight = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.start[i];
        if (c == '.' && scale == WEIGHT_MAX) {
            scale /= 10;
        } else if (c < '0' || c > '9') {
            return text.start[0] == '-' ? 0 : WEIGHT_MAX;
        } else if (scale == WEIGHT_MAX) {
            weight = c > '0' || weight > 0 ? WEIGHT_MAX : 0; /* 1 and more */
        } else {
            weight += (unsigned)(c - '0') * scale;
            scale /= 10;
        }
    }
    return text.len == 0 || weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
}

/* An element of such a header: what it names, and those of its parameters that we know. */
struct element {
    struct piece name;
    struct piece version, proto, encoding; /* empty where not given; the first counts */
    unsigned weight;
};

static void keep_first(struct piece *kept, struct piece value)
{
    if (kept->start == NULL) {
        *kept = value;
    }
}

static struct element parse_element(struct piece text)
{
    struct element element = {.name = negotiation_cut(&text, ';'), .weight = WEIGHT_MAX};
    struct piece weight = {0};

    while (text.len > 0) {
        struct piece value = negotiation_cut(&text, ';');
        struct piece name = negotiation_cut(&value, '=');
        value = negotiation_unquote(negotiation_trim(value));
        if (is(name, "q")) {
            keep_first(&weight, value);
        } else if (is(name, "version")) {
            keep_first(&element.version, value);
        } else if (is(name, "proto")) {
            keep_first(&element.proto, value);
        } else if (is(name, "encoding")) {
            keep_first(&element.encoding, value);
        }
    }
    if (weight.start != NULL) {
        element.weight = parse_weight(weight);
    }
    return element;
}

static bool has_version(const struct element *element, const char *version)
{
    return element->version.len == 0 || is(element->version, version);
}

/* Whether we have what it names: then that goes to *format. */
static bool names_exposition(const struct element *element, enum exposition *format)
{
    if (is(element->name, "text/plain") && has_version(element, "0.0.4")) {
        *format = EXPOSITION_TEXT;
        return true;
    }
    if (is(element->name, "application/openmetrics-text") && has_version(element, "1.0.0")) {
        *format = EXPOSITION_OPENMETRICS;
        return true;
    }
    *format = EXPOSITION_PROTOBUF;
    return is(element->name, "application/vnd.google.protobuf") &&
           is(element->proto, "io.prometheus.client.MetricFamily") &&
           is(element->encoding, "delimited");
}

enum exposition negotiate_exposition(const char *accept)
{
    struct piece rest = {accept, accept != NULL ? strlen(accept) : 0};
    enum exposition best = EXPOSITION_TEXT;
    unsigned best_weight = 0;
    bool best_is_wildcard = true;

    while (rest.len > 0) {
        struct element element = parse_element(negotiation_cut(&rest, ','));
        enum exposition format = EXPOSITION_TEXT;
        bool wildcard = is(element.name, "*/*") || is(element.name, "text/*");

        if (!wildcard && !names_exposition(&element, &format)) {
            continue;
        }
        if (element.weight > best_weight ||
            (element.weight == best_weight && best_is_wildcard && !wildcard && best_weight > 0)) {
            best = format;
            best_weight = element.weight;
            best_is_wildcard = wildcard;
        }
    }
    return best;
}

bool negotiate_gzip(const char *accept_encoding)
{
    struct piece rest = {accept_encoding, accept_encoding != NULL ? strlen(accept_encoding) : 0};

    while (rest.len > 0) {
        struct element element = parse_element(negotiation_cut(&rest, ','));
        if (is(element.name, "gzip")) {
            return element.weight > 0;
        }
    }
    return false;
}
