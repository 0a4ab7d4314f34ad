/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * archive_index.h - what a dnstap file may have: clients, question names, answers, times
 *
 * Beside the file NAME of an archive is NAME.index. Who looks for something in many files passes
 * over those whose index says that it is not there. An index never denies what is there; of what is
 * not there it says in about one case of a hundred that it may be.
 *
 * Three blocked Bloom filters (base/bloom.h) have the keys:
 * - clients: the query address of each message, and the networks that it is in: /24 and /16 of
 *   IPv4; /64, /48 and /32 of IPv6. A network in between is answered by the next larger one of
 *   these, one that is larger than all of them "may be there".
 * - names: the last two and the last three labels of each question's name. The registered domain of
 *   nearly every name is one of them, and nobody needs the suffix list of the one who wrote the
 *   index: with another list, one would look for other keys. A name of one label "may be there".
 * - answers: the addresses of the answer section, as of clients, and the targets of its CNAME,
 *   DNAME, NS, PTR, MX and SRV records, as of names.
 * A filter has room for some 640,000 keys at one per cent; with more the error grows, and the file
 * is read more often than needed. With fewer, a smaller filter is written whose error is no larger
 * than that. Where less is needed, the words are added up in halves: a filter has a power of two of
 * words, and the lowest bits of a hash say which one.
 *
 * The file's bytes: the header's numbers, the words of the filters, and a checksum, all of 64 bits,
 * the least significant byte first. The key of the hashes is drawn for each builder and stands in
 * the file: it has no secret. An index that is damaged, of another version, or of another size of
 * its dnstap file is refused, and the file has to be read.
 *
 * One thread uses a builder. An index does not change.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "client/network.h"
#include "decode/event.h"

/** An index has the name of its dnstap file, and this suffix. */
#define ARCHIVE_INDEX_SUFFIX ".index"

/** Suffix of a dnstap file that is being written, or that a crash has left. */
#define ARCHIVE_PART_SUFFIX ".part"

/* --- Writing --- */

struct archive_index_builder; /* opaque: src/client/archive_index.c */

/** Bytes that a builder takes: also the most that an index has. */
size_t archive_index_builder_memory(void);

/** Make an empty builder; on success the caller frees *out. Returns 0 or a negative errno. */
NONNULL MUST_USE int archive_index_builder_create(struct archive_index_builder **out);

void archive_index_builder_free(struct archive_index_builder *builder);

/** Forget everything. */
NONNULL void archive_index_builder_clear(struct archive_index_builder *builder);

/** Take in a message of the dnstap file. Hot path: no allocation, no failure. */
NONNULL void archive_index_builder_add(struct archive_index_builder *builder,
                                       const struct event *event);

/** The index's bytes, for a dnstap file of `file_size` bytes. Borrowed until the next call; the
 * builder has to be cleared before it takes in another message. */
NONNULL struct bytes archive_index_builder_finish(struct archive_index_builder *builder,
                                                  uint64_t file_size);

/* --- Reading --- */

struct archive_index; /* opaque: src/client/archive_index.c */

/** Read the index of the dnstap file `path`, which lies beside it. On success the caller frees
 * *out. Returns 0, -EBADMSG (it is damaged, or not an index), -ENOTSUP (of another version),
 * -ESTALE (the dnstap file has another size, or was written later), or another negative errno. */
NONNULL MUST_USE int archive_index_load(const char *path, struct archive_index **out);

/** Read an index from its bytes, which are copied. As archive_index_load(), of a dnstap file of
 * `file_size` bytes. */
NONNULL MUST_USE int archive_index_read(struct bytes bytes, uint64_t file_size,
                                        struct archive_index **out);

void archive_index_free(struct archive_index *index);

/** The earliest and the latest time that stands in a message, query time or response time, in ns
 * since 1970; both 0: no message has one. */
NONNULL uint64_t archive_index_first_ns(const struct archive_index *index);
NONNULL uint64_t archive_index_last_ns(const struct archive_index *index);

/** Whether a client in the network may have a message in the file. */
NONNULL bool archive_index_may_have_client(const struct archive_index *index,
                                           const struct network *network);

/** Whether a question may have the name, or one below it; in wire format, lower case, without
 * compression. */
NONNULL bool archive_index_may_have_name(const struct archive_index *index, struct bytes name);

/** Whether an address in the network may be in an answer section. */
NONNULL bool archive_index_may_have_answer_address(const struct archive_index *index,
                                                   const struct network *network);

/** Whether a record of an answer section may point to the name or one below it; as
 * archive_index_may_have_name(). */
NONNULL bool archive_index_may_have_answer_name(const struct archive_index *index,
                                                struct bytes name);
