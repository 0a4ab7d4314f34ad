/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "http/negotiation.h"

#define PROTOBUF                                                                                   \
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
#define OPENMETRICS "application/openmetrics-text;version=1.0.0"
#define OLD         "application/openmetrics-text;version=0.0.1"
#define TEXT        "text/plain;version=0.0.4"

static void test_exposition(void **state)
{
    static const struct {
        const char *accept;
        enum exposition format;
    } cases[] = {
        {NULL, EXPOSITION_TEXT},
        {"", EXPOSITION_TEXT},
        /* Prometheus 2.42 and 2.45, without and with native histograms */
        {OPENMETRICS "," OLD ";q=0.75," TEXT ";q=0.5,*/*;q=0.1", EXPOSITION_OPENMETRICS},
        {PROTOBUF "," OPENMETRICS ";q=0.8," OLD ";q=0.75," TEXT ";q=0.5,*/*;q=0.1",
         EXPOSITION_PROTOBUF},
        {PROTOBUF "," OPENMETRICS "," OLD ";q=0.75," TEXT ";q=0.5,*/*;q=0.1", EXPOSITION_PROTOBUF},
        /* 2.40 */
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
         "encoding=delimited, application/openmetrics-text; q=0.8, text/plain; version=0.0.4; "
         "q=0.5",
         EXPOSITION_PROTOBUF},
        {"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         EXPOSITION_TEXT},
        {"application/openmetrics-text, text/plain; version=0.0.4; q=0.5", EXPOSITION_OPENMETRICS},
        /* 2.49.0 */
        {OPENMETRICS "," OLD ";q=0.75," TEXT ";q=0.5,*/*;q=2", EXPOSITION_OPENMETRICS},
        {"*/*;q=2," OPENMETRICS, EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.5,*/*;q=2", EXPOSITION_TEXT},
        /* 3.x, text first and protobuf first; 3.0 */
        {OPENMETRICS ";escaping=allow-utf-8;q=0.6," OLD ";q=0.5,text/plain;version=1.0.0;"
                     "escaping=allow-utf-8;q=0.4," TEXT ";q=0.3,*/*;q=0.2",
         EXPOSITION_OPENMETRICS},
        {PROTOBUF ";q=0.6," OPENMETRICS ";escaping=allow-utf-8;q=0.5," OLD
                  ";q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3," TEXT
                  ";q=0.2,*/*;q=0.1",
         EXPOSITION_PROTOBUF},
        {PROTOBUF ";escaping=values;escaping=allow-utf-8;q=0.1," OPENMETRICS
                  ";escaping=allow-utf-8;escaping=allow-utf-8;q=0.6," TEXT ";escaping=values;q=0.3",
         EXPOSITION_OPENMETRICS},
        /* people and their tools */
        {"*/*", EXPOSITION_TEXT},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", EXPOSITION_TEXT},
        {"text/plain", EXPOSITION_TEXT},
        {"text/*," OPENMETRICS ";q=0.9", EXPOSITION_TEXT},
        {"application/json", EXPOSITION_TEXT},
        {"APPLICATION/OpenMetrics-Text; VERSION=\"1.0.0\"", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=2.0.0", EXPOSITION_TEXT},
        {TEXT "," OPENMETRICS, EXPOSITION_TEXT}, /* the first of equals */
        /* protobuf that is not ours */
        {"application/vnd.google.protobuf", EXPOSITION_TEXT},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
         EXPOSITION_TEXT},
        {"application/vnd.google.protobuf;encoding=delimited;proto=other", EXPOSITION_TEXT},
        /* weights */
        {OPENMETRICS ";q=0," TEXT ";q=0.001", EXPOSITION_TEXT},
        {OPENMETRICS ";q=0", EXPOSITION_TEXT},
        {OPENMETRICS ";q=-1,*/*;q=0.1", EXPOSITION_TEXT},
        {OPENMETRICS ";q=0.000,*/*;q=0.1", EXPOSITION_TEXT},
        {TEXT ";q=0.299," OPENMETRICS ";q=0.3", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.5," OPENMETRICS ";q=1.000", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.5;q=1," OPENMETRICS ";q=0.9", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.9," OPENMETRICS ";q=abc", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.9," OPENMETRICS ";q=", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.9," OPENMETRICS ";q", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.99," OPENMETRICS ";q=99999999999999999999.5", EXPOSITION_OPENMETRICS},
        {TEXT ";q=0.9," OPENMETRICS ";q=0.12345678901234567890", EXPOSITION_TEXT},
        /* malformed */
        {",,;;,=,;q=1,", EXPOSITION_TEXT},
        {";version=1.0.0", EXPOSITION_TEXT},
        {"application/openmetrics-text;version=\"1.0.0", EXPOSITION_TEXT},
        {"foo;x=\"a,b;c\"," OPENMETRICS, EXPOSITION_OPENMETRICS},
        {"\"," OPENMETRICS, EXPOSITION_TEXT},
        {"  ,\t" OPENMETRICS "\t,", EXPOSITION_OPENMETRICS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum exposition format = negotiate_exposition(cases[i].accept);
        if (format != cases[i].format) {
            fail_msg("%s: %d, not %d", cases[i].accept, (int)format, (int)cases[i].format);
        }
    }
}

static void test_gzip(void **state)
{
    static const struct {
        const char *accept;
        bool gzip;
    } cases[] = {
        {NULL, false},       {"", false},
        {"gzip", true},      {"GZIP", true},
        {"identity", false}, {"deflate, gzip;q=0.5", true},
        {"gzip;q=0", false}, {"gzip;q=0.0, *", false},
        {"*", false},        {"br, zstd", false},
        {"xgzip", false},    {"gzip ; q=1.0", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (negotiate_gzip(cases[i].accept) != cases[i].gzip) {
            fail_msg("%s", cases[i].accept);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exposition),
        cmocka_unit_test(test_gzip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
