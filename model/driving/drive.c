/* The drive: takes texts from a queue, absorbs each one, decodes what comes after it, and puts the
   result into another queue. All texts that are under way advance together, one id a step; they join
   and leave between any two steps. It computes nothing itself: the steps are step.c's, the mixing is
   adapt.c's. model/decoding/running.py and stepping.py do the same in Python, step by step; they are
   the reference that tests compare with.

   One thread runs `drive_run`, without the interpreter's lock. Other threads submit and collect. */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The version of the structures below, which library.py states too. */
enum { LAYOUT = 2 };

/* What a call of step.c is asked for, numbered as there. */
enum { PROBABILITIES = 1 };
enum { NONE = 0 };

/* How many ids all pages together may read before each step. That takes as long as a step of a large
   batch. */
enum { PAGE_IDS_PER_STEP = 128 };

/* The first members of step.c's pool: those that a caller uses. */
struct pool {
    const void *network;
    int64_t capacity, stride;
    uint8_t *states;
    int64_t *slots, *ids, *seen;
    int64_t calls, fault;
    uint8_t *recurrent, *below;
    uint32_t *numbers;
    const uint8_t **rows;
    float *logits;
    int32_t *best;
};

/* The functions of step.c and adapt.c, by their names there. Those of adapt.c are null where nothing
   is adapted. */
struct functions {
    int32_t (*step)(struct pool *, int64_t);
    int32_t (*predict)(struct pool *, int64_t, int32_t);
    int32_t (*put)(struct pool *, int64_t, const uint8_t *);
    const int8_t *(*hidden)(const struct pool *, int64_t, int8_t *);
    int32_t (*page_absorb)(void *, const int64_t *, int64_t);
    void (*page_truncate)(void *, int64_t);
    void (*cursor_start)(void *, const void *);
    int32_t (*cursors_push)(void *const *, int64_t, const int64_t *);
    int32_t (*cursors_best)(void *const *, int64_t, const float *, const int8_t *, float *,
                            int32_t *, float *);
};

/* One step that is kept: the id that was chosen, then what the network predicted there (`size`
   floats), its hidden state (`units` bytes), and the state (`state_size` bytes). Records of
   `kept_stride` bytes follow each other. */
struct kept {
    int64_t id;
    float p[];
};

/* A text, how to go on from it, and what became of it. The caller owns all that it points to, and
   leaves it alone until the job is collected. */
struct job {
    struct job *next;
    int64_t batch; /* which of the drive's batches computes it */
    /* The text: `count` ids after the state `start`, and where among them states are read. */
    const uint8_t *start;
    const int64_t *ids, *cuts;
    int64_t count, cut_count;
    uint8_t *states; /* (cut_count, state_size) */
    /* The page: it keeps its first `page_length` ids, then absorbs `page_count` more. */
    void *page, *cursor;
    const int64_t *page_ids;
    int64_t page_length, page_count;
    int64_t continues; /* whether the cursor is in its place already */
    /* Steps that an earlier job kept after the text that ends in `start`. */
    const uint8_t *replay;
    int64_t replay_count;
    /* Where decoding ends at the latest: after so many ids, so many of them characters, one of the
       two line ends, or when all ids together are less probable than `least_first`, or, once there
       is a character, than `least`. */
    int64_t most_ids, most_characters, line_ends[2];
    double least_first, least;
    double right; /* how probable the ids were together that were chosen before */
    /* The results. */
    int64_t *chosen;     /* (most_ids) */
    float *probability;  /* (most_ids) */
    uint8_t *kept;       /* (kept_most, kept_stride) */
    uint8_t *last_state; /* before the last id that was chosen */
    int64_t kept_most, chosen_count, kept_count, steps_computed, steps_reused;
    int64_t joined, decoding_since, ended; /* nanoseconds of the monotonic clock; 0 if it never did */
    int64_t page_done; /* whether the page holds the whole text */
    int64_t fault;
    _Atomic int64_t abandoned; /* nobody waits for it any more */
    /* Its way so far. */
    int64_t slot, absorbed, cuts_done, page_read, page_begun, replayed, replays, characters, phase;
    const uint8_t *state; /* where it goes on from, or null if that is in its slot */
};

/* What a job does: its text or its page is still read, or both are and it decodes, or it is done. */
enum phase { READING, DECODING, FINISHED };

struct batch {
    const struct functions *functions;
    struct pool *pool;
    int64_t capacity, size, padded_size, characters; /* ids that are characters come first */
    int64_t units, state_size, kept_stride;
    int8_t *hidden; /* (units) */
    float *room;    /* (size) */
    struct job **jobs; /* (capacity): under way, `count` of them */
    int64_t *free;     /* (capacity): the slots that are free, `capacity` - `count` of them */
    int64_t count;
    struct job *waiting, **last;
};

struct drive {
    struct batch *batches;
    int64_t batch_count;
    _Atomic(struct job *) submitted, done;
    _Atomic int64_t sleeping, told, stopping;
    /* A sleeping drive waits for a byte from `work_fd`, which `wake_fd` writes. `done_fd` is written
       when there is something to collect. */
    int64_t work_fd, wake_fd, done_fd;
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void push_all(_Atomic(struct job *) *stack, struct job *first, struct job *last) {
    last->next = atomic_load(stack);
    while (!atomic_compare_exchange_weak(stack, &last->next, first))
        ;
}

static uint8_t *state_in_pool(const struct batch *batch, const struct job *job) {
    return batch->pool->states + job->slot * batch->pool->stride;
}

static const uint8_t *state_of(const struct batch *batch, const struct job *job) {
    return job->state ? job->state : state_in_pool(batch, job);
}

static const struct kept *replayed(const struct batch *batch, const struct job *job, int64_t at) {
    return (const struct kept *)(job->replay + at * batch->kept_stride);
}

static uint8_t *kept_state(const struct batch *batch, const struct kept *kept) {
    return (uint8_t *)(kept->p + batch->size) + batch->units;
}

/* Takes one more id of the text as read; the state after it is the job's state. */
static void absorb(const struct batch *batch, struct job *job) {
    job->absorbed++;
    if (job->cuts_done < job->cut_count && job->cuts[job->cuts_done] == job->absorbed) {
        memcpy(job->states + job->cuts_done * batch->state_size, state_of(batch, job),
               (size_t)batch->state_size);
        job->cuts_done++;
    }
}

/* Goes along the kept step by its id, if there is a state after it. */
static int follow_kept(const struct batch *batch, struct job *job, int64_t id) {
    job->replays = job->replays && job->replayed + 1 < job->replay_count &&
                   replayed(batch, job, job->replayed)->id == id;
    if (job->replays) {
        job->replayed++;
        job->steps_reused++;
        job->state = kept_state(batch, replayed(batch, job, job->replayed));
    }
    return (int)job->replays;
}

static void begin(const struct batch *batch, struct job *job) {
    job->absorbed = job->cuts_done = job->page_read = job->page_begun = job->replayed = 0;
    job->chosen_count = job->kept_count = job->steps_computed = job->steps_reused = 0;
    job->characters = job->page_done = job->fault = job->decoding_since = 0;
    job->joined = now();
    job->state = job->start;
    job->replays = job->replay_count > 0;
    while (job->absorbed < job->count && follow_kept(batch, job, job->ids[job->absorbed]))
        absorb(batch, job);
    job->phase = READING;
}

/* Brings the page nearer to the text, by at most `*most` ids. */
static void read_page(const struct batch *batch, struct job *job, int64_t *most) {
    if (job->page_done || *most <= 0)
        return;
    if (job->page && !job->page_begun) {
        if (job->page_length >= 0)
            batch->functions->page_truncate(job->page, job->page_length);
        job->page_begun = 1;
    }
    int64_t count = job->page_count - job->page_read;
    if (count > *most)
        count = *most;
    if (count)
        job->fault = batch->functions->page_absorb(job->page, job->page_ids + job->page_read, count);
    *most -= count;
    job->page_read += count;
    if (job->page_read == job->page_count) {
        job->page_done = 1;
        if (job->page && !job->continues)
            batch->functions->cursor_start(job->cursor, job->page);
    }
}

static void keep(const struct batch *batch, struct job *job, int64_t id, const float *p,
                 const int8_t *hidden) {
    if (job->kept_count >= job->kept_most)
        return;
    struct kept *kept = (struct kept *)(job->kept + job->kept_count++ * batch->kept_stride);
    kept->id = id;
    memcpy(kept->p, p, (size_t)batch->size * sizeof *p);
    memcpy(kept->p + batch->size, hidden, (size_t)batch->units);
    memcpy(kept_state(batch, kept), state_of(batch, job), (size_t)batch->state_size);
}

/* Whether decoding has come to where it ends at the latest. */
static int ended(const struct job *job, int64_t id) {
    return job->chosen_count >= job->most_ids || job->characters >= job->most_characters ||
           id == job->line_ends[0] || id == job->line_ends[1] || job->right < job->least_first ||
           (job->characters && job->right < job->least);
}

/* Chooses the next id from what the network predicts, whose most probable id is `id`. Returns the
   id, or -1 where decoding ends. */
static int64_t choose(const struct batch *batch, struct job *job, const float *p,
                      const int8_t *hidden, int32_t id) {
    float probability;
    if (!job->decoding_since)
        job->decoding_since = now();
    if (job->cursor) {
        void *cursors[] = {job->cursor};
        job->fault = batch->functions->cursors_best(cursors, 1, p, hidden, batch->room, &id,
                                                    &probability);
        const int64_t pushed = id;
        if (!job->fault)
            job->fault = batch->functions->cursors_push(cursors, 1, &pushed);
        if (job->fault)
            return -1;
    } else {
        probability = p[id];
    }
    keep(batch, job, id, p, hidden);
    job->chosen[job->chosen_count] = id;
    job->probability[job->chosen_count] = probability;
    job->chosen_count++;
    job->right *= (double)probability;
    job->characters += id < batch->characters;
    if (ended(job, id)) {
        memcpy(job->last_state, state_of(batch, job), (size_t)batch->state_size);
        return -1;
    }
    return id;
}

/* Decodes along what was kept, as long as the same ids are chosen; then the next step must be
   computed, by the id that was chosen last. */
static void replay(const struct batch *batch, struct job *job) {
    while (job->replays && !job->fault) {
        const struct kept *kept = replayed(batch, job, job->replayed);
        const int8_t *hidden = (const int8_t *)(kept->p + batch->size);
        const int64_t id = choose(batch, job, kept->p, hidden, (int32_t)kept->id);
        if (id < 0) {
            job->phase = FINISHED;
            return;
        }
        if (!follow_kept(batch, job, id))
            return;
    }
}

/* Does what needs no step: enters the text or the page into their places, and replays. */
static void prepare(const struct batch *batch, struct job *job, int64_t *page_ids) {
    read_page(batch, job, page_ids);
    if (job->phase == READING && job->absorbed == job->count && job->page_done && !job->fault) {
        job->phase = job->most_ids ? DECODING : FINISHED;
        if (job->most_ids)
            replay(batch, job);
    }
    if (job->fault || atomic_load(&job->abandoned))
        job->phase = FINISHED;
    /* What is stepped must be in its slot. */
    if (job->phase != FINISHED && job->state && (job->phase == DECODING || job->absorbed < job->count)) {
        job->fault = batch->functions->put(batch->pool, job->slot, job->state);
        job->state = NULL;
        if (job->fault)
            job->phase = FINISHED;
    }
}

/* Whether the job is to be stepped: by an id of its text, or by the id that it chose last. */
static int steps(const struct job *job) {
    return job->absorbed < job->count || (job->phase == DECODING && job->chosen_count);
}

static void fail(struct batch *batch, int32_t fault) {
    for (int64_t i = 0; i < batch->count; i++) {
        batch->jobs[i]->fault = fault;
        batch->jobs[i]->phase = FINISHED;
    }
}

/* Steps all that have an id to read. */
static void step(struct batch *batch) {
    struct pool *pool = batch->pool;
    int64_t count = 0;
    for (int64_t i = 0; i < batch->count; i++) {
        const struct job *job = batch->jobs[i];
        if (job->phase == FINISHED || !steps(job))
            continue;
        pool->slots[count] = job->slot;
        pool->ids[count++] = job->absorbed < job->count ? job->ids[job->absorbed]
                                                        : job->chosen[job->chosen_count - 1];
    }
    const int32_t fault = count ? batch->functions->step(pool, count) : NONE;
    if (fault) {
        fail(batch, fault);
        return;
    }
    for (int64_t i = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        if (job->phase == FINISHED || !steps(job))
            continue;
        job->steps_computed++;
        if (job->absorbed < job->count)
            absorb(batch, job);
    }
}

/* Chooses an id for all that are at a place whose next id is wanted. */
static void decode(struct batch *batch) {
    struct pool *pool = batch->pool;
    int64_t count = 0;
    for (int64_t i = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        if (job->phase == READING && job->absorbed == job->count && job->page_done && !job->state)
            job->phase = job->most_ids ? DECODING : FINISHED;
        if (job->phase == DECODING)
            pool->slots[count++] = job->slot;
    }
    const int32_t fault = count ? batch->functions->predict(pool, count, PROBABILITIES) : NONE;
    if (fault) {
        fail(batch, fault);
        return;
    }
    for (int64_t i = 0, row = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        if (job->phase != DECODING)
            continue;
        const int8_t *hidden = batch->functions->hidden(pool, job->slot, batch->hidden);
        const float *p = pool->logits + row * batch->padded_size;
        if (choose(batch, job, p, hidden, pool->best[row++]) < 0)
            job->phase = FINISHED;
    }
}

/* Takes one step with all jobs under way; those that are done go into `*done`, the newest first. */
static void advance(struct batch *batch, struct job **done, struct job **last_done) {
    int64_t page_ids = PAGE_IDS_PER_STEP, left = 0;
    while (batch->waiting && batch->count < batch->capacity) {
        struct job *job = batch->waiting;
        batch->waiting = job->next;
        if (!batch->waiting)
            batch->last = &batch->waiting;
        batch->jobs[batch->count++] = job;
        job->slot = batch->free[batch->capacity - batch->count];
        begin(batch, job);
    }
    for (int64_t i = 0; i < batch->count; i++)
        prepare(batch, batch->jobs[i], &page_ids);
    step(batch);
    decode(batch);
    const int64_t count = batch->count;
    for (int64_t i = 0; i < count; i++) {
        struct job *job = batch->jobs[i];
        if (job->phase != FINISHED) {
            batch->jobs[left++] = job;
            continue;
        }
        batch->free[batch->capacity - batch->count--] = job->slot;
        job->ended = now();
        job->next = *done;
        if (!*done)
            *last_done = job;
        *done = job;
    }
}

/* Moves what was submitted into the queues of the batches, in the order in which it came. */
static int64_t take(struct drive *drive) {
    struct job *newest = atomic_exchange(&drive->submitted, NULL), *oldest = NULL;
    while (newest) {
        struct job *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct job *job = oldest;
        oldest = job->next;
        struct batch *batch = &drive->batches[job->batch];
        job->next = NULL;
        *batch->last = job;
        batch->last = &job->next;
    }
    int64_t busy = 0;
    for (int64_t i = 0; i < drive->batch_count; i++)
        busy += drive->batches[i].count || drive->batches[i].waiting;
    return busy;
}

static void tell(int64_t fd) {
    const uint8_t byte = 0;
    while (write((int)fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

static void wait_for_work(struct drive *drive) {
    uint8_t byte;
    atomic_store(&drive->sleeping, 1);
    /* A job that came in between has not woken anybody. */
    if (atomic_load(&drive->submitted) || atomic_load(&drive->stopping)) {
        if (atomic_exchange(&drive->sleeping, 0))
            return;
        /* It has: its byte is on the way. */
    }
    while (read((int)drive->work_fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

EXPORT int32_t drive_layout(void) { return LAYOUT; }

/* Makes the batches' lists; the other fields are set. */
EXPORT void drive_start(struct drive *drive) {
    for (int64_t i = 0; i < drive->batch_count; i++) {
        struct batch *batch = &drive->batches[i];
        batch->waiting = NULL;
        batch->last = &batch->waiting;
        batch->count = 0;
        for (int64_t slot = 0; slot < batch->capacity; slot++)
            batch->free[slot] = slot;
    }
}

/* Hands jobs over, a chain from the newest to the oldest. */
EXPORT void drive_submit(struct drive *drive, struct job *newest, struct job *oldest) {
    push_all(&drive->submitted, newest, oldest);
    if (atomic_exchange(&drive->sleeping, 0))
        tell(drive->wake_fd);
}

/* The jobs that are done, the newest first; null where there are none. */
EXPORT struct job *drive_collect(struct drive *drive) {
    /* Cleared first, so that a job which is done after this line tells of itself. */
    atomic_store(&drive->told, 0);
    return atomic_exchange(&drive->done, NULL);
}

/* Lets `drive_run` return after the step that it takes. */
EXPORT void drive_stop(struct drive *drive) {
    atomic_store(&drive->stopping, 1);
    if (atomic_exchange(&drive->sleeping, 0))
        tell(drive->wake_fd);
}

/* Computes until `drive_stop`; with `once`, until nothing is left to do. Jobs that are not done when
   it stops stay where they are. */
EXPORT void drive_run(struct drive *drive, int32_t once) {
    while (!atomic_load(&drive->stopping)) {
        if (!take(drive)) {
            if (once)
                return;
            wait_for_work(drive);
            continue;
        }
        struct job *done = NULL, *last = NULL;
        for (int64_t i = 0; i < drive->batch_count; i++)
            advance(&drive->batches[i], &done, &last);
        if (!done)
            continue;
        push_all(&drive->done, done, last);
        if (!once && !atomic_exchange(&drive->told, 1))
            tell(drive->done_fd);
    }
}
