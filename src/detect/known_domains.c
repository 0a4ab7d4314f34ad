/* SPDX-License-Identifier: Apache-2.0 */
#include "known_domains_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bloom.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

#define UNSAVED_MAX 512 /* records that wait to be written */

/* Bytes in the file, in the machine's order: it is not read elsewhere. */
struct record {
    uint64_t hash;
    uint64_t check;
};

struct header {
    char magic[16];
    struct hash_key secret;
    uint64_t begun; /* seconds since 1970 */
    uint64_t check;
};

#define MAGIC "dnstap domains 1"

struct known_domains {
    struct known_filter *filter; /* borrowed */
    uint64_t begun;
    unsigned newer; /* index of the newer generation in the filter */
    size_t newer_count;
    char *path; /* NULL: there is no file */
    int fd;     /* -1: none */
    off_t size; /* of what is sound in it; 0: its header is to be written */
    bool reported;
    bool has_header; /* the secret and the begin are those of a file */
    unsigned unsaved_count;
    struct record unsaved[UNSAVED_MAX];
};

size_t known_domains_memory(void)
{
    return sizeof(struct known_domains);
}

/* --- The filter --- */

static size_t word_of(uint64_t hash)
{
    return hash >> 32 & (KNOWN_FILTER_WORDS - 1);
}

uint64_t known_filter_hash(const struct known_filter *filter, struct bytes domain)
{
    return hash_bytes(&filter->secret, domain);
}

static bool generation_has(const struct known_filter *filter, unsigned generation, uint64_t hash)
{
    uint64_t bits = bloom_bits(hash);
    uint64_t word = atomic_load_explicit(&filter->words[generation][word_of(hash)],
                                         memory_order_relaxed);

    return (word & bits) == bits;
}

bool known_filter_has(const struct known_filter *filter, uint64_t hash)
{
    return generation_has(filter, 0, hash) || generation_has(filter, 1, hash);
}

static void generation_insert(struct known_filter *filter, unsigned generation, uint64_t hash)
{
    _Atomic uint64_t *word = &filter->words[generation][word_of(hash)];
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed) | bloom_bits(hash);

    atomic_store_explicit(word, bits, memory_order_relaxed);
}

static void generation_clear(struct known_filter *filter, unsigned generation)
{
    for (size_t i = 0; i < KNOWN_FILTER_WORDS; i++) {
        atomic_store_explicit(&filter->words[generation][i], 0, memory_order_relaxed);
    }
}

/* --- Files --- */

static uint64_t check_of(const struct known_domains *known, const void *data, size_t len)
{
    return hash_bytes(&known->filter->secret, (struct bytes){data, len});
}

static struct text path_with(const struct known_domains *known, const char *suffix)
{
    struct text path = {0};

    text_append_format(&path, "%s%s", known->path, suffix);
    return path;
}

static void close_file(struct known_domains *known)
{
    if (known->fd >= 0) {
        (void)close(known->fd);
    }
    known->fd = -1;
}

/* There is no file from now on. */
static void give_up(struct known_domains *known, const char *what, int error)
{
    log_error("new domains are not remembered over a restart", "file", known->path, "what", what,
              "error", strerror(error), NULL);
    close_file(known);
    free(known->path);
    known->path = NULL;
}

/* Write to the end of the file. Returns whether that has succeeded; if not, nothing is written, and
 * it can be tried again. */
static bool append(struct known_domains *known, const void *data, size_t len)
{
    ssize_t written = write(known->fd, data, len);

    if (written == (ssize_t)len) {
        known->size += written;
        known->reported = false;
        return true;
    }
    int error = written < 0 ? errno : ENOSPC;
    if (ftruncate(known->fd, known->size) < 0) { /* a record in part would be damage */
        give_up(known, "truncate", errno);
    } else if (!known->reported) {
        log_error("known domains cannot be saved, trying again", "file", known->path, "error",
                  strerror(error), NULL);
        known->reported = true;
    }
    return false;
}

static bool append_header(struct known_domains *known)
{
    struct header header = {.secret = known->filter->secret, .begun = known->begun};

    memcpy(header.magic, MAGIC, sizeof header.magic);
    header.check = check_of(known, &header, offsetof(struct header, check));
    return append(known, &header, sizeof header);
}

/* Open the newer generation's file, which no other process may have. */
static bool lock_file(struct known_domains *known)
{
    known->fd = open(known->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (known->fd < 0) {
        give_up(known, "open", errno);
        return false;
    }
    if (flock(known->fd, LOCK_EX | LOCK_NB) < 0) {
        give_up(known, "another process has it", errno);
        return false;
    }
    return true;
}

/* A new file gets its header; where that fails, when something is saved. */
static void open_file(struct known_domains *known)
{
    struct stat found;

    if (!lock_file(known)) {
        return;
    }
    if (fstat(known->fd, &found) < 0) {
        give_up(known, "open", errno);
        return;
    }
    known->size = found.st_size;
    if (known->size == 0) {
        (void)append_header(known);
    }
}

static bool copy_bytes(FILE *from, FILE *to, off_t len)
{
    char block[4096];
    bool complete = true;

    while (complete && len > 0) {
        size_t want = len < (off_t)sizeof block ? (size_t)len : sizeof block;
        complete = fread(block, 1, want, from) == want && fwrite(block, 1, want, to) == want;
        len -= (off_t)want;
    }
    return complete;
}

/* Create a file that only we can read: it has the secret. */
static FILE *create_private(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (file == NULL && fd >= 0) {
        (void)close(fd);
    }
    return file;
}

/* Copy the first `len` bytes of a file to a new one. Returns whether it is complete. */
static bool copy_begin(const char *from_path, const char *to_path, off_t len)
{
    FILE *from = fopen(from_path, "re");
    FILE *to = create_private(to_path);
    bool complete = from != NULL && to != NULL && copy_bytes(from, to, len);

    if (from != NULL) {
        (void)fclose(from);
    }
    if (to != NULL) {
        complete &= fclose(to) == 0;
    }
    return complete;
}

/* Rename a damaged file, and begin another with its first `sound` bytes. */
static void set_aside(struct known_domains *known, const char *path, off_t sound)
{
    struct text aside = {0};
    char bytes[24];

    text_append_format(&aside, "%s.damaged", path);
    (void)snprintf(bytes, sizeof bytes, "%lld", (long long)sound);
    log_warn("file of known domains is damaged and set aside", "file", path, "set_aside",
             text_string(&aside), "sound_bytes", bytes, NULL);
    if (rename(path, text_string(&aside)) < 0) {
        give_up(known, "rename", errno);
    } else if (sound > 0 && !copy_begin(text_string(&aside), path, sound)) {
        int error = errno;
        (void)unlink(path); /* a part of it would be damage */
        give_up(known, "copy", error);
    }
    text_deinit(&aside);
}

/* The newer file decides on the secret and the begin, or the older one if the newer has no header
 * yet; the other has to have the same. */
static bool take_header(struct known_domains *known, const struct header *header)
{
    struct hash_key *secret = &known->filter->secret;
    struct hash_key drawn = *secret;

    if (memcmp(header->magic, MAGIC, sizeof header->magic) != 0) {
        return false;
    }
    if (known->has_header) {
        return header->secret.k0 == secret->k0 && header->secret.k1 == secret->k1;
    }
    *secret = header->secret;
    if (header->check != check_of(known, header, offsetof(struct header, check))) {
        *secret = drawn;
        return false;
    }
    known->begun = header->begun;
    known->has_header = true;
    return true;
}

/* Read the records into a generation. Returns how many bytes are sound. */
static off_t read_records(struct known_domains *known, FILE *file, unsigned generation,
                          size_t *count)
{
    struct record record;
    off_t sound = sizeof(struct header);

    while (fread(&record, sizeof record, 1, file) == 1 &&
           record.check == check_of(known, &record.hash, sizeof record.hash)) {
        generation_insert(known->filter, generation, record.hash);
        *count += 1;
        sound += (off_t)sizeof record;
    }
    return sound;
}

static void load_file(struct known_domains *known, const char *path, unsigned generation,
                      size_t *count)
{
    FILE *file = fopen(path, "re");
    struct header header;
    struct stat found;
    off_t sound = 0;

    if (file == NULL) {
        if (errno != ENOENT) {
            give_up(known, "open", errno);
        }
        return;
    }
    if (fread(&header, sizeof header, 1, file) == 1 && take_header(known, &header)) {
        sound = read_records(known, file, generation, count);
    }
    bool is_sound = fstat(fileno(file), &found) == 0 && sound == found.st_size;
    (void)fclose(file);
    if (!is_sound) {
        set_aside(known, path, sound);
    }
}

static void load(struct known_domains *known)
{
    struct text old = path_with(known, ".old");
    size_t older_count = 0;

    if (!lock_file(known)) {
        text_deinit(&old);
        return;
    }
    load_file(known, known->path, known->newer, &known->newer_count);
    if (known->path != NULL) {
        load_file(known, text_string(&old), !known->newer, &older_count);
    }
    text_deinit(&old);
    if (known->path != NULL) {
        close_file(known); /* it may have been set aside */
        open_file(known);
    }
}

void known_domains_save(struct known_domains *known)
{
    size_t bytes = known->unsaved_count * sizeof known->unsaved[0];

    if (known->fd < 0 || bytes == 0) {
        known->unsaved_count = 0;
        return;
    }
    if ((known->size > 0 || append_header(known)) && append(known, known->unsaved, bytes)) {
        known->unsaved_count = 0;
    }
}

/* The newer generation becomes the older one. */
static void turn(struct known_domains *known)
{
    known->newer = !known->newer;
    known->newer_count = 0;
    generation_clear(known->filter, known->newer);
    known_domains_save(known);
    if (known->path != NULL) {
        struct text old = path_with(known, ".old");
        close_file(known);
        if (rename(known->path, text_string(&old)) == 0) {
            open_file(known);
        } else {
            give_up(known, "rename", errno);
        }
        text_deinit(&old);
    }
}

/* --- Domains --- */

static void insert(struct known_domains *known, uint64_t hash)
{
    struct record record = {.hash = hash, .check = check_of(known, &hash, sizeof hash)};

    generation_insert(known->filter, known->newer, hash);
    known->newer_count++;
    if (known->unsaved_count == UNSAVED_MAX) {
        known_domains_save(known);
    }
    if (known->unsaved_count < UNSAVED_MAX) {
        known->unsaved[known->unsaved_count++] = record;
    }
    if (known->newer_count >= KNOWN_DOMAINS_MAX) {
        turn(known);
    }
}

bool known_domains_insert(struct known_domains *known, struct bytes domain)
{
    uint64_t hash = known_filter_hash(known->filter, domain);

    if (generation_has(known->filter, known->newer, hash)) {
        return false;
    }
    bool is_new = !generation_has(known->filter, !known->newer, hash);
    insert(known, hash);
    return is_new;
}

uint64_t known_domains_begun(const struct known_domains *known)
{
    return known->begun;
}

int known_domains_create(struct known_domains **out, const char *path, struct known_filter *filter)
{
    struct known_domains *known = calloc(1, sizeof *known);

    if (known == NULL) {
        return -ENOMEM;
    }
    known->fd = -1;
    known->begun = clock_realtime_ns() / NS_PER_SECOND;
    known->filter = filter;
    known->path = path != NULL ? strdup(path) : NULL;
    if ((path != NULL && known->path == NULL) || hash_key_draw(&filter->secret) < 0) {
        known_domains_free(known);
        return -ENOMEM;
    }
    if (path != NULL) {
        load(known);
    }
    *out = known;
    return 0;
}

void known_domains_free(struct known_domains *known)
{
    if (known != NULL) {
        known_domains_save(known);
        close_file(known);
        free(known->path);
        free(known);
    }
}
