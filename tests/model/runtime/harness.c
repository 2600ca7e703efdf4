/* Runs one backend of step.c on what standard input describes, for processors other than the one
   that tests run on. Input, all of it int64 unless said: cell, layers, hidden, size, capacity; how
   many contexts, width, bits, kept rows; the arrays of the network in the order of the structures;
   those of the contexts, the table's last; then calls: a count, slots, ids. Output
   after each call: all states, then of the call's slots logits, probabilities, best ids and their
   probabilities. Compile with -DBACKEND=NAME. */

#include "step.c"

#include <stdio.h>
#include <stdlib.h>

#define JOIN(a, b) a##_##b
#define OF(name, backend) JOIN(name, backend)

static void *receive(int64_t bytes) {
    void *room = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
    if (!room || fread(room, 1, (size_t)bytes, stdin) != (size_t)bytes)
        exit(2);
    return room;
}

static void *zeros(int64_t bytes) {
    void *room = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64);
    if (!room)
        exit(2);
    return memset(room, 0, (size_t)bytes);
}

static void send(const void *from, int64_t bytes) { fwrite(from, 1, (size_t)bytes, stdout); }

static struct product receive_product(int64_t rows, int64_t columns) {
    struct product product;
    product.weights = receive(rows * columns);
    product.start = receive(4 * rows);
    product.scale = receive(4 * rows);
    return product;
}

static const struct contexts *receive_contexts(const int64_t *head, int64_t size) {
    struct contexts *contexts = zeros((int64_t)sizeof *contexts);
    *contexts = (struct contexts){.count = head[0], .width = head[1], .bits = head[2]};
    const int64_t rows = (int64_t)1 << contexts->bits;
    contexts->kinds = receive(8 * contexts->count);
    contexts->is_word = receive(size + 1);
    contexts->levels = receive(16);
    contexts->nothing = receive(contexts->width / 2);
    contexts->kept = receive(rows / 8);
    contexts->ranks = receive(4 * rows / 64);
    contexts->rows = receive(head[3] * contexts->width / 2);
    return contexts;
}

int main(void) {
    int64_t *head = receive(9 * 8);
    struct network network = {.cell = head[0], .layers = head[1], .hidden = head[2], .size = head[3]};
    if (!known_cell(&network))
        return 3;
    const int64_t capacity = head[4], hidden = network.hidden, size = network.size;
    const int64_t units = groups_of(network.cell) * PANEL;
    const int64_t rows = KINDS[network.cell].gates * ((hidden + units - 1) / units * units);
    struct layer *layers = zeros((int64_t)sizeof(struct layer) * network.layers);
    for (int64_t i = 0; i < network.layers; i++) {
        if (i == 0) {
            layers[i].table = receive(4 * (size + 1) * rows);
        } else {
            layers[i].input = receive_product(rows, hidden);
            layers[i].bias = receive(4 * rows);
        }
        layers[i].recurrent = receive_product(rows, hidden);
        if (network.cell == GRU)
            layers[i].reset_bias = receive(4 * hidden);
    }
    network.layer = layers;
    const int64_t padded = padded_size(&network);
    network.columns = (hidden + head[5] * head[6] + 7) / 8 * 8;
    network.output = receive_product(padded, network.columns);
    network.output_bias = receive(4 * padded);
    network.contexts = head[5] ? receive_contexts(head + 5, size) : NULL;

    const int64_t known = network.contexts ? (int64_t)sizeof(struct history) : 0;
    const int64_t state = network.layers * hidden * unit_bytes(network.cell) + known;
    struct pool pool = {.network = &network, .capacity = capacity, .stride = (state + 63) / 64 * 64};
    pool.states = zeros(capacity * pool.stride);
    pool.slots = zeros(8 * capacity);
    pool.ids = zeros(8 * capacity);
    pool.seen = zeros(8 * capacity);
    pool.recurrent = zeros(capacity * row_bytes(network.columns));
    pool.below = zeros(capacity * row_bytes(hidden));
    pool.numbers = zeros(4 * capacity * head[5]);
    pool.rows = zeros((int64_t)sizeof *pool.rows * capacity * head[5]);
    pool.logits = zeros(4 * capacity * padded);
    pool.best = zeros(4 * capacity);
    pool.probability = zeros(4 * capacity);

    int64_t count;
    while (fread(&count, 8, 1, stdin) == 1) {
        if (count > capacity || fread(pool.slots, 8, (size_t)count, stdin) != (size_t)count ||
            fread(pool.ids, 8, (size_t)count, stdin) != (size_t)count)
            return 2;
        if (OF(step, BACKEND)(&pool, count) != NONE)
            return 3;
        for (int64_t slot = 0; slot < capacity; slot++)
            send(pool.states + slot * pool.stride, state);
        const enum wanted each[] = {LOGITS, PROBABILITIES, BEST};
        for (int i = 0; i < 3; i++) {
            if (OF(predict, BACKEND)(&pool, count, each[i]) != NONE)
                return 3;
            for (int64_t k = 0; i < 2 && k < count; k++)
                send(pool.logits + k * padded, 4 * size);
        }
        send(pool.best, 4 * count);
        send(pool.probability, 4 * count);
    }
    return 0;
}
