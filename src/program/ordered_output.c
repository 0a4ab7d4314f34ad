/* SPDX-License-Identifier: Apache-2.0 */
#include "program/ordered_output.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

struct part {
    struct text rest; /* what its thread has left; owned */
    bool has_ended;
};

struct ordered_output {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* turn or result */
    struct part *parts;     /* [count] */
    unsigned count;
    unsigned window; /* parts that may be under way, from the one whose turn it is on */
    unsigned next;   /* part that nobody has taken */
    unsigned turn;   /* part that is written */
    int result;      /* 0, or a negative errno: nothing more is written */
};

int ordered_output_create(struct ordered_output **out, unsigned part_count, unsigned thread_count)
{
    struct ordered_output *output = calloc(1, sizeof *output);
    struct part *parts = calloc(part_count, sizeof *parts);

    if (output == NULL || parts == NULL) {
        free(output);
        free(parts);
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&output->lock, NULL);
    (void)pthread_cond_init(&output->changed, NULL);
    output->parts = parts;
    output->count = part_count;
    output->window = 2 * thread_count;
    *out = output;
    return 0;
}

void ordered_output_free(struct ordered_output *output)
{
    if (output == NULL) {
        return;
    }
    for (unsigned i = 0; i < output->count; i++) {
        text_deinit(&output->parts[i].rest);
    }
    (void)pthread_cond_destroy(&output->changed);
    (void)pthread_mutex_destroy(&output->lock);
    free(output->parts);
    free(output);
}

bool ordered_output_next(struct ordered_output *output, unsigned *part)
{
    (void)pthread_mutex_lock(&output->lock);
    while (output->result == 0 && output->next < output->count &&
           output->next - output->turn >= output->window) {
        (void)pthread_cond_wait(&output->changed, &output->lock);
    }
    bool has_part = output->result == 0 && output->next < output->count;
    if (has_part) {
        *part = output->next++;
    }
    (void)pthread_mutex_unlock(&output->lock);
    return has_part;
}

static int write_text(const struct text *text)
{
    return file_write_all(STDOUT_FILENO, (struct bytes){(const uint8_t *)text->data, text->len});
}

static void set_result(struct ordered_output *output, int result)
{
    (void)pthread_mutex_lock(&output->lock);
    if (result < 0 && output->result == 0) {
        output->result = result;
        (void)pthread_cond_broadcast(&output->changed);
    }
    (void)pthread_mutex_unlock(&output->lock);
}

bool ordered_output_write(struct ordered_output *output, unsigned part, struct text *text)
{
    if (text->failed) {
        set_result(output, -ENOMEM);
        return false;
    }
    (void)pthread_mutex_lock(&output->lock);
    while (output->result == 0 && output->turn != part && text->len >= ORDERED_OUTPUT_MAX) {
        (void)pthread_cond_wait(&output->changed, &output->lock);
    }
    bool is_its_turn = output->turn == part; /* until it ends */
    bool can_write = output->result == 0;
    (void)pthread_mutex_unlock(&output->lock);
    if (can_write && is_its_turn) {
        int result = write_text(text);
        text_clear(text);
        set_result(output, result);
        can_write = result == 0;
    }
    return can_write;
}

/* Write the parts that have ended, from the one whose turn it is on. The lock is held. */
static void write_ended(struct ordered_output *output)
{
    while (output->turn < output->count && output->parts[output->turn].has_ended) {
        struct part *part = &output->parts[output->turn];
        if (output->result == 0) {
            output->result = part->rest.failed ? -ENOMEM : write_text(&part->rest);
        }
        text_deinit(&part->rest);
        output->turn++;
    }
    (void)pthread_cond_broadcast(&output->changed);
}

void ordered_output_end(struct ordered_output *output, unsigned part, struct text *text)
{
    (void)pthread_mutex_lock(&output->lock);
    output->parts[part].rest = *text;
    output->parts[part].has_ended = true;
    write_ended(output);
    (void)pthread_mutex_unlock(&output->lock);
    *text = (struct text){0};
}

int ordered_output_result(struct ordered_output *output)
{
    (void)pthread_mutex_lock(&output->lock);
    int result = output->result;
    (void)pthread_mutex_unlock(&output->lock);
    return result;
}
