/* SPDX-License-Identifier: Apache-2.0 */
#include "client/archive_index.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bloom.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#define MAGIC   UINT64_C(0x78646e6970617464) /* "dtapindx" */
#define VERSION 1

enum filter { FILTER_CLIENTS, FILTER_NAMES, FILTER_ANSWERS, FILTER_COUNT };

#define FILTER_WORDS ((size_t)1 << 17) /* 1 MiB: 640,000 keys at 13 bits */
#define ERROR_MAX    0.01              /* up to which a filter is made smaller */
#define WORDS_LEAST  64                /* chosen: half a KiB, with some keys nearly without error */

/* Of 64 bits each. */
enum header {
    HEADER_MAGIC,
    HEADER_VERSION,
    HEADER_FILE_SIZE,
    HEADER_KEY_0,
    HEADER_KEY_1,
    HEADER_FIRST_NS,
    HEADER_LAST_NS,
    HEADER_WORDS,                              /* of each filter */
    HEADER_COUNT = HEADER_WORDS + FILTER_COUNT /* then come the words */
};

#define CHECKSUM_COUNT 1
#define WORDS_MAX      (HEADER_COUNT + FILTER_COUNT * FILTER_WORDS + CHECKSUM_COUNT)
#define WORD_SIZE      sizeof(uint64_t)

/* --- Keys --- */

/* The most that one address or name has. */
#define KEYS_MAX 4

struct keys {
    unsigned count;
    uint64_t hashes[KEYS_MAX];
};

static void keys_add(struct keys *keys, const struct hash_key *key, uint64_t sum)
{
    keys->hashes[keys->count++] = hash_finish(key, sum);
}

/* What a sequence begins with, so that no address is a name. */
enum { START_IPV4 = 4, START_IPV6 = 16, START_NAME = 1 };

static uint64_t add_number(const struct hash_key *key, uint64_t sum, const uint8_t *at, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        word = word << 8 | at[i];
    }
    return hash_add(key, sum, word);
}

/* The networks that the IPv4 network is in, as far as they have keys, the largest first. */
static void keys_of_ipv4(const struct hash_key *key, const uint8_t *address, unsigned prefix,
                         struct keys *keys)
{
    uint64_t sum = hash_add(key, HASH_START, START_IPV4);

    if (prefix >= 16) {
        sum = add_number(key, sum, address, 2);
        keys_add(keys, key, sum);
    }
    if (prefix >= 24) {
        sum = add_number(key, sum, address + 2, 1);
        keys_add(keys, key, sum);
    }
    if (prefix == 32) {
        sum = add_number(key, sum, address + 3, 1);
        keys_add(keys, key, sum);
    }
}

static void keys_of_ipv6(const struct hash_key *key, const uint8_t *address, unsigned prefix,
                         struct keys *keys)
{
    uint64_t sum = hash_add(key, HASH_START, START_IPV6);

    if (prefix >= 32) {
        sum = add_number(key, sum, address, 4);
        keys_add(keys, key, sum);
    }
    if (prefix >= 48) {
        sum = add_number(key, sum, address + 4, 2);
        keys_add(keys, key, sum);
    }
    if (prefix >= 64) {
        sum = add_number(key, sum, address + 6, 2);
        keys_add(keys, key, sum);
    }
    if (prefix == 128) {
        sum = add_number(key, sum, address + 8, 4);
        sum = add_number(key, sum, address + 12, 4);
        keys_add(keys, key, sum);
    }
}

/* `len` is that of an address; of another one there are no keys. */
static struct keys keys_of_network(const struct hash_key *key, const uint8_t *address, size_t len,
                                   unsigned prefix)
{
    struct keys keys = {0};

    if (len == 4) {
        keys_of_ipv4(key, address, prefix, &keys);
    } else if (len == 16) {
        keys_of_ipv6(key, address, prefix, &keys);
    }
    return keys;
}

/* The last two labels, and the last three, as far as the name has them. */
static struct keys keys_of_name(const struct hash_key *key, const uint8_t *name)
{
    const uint8_t *third = NULL, *second = NULL, *last = NULL; /* from the end */
    struct keys keys = {0};

    for (const uint8_t *at = name; *at != 0; at += 1 + *at) {
        third = second;
        second = last;
        last = at;
    }
    if (second == NULL) {
        return keys;
    }
    uint64_t sum = hash_add(key, HASH_START, START_NAME);
    sum = hash_add_bytes(key, sum, (struct bytes){last + 1, last[0]});
    sum = hash_add_bytes(key, sum, (struct bytes){second + 1, second[0]});
    keys_add(&keys, key, sum);
    if (third != NULL) {
        sum = hash_add_bytes(key, sum, (struct bytes){third + 1, third[0]});
        keys_add(&keys, key, sum);
    }
    return keys;
}

/* --- Filters --- */

static uint64_t *word_of(uint64_t *words, size_t count, uint64_t hash)
{
    return &words[hash >> 32 & (count - 1)];
}

static void filter_insert(uint64_t *words, const struct keys *keys)
{
    for (unsigned i = 0; i < keys->count; i++) {
        *word_of(words, FILTER_WORDS, keys->hashes[i]) |= bloom_bits(keys->hashes[i]);
    }
}

/* How often a key that is not there seems to be: its four bits are of one word. */
static double error_of_half(const uint64_t *words, size_t half)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < half; i++) {
        uint64_t set = (uint64_t)__builtin_popcountll(words[i] | words[i + half]);
        sum += set * set * set * set;
    }
    return (double)sum / (double)(UINT64_C(64) * 64 * 64 * 64) / (double)half;
}

/* Make it as small as the error allows. Returns its words. */
static size_t filter_fold(uint64_t *words)
{
    size_t count = FILTER_WORDS;

    while (count > WORDS_LEAST && error_of_half(words, count / 2) <= ERROR_MAX) {
        count /= 2;
        for (size_t i = 0; i < count; i++) {
            words[i] |= words[i + count];
        }
    }
    return count;
}

/* --- Writing --- */

struct archive_index_builder {
    struct hash_key key;
    uint64_t first_ns, last_ns;
    size_t qname_len; /* of the last question, whose response often comes next; 0: none */
    uint8_t qname[DNS_NAME_MAX];
    uint64_t words[WORDS_MAX]; /* the filters are at HEADER_COUNT, one behind the other */
};

size_t archive_index_builder_memory(void)
{
    return sizeof(struct archive_index_builder);
}

int archive_index_builder_create(struct archive_index_builder **out)
{
    struct archive_index_builder *builder = malloc(sizeof *builder);

    if (builder == NULL) {
        return -ENOMEM;
    }
    int result = hash_key_draw(&builder->key);
    if (result < 0) {
        free(builder);
        return result;
    }
    archive_index_builder_clear(builder);
    *out = builder;
    return 0;
}

void archive_index_builder_free(struct archive_index_builder *builder)
{
    free(builder);
}

void archive_index_builder_clear(struct archive_index_builder *builder)
{
    builder->first_ns = builder->last_ns = 0;
    builder->qname_len = 0;
    memset(builder->words, 0, sizeof builder->words);
}

static uint64_t *words_of(struct archive_index_builder *builder, enum filter filter)
{
    return builder->words + HEADER_COUNT + filter * FILTER_WORDS;
}

static void note_time(struct archive_index_builder *builder, uint64_t time_ns)
{
    if (time_ns == 0) {
        return;
    }
    if (builder->first_ns == 0 || time_ns < builder->first_ns) {
        builder->first_ns = time_ns;
    }
    if (time_ns > builder->last_ns) {
        builder->last_ns = time_ns;
    }
}

static void add_address(struct archive_index_builder *builder, enum filter filter,
                        struct bytes address)
{
    struct keys keys = keys_of_network(&builder->key, address.data, address.len,
                                       8 * (unsigned)address.len);

    filter_insert(words_of(builder, filter), &keys);
}

static void add_name(struct archive_index_builder *builder, enum filter filter, const uint8_t *name)
{
    struct keys keys = keys_of_name(&builder->key, name);

    filter_insert(words_of(builder, filter), &keys);
}

static void add_record(struct archive_index_builder *builder, const struct dns_record *record,
                       struct bytes message)
{
    uint8_t target[DNS_NAME_MAX];

    if (record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA) {
        add_address(builder, FILTER_ANSWERS, record->data);
    } else if (dns_record_target(record, message, target) > 0) {
        add_name(builder, FILTER_ANSWERS, target);
    }
}

static void add_answers(struct archive_index_builder *builder, const struct event *event)
{
    struct dns_record_reader reader;
    struct dns_record record;

    dns_record_reader_init(&reader, event->message, event->dns.records_offset);
    while (dns_record_next(&reader, &record) && record.section == DNS_SECTION_ANSWER) {
        add_record(builder, &record, event->message);
    }
}

static void add_question(struct archive_index_builder *builder, const struct dns_message *dns)
{
    if (dns->qname_len == builder->qname_len &&
        memcmp(dns->qname, builder->qname, dns->qname_len) == 0) {
        return;
    }
    builder->qname_len = dns->qname_len;
    memcpy(builder->qname, dns->qname, dns->qname_len);
    add_name(builder, FILTER_NAMES, dns->qname);
}

void archive_index_builder_add(struct archive_index_builder *builder, const struct event *event)
{
    note_time(builder, event->query_time_ns);
    note_time(builder, event->response_time_ns);
    add_address(builder, FILTER_CLIENTS, event->query_address);
    if (event->dns.has_question) {
        add_question(builder, &event->dns);
    }
    if (event->kind == KIND_RESPONSE && event->dns.records_offset > 0) {
        add_answers(builder, event);
    }
}

static uint64_t checksum_of(const struct hash_key *key, const uint64_t *words, size_t count)
{
    return hash_bytes(key, (struct bytes){(const uint8_t *)words, count * WORD_SIZE});
}

struct bytes archive_index_builder_finish(struct archive_index_builder *builder, uint64_t file_size)
{
    uint64_t *words = builder->words;
    size_t count = HEADER_COUNT;

    words[HEADER_MAGIC] = MAGIC;
    words[HEADER_VERSION] = VERSION;
    words[HEADER_FILE_SIZE] = file_size;
    words[HEADER_KEY_0] = builder->key.k0;
    words[HEADER_KEY_1] = builder->key.k1;
    words[HEADER_FIRST_NS] = builder->first_ns;
    words[HEADER_LAST_NS] = builder->last_ns;
    for (enum filter filter = 0; filter < FILTER_COUNT; filter++) {
        size_t folded = filter_fold(words_of(builder, filter));
        words[HEADER_WORDS + filter] = folded;
        memmove(words + count, words_of(builder, filter), folded * WORD_SIZE);
        count += folded;
    }
    for (size_t i = 0; i < count; i++) {
        words[i] = htole64(words[i]);
    }
    words[count] = htole64(checksum_of(&builder->key, words, count));
    return (struct bytes){(const uint8_t *)words, (count + CHECKSUM_COUNT) * WORD_SIZE};
}

/* --- Reading --- */

struct archive_index {
    struct hash_key key;
    uint64_t first_ns, last_ns;
    uint64_t *filters[FILTER_COUNT];
    size_t counts[FILTER_COUNT]; /* of their words */
    uint64_t words[];
};

static bool is_filter_size(uint64_t words)
{
    return words >= WORDS_LEAST && words <= FILTER_WORDS && (words & (words - 1)) == 0;
}

/* Of `count` words, whose checksum is right. */
static bool archive_index_find_filters(struct archive_index *index, size_t count)
{
    size_t at = HEADER_COUNT;

    for (enum filter filter = 0; filter < FILTER_COUNT; filter++) {
        uint64_t words = index->words[HEADER_WORDS + filter];
        if (!is_filter_size(words)) {
            return false;
        }
        index->filters[filter] = index->words + at;
        index->counts[filter] = words;
        at += words;
    }
    return at + CHECKSUM_COUNT == count;
}

static int archive_index_take(struct archive_index *index, size_t count, uint64_t file_size)
{
    const uint64_t *words = index->words;
    size_t checked = count - CHECKSUM_COUNT;

    if (le64toh(words[HEADER_MAGIC]) != MAGIC) {
        return -EBADMSG;
    }
    if (le64toh(words[HEADER_VERSION]) != VERSION) {
        return -ENOTSUP;
    }
    index->key = (struct hash_key){le64toh(words[HEADER_KEY_0]), le64toh(words[HEADER_KEY_1])};
    if (le64toh(words[checked]) != checksum_of(&index->key, words, checked)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < count; i++) {
        index->words[i] = le64toh(index->words[i]);
    }
    index->first_ns = words[HEADER_FIRST_NS];
    index->last_ns = words[HEADER_LAST_NS];
    if (words[HEADER_FILE_SIZE] != file_size) {
        return -ESTALE;
    }
    return archive_index_find_filters(index, count) ? 0 : -EBADMSG;
}

/* Whether so many bytes may be an index. */
static bool is_index_size(uint64_t size)
{
    size_t least = HEADER_COUNT + FILTER_COUNT * WORDS_LEAST + CHECKSUM_COUNT;

    return size % WORD_SIZE == 0 && size >= least * WORD_SIZE && size <= WORDS_MAX * WORD_SIZE;
}

int archive_index_read(struct bytes bytes, uint64_t file_size, struct archive_index **out)
{
    if (!is_index_size(bytes.len)) {
        return -EBADMSG;
    }
    struct archive_index *index = malloc(sizeof *index + bytes.len);
    if (index == NULL) {
        return -ENOMEM;
    }
    memcpy(index->words, bytes.data, bytes.len);
    int result = archive_index_take(index, bytes.len / WORD_SIZE, file_size);
    if (result < 0) {
        free(index);
        return result;
    }
    *out = index;
    return 0;
}

static int read_all(int fd, uint8_t *out, size_t size)
{
    size_t got = 0;

    while (got < size) {
        ssize_t count = read(fd, out + got, size - got);
        if (count == 0 || (count < 0 && errno != EINTR)) {
            return count == 0 ? -EBADMSG : -errno;
        }
        got += count > 0 ? (size_t)count : 0;
    }
    return 0;
}

static bool is_newer(const struct stat *file, const struct stat *other)
{
    return file->st_mtim.tv_sec != other->st_mtim.tv_sec
               ? file->st_mtim.tv_sec > other->st_mtim.tv_sec
               : file->st_mtim.tv_nsec > other->st_mtim.tv_nsec;
}

static int load_from(int fd, const struct stat *file, struct archive_index **out)
{
    struct stat found;

    if (fstat(fd, &found) < 0) {
        return -errno;
    }
    if (is_newer(file, &found)) {
        return -ESTALE;
    }
    if (!S_ISREG(found.st_mode) || !is_index_size((uint64_t)found.st_size)) {
        return -EBADMSG;
    }
    size_t size = (size_t)found.st_size;
    uint8_t *data = malloc(size);
    if (data == NULL) {
        return -ENOMEM;
    }
    int result = read_all(fd, data, size);
    if (result == 0) {
        result = archive_index_read((struct bytes){data, size}, (uint64_t)file->st_size, out);
    }
    free(data);
    return result;
}

/* A FIFO in its place does not make it wait. */
static int open_index(const char *path)
{
    struct text name = {0};

    text_append_format(&name, "%s" ARCHIVE_INDEX_SUFFIX, path);
    int fd = name.failed ? -1 : open(name.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int result = fd >= 0 ? fd : name.failed ? -ENOMEM : -errno;
    text_deinit(&name);
    return result;
}

int archive_index_load(const char *path, struct archive_index **out)
{
    struct stat file;

    if (stat(path, &file) < 0) {
        return -errno;
    }
    int fd = open_index(path);
    if (fd < 0) {
        return fd;
    }
    int result = load_from(fd, &file, out);
    (void)close(fd);
    return result;
}

void archive_index_free(struct archive_index *index)
{
    free(index);
}

uint64_t archive_index_first_ns(const struct archive_index *index)
{
    return index->first_ns;
}

uint64_t archive_index_last_ns(const struct archive_index *index)
{
    return index->last_ns;
}

/* No keys are a question that the filter cannot answer. */
static bool may_have(const struct archive_index *index, enum filter filter, const struct keys *keys)
{
    bool may = true;

    for (unsigned i = 0; i < keys->count; i++) {
        uint64_t bits = bloom_bits(keys->hashes[i]);
        uint64_t word = *word_of(index->filters[filter], index->counts[filter], keys->hashes[i]);
        may &= (word & bits) == bits;
    }
    return may;
}

static bool may_have_network(const struct archive_index *index, enum filter filter,
                             const struct network *network)
{
    struct keys keys = keys_of_network(&index->key, network->address, network->len,
                                       network->prefix);

    return may_have(index, filter, &keys);
}

static bool may_have_name(const struct archive_index *index, enum filter filter, struct bytes name)
{
    struct keys keys = keys_of_name(&index->key, name.data);

    return may_have(index, filter, &keys);
}

bool archive_index_may_have_client(const struct archive_index *index, const struct network *network)
{
    return may_have_network(index, FILTER_CLIENTS, network);
}

bool archive_index_may_have_name(const struct archive_index *index, struct bytes name)
{
    return may_have_name(index, FILTER_NAMES, name);
}

bool archive_index_may_have_answer_address(const struct archive_index *index,
                                           const struct network *network)
{
    return may_have_network(index, FILTER_ANSWERS, network);
}

bool archive_index_may_have_answer_name(const struct archive_index *index, struct bytes name)
{
    return may_have_name(index, FILTER_ANSWERS, name);
}
