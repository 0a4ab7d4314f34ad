/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of findings; the documents as a whole are read by integration/test_top.py. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "json_format_internal.h"
#include "support/wire_name.h"

#define BEGAN_S UINT64_C(1795942800) /* 2026-11-29T09:00:00Z */
#define UP_S    UINT64_C(1000)       /* on the monotonic clock */

static const struct client_privacy all_bits = {.ipv4_prefix = 32, .ipv6_prefix = 64};

/* A name that needs quotes in a shell and escapes in JSON. */
static struct finding_name evil_name(void)
{
    struct finding_name name;
    uint8_t wire[DNS_NAME_MAX];

    finding_name_set(&name, wire_name("e'\"\\.example", wire));
    return name;
}

/* Write the findings: one that is active, one that has ended, one note. */
static const char *findings_document(const struct recordings *recordings, struct text *page)
{
    const struct client_key client = {.len = 4, .data = {10, 1, 2, 3}};
    struct finding active = {
        .detector = &detector_rebinding,
        .domain = evil_name(),
        .since_ns = (UP_S - 60) * NS_PER_SECOND,
        .began_ns = UP_S * NS_PER_SECOND,
    };
    struct finding ended = {
        .detector = &detector_nxdomain_client,
        .client = client,
        .since_ns = (UP_S - 30) * NS_PER_SECOND,
        .began_ns = UP_S * NS_PER_SECOND,
        .ended_ns = (UP_S + 900) * NS_PER_SECOND,
    };
    struct finding_note note = {
        .detector = &detector_new_domain,
        .client = client,
        .domain = evil_name(),
        .noted_ns = UP_S * NS_PER_SECOND,
    };
    const struct evaluator_view view = {
        .findings = &active,
        .finding_count = 1,
        .ended = &ended,
        .ended_count = 1,
        .notes = &note,
        .note_count = 1,
    };
    const struct scrape scrape = {
        .numbers = {.view = &view, .host_privacy = &all_bits, .recordings = recordings},
        .of_service = true,
        .since_1970_ns = (BEGAN_S - UP_S) * NS_PER_SECOND,
    };

    text_clear(page);
    assert_int_equal(json_format_write_findings(&scrape, 10, page), 0);
    return page->data;
}

static void test_commands(void **state)
{
    char folder[] = "/var/lib/my archive";
    char *paths[] = {folder};
    const struct recordings recordings = {paths, 1};
    struct text page = {0};
    const char *document = findings_document(&recordings, &page);

    (void)state;
    assert_non_null(strstr(document, "\"examples\":[],\"command\":\"dnstap_exporter print "
                                     "--name='e\\\\039\\\"\\\\092.example' --type=A --type=AAAA "
                                     "--from=2026-11-29T08:58:50Z '/var/lib/my archive'\"}"));
    assert_non_null(strstr(document, "\"command\":\"dnstap_exporter print --client=10.1.2.3 "
                                     "--rcode=NXDOMAIN --from=2026-11-29T08:59:20Z "
                                     "--until=2026-11-29T09:15:01Z '/var/lib/my archive'\"}"));
    assert_non_null(strstr(document, "\"noted\":\"2026-11-29T09:00:00Z\",\"command\":"
                                     "\"dnstap_exporter print --client=10.1.2.3 "
                                     "--name='e\\\\039\\\"\\\\092.example' "
                                     "--from=2026-11-29T08:59:50Z --until=2026-11-29T09:00:01Z "
                                     "'/var/lib/my archive'\"}"));
    text_deinit(&page);
}

static void test_without_recordings(void **state)
{
    const struct recordings none = {NULL, 0};
    struct text page = {0};
    const char *document = findings_document(&none, &page);

    (void)state;
    assert_non_null(strstr(document, "\"ended\":\"2026-11-29T09:15:00Z\""));
    assert_null(strstr(document, "\"command\""));
    text_deinit(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_without_recordings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
