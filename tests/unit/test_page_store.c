/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "page_store_internal.h"

#define LARGEST 10000

static struct page_store store;
static unsigned made;

/* A page of `kind` bytes. */
static int make_page(void *context, const struct page_key *key, struct text *page)
{
    assert_ptr_equal(context, &made);
    made++;
    for (unsigned i = 0; i < key->kind; i++) {
        text_append_string(page, "x");
    }
    return page->failed ? -ENOMEM : 0;
}

static int make_nothing(void *context, const struct page_key *key, struct text *page)
{
    (void)context;
    (void)key;
    text_append_string(page, "half a page");
    return -ENOMEM;
}

static struct page_key key_of(unsigned size, bool gzip, enum page_budget budget)
{
    return (struct page_key){.make = make_page, .kind = size, .gzip = gzip, .budget = budget};
}

static int get(unsigned size, struct page **page)
{
    struct page_key key = key_of(size, false, PAGE_OF_METRICS);

    return page_store_get(&store, &key, &made, page);
}

static int set_up(void **state)
{
    const size_t page_max[PAGE_BUDGETS] = {LARGEST, LARGEST};

    (void)state;
    made = 0;
    page_store_init(&store, page_max);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    page_store_deinit(&store);
    for (enum page_budget budget = 0; budget < PAGE_BUDGETS; budget++) {
        assert_int_equal(atomic_load(&store.used[budget]), 0);
    }
    return 0;
}

/* Equal requests get one page, others a page of their own. */
static void test_equal_requests(void **state)
{
    struct page *first, *second, *other;

    (void)state;
    assert_int_equal(get(10, &first), 0);
    assert_int_equal(get(10, &second), 0);
    assert_ptr_equal(first, second);
    assert_int_equal(get(11, &other), 0);
    assert_ptr_not_equal(first, other);
    assert_int_equal(made, 2);
    assert_int_equal(first->text.len, 10);
    page_release(first);
    page_release(second);
    page_release(other);
}

static void test_old_pages_serve_nobody(void **state)
{
    const struct timespec pause = {.tv_nsec = (long)PAGE_FRESH_NS + 10000000};
    struct page *page;

    (void)state;
    assert_int_equal(get(10, &page), 0);
    page_release(page);
    (void)nanosleep(&pause, NULL);
    page_store_advance(&store);
    assert_int_equal(atomic_load(&store.used[PAGE_OF_METRICS]), 0);
    assert_int_equal(get(10, &page), 0);
    assert_int_equal(made, 2);
    page_release(page);
}

/* Pages that are being sent fill the budget, the next one is refused, and comes when one of them
 * has gone. The other budget is not touched. */
static void test_budget(void **state)
{
    struct page *sent[3] = {NULL}, *page = NULL;
    struct page_key json = key_of(10, false, PAGE_OF_JSON);

    (void)state;
    assert_int_equal(get(LARGEST - 1, &sent[0]), 0);
    assert_int_equal(get(LARGEST / 10, &sent[1]), 0);
    assert_int_equal(get(LARGEST - 2, &page), PAGE_OVER_BUDGET);
    assert_null(page);
    assert_int_equal(page_store_get(&store, &json, &made, &page), 0);
    page_release(page);
    page_release(sent[0]);
    assert_int_equal(get(LARGEST - 2, &sent[2]), 0);
    page_release(sent[1]);
    page_release(sent[2]);
}

/* Recent pages that nobody is being sent do not stand in the way. */
static void test_recent_pages_make_room(void **state)
{
    struct page *page;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(get(LARGEST - 1 - i, &page), 0); /* a NUL comes behind it */
        page_release(page);
    }
}

static void test_failure(void **state)
{
    struct page_key key = {.make = make_nothing, .budget = PAGE_OF_METRICS};
    struct page *page = NULL;

    (void)state;
    assert_int_equal(page_store_get(&store, &key, &made, &page), -ENOMEM);
    assert_null(page);
    assert_int_equal(get(LARGEST, &page), -ENOMEM); /* with its NUL above the largest */
    assert_int_equal(atomic_load(&store.used[PAGE_OF_METRICS]), 0);
}

static void test_gzip(void **state)
{
    struct page_key key = key_of(5000, true, PAGE_OF_METRICS);
    Bytef plain[6000];
    z_stream stream = {.next_out = plain, .avail_out = sizeof plain};
    struct page *page;

    (void)state;
    assert_int_equal(page_store_get(&store, &key, &made, &page), 0);
    assert_true(page->is_packed && page->text.len < 500);
    stream.next_in = (Bytef *)page->text.data;
    stream.avail_in = (uInt)page->text.len;
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, 5000);
    assert_memory_equal(plain, "xxxxxxxx", 8);
    (void)inflateEnd(&stream);
    page_release(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_equal_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_pages_serve_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recent_pages_make_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gzip, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
