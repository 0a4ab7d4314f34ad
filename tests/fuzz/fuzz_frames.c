/* SPDX-License-Identifier: Apache-2.0 */
/* The whole path of a frame, from its bytes to the pages. An input is a list of steps: exchanges of
 * frames that are made of parts, frames whose bytes stand in the input, clocks, connections,
 * recordings. Every frame is counted as a query, a response, rejected or expired, and every page is
 * one that strict readers take.
 *
 * Pages take a thousand times as long as a frame: they are written once in PAGE_FRAMES, and the
 * registries go on from input to input until they have had EPOCH_FRAMES. A finding may need the
 * inputs before it. Clocks and secrets come from the inputs, so that the inputs since the
 * registries were made repeat it. With FUZZ_HISTORY=FILE these are in that file, also after a
 * crash; the file is itself an input. With FUZZ_FRAMES=COUNT a run ends after so many frames. */
#include <fcntl.h>
#include <inttypes.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "fuzz/frame_maker.h"
#include "fuzz/fuzz.h"
#include "fuzz/page_check.h"
#include "support/registry_fixture.h"
#include "support/random.h"
#include "support/wire_name.h"

#define PAGE_FRAMES  32768
#define EPOCH_FRAMES 262144
#define EPOCH_BYTES  (UINT64_C(4) << 20) /* of inputs: some bring no frames */

#define SOURCES      4 /* of each shard */
#define SHARDS_MAX   2

/* --- Clocks and secrets --- */

static uint64_t monotonic_ns, realtime_ns;
static uint64_t secrets; /* state of random_next() */

/* In place of those of base/clock.c. */
uint64_t clock_monotonic_ns(void)
{
    return monotonic_ns;
}

uint64_t clock_realtime_ns(void)
{
    return realtime_ns;
}

/* In place of the C library's. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < length; i++) {
        ((uint8_t *)buffer)[i] = (uint8_t)random_next(&secrets);
    }
    return (ssize_t)length;
}

static void clock_forward(uint64_t ns)
{
    monotonic_ns += ns;
    realtime_ns += ns;
}

/* --- The two registries --- */

/* One is a service's, with two workers, the other one reads files. */
struct subject {
    const struct registry_fixture_setup *setup;
    struct registry_fixture fixture;
    struct source sources[SHARDS_MAX][SOURCES];
    uint64_t frames, rejected; /* what the registry has to say */
    uint64_t expired_ns;       /* when shard_expire() was last called */
};

/* Every table is small, so that it overflows. */
#define SMALL_LIMITS                                                                               \
    {                                                                                              \
        .servers = 4, .series = 9, .qtypes = 4, .expiry_ns = 20 * NS_PER_SECOND,                   \
        .matching_capacity = 64, .matching_timeout_ns = NS_PER_SECOND, .answers = true,            \
    }
#define SMALL_DETECTOR                                                                             \
    {                                                                                              \
        .enabled = true, .capacity = 5, .threshold = 5                                             \
    }
#define SMALL_ANALYSIS                                                                             \
    {                                                                                              \
        .panes = {.lists = 0x1ff, .distincts = 0x1f, .capacity = 10},                              \
        .detect = {{SMALL_DETECTOR, SMALL_DETECTOR, SMALL_DETECTOR}}, .findings_max = 5,           \
        .window_ns = 10 * NS_PER_SECOND, .recordings = {recordings, 1},                            \
    }

static char recording[] = "/var/lib/my archive";
static char *const recordings[] = {recording};
static const char *const input_names[] = {"fuzz", "a\"b\\c\n\xff"};
static const char *const output_names[] = {"archive"};

#define INPUTS 2

static struct registry_fixture_setup setups[] = {
    {
        .aggregator =
            {
                .limits = SMALL_LIMITS,
                .analysis = SMALL_ANALYSIS,
                .time = SHARD_TIME_LIVE,
                .shard_count = 2,
                .input_count = INPUTS,
            },
        .input_names = input_names,
        .sampling = {1, 10},
        .output_names = output_names,
        .output_count = 1,
        .top_max_series = 5,
        .native_schema = HISTOGRAM_SCHEMA_MAX,
    },
    {
        .aggregator =
            {
                .limits = SMALL_LIMITS,
                .analysis = SMALL_ANALYSIS,
                .time = SHARD_TIME_FRAMES,
                .shard_count = 1,
                .input_count = INPUTS,
            },
        .input_names = input_names,
        .top_max_series = 5,
        .native_schema = HISTOGRAM_SCHEMA_MIN,
    },
};

static const struct client_privacy privacies[] = {
    {.ipv4_prefix = 20, .ipv6_prefix = 61},
    {.ipv4_prefix = 32, .ipv6_prefix = 128},
    {.ipv4_prefix = 24, .ipv6_prefix = 0, .hashed = true},
    {.ipv4_prefix = 0, .ipv6_prefix = 48},
};

static struct subject subjects[2] = {{.setup = &setups[0]}, {.setup = &setups[1]}};
static uint64_t run_frames, run_pages;
static uint64_t epoch_frames, epoch_bytes; /* since the registries were made */
static bool epoch_is_over = true;
static uint64_t page_frames; /* since the last pages */

static void violation(const char *what, const char *why)
{
    (void)fprintf(stderr, "fuzz_frames: %s: %s\n", what, why);
    abort();
}

static void subject_set_suffixes(struct subject *subject, bool listed)
{
    static const char list[] = "com\nuk\nco.uk\njp\n\xe4\xbe\x8b.jp\n*.ck\n!www.ck\narpa\n";
    uint8_t room[DNS_NAME_MAX];
    const struct bytes allowed = wire_name("allowed.example", room);
    struct text error = {0};
    char path[64];
    int fd = listed ? memfd_create("suffixes", MFD_CLOEXEC) : -1;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (listed && (fd < 0 || write(fd, list, sizeof list - 1) != (ssize_t)sizeof list - 1)) {
        abort();
    }
    if (aggregator_set_suffixes(subject->fixture.aggregator, listed ? path : NULL, &allowed, 1,
                                &error) < 0) {
        violation("suffixes", error.data);
    }
    text_deinit(&error);
    if (listed) {
        (void)close(fd);
    }
}

/* What the thread of an output counts. */
static void subject_count_output(struct subject *subject, unsigned what)
{
    if (subject->setup->output_count > 0) {
        struct output_counters *counters = &subject->fixture.outputs[0];

        output_counters_add(&counters->frames, 1 + what);
        output_counters_add(&counters->dropped[what % OUTPUT_DROP_COUNT], what);
        atomic_store(&counters->connected, what % 2 != 0);
    }
}

static unsigned subject_shards(const struct subject *subject)
{
    return subject->setup->aggregator.shard_count;
}

/* The last source of a shard stays one that is no connection. */
static void subject_open_source(struct subject *subject, unsigned shard, unsigned number)
{
    struct source *source = &subject->sources[shard][number];

    *source = (struct source){
        .input = number % INPUTS,
        .server_name = input_names[number % INPUTS],
        .sampled = number == 2,
    };
    if (number + 1 < SOURCES &&
        shard_open_source(aggregator_shard(subject->fixture.aggregator, shard), source) < 0) {
        abort();
    }
}

static void subject_close_source(struct subject *subject, unsigned shard, unsigned number)
{
    shard_close_source(aggregator_shard(subject->fixture.aggregator, shard),
                       &subject->sources[shard][number]);
}

static void subject_create(struct subject *subject)
{
    if (registry_fixture_create(&subject->fixture, subject->setup) < 0) {
        abort();
    }
    subject->frames = subject->rejected = subject->expired_ns = 0;
    for (unsigned shard = 0; shard < subject_shards(subject); shard++) {
        for (unsigned number = 0; number < SOURCES; number++) {
            subject_open_source(subject, shard, number);
        }
    }
    subject_set_suffixes(subject, true);
}

static void subject_free(struct subject *subject)
{
    for (unsigned shard = 0; subject->fixture.registry != NULL && shard < subject_shards(subject);
         shard++) {
        for (unsigned number = 0; number < SOURCES; number++) {
            subject_close_source(subject, shard, number);
        }
    }
    registry_fixture_free(&subject->fixture);
}

/* --- Pages --- */

static void pages_check_sums(const struct subject *subject, const char *what,
                             const struct page_sums *sums)
{
    char why[256];

    if (sums->frames == sums->queries + sums->responses + sums->rejected + sums->expired &&
        sums->frames == subject->frames && sums->rejected == subject->rejected) {
        return;
    }
    (void)snprintf(why, sizeof why,
                   "%" PRIu64 " frames (%" PRIu64 " given) are not %" PRIu64 " queries, %" PRIu64
                   " responses, %" PRIu64 " rejected (%" PRIu64 " given), %" PRIu64 " expired",
                   sums->frames, subject->frames, sums->queries, sums->responses, sums->rejected,
                   subject->rejected, sums->expired);
    violation(what, why);
}

static void pages_check(const char *what, const struct text *page, const char *wrong, size_t at)
{
    if (wrong != NULL) {
        size_t from = at > 100 ? at - 100 : 0;
        (void)fprintf(stderr, "byte %zu: %.*s\n", at,
                      (int)(page->len - from < 200 ? page->len - from : 200), page->data + from);
        violation(what, wrong);
    }
}

static struct bytes bytes_of_page(const struct text *page)
{
    return (struct bytes){(const uint8_t *)page->data, page->len};
}

static void pages_check_metrics(const struct subject *subject, struct text *page)
{
    static const struct {
        const char *what;
        const char *(*check)(struct bytes page, struct page_sums *out, size_t *at);
    } formats[EXPOSITION_COUNT] = {
        [EXPOSITION_TEXT] = {"text", page_check_text},
        [EXPOSITION_OPENMETRICS] = {"OpenMetrics", page_check_openmetrics},
        [EXPOSITION_PROTOBUF] = {"protobuf", page_check_protobuf},
    };
    struct page_sums sums;
    uint64_t series = 0;
    size_t at;

    for (enum exposition format = 0; format < EXPOSITION_COUNT; format++) {
        const char *what = formats[format].what;
        if (registry_write_page(subject->fixture.registry, format, page) < 0) {
            abort();
        }
        run_pages++;
        const char *wrong = formats[format].check(bytes_of_page(page), &sums, &at);
        pages_check(what, page, wrong, at);
        pages_check_sums(subject, what, &sums);
        if (series != 0 && series != sums.series) {
            violation(what, "as many series as in text");
        }
        series = sums.series;
        registry_note_scrape(subject->fixture.registry, format, sums.series);
    }
}

static void pages_check_json(const struct subject *subject, struct text *page, size_t limit)
{
    struct page_sums sums;
    size_t at;

    if (registry_write_top(subject->fixture.registry, limit, page) < 0) {
        abort();
    }
    const char *wrong = page_check_json(bytes_of_page(page), &sums, &at);
    pages_check("top", page, wrong, at);
    if (registry_write_status(subject->fixture.registry, limit, page) < 0) {
        abort();
    }
    wrong = page_check_json(bytes_of_page(page), &sums, &at);
    pages_check("status", page, wrong, at);
    pages_check_sums(subject, "status", &sums);
}

static void pages_check_all(void)
{
    static struct text page; /* its memory stays */

    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        if (subjects[i].frames > 0) {
            pages_check_metrics(&subjects[i], &page);
            pages_check_json(&subjects[i], &page, (size_t)(epoch_frames % 20));
        }
    }
    page_frames = 0;
}

/* --- The end of a run --- */

static uint64_t wanted_frames, wanted_seconds; /* 0: libFuzzer ends the run */
static time_t began;

static uint64_t number_of_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? strtoull(value, NULL, 10) : 0;
}

static void run_begin(void)
{
    wanted_frames = number_of_environment("FUZZ_FRAMES");
    wanted_seconds = number_of_environment("FUZZ_SECONDS");
    began = time(NULL);
}

static void run_print(double seconds)
{
    double processor_seconds = (double)clock() / CLOCKS_PER_SEC;

    (void)printf("%" PRIu64 " frames and %" PRIu64 " pages in %.0f s: %.0f frames/s, %.0f for each "
                 "second of the processor\n",
                 run_frames, run_pages, seconds, (double)run_frames / (seconds > 0 ? seconds : 1),
                 (double)run_frames / (processor_seconds > 0 ? processor_seconds : 1));
    (void)fflush(stdout);
}

/* With _exit(), as libFuzzer takes exit() for a finding. */
static void run_end_if_done(void)
{
    uint64_t seconds = (uint64_t)(time(NULL) - began);

    if ((wanted_frames != 0 && run_frames >= wanted_frames) ||
        (wanted_seconds != 0 && seconds >= wanted_seconds)) {
        run_print((double)seconds);
        _exit(EXIT_SUCCESS);
    }
}

/* --- The inputs so far --- */

/* A file that begins with this is a history: inputs, each after its length (32 bits, most
 * significant byte first). */
static const char history_mark[] = "inputs of fuzz_frames\n";

#define HISTORY_MAX (UINT64_C(16) << 20)

static struct {
    bool asked;
    uint8_t *start; /* NULL: none is kept */
    size_t len;
} history;

static void history_open(void)
{
    const char *path = getenv("FUZZ_HISTORY");

    history.asked = true;
    if (path == NULL) {
        return;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, HISTORY_MAX) < 0) {
        violation(path, "cannot be written");
    }
    history.start = mmap(NULL, HISTORY_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (history.start == MAP_FAILED) {
        abort();
    }
    (void)close(fd);
}

/* A length of 0 ends the history. */
static void history_add(struct bytes input)
{
    if (history.start == NULL || history.len + input.len + 8 > HISTORY_MAX) {
        return;
    }
    uint8_t *at = history.start + history.len;
    memcpy(at + 4, input.data, input.len);
    memset(at + 4 + input.len, 0, 4);
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(input.len >> (24 - 8 * i));
    }
    history.len += 4 + input.len;
}

static void history_begin(void)
{
    if (!history.asked) {
        history_open();
    }
    if (history.start != NULL) {
        history.len = sizeof history_mark - 1;
        memcpy(history.start, history_mark, history.len);
    }
}

/* --- Steps --- */

/* Frames of a step stay until its batch ends. Between two of them are bytes that the address
 * sanitizer lets nobody read. */
static struct {
    _Alignas(8) uint8_t room[65536];
    size_t used;
} arena;

#define ARENA_GAP 16

static struct pen arena_pen(void)
{
    size_t left = sizeof arena.room - arena.used;
    uint8_t *at = arena.room + arena.used;

    ASAN_UNPOISON_MEMORY_REGION(at, left);
    return (struct pen){at, at + (left < MADE_FRAME_MAX ? left : MADE_FRAME_MAX)};
}

static bool arena_has_room(void)
{
    return sizeof arena.room - arena.used >= MADE_FRAME_MAX + 2 * ARENA_GAP;
}

static struct bytes arena_keep(const struct pen *pen)
{
    struct bytes frame = {arena.room + arena.used, (size_t)(pen->at - (arena.room + arena.used))};

    arena.used += (frame.len + ARENA_GAP + 7) / 8 * 8;
    ASAN_POISON_MEMORY_REGION(pen->at, (size_t)(arena.room + sizeof arena.room - pen->at));
    return frame;
}

/* The step under way. */
struct step {
    struct subject *subject;
    const uint8_t *recipe; /* [RECIPE_SIZE] */
    uint64_t random;
};

/* What the low half of a step's first byte does; smaller numbers: exchanges. */
enum action {
    ACTION_CLOCK = 11,
    ACTION_SOURCE,
    ACTION_NOTE,
    ACTION_DNS, /* a DNS message stands behind the step, in as many bytes as its second one says */
    ACTION_FRAME, /* a frame, likewise */
};

static struct shard *step_shard(const struct step *step, unsigned number)
{
    return aggregator_shard(step->subject->fixture.aggregator,
                            number % subject_shards(step->subject));
}

/* Bits of RECIPE_PARTY: the source, and whether queries and responses come to the second shard. */
static void step_record(const struct step *step, enum kind kind, struct bytes frame)
{
    struct subject *subject = step->subject;
    unsigned party = step->recipe[RECIPE_PARTY];
    unsigned number = (party >> (kind == KIND_QUERY ? 2 : 3) & 1) % subject_shards(subject);
    struct source *source = &subject->sources[number][party % SOURCES];

    subject->frames++;
    epoch_frames++;
    page_frames++;
    run_frames++;
    if (shard_record(aggregator_shard(subject->fixture.aggregator, number), source, frame) !=
        DECODE_OK) {
        subject->rejected++;
    }
}

static void step_begin_batch(const struct step *step)
{
    arena.used = 0;
    for (unsigned i = 0; i < subject_shards(step->subject); i++) {
        shard_begin(aggregator_shard(step->subject->fixture.aggregator, i));
    }
}

#define EXPIRE_NS (NS_PER_SECOND / 2)

static void step_end_batch(const struct step *step)
{
    struct subject *subject = step->subject;
    bool due = monotonic_ns - subject->expired_ns >= EXPIRE_NS;

    subject->expired_ns = due ? monotonic_ns : subject->expired_ns;
    for (unsigned i = 0; i < subject_shards(subject); i++) {
        struct shard *shard = aggregator_shard(subject->fixture.aggregator, i);
        if (due) {
            shard_expire(shard);
        }
        shard_end(shard);
    }
}

static struct frame_maker maker;

static void step_make(const struct step *step, enum kind kind)
{
    struct pen pen = arena_pen();

    frame_maker_write(&maker, kind, &pen);
    step_record(step, kind, arena_keep(&pen));
}

static void step_exchange(struct step *step)
{
    enum damage damage = (enum damage)(step->recipe[RECIPE_DAMAGE] & 0xf);

    frame_maker_begin(&maker, step->recipe, realtime_ns, random_next(&step->random));
    if (damage == DAMAGE_REVERSED) {
        step_make(step, KIND_RESPONSE);
    }
    if (damage != DAMAGE_NO_QUERY) {
        step_make(step, KIND_QUERY);
    }
    if (damage != DAMAGE_NO_RESPONSE && damage != DAMAGE_REVERSED) {
        step_make(step, KIND_RESPONSE);
    }
    if (damage == DAMAGE_TWICE) {
        step_make(step, KIND_RESPONSE);
    }
    clock_forward(random_next(&step->random) % 200000);
}

static void step_exchanges(struct step *step)
{
    unsigned count = 1 + (step->recipe[RECIPE_ACTION] >> 4);

    step_begin_batch(step);
    for (; count > 0 && arena_has_room(); count--) {
        step_exchange(step);
    }
    step_end_batch(step);
}

/* Time goes on; seldom the realtime clock is set. */
static void step_clock(struct step *step)
{
    static const uint64_t jumps[] = {NS_PER_SECOND / 10,  NS_PER_SECOND,       5 * NS_PER_SECOND,
                                     10 * NS_PER_SECOND,  10 * NS_PER_SECOND,  60 * NS_PER_SECOND,
                                     600 * NS_PER_SECOND, 3600 * NS_PER_SECOND};
    uint64_t jump = jumps[step->recipe[1] % (sizeof jumps / sizeof jumps[0])];

    switch (step->recipe[2] & 0xf) {
    case 0:
        realtime_ns += jump;
        break;
    case 1:
        realtime_ns -= jump < realtime_ns / 2 ? jump : 0;
        break;
    default:
        clock_forward(jump);
    }
    step_begin_batch(step);
    step_end_batch(step);
}

static void step_source(struct step *step)
{
    unsigned shard = step->recipe[1] % subject_shards(step->subject);
    unsigned number = step->recipe[2] % SOURCES;

    subject_close_source(step->subject, shard, number);
    subject_open_source(step->subject, shard, number);
}

/* What a worker notes besides frames. */
static void step_note(struct step *step)
{
    struct subject *subject = step->subject;
    struct shard *shard = step_shard(step, step->recipe[1]);
    const struct source *source =
        &subject->sources[step->recipe[1] % subject_shards(subject)][step->recipe[2] % SOURCES];
    unsigned what = step->recipe[3];

    if (what % 16 == 15) {
        subject_set_suffixes(subject, what / 16 % 2 != 0);
        return;
    }
    if (what % 16 == 14) {
        subject_count_output(subject, what / 16);
        return;
    }
    shard_begin(shard);
    switch (what % 8) {
    case 0:
        shard_record_oversize(shard, source);
        subject->frames++;
        subject->rejected++;
        break;
    case 1:
        shard_record_accepted(shard, source->input);
        break;
    case 2: /* only what was opened is closed */
        shard_record_accepted(shard, source->input);
        shard_record_closed(shard, source->input,
                            (enum close_reason)(what / 8 % CLOSE_REASON_COUNT));
        break;
    case 3:
        shard_record_overflow(shard, LIMIT_CONNECTIONS);
        break;
    case 4:
        shard_flush(shard);
        break;
    case 5:
        shard_expire(shard);
        break;
    default:
        if (subject->setup->aggregator.time == SHARD_TIME_FRAMES) {
            shard_begin_recording(shard);
        }
    }
    shard_end(shard);
}

static void step_copy(const struct step *step, enum kind kind, struct bytes bytes, bool is_frame)
{
    struct pen pen = arena_pen();

    if (is_frame) {
        memcpy(pen.at, bytes.data, bytes.len);
        pen.at += bytes.len;
    } else {
        frame_maker_write_around(&maker, kind, bytes, &pen);
    }
    step_record(step, kind, arena_keep(&pen));
}

/* As query and response. */
static void step_literal(struct step *step, struct bytes bytes, bool is_frame)
{
    frame_maker_begin(&maker, step->recipe, realtime_ns, random_next(&step->random));
    step_begin_batch(step);
    step_copy(step, KIND_QUERY, bytes, is_frame);
    if (!is_frame) {
        step_copy(step, KIND_RESPONSE, bytes, is_frame);
    }
    step_end_batch(step);
}

static void step_run(struct step *step, struct cursor *input)
{
    unsigned action = step->recipe[RECIPE_ACTION] & 0xf;

    switch (action) {
    case ACTION_CLOCK:
        step_clock(step);
        break;
    case ACTION_SOURCE:
        step_source(step);
        break;
    case ACTION_NOTE:
        step_note(step);
        break;
    case ACTION_DNS:
    case ACTION_FRAME: {
        size_t len = step->recipe[1];
        size_t left = cursor_left(input);
        step_literal(step, cursor_take(input, len < left ? len : left), action == ACTION_FRAME);
        break;
    }
    default:
        step_exchanges(step);
    }
}

/* --- Inputs --- */

#define YEAR_2026_NS (UINT64_C(1767225600) * NS_PER_SECOND)

static uint64_t input_seed(struct bytes input)
{
    uint64_t seed = input.len;

    for (size_t i = 0; i < input.len; i++) {
        seed = seed * 31 + input.data[i];
    }
    return seed;
}

static void epoch_begin(struct bytes input)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    monotonic_ns = 1000 * NS_PER_SECOND;
    realtime_ns = YEAR_2026_NS;
    secrets = input_seed(input);
    page_frames = epoch_frames = epoch_bytes = 0;
    epoch_is_over = false;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        setups[i].aggregator.analysis.privacy = privacies[(secrets >> 2 * i) % 4];
        subject_free(&subjects[i]);
        subject_create(&subjects[i]);
    }
}

/* The first byte chooses the registry; each step has RECIPE_SIZE bytes. */
static void input_run(struct bytes bytes)
{
    struct cursor input = cursor_over(bytes);
    struct step step = {.random = input_seed(bytes)};

    step.subject = &subjects[cursor_u8(&input) & 1];
    while (cursor_left(&input) >= RECIPE_SIZE) {
        step.recipe = cursor_take(&input, RECIPE_SIZE).data;
        step_run(&step, &input);
    }
}

static void input_take(struct bytes input)
{
    if (began == 0) {
        run_begin();
    }
    if (epoch_is_over) {
        history_begin();
        epoch_begin(input);
    }
    history_add(input);
    input_run(input);
    if (page_frames >= PAGE_FRAMES) {
        pages_check_all();
        run_end_if_done();
    }
    epoch_bytes += input.len;
    epoch_is_over = epoch_frames >= EPOCH_FRAMES || epoch_bytes >= EPOCH_BYTES;
}

static void history_run(struct cursor inputs)
{
    uint32_t len;

    epoch_is_over = true;
    while ((len = cursor_be32(&inputs)) > 0) {
        input_take(cursor_take(&inputs, len));
    }
    pages_check_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t mark_len = sizeof history_mark - 1;

    if (size > mark_len && memcmp(data, history_mark, mark_len) == 0) {
        history_run(cursor_over((struct bytes){data + mark_len, size - mark_len}));
    } else if (size > RECIPE_SIZE) {
        input_take((struct bytes){data, size});
    }
    return 0;
}
