/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * yaml_source_internal.h - a YAML file as a document, and the lines of its keys
 */

#include <stdbool.h>
#include <yaml.h>

#include "base/attr.h"
#include "base/text.h"

struct yaml_source {
    const char *path;    /* borrowed; NULL: there is no file */
    struct text content; /* owned */
    bool has_document;
    yaml_document_t document; /* owned if there is one */
};

/** Read the file at `path`, and see that it is one YAML document or nothing. Returns 0 and *source,
 *  which the caller ends with yaml_source_deinit(); or -EINVAL and one line in *error that names
 *  file and line; or -ENOMEM. */
NONNULL MUST_USE int yaml_source_load(struct yaml_source *source, const char *path,
                                      struct text *error);

/** Free what it owns; an all-zero one is fine. */
NONNULL void yaml_source_deinit(struct yaml_source *source);

/** The document's root, or NULL where the file has only comments. */
NONNULL yaml_node_t *yaml_source_root(const struct yaml_source *source);

/** The line of a key such as `inputs[1].mode` (counted from 0), and whether the file has it. Where
 *  it has not: the line of what should hold it. */
NONNULL size_t yaml_source_line(const struct yaml_source *source, const char *key, bool *found);
