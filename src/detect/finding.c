/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/finding.h"

void finding_name_set(struct finding_name *name, struct bytes value)
{
    name->len = (uint8_t)value.len;
    memcpy(name->data, value.data, value.len);
}

struct bytes finding_name_bytes(const struct finding_name *name)
{
    return (struct bytes){name->data, name->len};
}

static bool is_same(const struct finding_name *a, const struct finding_name *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

void finding_examples_add(struct finding_name examples[FINDING_EXAMPLES_MAX],
                          const struct finding_name *name)
{
    for (unsigned i = 0; i < FINDING_EXAMPLES_MAX; i++) {
        if (is_same(&examples[i], name)) {
            return;
        }
    }
    memmove(&examples[1], &examples[0], (FINDING_EXAMPLES_MAX - 1) * sizeof examples[0]);
    examples[0] = *name;
}

static void print_name(const struct finding_name *name, char out[DNS_NAME_TEXT_SIZE])
{
    out[0] = '\0';
    if (name->len > 0) {
        dns_name_print(finding_name_bytes(name), out);
    }
}

void finding_print(const struct finding *finding, const struct client_privacy *privacy,
                   struct finding_text *out)
{
    struct client_privacy shown = *privacy;

    if (finding->client_prefix > 0) {
        shown.ipv4_prefix = shown.ipv6_prefix = finding->client_prefix;
    }
    out->client[0] = '\0';
    if (finding->client.len > 0) {
        client_key_print(&shown, (struct bytes){finding->client.data, finding->client.len},
                         out->client);
    }
    print_name(&finding->domain, out->domain);
    for (unsigned i = 0; i < FINDING_EXAMPLES_MAX; i++) {
        print_name(&finding->examples[i], out->examples[i]);
        print_name(&finding->found_names[i], out->found_names[i]);
    }
}
