/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * yaml_source_internal.h - a YAML file as text, and the lines of its keys
 *
 * The only user of libyaml, with yaml_file.c and web_config.c, which read what is in it.
 */

#include <yaml.h>

#include "base/attr.h"
#include "base/text.h"

struct yaml_source {
    const char *path;    /* borrowed */
    struct text content; /* owned */
};

/** Read the file at `path`, and see that it is one YAML document or nothing. Returns 0 and *source,
 * whose content the caller ends with text_deinit(); or -EINVAL and one line in *error that names
 * file and line; or -ENOMEM. */
NONNULL MUST_USE int yaml_source_load(struct yaml_source *source, const char *path,
                                      struct text *error);

/** Parse the document. The caller deletes *parser in any case, and *document where it returns true.
 */
NONNULL MUST_USE bool yaml_source_open(const struct yaml_source *source, yaml_parser_t *parser,
                                       yaml_document_t *document);

/** Whether the file has the key; libcyaml does not tell an empty list from none. */
NONNULL bool yaml_source_has(const struct yaml_source *source, const char *key);

/** Write "FILE:LINE: KEY: " for a key such as `inputs[1].mode` (counted from 0). A key that is
 * absent gets the line of what should hold it. */
NONNULL void yaml_source_where(const struct yaml_source *source, const char *key,
                               struct text *error);
