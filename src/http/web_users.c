/* SPDX-License-Identifier: Apache-2.0 */
#include "web_users_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "http/web_config.h"
#include "password_hash_internal.h"

/* A user's password, once it has been verified: two keyed hashes of it. */
struct verified {
    bool known;
    uint64_t hashes[2];
};

struct web_users {
    const struct config_strings *users; /* "NAME:HASH" */
    const char *slowest_hash;  /* the hash that takes longest, for users that do not exist */
    struct hash_key keys[2];   /* of the verified passwords */
    pthread_mutex_t lock;      /* over the rest */
    struct verified *verified; /* [users->count] */
};

static const char *hash_of(const struct web_users *users, size_t user)
{
    return strrchr(users->users->items[user], ':') + 1;
}

int web_users_create(struct web_users **out, const struct config_strings *users, struct text *error)
{
    struct web_users *made = calloc(1, sizeof *made);
    int result = 0;

    if (made == NULL) {
        return -ENOMEM;
    }
    if (!password_hash_is_available) {
        text_append_string(error, "basic_auth_users: this build has no libxcrypt");
        result = -EINVAL;
    }
    made->users = users;
    (void)pthread_mutex_init(&made->lock, NULL);
    made->verified = calloc(users->count + (size_t)1, sizeof *made->verified);
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        result = hash_key_draw(&made->keys[i]);
    }
    if (result == 0 && made->verified == NULL) {
        result = -ENOMEM;
    }
    if (result < 0) {
        web_users_free(made);
        return result;
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

static struct verified verified_as(const struct web_users *users, const char *password)
{
    struct bytes bytes = bytes_of_string(password);

    return (struct verified){
        .known = true,
        .hashes = {hash_bytes(&users->keys[0], bytes), hash_bytes(&users->keys[1], bytes)},
    };
}

bool web_users_is_verified(struct web_users *users, const char *name, const char *password)
{
    size_t found = find_user(users, name);

    if (found == users->users->count) {
        return false;
    }
    const struct verified asked = verified_as(users, password);
    const struct verified *verified = &users->verified[found];
    (void)pthread_mutex_lock(&users->lock);
    uint64_t difference = (asked.hashes[0] ^ verified->hashes[0]) |
                          (asked.hashes[1] ^ verified->hashes[1]);
    bool same = verified->known && difference == 0;
    (void)pthread_mutex_unlock(&users->lock);
    return same;
}

bool web_users_verify(struct web_users *users, const char *name, const char *password)
{
    size_t found = find_user(users, name);
    bool exists = found < users->users->count;
    const char *hash = exists ? hash_of(users, found) : users->slowest_hash;
    bool is_right = password_hash_verify(password, hash) && exists;

    if (is_right) {
        const struct verified verified = verified_as(users, password);
        (void)pthread_mutex_lock(&users->lock);
        users->verified[found] = verified;
        (void)pthread_mutex_unlock(&users->lock);
    }
    return is_right;
}

void web_users_inherit(struct web_users *users, struct web_users *from)
{
    memcpy(users->keys, from->keys, sizeof users->keys);
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
