/* SPDX-License-Identifier: Apache-2.0 */
#include "config_selection_internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "config_entry_internal.h"

#define NAMES_MAX CONFIG_TOP_LISTS

struct selection {
    const char *section;
    const char *key; /* in the section */
    const char *path;
    size_t selected; /* offset in struct config: bool[count] */
    size_t entries;  /* offset in struct yaml_settings: char **; NULL: the file has no such key */
    size_t entry_count;
    unsigned count;
    const char *names[NAMES_MAX];
    const char *expected;
};

static const struct selection selections[] = {
    {"top",
     "lists",
     "top.lists",
     offsetof(struct config, top_lists),
     offsetof(struct yaml_settings, top.lists),
     offsetof(struct yaml_settings, top.lists_count),
     CONFIG_TOP_LISTS,
     {"client_queries", "client_nxdomains", "client_response_bytes", "qname_queries",
      "qname_nxdomains", "qname_servfails", "domain_queries", "domain_nxdomains",
      "domain_servfails"},
     "client_queries, client_nxdomains, client_response_bytes, qname_queries, qname_nxdomains, "
     "qname_servfails, domain_queries, domain_nxdomains or domain_servfails"},
    {"distinct",
     "counts",
     "distinct.counts",
     offsetof(struct config, distinct_counts),
     offsetof(struct yaml_settings, distinct.counts),
     offsetof(struct yaml_settings, distinct.counts_count),
     CONFIG_DISTINCT_COUNTS,
     {"clients", "qnames", "nxdomain_qnames", "domains"},
     "clients, qnames, nxdomain_qnames or domains"},
};

#define SELECTION_COUNT (sizeof selections / sizeof selections[0])

static bool *selection_of(const struct selection *selection, struct config *config)
{
    return (bool *)(void *)((char *)config + selection->selected);
}

static const bool *selection_in(const struct selection *selection, const struct config *config)
{
    return (const bool *)(const void *)((const char *)config + selection->selected);
}

void config_selection_all(struct config *config)
{
    for (size_t i = 0; i < SELECTION_COUNT; i++) {
        bool *selected = selection_of(&selections[i], config);
        for (unsigned name = 0; name < selections[i].count; name++) {
            selected[name] = true;
        }
    }
}

static bool selection_add(const struct selection *selection, const char *name, bool *selected)
{
    for (unsigned i = 0; i < selection->count; i++) {
        if (strcmp(selection->names[i], name) == 0) {
            selected[i] = true;
            return true;
        }
    }
    return false;
}

static int selection_apply(const struct selection *selection, struct config *config,
                           const struct yaml_file *file, struct text *error)
{
    const char *settings = (const char *)file->settings;
    char *const *entries = *(char *const *const *)(const void *)(settings + selection->entries);
    unsigned count = *(const unsigned *)(const void *)(settings + selection->entry_count);
    bool *selected = selection_of(selection, config);

    if (entries == NULL && !yaml_source_has(&file->source, selection->path)) {
        return 0;
    }
    memset(selected, 0, selection->count * sizeof selected[0]);
    for (unsigned i = 0; entries != NULL && i < count; i++) {
        if (!selection_add(selection, entries[i], selected)) {
            const struct config_entry entry = {&file->source, selection->path, i, error};
            return config_entry_refuse(&entry, "", selection->expected, entries[i]);
        }
    }
    return 0;
}

int config_selection_from_file(struct config *config, const struct yaml_file *file,
                               struct text *error)
{
    for (size_t i = 0; i < SELECTION_COUNT; i++) {
        int result = selection_apply(&selections[i], config, file, error);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

static void selection_print(const struct selection *selection, const bool *selected,
                            struct text *out)
{
    const char *before = "";

    text_append_format(out, "  %s: [", selection->key);
    for (unsigned i = 0; i < selection->count; i++) {
        if (selected[i]) {
            text_append_format(out, "%s%s", before, selection->names[i]);
            before = ", ";
        }
    }
    text_append_string(out, "]\n");
}

void config_selection_print(const struct config *config, const char *section, struct text *out)
{
    for (size_t i = 0; i < SELECTION_COUNT; i++) {
        if (strcmp(selections[i].section, section) == 0) {
            selection_print(&selections[i], selection_in(&selections[i], config), out);
        }
    }
}

void config_selection_compare(const struct config *a, const struct config *b,
                              void (*report)(const char *key))
{
    for (size_t i = 0; i < SELECTION_COUNT; i++) {
        size_t size = selections[i].count * sizeof(bool);
        if (memcmp(selection_in(&selections[i], a), selection_in(&selections[i], b), size) != 0) {
            report(selections[i].path);
        }
    }
}
