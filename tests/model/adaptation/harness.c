/* Runs adapt.c on what standard input describes, for processors other than the one that tests run
   on. Input: a struct of int64 (size, units, first, second, lowest, highest, newline, space, ids
   absorbed, ids kept, ids pushed); the arrays of the model in the order of its structure; absorbed
   and pushed ids as int64; a distribution and a hidden state for the page's end and for each pushed
   id. Output: the mixed ones. */

#include "adapt.c"

#include <stdio.h>
#include <stdlib.h>

static void *zeros(size_t bytes) {
    void *room = calloc(1, bytes + 64);
    if (!room)
        exit(2);
    return room;
}

static void *receive(size_t bytes) {
    void *room = zeros(bytes);
    if (fread(room, 1, bytes, stdin) != bytes)
        exit(2);
    return room;
}

int main(void) {
    const int64_t *head = receive(11 * 8);
    struct model model = {.size = head[0], .units = head[1], .first = head[2], .second = head[3],
                          .lowest = (int32_t)head[4], .highest = (int32_t)head[5],
                          .newline = head[6], .space = head[7]};
    const size_t size = (size_t)model.size, first = (size_t)model.first;
    const size_t second = (size_t)model.second, count = (size_t)head[8];
    const size_t units = (size_t)model.units;
    model.letters = receive(size);
    model.logarithm = receive(2 * 384);
    model.exponential = receive(4 * (size_t)(model.highest - model.lowest + 1));
    model.view = receive(2 * VIEW * (units + units % 2));
    model.first_shared = receive(2 * first * SHARED);
    model.first_own = receive(2 * first * OWN);
    model.first_view = receive(2 * first * VIEW);
    model.first_bias = receive(4 * first);
    model.second_own = receive(2 * first * second);
    model.second_mean = receive(2 * first * second);
    model.second_bias = receive(4 * second);
    model.output = receive(2 * second);
    model.output_bias = receive(4);
    model.shifts = receive(16);
    struct page page = {.model = &model, .capacity = head[8]};
    page.ids = zeros(2 * count);
    page.entries = zeros(sizeof *page.entries * count);
    page.heads = zeros(2 * CHAINS * HEADS);
    page.singles = zeros(2 * size);
    page.pairs = zeros(2 * PAIRS);
    page_start(&page);
    if (page_absorb(&page, receive(8 * count), head[8]))
        return 3;
    page_truncate(&page, head[9]);
    const int64_t *pushed = receive(8 * (size_t)head[10]);
    struct cursor cursor, *cursors[] = {&cursor};
    cursor_start(&cursor, &page);
    for (int64_t i = 0; i <= head[10]; i++) {
        float *mixed = zeros(4 * size);
        const float *p = receive(4 * size);
        if (cursors_mix(cursors, 1, p, receive(units), mixed))
            return 3;
        fwrite(mixed, 4, size, stdout);
        if (i < head[10] && cursors_push(cursors, 1, pushed + i))
            return 3;
    }
    return 0;
}
