/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * page_store_internal.h - pages in memory: one fixed budget for all, and one page for equal
 * requests
 *
 * What a page may take is reserved before it is made, and given back when the last client has got
 * it. Equal requests within 250 ms get the same bytes. Any thread may call every function; pages
 * are made one after the other.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/text.h"

/** How long a page serves equal requests. */
#define PAGE_FRESH_NS UINT64_C(250000000)

/** Each has a part of the memory, so that none keeps the other's clients waiting. */
enum page_budget { PAGE_OF_METRICS, PAGE_OF_JSON, PAGE_BUDGETS };

/** What makes a page the same as another one. */
struct page_key {
    int (*make)(void *context, const struct page_key *key, struct text *page);
    unsigned kind; /* for make(): a format, or how many entries a list has */
    bool gzip;
    enum page_budget budget; /* that it takes its memory from */
};

/** Bytes that are being sent. */
struct page {
    struct page_store *store;
    struct page_key key;
    uint64_t made_ns; /* monotonic */
    size_t reserved;
    struct text text;
    bool is_packed; /* by gzip */
    atomic_uint holders;
};

#define PAGE_STORE_RECENT 8 /* formats, gzip or not, JSON pages */

struct page_store {
    atomic_size_t
        page_max[PAGE_BUDGETS]; /* bytes of the largest page; a budget is for two of them */
    atomic_size_t used[PAGE_BUDGETS];
    pthread_mutex_t lock;                   /* over all below; held while a page is made */
    struct page *recent[PAGE_STORE_RECENT]; /* NULL: none */
    unsigned next;                          /* the place that is used next */
};

/** Begin; each budget is for two pages of so many bytes: one that is made while others are sent. */
NONNULL void page_store_init(struct page_store *store, const size_t page_max[PAGE_BUDGETS]);

/** Change how large pages may be; those that are being sent count as before. */
NONNULL void page_store_set_max(struct page_store *store, const size_t page_max[PAGE_BUDGETS]);

/** All pages have been let go of. */
NONNULL void page_store_deinit(struct page_store *store);

/** The budget has no room for the page. */
#define PAGE_OVER_BUDGET 1

/** Get the page of `key`, made by key->make(context, key, page), which returns 0 or a negative
 * errno, or the one that was made for an equal key a moment ago. Returns 0 and *out for
 * page_release(), PAGE_OVER_BUDGET, or a negative errno. */
NONNULL MUST_USE int page_store_get(struct page_store *store, const struct page_key *key,
                                    void *context, struct page **out);

/** Let go of a page. */
NONNULL void page_release(struct page *page);

/** Let go of pages that are too old to serve another request; about once a second. */
NONNULL void page_store_advance(struct page_store *store);
