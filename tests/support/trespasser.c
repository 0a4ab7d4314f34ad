/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into the exporter, this does what somebody else's code in the process would do. On SIGUSR1
 * it tries files, ports and system calls, and writes what came of each to a file that was opened
 * before the sandbox was there. On SIGUSR2 it runs another program. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int results = -1;

/* Descriptors are closed, so that the exporter is as before. */
static int result_of(int fd)
{
    int result = fd < 0 ? errno : 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

static int open_file(const char *variable, int flags)
{
    return result_of(open(getenv(variable), flags | O_CLOEXEC, 0600));
}

static int connect_to(const char *variable)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr = {htonl(INADDR_LOOPBACK)},
        .sin_port = htons((uint16_t)atoi(getenv(variable))),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;

    (void)close(fd);
    return result;
}

static int try_fork(void)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(EXIT_SUCCESS);
    }
    return child < 0 || waitpid(child, NULL, 0) < 0 ? errno : 0;
}

static int map_memory(int protection)
{
    void *memory = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? errno : -munmap(memory, 4096);
}

static void report(const char *what, int result)
{
    (void)dprintf(results, "%s %s\n", what, result == 0 ? "done" : strerrorname_np(result));
}

static void try_all(int signal)
{
    int before = errno;

    (void)signal;
    report("read_secret", open_file("TRESPASS_SECRET", O_RDONLY));
    report("read_configuration", open_file("TRESPASS_CONFIGURATION", O_RDONLY));
    report("write_configuration", open_file("TRESPASS_CONFIGURATION", O_WRONLY));
    report("make_file", open_file("TRESPASS_NEW", O_WRONLY | O_CREAT));
    report("make_archive_file", open_file("TRESPASS_ARCHIVE", O_WRONLY | O_CREAT));
    report("connect_other_port", connect_to("TRESPASS_PORT"));
    report("connect_output_port", connect_to("TRESPASS_OUTPUT_PORT"));
    report("packet_socket", result_of(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)));
    report("netlink_socket", result_of(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)));
    report("memfd_create", result_of((int)syscall(SYS_memfd_create, "x", 0U)));
    report("setsid", setsid() < 0 ? errno : 0);
    report("fork", try_fork());
    report("write_and_execute", map_memory(PROT_READ | PROT_WRITE | PROT_EXEC));
    report("execute", map_memory(PROT_READ | PROT_EXEC)); /* as of a library */
    (void)dprintf(results, "end\n");
    errno = before;
}

static void run_program(int signal)
{
    char program[] = "/bin/true";
    char *const arguments[] = {program, NULL};

    (void)signal;
    (void)execv(program, arguments);
}

static __attribute__((constructor)) void wait_for_signals(void)
{
    struct sigaction trespass = {.sa_handler = try_all, .sa_flags = SA_RESTART};
    struct sigaction run = {.sa_handler = run_program};
    const char *path = getenv("TRESPASS_RESULTS");

    results = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    (void)sigaction(SIGUSR1, &trespass, NULL);
    (void)sigaction(SIGUSR2, &run, NULL);
}
