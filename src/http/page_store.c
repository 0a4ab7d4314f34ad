/* SPDX-License-Identifier: Apache-2.0 */
#include "page_store_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gzip_internal.h"

#define SIZE_MIN ((size_t)64 * 1024) /* what is reserved where nothing is known of a page */

void page_store_init(struct page_store *store, size_t budget)
{
    *store = (struct page_store){.budget = budget};
    (void)pthread_mutex_init(&store->lock, NULL);
}

/* --- The budget --- */

static bool reserve(struct page *page, size_t size)
{
    struct page_store *store = page->store;
    size_t budget = page->key.is_scrape ? store->budget : store->budget / 2;

    if (atomic_fetch_add(&store->used, size) + size > budget) {
        atomic_fetch_sub(&store->used, size);
        return false;
    }
    page->reserved += size;
    return true;
}

static void give_back(struct page *page, size_t size)
{
    page->reserved -= size;
    atomic_fetch_sub(&page->store->used, size);
}

void page_release(struct page *page)
{
    if (atomic_fetch_sub(&page->holders, 1) == 1) {
        text_deinit(&page->text);
        give_back(page, page->reserved);
        free(page);
    }
}

static struct page *hold(struct page *page)
{
    atomic_fetch_add(&page->holders, 1);
    return page;
}

/* --- Pages made a moment ago; all under the lock --- */

static bool is_fresh(const struct page *page, uint64_t now_ns)
{
    return now_ns - page->made_ns < PAGE_FRESH_NS;
}

static void release_old(struct page_store *store, uint64_t now_ns)
{
    for (unsigned i = 0; i < PAGE_STORE_RECENT; i++) {
        if (store->recent[i] != NULL && !is_fresh(store->recent[i], now_ns)) {
            page_release(store->recent[i]);
            store->recent[i] = NULL;
        }
    }
}

static bool same_key(const struct page_key *a, const struct page_key *b)
{
    return a->make == b->make && a->kind == b->kind && a->gzip == b->gzip;
}

static struct page *find(const struct page_store *store, const struct page_key *key)
{
    for (unsigned i = 0; i < PAGE_STORE_RECENT; i++) {
        if (store->recent[i] != NULL && same_key(&store->recent[i]->key, key)) {
            return store->recent[i];
        }
    }
    return NULL;
}

static void remember(struct page_store *store, struct page *page)
{
    struct page **place = &store->recent[store->next];

    store->next = (store->next + 1) % PAGE_STORE_RECENT;
    if (*place != NULL) {
        page_release(*place);
    }
    *place = hold(page);
}

/* --- Making a page --- */

/* Again with twice the room where it did not fit. The last one's size is a good guess. */
static int make_text(struct page *page, void *context)
{
    for (size_t size = page->store->last_size + page->store->last_size / 4 + SIZE_MIN;; size *= 2) {
        if (!reserve(page, size)) {
            return -ENOBUFS;
        }
        int result = text_fix(&page->text, size);
        if (result == 0) {
            result = page->key.make(context, &page->key, &page->text);
        }
        if (!page->text.full) {
            return result;
        }
        text_deinit(&page->text);
        give_back(page, size);
    }
}

/* What is not used is given back. */
static void trim(struct page *page)
{
    text_trim(&page->text);
    give_back(page, page->reserved - page->text.space);
}

/* Where there is no room for both, or it does not help, the page stays as it is. */
static void pack(struct page *page)
{
    struct text packed = {0};
    size_t size = page->text.len / 2;

    if (!reserve(page, size)) {
        return;
    }
    page->is_packed = text_fix(&packed, size) == 0 && gzip_pack(&page->text, &packed) == 0;
    text_deinit(page->is_packed ? &page->text : &packed);
    if (page->is_packed) {
        page->text = packed;
    }
    trim(page);
}

static struct page *create(struct page_store *store, const struct page_key *key)
{
    struct page *page = calloc(1, sizeof *page);

    if (page != NULL) {
        page->store = store;
        page->key = *key;
        atomic_init(&page->holders, 1);
    }
    return page;
}

static int make_page(struct page_store *store, const struct page_key *key, void *context,
                     struct page **out)
{
    struct page *page = create(store, key);

    if (page == NULL) {
        return -ENOMEM;
    }
    int result = make_text(page, context);
    if (result < 0) {
        page_release(page);
        return result;
    }
    store->last_size = page->text.len;
    trim(page);
    if (key->gzip) {
        pack(page);
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
    release_old(store, clock_monotonic_ns());
    struct page *page = find(store, key);
    if (page != NULL) {
        *out = hold(page);
    } else {
        result = make_page(store, key, context, out);
        if (result == 0) {
            remember(store, *out);
        }
    }
    (void)pthread_mutex_unlock(&store->lock);
    return result;
}

int page_store_adopt(struct page_store *store, struct text *text, struct page **out)
{
    const struct page_key key = {0};
    struct page *page = create(store, &key);

    if (page == NULL) {
        return -ENOMEM;
    }
    if (!reserve(page, text->space)) {
        page_release(page);
        return -ENOBUFS;
    }
    page->text = *text;
    *text = (struct text){0};
    *out = page;
    return 0;
}

void page_store_advance(struct page_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    release_old(store, clock_monotonic_ns());
    (void)pthread_mutex_unlock(&store->lock);
}

void page_store_deinit(struct page_store *store)
{
    for (unsigned i = 0; i < PAGE_STORE_RECENT; i++) {
        if (store->recent[i] != NULL) {
            page_release(store->recent[i]);
        }
    }
    (void)pthread_mutex_destroy(&store->lock);
}
