/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "detect/detector.h"
#include "detect/finding_command.h"
#include "support/random.h"
#include "support/wire_name.h"

#define BEGAN_S UINT64_C(1795942800) /* 2026-11-29T09:00:00Z */

static const struct client_privacy all_bits = {.ipv4_prefix = 32, .ipv6_prefix = 64};

static char archive[] = "/var/lib/dnstap_exporter/archive";
static char *archive_paths[] = {archive};
static const struct recordings of_archive = {archive_paths, 1};

/* Of a client and a domain, since a minute before it began. */
static struct finding finding_of(const struct detector *detector, const char *domain)
{
    struct finding finding = {
        .detector = detector,
        .client = {.len = 4, .data = {10, 1, 2, 3}},
        .since_ns = (BEGAN_S - 60) * NS_PER_SECOND + 1,
        .began_ns = BEGAN_S * NS_PER_SECOND,
    };
    uint8_t wire[DNS_NAME_MAX];

    if (domain != NULL) {
        finding_name_set(&finding.domain, wire_name(domain, wire));
    }
    return finding;
}

static void make(const struct finding *finding, const struct client_privacy *privacy,
                 const struct recordings *recordings, uint64_t since_1970_ns, struct text *out)
{
    struct finding_text names;

    finding_print(finding, privacy, &names);
    finding_command_append(finding, &names, recordings, since_1970_ns, out);
    assert_false(out->failed);
}

static void check(const struct finding *finding, const char *expected)
{
    struct text command = {0};

    make(finding, &all_bits, &of_archive, 0, &command);
    assert_string_equal(text_string(&command), expected);
    text_deinit(&command);
}

/* --- Filters --- */

static void test_filters(void **state)
{
    struct finding finding = finding_of(&detector_tunnel, "evil.example");

    (void)state;
    check(&finding, "dnstap_exporter print --client=10.1.2.3 --name=evil.example "
                    "--from=2026-11-29T08:58:50Z /var/lib/dnstap_exporter/archive");
    finding.ended_ns = (BEGAN_S + 600) * NS_PER_SECOND;
    check(&finding, "dnstap_exporter print --client=10.1.2.3 --name=evil.example "
                    "--from=2026-11-29T08:58:50Z --until=2026-11-29T09:10:01Z "
                    "/var/lib/dnstap_exporter/archive");
    finding.client.len = 0;
    check(&finding, "dnstap_exporter print --name=evil.example --from=2026-11-29T08:58:50Z "
                    "--until=2026-11-29T09:10:01Z /var/lib/dnstap_exporter/archive");
}

/* What each detector looks at. */
static void test_detectors(void **state)
{
    static const char *const looks_at[DETECTOR_COUNT] = {
        [DETECTOR_nxdomain_domain] = " --rcode=NXDOMAIN",
        [DETECTOR_nxdomain_client] = " --rcode=NXDOMAIN",
        [DETECTOR_tunnel] = "",
        [DETECTOR_amplification] = "",
        [DETECTOR_rebinding] = " --type=A --type=AAAA",
        [DETECTOR_new_domain] = "",
        [DETECTOR_block_list] = " --name=a.example --name=b.example",
    };
    uint8_t wire[DNS_NAME_MAX];
    char expected[256];

    (void)state;
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        struct finding finding = finding_of(detector_at(i), NULL);
        finding_name_set(&finding.examples[0], wire_name("a.example", wire));
        finding_name_set(&finding.examples[1], wire_name("b.example", wire));
        (void)snprintf(expected, sizeof expected,
                       "dnstap_exporter print --client=10.1.2.3%s --from=2026-11-29T08:58:50Z "
                       "/var/lib/dnstap_exporter/archive",
                       looks_at[i]);
        print_message("  %s\n", detector_at(i)->name);
        check(&finding, expected);
    }
}

static void test_networks(void **state)
{
    const struct client_privacy networks = {.ipv4_prefix = 24, .ipv6_prefix = 48};
    struct finding finding = finding_of(&detector_tunnel, "evil.example");
    struct text command = {0};

    (void)state;
    finding.client.data[3] = 0;
    make(&finding, &networks, &of_archive, 0, &command);
    assert_non_null(strstr(command.data, " --client=10.1.2.0/24 "));
    text_clear(&command);
    finding.client_prefix = 16; /* of amplification */
    finding.client.data[2] = 0;
    make(&finding, &networks, &of_archive, 0, &command);
    assert_non_null(strstr(command.data, " --client=10.1.0.0/16 "));
    text_clear(&command);
    finding.client_prefix = 0;
    finding.client = (struct client_key){.len = 16, .data = {0x20, 0x01, 0x0d, 0xb8}};
    make(&finding, &all_bits, &of_archive, 0, &command);
    assert_non_null(strstr(command.data, " --client=2001:db8::/64 "));
    text_deinit(&command);
}

/* --- Times --- */

/* A live evaluation has a clock of its own, which begins with the machine: rebinding may ask for
 * minutes before. */
static void test_clock(void **state)
{
    struct finding finding = finding_of(&detector_tunnel, "evil.example");
    struct text command = {0};

    (void)state;
    finding.since_ns = 0;
    finding.began_ns = 5 * NS_PER_SECOND;
    finding.ended_ns = 7 * NS_PER_SECOND;
    make(&finding, &all_bits, &of_archive, BEGAN_S * NS_PER_SECOND, &command);
    assert_non_null(strstr(command.data, " --from=2026-11-29T08:59:50Z "
                                         "--until=2026-11-29T09:00:08Z "));
    text_clear(&command);
    make(&finding, &all_bits, &of_archive, 0, &command); /* frames with times of no sense */
    assert_non_null(strstr(command.data, " --from=1970-01-01T00:00:01Z "));
    text_deinit(&command);
}

/* --- Recordings --- */

static void check_paths(char *const *paths, size_t count, const char *expected)
{
    const struct recordings recordings = {paths, count};
    struct finding finding = finding_of(&detector_tunnel, NULL);
    struct text command = {0};

    make(&finding, &all_bits, &recordings, 0, &command);
    if (expected == NULL) {
        assert_int_equal(command.len, 0);
    } else {
        assert_string_equal(strstr(command.data, "Z ") + 2, expected);
    }
    text_deinit(&command);
}

static void test_recordings(void **state)
{
    char plain[] = "a.fstrm", flag[] = "-a.fstrm", blank[] = "my files/a b.fstrm", input[] = "-";
    char other_script[] = "\xc3\xa4.fstrm", no_text[] = "\xff.fstrm", control[] = "a\nb.fstrm";
    char quote[] = "a'b.fstrm", backslash[] = "a\\b.fstrm";
    char *paths[] = {plain, flag, blank, other_script};
    char *with_input[] = {plain, input}, *with_bytes[] = {no_text}, *with_control[] = {control};
    char *with_quote[] = {quote}, *with_backslash[] = {backslash};

    (void)state;
    check_paths(paths, 4, "a.fstrm ./-a.fstrm 'my files/a b.fstrm' '\xc3\xa4.fstrm'");
    check_paths(with_input, 2, NULL);
    check_paths(with_bytes, 1, NULL);
    check_paths(with_control, 1, NULL);
    check_paths(with_quote, 1, NULL);
    check_paths(with_backslash, 1, NULL);
    check_paths(NULL, 0, NULL);
}

/* No recording has the number of a client, and without it the command would show other clients. */
static void test_hashed_client(void **state)
{
    const struct client_privacy hashed = {.ipv4_prefix = 32, .ipv6_prefix = 128, .hashed = true};
    struct finding finding = finding_of(&detector_tunnel, "evil.example");
    struct text command = {0};

    (void)state;
    finding.client.len = 8;
    make(&finding, &hashed, &of_archive, 0, &command);
    assert_int_equal(command.len, 0);
}

/* --- Names that attackers choose --- */

/* Give the command's words to `print`, as a shell reads them: each ends in a NUL. Returns how many
 * bytes they have. */
static size_t run_shell(const char *command, char *out, size_t space)
{
    const char *const program = "dnstap_exporter print ";
    struct text script = {0};
    size_t len = 0;

    assert_memory_equal(command, program, strlen(program));
    text_append_format(&script, "exec printf '%%s\\0' %s\n", command + strlen(program));
    text_append_char(&script, '\0');
    char path[] = "/tmp/finding_command.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script.data, script.len - 1), (ssize_t)script.len - 1);
    (void)close(fd);
    char line[sizeof path + 16];
    (void)snprintf(line, sizeof line, "/bin/sh %s", path);
    FILE *shell = popen(line, "r"); // NOLINT(cert-env33-c): a shell is what is tested
    assert_non_null(shell);
    for (size_t got = 1; got > 0; len += got) {
        got = fread(out + len, 1, space - len, shell);
    }
    assert_int_equal(pclose(shell), 0);
    (void)unlink(path);
    text_deinit(&script);
    return len;
}

static unsigned count_words(const char *command)
{
    char words[16384];
    unsigned count = 0;
    size_t len = run_shell(command, words, sizeof words);

    for (size_t i = 0; i < len; i++) {
        count += words[i] == '\0';
    }
    return count;
}

/* Who copies it out of the log, with a backslash before what the log escapes, gets other words, and
 * runs nothing. */
static void check_as_logged(const char *command)
{
    struct text logged = {0};

    for (const char *at = command; *at != '\0'; at++) {
        if (*at == '\\' || *at == '"') {
            text_append_char(&logged, '\\');
        }
        text_append_char(&logged, *at);
    }
    assert_int_equal(count_words(logged.data), count_words(command));
    text_deinit(&logged);
}

/* The shell gives `print` a name that it reads as the one in the finding. */
static void check_name(struct bytes wire)
{
    struct finding finding = finding_of(&detector_tunnel, NULL);
    char words[8192];
    uint8_t read_back[DNS_NAME_MAX];
    struct text command = {0};

    finding_name_set(&finding.domain, wire);
    make(&finding, &all_bits, &of_archive, 0, &command);
    size_t len = run_shell(command.data, words, sizeof words);
    const char *word = words + strlen(words) + 1; /* behind --client */
    assert_memory_equal(word, "--name=", 7);
    assert_null(strchr(word, '\''));
    assert_int_equal(dns_name_parse(word + 7, read_back), wire.len);
    assert_memory_equal(read_back, wire.data, wire.len);
    word += strlen(word) + 1;
    assert_string_equal(word, "--from=2026-11-29T08:58:50Z");
    word += strlen(word) + 1;
    assert_string_equal(word, archive);
    assert_int_equal(word + strlen(word) + 1 - words, len);
    check_as_logged(command.data);
    text_deinit(&command);
}

static void test_attacks(void **state)
{
    static const char *const names[] = {
        "$(touch /tmp/owned).example",
        "`id`.example",
        "a;reboot.example",
        "a'b.example",
        "'.example",
        "'';id;''.example",
        "a\"b.example",
        "a b.example",
        "a\nid\n.example",
        "-rf.example",
        "--format=frames.example",
        "~.example",
        "*.example",
        "a\\.example",
        "$home.example",
        "#.example",
        "!!.example",
        "a&b|c>d<e.example",
        "{a,b}.example",
    };
    uint8_t wire[DNS_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_name(wire_name(names[i], wire));
    }
}

/* Names of 42 values each, so that each value is in one, and names of one value. */
static void test_each_byte(void **state)
{
    uint64_t sequence = 1;

    (void)state;
    for (unsigned first = 0; first < 256; first += 42) {
        uint8_t wire[44] = {42};
        for (unsigned i = 0; i < 42; i++) {
            wire[1 + i] = dns_name_lower((uint8_t)(first + i));
        }
        check_name((struct bytes){wire, sizeof wire});
    }
    for (unsigned i = 0; i < 50; i++) {
        uint8_t wire[DNS_NAME_MAX] = {0};
        for (size_t at = 0; at < 252; at += 63) {
            wire[at] = 62;
            for (size_t j = 1; j < 63; j++) {
                wire[at + j] = dns_name_lower((uint8_t)random_next(&sequence));
            }
        }
        check_name((struct bytes){wire, 253});
    }
}

/* The longest of names, of a byte that the quotes make longest. */
static void test_longest(void **state)
{
    uint8_t wire[DNS_NAME_MAX] = {0};

    (void)state;
    memset(wire, '\'', sizeof wire);
    wire[0] = wire[64] = wire[128] = 63;
    wire[192] = 61;
    wire[254] = 0;
    check_name((struct bytes){wire, sizeof wire});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),    cmocka_unit_test(test_detectors),
        cmocka_unit_test(test_networks),   cmocka_unit_test(test_clock),
        cmocka_unit_test(test_recordings), cmocka_unit_test(test_hashed_client),
        cmocka_unit_test(test_attacks),    cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
