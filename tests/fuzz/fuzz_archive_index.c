/* SPDX-License-Identifier: Apache-2.0 */
/* An index of a dnstap file, as it may lie in a folder that others write to: it is refused, or
 * answers every question. Its checksum is corrected, so that what is behind it is reached. */
#include <endian.h>
#include <stdlib.h>

#include "base/hash.h"
#include "client/archive_index.h"
#include "fuzz/fuzz.h"

#define WORD      sizeof(uint64_t)
#define FILE_SIZE 1000
#define KEY_AT    3 /* words before the key, whose checksum is the last word */

static uint64_t word_at(const uint8_t *bytes, size_t index)
{
    uint64_t word;

    memcpy(&word, bytes + index * WORD, WORD);
    return le64toh(word);
}

static void correct(uint8_t *bytes, size_t size)
{
    size_t words = size / WORD;

    if (words < KEY_AT + 3) {
        return;
    }
    struct hash_key key = {word_at(bytes, KEY_AT), word_at(bytes, KEY_AT + 1)};
    uint64_t sum = htole64(hash_bytes(&key, (struct bytes){bytes, (words - 1) * WORD}));
    memcpy(bytes + (words - 1) * WORD, &sum, WORD);
}

static void ask(const struct archive_index *index)
{
    static const char *const networks[] = {"0.0.0.0/0", "192.0.2.1", "192.0.2.0/23", "2001:db8::1"};
    static const uint8_t names[][9] = {"", "\1a", "\1a\1b", "\1a\1b\1c\1d"};
    struct network network;

    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        if (!network_parse(networks[i], &network)) {
            abort();
        }
        (void)archive_index_may_have_client(index, &network);
        (void)archive_index_may_have_answer_address(index, &network);
        (void)archive_index_may_have_name(index, (struct bytes){names[i], sizeof names[i]});
        (void)archive_index_may_have_answer_name(index, (struct bytes){names[i], sizeof names[i]});
    }
    (void)(archive_index_first_ns(index) + archive_index_last_ns(index));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive_index *index;
    uint8_t *bytes = malloc(size + 1);

    if (bytes == NULL) {
        abort();
    }
    memcpy(bytes, data, size);
    correct(bytes, size);
    if (archive_index_read((struct bytes){bytes, size}, FILE_SIZE, &index) == 0) {
        ask(index);
        archive_index_free(index);
    }
    free(bytes);
    return 0;
}
