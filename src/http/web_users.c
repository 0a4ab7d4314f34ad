/* SPDX-License-Identifier: Apache-2.0 */
#include "web_users_internal.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "http/web_config.h"

#define KEY_SIZE    32 /* bytes of a key of HMAC-SHA-256 */
#define DIGEST_SIZE 32 /* of HMAC-SHA-256 */

/* A user's password, once it has been verified. */
struct verified {
    bool known;
    unsigned char digest[DIGEST_SIZE];
};

struct web_users {
    const struct config_strings *users; /* "NAME:HASH" */
    const char *slowest_hash;    /* the hash that takes longest, for users that do not exist */
    unsigned char key[KEY_SIZE]; /* of the digests */
    struct crypt_data crypt;     /* of the thread that verifies */
    pthread_mutex_t lock;        /* over the rest */
    struct verified *verified;   /* [users->count] */
};

static const char *hash_of(const struct web_users *users, size_t user)
{
    return strrchr(users->users->items[user], ':') + 1;
}

int web_users_create(struct web_users **out, const struct config_strings *users)
{
    struct web_users *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return -ENOMEM;
    }
    made->users = users;
    (void)pthread_mutex_init(&made->lock, NULL);
    made->verified = calloc(users->count + (size_t)1, sizeof *made->verified);
    if (made->verified == NULL || gnutls_rnd(GNUTLS_RND_KEY, made->key, KEY_SIZE) < 0) {
        web_users_free(made);
        return -ENOMEM;
    }
    for (size_t i = 0; i < users->count; i++) {
        const char *hash = hash_of(made, i);
        if (made->slowest_hash == NULL ||
            strncmp(hash + WEB_HASH_COST_AT, made->slowest_hash + WEB_HASH_COST_AT, 2) > 0) {
            made->slowest_hash = hash;
        }
    }
    *out = made;
    return 0;
}

void web_users_free(struct web_users *users)
{
    if (users != NULL) {
        free(users->verified);
        (void)pthread_mutex_destroy(&users->lock);
        free(users);
    }
}

/* The user's number, or users->count where there is none; looks at all of them in either case. */
static size_t find_user(const struct web_users *users, const char *name)
{
    size_t len = strlen(name);
    size_t found = users->users->count;

    for (size_t i = 0; i < users->users->count; i++) {
        const char *user = users->users->items[i];
        if (strncmp(user, name, len) == 0 && user[len] == ':') {
            found = i;
        }
    }
    return found;
}

static bool digest_of(const struct web_users *users, const char *password,
                      unsigned char out[DIGEST_SIZE])
{
    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, users->key, KEY_SIZE, password, strlen(password),
                            out) >= 0;
}

bool web_users_is_verified(struct web_users *users, const char *name, const char *password)
{
    unsigned char digest[DIGEST_SIZE];
    size_t found = find_user(users, name);

    if (found == users->users->count || !digest_of(users, password, digest)) {
        return false;
    }
    const struct verified *verified = &users->verified[found];
    (void)pthread_mutex_lock(&users->lock);
    bool same = verified->known && gnutls_memcmp(digest, verified->digest, DIGEST_SIZE) == 0;
    (void)pthread_mutex_unlock(&users->lock);
    return same;
}

static void web_users_remember(struct web_users *users, size_t user, const char *password)
{
    struct verified verified = {.known = true};

    if (digest_of(users, password, verified.digest)) {
        (void)pthread_mutex_lock(&users->lock);
        users->verified[user] = verified;
        (void)pthread_mutex_unlock(&users->lock);
    }
}

bool web_users_verify(struct web_users *users, const char *name, const char *password)
{
    size_t found = find_user(users, name);
    bool exists = found < users->users->count;
    const char *hash = exists ? hash_of(users, found) : users->slowest_hash;
    const char *made = crypt_rn(password, hash, &users->crypt, sizeof users->crypt);
    bool right = exists && made != NULL && strlen(made) == strlen(hash) &&
                 gnutls_memcmp(made, hash, strlen(hash)) == 0;

    if (right) {
        web_users_remember(users, found, password);
    }
    return right;
}

void web_users_inherit(struct web_users *users, struct web_users *from)
{
    memcpy(users->key, from->key, KEY_SIZE);
    (void)pthread_mutex_lock(&from->lock);
    for (size_t i = 0; i < users->users->count; i++) {
        for (size_t j = 0; j < from->users->count; j++) {
            if (strcmp(users->users->items[i], from->users->items[j]) == 0) {
                users->verified[i] = from->verified[j];
            }
        }
    }
    (void)pthread_mutex_unlock(&from->lock);
}
