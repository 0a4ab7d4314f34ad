/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu_limit.h"
#include "base/file.h"
#include "count/dns_mnemonic.h"
#include "present/message_filter.h"
#include "present/message_text.h"
#include "present/passive_dns.h"
#include "program/file_list.h"
#include "program/ordered_output.h"
#include "program/program.h"
#include "program/sandbox_rules.h"
#include "stream/control_frame.h"
#include "stream/frame_file.h"

#define FRAME_SIZE_MAX 1048576 /* bytes: the most that the key limits.frame_size may say */
#define THREADS_MAX    16      /* chosen: the disk is slower than these */
#define PROGRESS_NS    (NS_PER_SECOND / 5)
#define PART_ENDING    ".part" /* of a file that an archive still writes */

/* --- What all threads share --- */

struct print {
    const struct command_line *line;
    struct message_filter filter;
    struct file_list files;
    struct ordered_output *output;
    pthread_mutex_t lock; /* over what follows, and standard error */
    size_t ended;         /* files */
    uint64_t frames, matches;
    uint64_t progress_ns; /* when it is shown next; 0: never */
    int status;
};

/* Of one thread. */
struct printer {
    struct print *print;
    pthread_t thread;
    struct message_text state;
    struct passive_dns *records; /* owned; NULL: another format */
    struct text out;             /* what is not written yet */
    unsigned part;
    uint64_t frames, matches; /* since the last report */
    uint64_t left;            /* messages that may be printed yet */
    int result;               /* 0, or why it cannot go on */
};

static void clear_progress(const struct print *print)
{
    if (print->progress_ns > 0) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

static void report_progress(struct printer *printer)
{
    struct print *print = printer->print;

    (void)pthread_mutex_lock(&print->lock);
    print->frames += printer->frames;
    print->matches += printer->matches;
    printer->frames = printer->matches = 0;
    uint64_t now_ns = print->progress_ns > 0 ? clock_monotonic_ns() : 0;
    if (print->progress_ns > 0 && now_ns >= print->progress_ns) {
        print->progress_ns = now_ns + PROGRESS_NS;
        (void)fprintf(stderr, "\r%zu of %zu files, %llu frames, %llu match\033[K", print->ended,
                      print->files.count, (unsigned long long)print->frames,
                      (unsigned long long)print->matches);
    }
    (void)pthread_mutex_unlock(&print->lock);
}

static void report_damage(struct print *print, const struct text *damage, int result)
{
    (void)pthread_mutex_lock(&print->lock);
    clear_progress(print);
    program_fail(damage, result);
    print->status = EXIT_FAILURE;
    (void)pthread_mutex_unlock(&print->lock);
}

/* --- Messages --- */

/* A data frame: its length, and itself. */
static void append_frame(struct text *out, struct bytes frame)
{
    const uint8_t length[] = {(uint8_t)(frame.len >> 24), (uint8_t)(frame.len >> 16),
                              (uint8_t)(frame.len >> 8), (uint8_t)frame.len};

    text_append_bytes(out, (struct bytes){length, sizeof length});
    text_append_bytes(out, frame);
}

static void append_message(struct printer *printer, struct bytes frame, const struct event *event)
{
    switch (printer->print->line->format) {
    case PRINT_JSON:
        message_text_json(&printer->state, event, &printer->out);
        break;
    case PRINT_TEXT:
        message_text_line(&printer->state, event, &printer->out);
        break;
    case PRINT_FRAMES:
        append_frame(&printer->out, frame);
        break;
    case PRINT_PDNS:
        printer->result = passive_dns_add(printer->records, event);
        break;
    }
}

static bool has_enough(void *context)
{
    const struct printer *printer = context;

    return printer->left == 0 || printer->result < 0;
}

static void write_frames(void *context)
{
    struct printer *printer = context;

    if (!ordered_output_write(printer->print->output, printer->part, &printer->out)) {
        printer->left = 0; /* why is known to the output */
    }
    report_progress(printer);
}

static bool print_frame(void *context, struct bytes frame)
{
    struct printer *printer = context;
    const struct message_filter *filter = &printer->print->filter;
    struct event event;

    if (has_enough(printer)) {
        return true;
    }
    printer->frames++;
    if (event_read_dnstap(frame, &event) != DECODE_OK || event.message.len > UINT16_MAX) {
        return false;
    }
    if (!message_filter_matches_dnstap(filter, &event)) {
        return true;
    }
    event_read_dns(&event);
    if (message_filter_matches_dns(filter, &event)) {
        printer->matches++;
        printer->left--;
        append_message(printer, frame, &event);
    }
    if (printer->out.len >= ORDERED_OUTPUT_MAX) { /* records may be made to print at great length */
        write_frames(printer);
    }
    return true;
}

/* --- Files --- */

/* An index that is missing or of no use says nothing. */
static bool may_match(const struct print *print, const char *path)
{
    struct archive_index *index;

    if (print->line->filter_count == 0 || archive_index_load(path, &index) < 0) {
        return true;
    }
    bool may = message_filter_may_match(&print->filter, index);
    archive_index_free(index);
    return may;
}

/* Returns 0, or a negative errno and why in *damage. */
static int read_messages(struct printer *printer, const char *path, struct text *damage)
{
    const struct frame_file file = {
        .path = path,
        .max_frame_size = FRAME_SIZE_MAX,
        .is_growing = text_ends_with(path, ARCHIVE_PART_SUFFIX),
    };
    const struct frame_sink sink = {
        .context = printer,
        .take_frame = print_frame,
        .end_frames = write_frames,
        .is_done = has_enough,
    };
    bool is_dnstap;

    return frame_file_read(&file, &sink, &is_dnstap, damage);
}

/* A file that is gone since its folder was read has been closed, and lost the ending of its name,
 * or the archive has removed it. */
static int read_what_is_there(struct printer *printer, struct listed_file *file,
                              struct text *damage)
{
    int result = read_messages(printer, file->path, damage);

    if (result == -ENOENT && file->is_of_folder &&
        text_ends_with(file->path, ARCHIVE_PART_SUFFIX)) {
        file->path[strlen(file->path) - (sizeof ARCHIVE_PART_SUFFIX - 1)] = '\0';
        text_clear(damage);
        result = read_messages(printer, file->path, damage);
    }
    return result == -ENOENT && file->is_of_folder ? 0 : result;
}

static void print_file(struct printer *printer, struct listed_file *file)
{
    struct print *print = printer->print;
    struct text damage = {0};
    int result = may_match(print, file->path) ? read_what_is_there(printer, file, &damage) : 0;

    if (result < 0) {
        report_damage(print, &damage, result);
    }
    text_deinit(&damage);
    ordered_output_end(print->output, printer->part, &printer->out);
    (void)pthread_mutex_lock(&print->lock);
    print->ended++;
    (void)pthread_mutex_unlock(&print->lock);
}

static void *print_files(void *argument)
{
    struct printer *printer = argument;
    struct print *print = printer->print;

    while (!has_enough(printer) && ordered_output_next(print->output, &printer->part)) {
        print_file(printer, &print->files.files[printer->part]);
    }
    return NULL;
}

/* --- Threads --- */

/* With a limit one thread prints everything, since the first messages in order are wanted. */
static unsigned count_threads(const struct print *print)
{
    unsigned cpus = cpu_limit();
    size_t files = print->files.count;

    if (print->line->limit != UINT64_MAX && print->line->format != PRINT_PDNS) {
        return 1;
    }
    cpus = cpus < THREADS_MAX ? cpus : THREADS_MAX;
    if (files < cpus) {
        cpus = (unsigned)files;
    }
    return cpus > 0 ? cpus : 1;
}

static int init_printers(struct print *print, struct printer *printers, unsigned count)
{
    bool is_pdns = print->line->format == PRINT_PDNS;
    int result = 0;

    for (unsigned i = 0; i < count && result == 0; i++) {
        printers[i].print = print;
        printers[i].left = is_pdns ? UINT64_MAX : print->line->limit;
        result = is_pdns ? passive_dns_create(&printers[i].records) : 0;
    }
    return result;
}

/* The first one is this thread. */
static int run_printers(struct printer *printers, unsigned count)
{
    unsigned started = 1;
    int result = 0;

    while (started < count && result == 0) {
        result = -pthread_create(&printers[started].thread, NULL, print_files, &printers[started]);
        started += result == 0;
    }
    (void)print_files(&printers[0]); /* all of them, if there is no thread to be had */
    for (unsigned i = 1; i < started; i++) {
        (void)pthread_join(printers[i].thread, NULL);
    }
    result = 0;
    for (unsigned i = 0; i < started && result == 0; i++) {
        result = printers[i].result;
    }
    return result;
}

/* --- Passive DNS --- */

#define RECORDS_SIZE ((size_t)64 * 1024) /* of lines that are written at once */

static int write_lines(struct text *lines)
{
    int result = lines->failed
                     ? -ENOMEM
                     : file_write_all(STDOUT_FILENO,
                                      (struct bytes){(const uint8_t *)lines->data, lines->len});

    text_clear(lines);
    return result;
}

static int print_records(struct print *print, struct printer *printers, unsigned count)
{
    struct passive_dns *all = printers[0].records;
    struct text lines = {0};
    int result = 0;

    for (unsigned i = 1; i < count && result == 0; i++) {
        result = passive_dns_merge(all, printers[i].records);
        passive_dns_free(printers[i].records);
        printers[i].records = NULL;
    }
    passive_dns_sort(all);
    for (size_t i = 0; i < passive_dns_count(all) && i < print->line->limit && result == 0; i++) {
        passive_dns_line(all, i, &lines);
        result = lines.len >= RECORDS_SIZE || lines.failed ? write_lines(&lines) : 0;
    }
    if (result == 0) {
        result = write_lines(&lines);
    }
    text_deinit(&lines);
    return result;
}

/* --- The command --- */

/* A file of frames begins and ends with a control frame. */
static int write_control(const struct print *print, enum control_type type)
{
    uint8_t frame[CONTROL_FRAME_SIZE];

    if (print->line->format != PRINT_FRAMES) {
        return 0;
    }
    size_t len = control_frame_write(type, frame);
    return file_write_all(STDOUT_FILENO, (struct bytes){frame, len});
}

static int print_all(struct print *print)
{
    unsigned count = count_threads(print);
    struct printer *printers = calloc(count, sizeof *printers);
    int result = printers != NULL ? init_printers(print, printers, count) : -ENOMEM;

    if (result == 0) {
        result = ordered_output_create(&print->output, (unsigned)print->files.count, count);
    }
    if (result == 0) {
        result = write_control(print, CONTROL_START);
    }
    if (result == 0) {
        result = run_printers(printers, count);
        clear_progress(print);
    }
    if (result == 0) {
        result = ordered_output_result(print->output);
    }
    if (result == 0 && print->line->format == PRINT_PDNS) {
        result = print_records(print, printers, count);
    }
    if (result == 0) {
        result = write_control(print, CONTROL_STOP);
    }
    ordered_output_free(print->output);
    for (unsigned i = 0; printers != NULL && i < count; i++) {
        passive_dns_free(printers[i].records);
        text_deinit(&printers[i].out);
    }
    free(printers);
    return result;
}

static int set_filters(struct print *print, struct text *error)
{
    const struct command_line *line = print->line;
    uint64_t now_ns = clock_realtime_ns();
    int result = 0;

    for (unsigned i = 0; i < line->filter_count && result == 0; i++) {
        result = message_filter_set(&print->filter, line->filters[i].name, line->filters[i].value,
                                    now_ns, error);
    }
    return result;
}

/* A folder without dnstap files is reported, and the others are read. Returns 0 or -ENOMEM. */
static int find_files(struct print *print)
{
    struct text error = {0};
    int result = 0;

    for (int i = 0; i < print->line->file_count && result != -ENOMEM; i++) {
        result = file_list_add(&print->files, print->line->files[i], &error);
        if (result < 0) {
            report_damage(print, &error, result);
        }
        text_clear(&error);
    }
    text_deinit(&error);
    return result == -ENOMEM ? result : 0;
}

/* Files that are links lead out of their folder, and have rules of their own. */
static int start_sandbox(struct sandbox **out, const struct print *print)
{
    size_t argument_count = (size_t)print->line->file_count;
    const char **paths = calloc(argument_count + print->files.count, sizeof *paths);

    if (paths == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < argument_count; i++) {
        paths[i] = print->line->files[i];
    }
    for (size_t i = 0; i < print->files.count; i++) {
        paths[argument_count + i] = print->files.files[i].path;
    }
    int result = sandbox_rules_start_read(out, paths, argument_count + print->files.count, NULL);
    free(paths);
    return result;
}

int program_print(const struct command_line *line)
{
    struct print print = {.line = line, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct sandbox *sandbox = NULL;
    struct text error = {0};

    if (set_filters(&print, &error) < 0) {
        program_fail(&error, -EINVAL);
        text_deinit(&error);
        return EXIT_USAGE;
    }
    print.progress_ns = isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) == 0;
    dns_mnemonic_init();
    int result = find_files(&print);
    if (result == 0) {
        result = start_sandbox(&sandbox, &print);
    }
    if (result == 0) {
        result = print_all(&print);
        if (result < 0 && result != -ENOMEM) {
            text_append_format(&error, "standard output: %s", strerror(-result));
        }
    }
    if (result < 0) {
        program_fail(&error, result);
        print.status = EXIT_FAILURE;
    }
    text_deinit(&error);
    sandbox_rules_finish_read(sandbox);
    file_list_deinit(&print.files);
    return print.status;
}
