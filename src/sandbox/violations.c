/* SPDX-License-Identifier: Apache-2.0 */
#include "violations_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define CALLS_MAX 1024 /* numbers of system calls; the kernel has some 470 */

/* Relaxed: numbers of their own. They are lock-free, which a signal handler needs. */
static _Atomic uint64_t refused;
static atomic_bool seen[CALLS_MAX];
static atomic_bool named[CALLS_MAX];

/* Written once, before the filter that leads to the handler. */
static struct fatal_call fatal[FATAL_CALLS_MAX];
static unsigned fatal_count;

/* Let the call return -EPERM. Returns false where we do not know the register. */
static bool set_result(void *context)
{
#if defined(__x86_64__)
    ucontext_t *registers = context;
    registers->uc_mcontext.gregs[REG_RAX] = -EPERM;
    return true;
#elif defined(__aarch64__)
    ucontext_t *registers = context;
    registers->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
    return true;
#else
    (void)context;
    return false;
#endif
}

static void write_text(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        return; /* nobody reads it: there is nothing else to do */
    }
}

static _Noreturn void end_process(const char *call)
{
    write_text("dnstap_exporter: the sandbox forbids the system call ");
    write_text(call);
    write_text(": the process ends\n");
    _exit(EXIT_FAILURE);
}

/* The one handler of the program: seccomp has no other way that counts. It calls nothing but
 * write(2) and _exit(2). */
static void handle_violation(int signal, siginfo_t *info, void *context)
{
    int number = info->si_syscall;
    int before = errno;

    (void)signal;
    for (unsigned i = 0; i < fatal_count; i++) {
        if (fatal[i].number == number) {
            end_process(fatal[i].name);
        }
    }
    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    if (number >= 0 && number < CALLS_MAX) {
        atomic_store_explicit(&seen[number], true, memory_order_relaxed);
    }
    if (!set_result(context)) {
        end_process("that was made");
    }
    errno = before;
}

int violations_catch(const struct fatal_call *calls, unsigned count)
{
    struct sigaction action = {.sa_sigaction = handle_violation, .sa_flags = SA_SIGINFO};

    fatal_count = count;
    memcpy(fatal, calls, fatal_count * sizeof fatal[0]);
    (void)sigfillset(&action.sa_mask);
    (void)sigdelset(&action.sa_mask, SIGSYS);
    return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}

uint64_t violations_count(void)
{
    return atomic_load_explicit(&refused, memory_order_relaxed);
}

int violations_next(void)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        if (atomic_load_explicit(&seen[i], memory_order_relaxed) &&
            !atomic_exchange_explicit(&named[i], true, memory_order_relaxed)) {
            return i;
        }
    }
    return -1;
}
