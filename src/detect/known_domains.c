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

#define WORDS       ((size_t)1 << 17) /* of a generation: 1 MiB */
#define UNSAVED_MAX 512               /* records that wait to be written */

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

static const char magic[16] = "dnstap domains 1";

struct known_domains {
    struct hash_key secret;
    uint64_t begun;
    uint64_t *newer, *older; /* [WORDS] */
    size_t newer_count;
    char *path; /* NULL: there is no file */
    int fd;     /* -1: none */
    off_t size; /* of what is sound in it */
    bool reported;
    unsigned unsaved_count;
    struct record unsaved[UNSAVED_MAX];
};

size_t known_domains_memory(void)
{
    return sizeof(struct known_domains) + 2 * WORDS * sizeof(uint64_t);
}

/* --- The filter --- */

static uint64_t *word_of(uint64_t *words, uint64_t hash)
{
    return &words[hash >> 32 & (WORDS - 1)];
}

static bool has(uint64_t *words, uint64_t hash)
{
    uint64_t bits = bloom_bits(hash);

    return (*word_of(words, hash) & bits) == bits;
}

/* --- Files --- */

static uint64_t check_of(const struct known_domains *known, const void *data, size_t len)
{
    return hash_bytes(&known->secret, (struct bytes){data, len});
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
}

static void write_header(struct known_domains *known)
{
    struct header header = {.secret = known->secret, .begun = known->begun};

    errno = 0;
    memcpy(header.magic, magic, sizeof magic);
    header.check = check_of(known, &header, offsetof(struct header, check));
    if (write(known->fd, &header, sizeof header) != sizeof header) {
        give_up(known, "write", errno != 0 ? errno : ENOSPC);
        return;
    }
    known->size = sizeof header;
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

/* A new file gets its header. */
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
        write_header(known);
    }
}

/* Rename a damaged file, and begin another with its first `sound` bytes. */
static void set_aside(struct known_domains *known, const char *path, off_t sound)
{
    struct text aside = {0};
    char bytes[24];
    char block[4096];

    text_append_format(&aside, "%s.damaged", path);
    (void)snprintf(bytes, sizeof bytes, "%lld", (long long)sound);
    log_warn("file of known domains is damaged and set aside", "file", path, "set_aside",
             text_string(&aside), "sound_bytes", bytes, NULL);
    if (rename(path, text_string(&aside)) < 0) {
        give_up(known, "rename", errno);
    } else if (sound > 0) {
        FILE *from = fopen(text_string(&aside), "re");
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* it has the secret */
        FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
        while (from != NULL && to != NULL && sound > 0) {
            size_t want = sound < (off_t)sizeof block ? (size_t)sound : sizeof block;
            size_t got = fread(block, 1, want, from);
            sound = got == want && fwrite(block, 1, got, to) == got ? sound - (off_t)got : 0;
        }
        if (from != NULL) {
            (void)fclose(from);
        }
        if (to != NULL) {
            (void)fclose(to);
        }
    }
    text_deinit(&aside);
}

/* The newer file decides on the secret and the begin; that of the older one has to have the same.
 */
static bool take_header(struct known_domains *known, const struct header *header, bool decides)
{
    struct hash_key secret = known->secret;

    if (memcmp(header->magic, magic, sizeof magic) != 0) {
        return false;
    }
    if (!decides) {
        return header->secret.k0 == secret.k0 && header->secret.k1 == secret.k1;
    }
    known->secret = header->secret;
    if (header->check != check_of(known, header, offsetof(struct header, check))) {
        known->secret = secret;
        return false;
    }
    known->begun = header->begun;
    return true;
}

/* Read the records into `words`. Returns how many bytes are sound. */
static off_t read_records(struct known_domains *known, FILE *file, uint64_t *words, size_t *count)
{
    struct record record;
    off_t sound = sizeof(struct header);

    while (fread(&record, sizeof record, 1, file) == 1 &&
           record.check == check_of(known, &record.hash, sizeof record.hash)) {
        *word_of(words, record.hash) |= bloom_bits(record.hash);
        *count += 1;
        sound += (off_t)sizeof record;
    }
    return sound;
}

static void load_file(struct known_domains *known, const char *path, uint64_t *words, size_t *count,
                      bool decides)
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
    if (fread(&header, sizeof header, 1, file) == 1 && take_header(known, &header, decides)) {
        sound = read_records(known, file, words, count);
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
    load_file(known, known->path, known->newer, &known->newer_count, true);
    load_file(known, text_string(&old), known->older, &older_count, false);
    text_deinit(&old);
    close_file(known); /* it may have been set aside */
    open_file(known);
}

void known_domains_save(struct known_domains *known)
{
    size_t bytes = known->unsaved_count * sizeof known->unsaved[0];

    if (known->fd < 0 || bytes == 0) {
        known->unsaved_count = 0;
        return;
    }
    ssize_t written = write(known->fd, known->unsaved, bytes);
    if (written == (ssize_t)bytes) {
        known->size += written;
        known->unsaved_count = 0;
        known->reported = false;
        return;
    }
    int error = written < 0 ? errno : ENOSPC;
    if (ftruncate(known->fd, known->size) < 0) { /* a record in part would be damage */
        give_up(known, "truncate", errno);
    } else if (!known->reported) {
        log_error("known domains cannot be saved, trying again", "file", known->path, "error",
                  strerror(error), NULL);
        known->reported = true;
    }
}

/* The newer generation becomes the older one. */
static void turn(struct known_domains *known)
{
    uint64_t *words = known->older;

    known->older = known->newer;
    known->newer = words;
    known->newer_count = 0;
    memset(words, 0, WORDS * sizeof *words);
    if (known->fd >= 0) {
        struct text old = path_with(known, ".old");
        known_domains_save(known);
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

    *word_of(known->newer, hash) |= bloom_bits(hash);
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
    uint64_t hash = hash_bytes(&known->secret, domain);

    if (has(known->newer, hash)) {
        return false;
    }
    bool is_new = !has(known->older, hash);
    insert(known, hash);
    return is_new;
}

uint64_t known_domains_begun(const struct known_domains *known)
{
    return known->begun;
}

int known_domains_create(struct known_domains **out, const char *path)
{
    struct known_domains *known = calloc(1, sizeof *known);

    if (known == NULL) {
        return -ENOMEM;
    }
    known->fd = -1;
    known->begun = clock_realtime_ns() / NS_PER_SECOND;
    known->newer = calloc(WORDS, sizeof *known->newer);
    known->older = calloc(WORDS, sizeof *known->older);
    known->path = path != NULL ? strdup(path) : NULL;
    if (known->newer == NULL || known->older == NULL || (path != NULL && known->path == NULL) ||
        hash_key_draw(&known->secret) < 0) {
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
        free(known->newer);
        free(known->older);
        free(known->path);
        free(known);
    }
}
