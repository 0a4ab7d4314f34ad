/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "landlock_internal.h"
#include "system_calls_internal.h"
#include "violations_internal.h"

struct allowed_path {
    char *path; /* as realpath(3) has it */
    unsigned access;
};

struct sandbox {
    enum sandbox_mode mode;
    struct sandbox_state state;
    int rules;                  /* of Landlock, not in force yet; -1: none */
    bool has_network_rules;     /* the kernel knows rules on ports */
    struct allowed_path *paths; /* [path_count] */
    size_t path_count;
    uint8_t ports[(UINT16_MAX + 1) / 8]; /* a bit for each to which connections are allowed */
};

static void sandbox_close_rules(struct sandbox *sandbox)
{
    if (sandbox->rules >= 0) {
        (void)close(sandbox->rules);
    }
    sandbox->rules = -1;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (sandbox == NULL) {
        return;
    }
    sandbox_close_rules(sandbox);
    for (size_t i = 0; i < sandbox->path_count; i++) {
        free(sandbox->paths[i].path);
    }
    free(sandbox->paths);
    free(sandbox);
}

/* --- Paths --- */

/* The path becomes the sandbox's. */
static int sandbox_remember(struct sandbox *sandbox, char *path, unsigned access)
{
    struct allowed_path *grown = realloc(sandbox->paths, (sandbox->path_count + 1) * sizeof *grown);

    if (grown == NULL) {
        free(path);
        return -ENOMEM;
    }
    sandbox->paths = grown;
    sandbox->paths[sandbox->path_count++] = (struct allowed_path){path, access};
    return 0;
}

int sandbox_allow(struct sandbox *sandbox, const char *path, unsigned access)
{
    char *real = realpath(path, NULL);

    if (real == NULL) {
        return errno == ENOMEM ? -ENOMEM : 0;
    }
    landlock_allow(sandbox->rules, real, access);
    return sandbox_remember(sandbox, real, access);
}

int sandbox_create(struct sandbox **out, enum sandbox_mode mode)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    int result = 0;

    if (sandbox == NULL) {
        return -ENOMEM;
    }
    sandbox->mode = mode;
    sandbox->rules = landlock_open(mode == SANDBOX_SERVE, &sandbox->has_network_rules);
    for (size_t i = 0; sanitizer_paths[i] != NULL && result == 0; i++) {
        result = sandbox_allow(sandbox, sanitizer_paths[i], SANDBOX_READ);
    }
    if (result < 0) {
        sandbox_free(sandbox);
        return result;
    }
    *out = sandbox;
    return 0;
}

/* The folder that has the path's last part; the caller frees it. NULL: no memory. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int allow_folder(struct sandbox *sandbox, const char *path, unsigned access)
{
    char *folder = folder_of(path);

    if (folder == NULL) {
        return -ENOMEM;
    }
    char *real = realpath(folder, NULL);
    bool is_root = real != NULL && strcmp(real, "/") == 0; /* all files are below it */
    int result = sandbox_allow(sandbox, is_root ? path : folder, access);
    free(real);
    free(folder);
    return result;
}

int sandbox_allow_folder_of(struct sandbox *sandbox, const char *path, unsigned access)
{
    char *real = realpath(path, NULL);
    int result = real != NULL || errno != ENOMEM ? allow_folder(sandbox, path, access) : -ENOMEM;

    if (result == 0 && real != NULL) {
        result = allow_folder(sandbox, real, access);
    }
    free(real);
    return result;
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 &&
           (path[len] == '\0' || path[len] == '/' || strcmp(folder, "/") == 0);
}

static unsigned access_to(const struct sandbox *sandbox, const char *real)
{
    unsigned access = 0;

    for (size_t i = 0; i < sandbox->path_count; i++) {
        if (is_at_or_below(real, sandbox->paths[i].path)) {
            access |= sandbox->paths[i].access;
        }
    }
    return access;
}

/* What a path is, or the folder where it would be; NULL: there is none. The caller frees it. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    char *folder = real == NULL ? folder_of(path) : NULL;

    if (folder != NULL) {
        real = realpath(folder, NULL);
    }
    free(folder);
    return real;
}

bool sandbox_allows(const struct sandbox *sandbox, const char *path, unsigned access)
{
    char *real = sandbox->state.files ? resolve(path) : NULL;
    bool allows = real == NULL || (access_to(sandbox, real) & access) == access;

    free(real);
    return allows;
}

/* --- In force --- */

void sandbox_allow_port(struct sandbox *sandbox, uint16_t port)
{
    landlock_allow_port(sandbox->rules, port);
    sandbox->ports[port / 8] |= (uint8_t)(1U << port % 8);
}

bool sandbox_allows_port(const struct sandbox *sandbox, uint16_t port)
{
    return !sandbox->state.network || (sandbox->ports[port / 8] >> port % 8 & 1) != 0;
}

void sandbox_restrict_files(struct sandbox *sandbox)
{
    struct sandbox_state *state = &sandbox->state;

    state->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0;
    state->files = landlock_restrict(sandbox->rules);
    state->network = state->files && sandbox->has_network_rules;
    sandbox_close_rules(sandbox);
}

void sandbox_restrict_calls(struct sandbox *sandbox)
{
    sandbox->state.system_calls = system_calls_restrict(sandbox->mode) == 0;
}

const struct sandbox_state *sandbox_state_of(const struct sandbox *sandbox)
{
    return &sandbox->state;
}

/* --- Violations --- */

uint64_t sandbox_violations(void)
{
    return violations_count();
}

bool sandbox_next_violation(char name[SANDBOX_CALL_SIZE])
{
    int number = violations_next();

    if (number >= 0) {
        system_calls_print(number, name);
    }
    return number >= 0;
}
