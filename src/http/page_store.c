/* SPDX-License-Identifier: Apache-2.0 */
#include "page_store_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gzip_internal.h"

#define BUDGET_PAGES 2 /* one is made while another one is sent */

void page_store_init(struct page_store *store, const size_t page_max[PAGE_BUDGETS])
{
    *store = (struct page_store){.next = 0};
    page_store_set_max(store, page_max);
    (void)pthread_mutex_init(&store->lock, NULL);
}

void page_store_set_max(struct page_store *store, const size_t page_max[PAGE_BUDGETS])
{
    for (enum page_budget budget = 0; budget < PAGE_BUDGETS; budget++) {
        atomic_store(&store->page_max[budget], page_max[budget]);
    }
}

/* --- The budgets --- */

static bool page_store_reserve(struct page *page, size_t size)
{
    enum page_budget budget = page->key.budget;
    atomic_size_t *used = &page->store->used[budget];

    if (atomic_fetch_add(used, size) + size > BUDGET_PAGES * page->store->page_max[budget]) {
        atomic_fetch_sub(used, size);
        return false;
    }
    page->reserved += size;
    return true;
}

static void page_store_give_back(struct page *page, size_t size)
{
    page->reserved -= size;
    atomic_fetch_sub(&page->store->used[page->key.budget], size);
}

void page_release(struct page *page)
{
    if (atomic_fetch_sub(&page->holders, 1) == 1) {
        text_deinit(&page->text);
        page_store_give_back(page, page->reserved);
        free(page);
    }
}

static struct page *page_store_hold(struct page *page)
{
    atomic_fetch_add(&page->holders, 1);
    return page;
}

/* --- Pages made a moment ago; all under the lock --- */

static bool is_fresh(const struct page *page, uint64_t now_ns)
{
    return now_ns - page->made_ns < PAGE_FRESH_NS;
}

static void release_recent(struct page_store *store, bool also_fresh)
{
    uint64_t now_ns = clock_monotonic_ns();

    for (unsigned i = 0; i < PAGE_STORE_RECENT; i++) {
        struct page **page = &store->recent[i];
        if (*page != NULL && (also_fresh || !is_fresh(*page, now_ns))) {
            page_release(*page);
            *page = NULL;
        }
    }
}

static bool same_key(const struct page_key *a, const struct page_key *b)
{
    return a->make == b->make && a->kind == b->kind && a->gzip == b->gzip;
}

static struct page *page_store_find(const struct page_store *store, const struct page_key *key)
{
    for (unsigned i = 0; i < PAGE_STORE_RECENT; i++) {
        if (store->recent[i] != NULL && same_key(&store->recent[i]->key, key)) {
            return store->recent[i];
        }
    }
    return NULL;
}

static void page_store_remember(struct page_store *store, struct page *page)
{
    struct page **place = &store->recent[store->next];

    store->next = (store->next + 1) % PAGE_STORE_RECENT;
    if (*place != NULL) {
        page_release(*place);
    }
    *place = page_store_hold(page);
}

/* --- Making a page --- */

/* Pages that nobody is being sent any more make room first. */
static bool reserve_largest(struct page *page)
{
    size_t size = page->store->page_max[page->key.budget];

    if (page_store_reserve(page, size)) {
        return true;
    }
    release_recent(page->store, true);
    return page_store_reserve(page, size);
}

static int make_text(struct page *page, void *context)
{
    if (!reserve_largest(page)) {
        return PAGE_OVER_BUDGET;
    }
    int result = text_fix(&page->text, page->reserved);
    return result == 0 ? page->key.make(context, &page->key, &page->text) : result;
}

/* What is not used is given back. */
static void page_store_trim(struct page *page)
{
    text_trim(&page->text);
    page_store_give_back(page, page->reserved - page->text.space);
}

/* Where there is no room for both, or it does not help, the page stays as it is. */
static void page_store_pack(struct page *page)
{
    struct text packed = {0};
    size_t size = page->text.len / 2;

    if (!page_store_reserve(page, size)) {
        return;
    }
    page->is_packed = text_fix(&packed, size) == 0 && gzip_pack(&page->text, &packed) == 0;
    text_deinit(page->is_packed ? &page->text : &packed);
    if (page->is_packed) {
        page->text = packed;
    }
    page_store_trim(page);
}

static struct page *page_store_create(struct page_store *store, const struct page_key *key)
{
    struct page *page = calloc(1, sizeof *page);

    if (page != NULL) {
        page->store = store;
        page->key = *key;
        atomic_init(&page->holders, 1);
    }
    return page;
}

static int page_store_make_page(struct page_store *store, const struct page_key *key, void *context,
                                struct page **out)
{
    struct page *page = page_store_create(store, key);

    if (page == NULL) {
        return -ENOMEM;
    }
    int result = make_text(page, context);
    if (result != 0) {
        page_release(page);
        return result;
    }
    page_store_trim(page);
    if (key->gzip) {
        page_store_pack(page);
    }
    page->made_ns = clock_monotonic_ns();
    *out = page;
    return 0;
}

int page_store_get(struct page_store *store, const struct page_key *key, void *context,
                   struct page **out)
{
    int result = 0;

    (void)pthread_mutex_lock(&store->lock);
    release_recent(store, false);
    struct page *page = page_store_find(store, key);
    if (page != NULL) {
        *out = page_store_hold(page);
    } else {
        result = page_store_make_page(store, key, context, out);
        if (result == 0) {
            page_store_remember(store, *out);
        }
    }
    (void)pthread_mutex_unlock(&store->lock);
    return result;
}

void page_store_advance(struct page_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    release_recent(store, false);
    (void)pthread_mutex_unlock(&store->lock);
}

void page_store_deinit(struct page_store *store)
{
    release_recent(store, true);
    (void)pthread_mutex_destroy(&store->lock);
}
