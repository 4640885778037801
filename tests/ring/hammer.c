/* One writer and three readers on one ring, in C alone, so that a thread sanitizer sees all of it.
 *
 *     hammer block | drop | look | cut
 *
 * block: the writer waits for the readers, who copy rows and move their gates; it begins again at the
 * front whenever it may, and one reader detaches and attaches meanwhile. drop: the writer drops its
 * oldest rows; readers look at leased rows only, since copies of others are read while they may be
 * overwritten, and thrown away then. look: readers without a gate copy rows while the writer fills
 * the ring and begins again; each row is seen whole or counted as missed. cut: a jump that the end of a process has cut short at any of its
 * stores is finished by who opens the block next.
 *
 * Each row holds its number as seq, as a value, and as text; readers check all three, and that numbers
 * go up between attaching and detaching. Exit status 0: everything was right; else it says what was not.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tickwire/ring/gates.h"
#include "tickwire/ring/open_ring.h"
#include "tickwire/ring/ring_reader.h"
#include "tickwire/ring/ring_text.h"
#include "tickwire/ring/ring_writer.h"

enum { ROWS = 1024, ARENA_BYTES = 8192, N_READERS = 3, WINDOW_ROWS = 100, N_COLUMNS = 3 };
enum { COLUMN_SEQ, COLUMN_NUMBER, COLUMN_TEXT };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t n_rows_to_write;
static tw_ring *ring;
static int64_t is_done;
static int64_t n_read;
static int64_t n_missed;

/* A block with seq, an int64 and a text. */
static tw_mapping *lay_out(void)
{
    const char *names[] = {"seq", "number", "text"};
    uint64_t end = sizeof(tw_ring_header);
    const uint64_t directory = end;
    end += (N_COLUMNS * sizeof(tw_column_entry) + 63) / 64 * 64;
    const uint64_t recv_mono = end;
    tw_mapping *mapping = tw_mapping_new(end + 8 * ROWS * (1 + N_COLUMNS) + ARENA_BYTES, -1);
    CHECK(mapping != NULL);
    tw_ring_header *header = (tw_ring_header *)(void *)mapping->bytes;
    tw_column_entry *entries = (tw_column_entry *)(void *)(mapping->bytes + directory);
    memcpy(header->magic, TW_RING_MAGIC, 8);
    header->version = TW_RING_VERSION;
    header->n_columns = N_COLUMNS;
    header->block_bytes = mapping->n_bytes;
    header->capacity = ROWS;
    header->recv_mono_offset = recv_mono;
    header->directory_offset = directory;
    end += 8 * ROWS;
    for (int i = 0; i < TW_GATES; i++)
        header->gates[i].value = TW_GATE_FREE;
    for (int i = 0; i < N_COLUMNS; i++, end += 8 * ROWS) {
        snprintf(entries[i].name, TW_NAME_BYTES, "%s", names[i]);
        entries[i].kind = i == COLUMN_TEXT ? TW_KIND_TEXT : TW_KIND_I64;
        entries[i].offset = end;
    }
    entries[COLUMN_TEXT].arena_offset = end;
    entries[COLUMN_TEXT].arena_bytes = ARENA_BYTES;
    return mapping;
}

static int text_of(int64_t number, char *text)
{
    return snprintf(text, 32, "%" PRId64 "%.*s", number, (int)(number % 9), "abcdefghi");
}

/* False where the ring is full. */
static bool write_row(tw_ring *to, int64_t number)
{
    char text[32];
    const int n = text_of(number, text);
    if (!tw_has_room(to))
        return false;
    ((int64_t *)to->columns[COLUMN_NUMBER].values)[to->head & to->mask] = number;
    if (tw_put_text(to, COLUMN_TEXT, (const uint8_t *)text, (size_t)n) != TW_TEXT_OK)
        return false;
    to->head++;
    return true;
}

static void check_row(const tw_ring *of, int64_t position, int64_t *last)
{
    const int64_t slot = position & of->mask;
    const int64_t *ends = tw_ends(&of->columns[COLUMN_TEXT]);
    const int64_t start = ends[(position - 1) & of->mask], n_bytes = ends[slot] - start;
    const int64_t number = ((int64_t *)of->columns[COLUMN_NUMBER].values)[slot];
    char text[32], expected[32];
    CHECK(number > *last);
    CHECK(of->seq[slot] == number);
    CHECK(n_bytes == text_of(number, expected));
    for (int64_t i = 0; i < n_bytes; i++)
        text[i] = (char)of->columns[COLUMN_TEXT].arena[(start + i) & (ARENA_BYTES - 1)];
    CHECK(memcmp(text, expected, (size_t)n_bytes) == 0);
    *last = number;
}

static void *read_rows(void *argument)
{
    const int number = *(const int *)argument;
    tw_gate *gate = tw_attach_gate(ring->header, TW_LAG_OVERFLOW);
    int64_t last = -1, n = 0;
    CHECK(gate != NULL);
    for (int turn = 1;; turn++) {
        const int64_t finished = tw_load_acquire(&is_done);
        int64_t at = tw_load_acquire(&gate->value), first = at >> 1;
        int64_t stop = tw_load_acquire(&ring->header->cursor.value);
        if (stop <= first) {
            if (finished)
                break;
            sched_yield();
            continue;
        }
        if (tw_load_acquire(&gate->value) != at)
            continue; /* the writer has jumped between the two: there are no rows from `first` on */
        if (ring->drops_oldest && !tw_compare_exchange(&gate->value, at, at | 1))
            continue; /* dropped meanwhile */
        at |= ring->drops_oldest;
        for (int64_t position = first; position < stop; position++, n++)
            check_row(ring, position, &last);
        CHECK(tw_compare_exchange(&gate->value, at, stop << 1));
        if (number == 0 && turn % 50 == 0) {
            tw_detach_gate(gate);
            gate = tw_attach_gate(ring->header, TW_LAG_OVERFLOW);
            CHECK(gate != NULL);
            last = -1; /* from the oldest row that is held */
        }
    }
    tw_detach_gate(gate);
    tw_add(&n_read, n);
    return NULL;
}

static void hammer(int drops_oldest)
{
    pthread_t threads[N_READERS];
    int numbers[N_READERS];
    tw_mapping *mapping = lay_out();
    ring = tw_open_ring(mapping, drops_oldest);
    CHECK(ring != NULL);
    ring->window_rows = ring->rewind_at = WINDOW_ROWS;
    for (int i = 0; i < N_READERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, read_rows, &numbers[i]) == 0);
    }
    int64_t n_jumps = 0;
    for (int64_t number = 0; number < (int64_t)n_rows_to_write; number++) {
        while (!write_row(ring, number)) {
            tw_publish(ring);
            sched_yield();
        }
        if (number % 7 == 0) {
            tw_publish(ring);
            n_jumps += tw_rewind(ring);
        }
        /* Now and then the readers may catch up. */
        for (int left = number % 200 == 0 ? 100 : 0; left > 0; left--) {
            sched_yield();
            if (tw_rewind(ring)) {
                n_jumps++;
                break;
            }
        }
        /* On a busy machine they may never have: once, the writer waits for them. */
        while (n_jumps == 0 && number > (int64_t)n_rows_to_write / 2 &&
               ring->published == ring->head && ring->head >= ring->rewind_at) {
            n_jumps += tw_rewind(ring);
            sched_yield();
        }
    }
    tw_publish(ring);
    tw_store_release(&is_done, 1);
    for (int i = 0; i < N_READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(tw_rows_at(ring->header, &ring->header->cursor.value, 0) == (int64_t)n_rows_to_write);
    CHECK(n_read > 0);
    CHECK(n_jumps > 0);
    CHECK(drops_oldest || ring->header->drops.n_rows == 0);
    printf("%" PRId64 " rows read, %" PRId64 " jumps, %" PRId64 " rows dropped\n", n_read, n_jumps,
           ring->header->drops.n_rows);
    tw_close_ring(ring);
    tw_mapping_release(mapping);
}

/* Copy at most LOOK_ROWS rows and what they miss; compare those that are whole. */
static void *look_at_rows(void *argument)
{
    enum { LOOK_ROWS = 64 };
    int64_t next = 0, seen = 0, missed = 0;
    (void)argument;
    for (;;) {
        const int64_t finished = tw_load_acquire(&is_done);
        const tw_view view = tw_look(ring);
        const int64_t oldest = tw_oldest_row(ring, &view);
        CHECK(oldest <= view.n_rows && oldest >= 0);
        if (oldest > next) {
            missed += oldest - next;
            next = oldest;
        }
        if (next >= view.n_rows) {
            if (finished)
                break;
            sched_yield();
            continue;
        }
        int64_t numbers[LOOK_ROWS], seqs[LOOK_ROWS], ends[LOOK_ROWS + 1], stop;
        char texts[LOOK_ROWS][32];
        const int64_t first = tw_locate(&view, next, &stop);
        int n = (int)(stop - first < LOOK_ROWS ? stop - first : LOOK_ROWS);
        CHECK(n > 0);
        const tw_column *column = &ring->columns[COLUMN_TEXT];
        ends[0] = tw_ends(column)[(first - 1) & ring->mask];
        for (int i = 0; i < n; i++) {
            const int64_t slot = (first + i) & ring->mask;
            numbers[i] = ((int64_t *)ring->columns[COLUMN_NUMBER].values)[slot];
            seqs[i] = ring->seq[slot];
            ends[i + 1] = tw_ends(column)[slot];
            for (int64_t j = 0; j < 32; j++)
                texts[i][j] = (char)column->arena[(ends[i] + j) & column->arena_mask];
        }
        const int64_t intact = tw_intact_from(ring) - first;
        int at = (int)(intact < 0 ? 0 : intact < n ? intact : n);
        while (at < n && ends[at] < tw_text_intact_from(ring, COLUMN_TEXT))
            at++;
        missed += at;
        for (; at < n; at++, seen++) {
            char expected[32];
            CHECK(numbers[at] == next + at && seqs[at] == next + at);
            const int n_bytes = text_of(next + at, expected);
            CHECK(ends[at + 1] - ends[at] == n_bytes);
            CHECK(memcmp(texts[at], expected, (size_t)n_bytes) == 0);
        }
        next += n;
    }
    CHECK(seen + missed == (int64_t)n_rows_to_write);
    tw_add(&n_read, seen);
    tw_add(&n_missed, missed);
    return NULL;
}

static void look(void)
{
    pthread_t threads[N_READERS];
    tw_mapping *mapping = lay_out();
    ring = tw_open_ring(mapping, 0);
    CHECK(ring != NULL);
    ring->window_rows = ring->rewind_at = WINDOW_ROWS;
    tw_gate *gate = tw_attach_gate(ring->header, TW_LAG_OVERFLOW); /* of who has taken everything */
    for (int i = 0; i < N_READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, look_at_rows, NULL) == 0);
    int64_t n_jumps = 0;
    for (int64_t number = 0; number < (int64_t)n_rows_to_write; number++) {
        CHECK(write_row(ring, number));
        if (number % 7 == 0 || number + 1 == (int64_t)n_rows_to_write) {
            tw_publish(ring);
            tw_store_release(&gate->value, ring->published << 1);
            /* Laps with jumps, and some around the whole ring. */
            if (number / 5000 % 2)
                n_jumps += tw_rewind(ring);
            if (number % 21 == 0)
                sched_yield();
        }
    }
    tw_store_release(&is_done, 1);
    for (int i = 0; i < N_READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(n_jumps > 0);
    CHECK(n_read > (int64_t)n_rows_to_write / 100); /* on a busy machine most are missed */
    printf("%" PRId64 " rows seen, %" PRId64 " missed, %" PRId64 " jumps\n", n_read, n_missed,
           n_jumps);
    tw_close_ring(ring);
    tw_mapping_release(mapping);
}

/* `step` stores of a jump are done. */
static void cut_jump(int step)
{
    tw_mapping *mapping = lay_out();
    tw_ring *before = tw_open_ring(mapping, 0);
    tw_gate *gate = tw_attach_gate(before->header, TW_LAG_OVERFLOW);
    int64_t number = 0, last = -1;
    while (number < 200)
        CHECK(write_row(before, number++));
    tw_publish(before);
    tw_store_release(&gate->value, 200 << 1);
    tw_ring_header *header = before->header;
    int64_t *ends = tw_ends(&before->columns[COLUMN_TEXT]);
    if (step > 0)
        header->skipped.value = (ROWS - 200) << 1 | 1;
    if (step > 1)
        header->floor.value = ROWS;
    if (step > 2)
        tw_push_gates(header, ROWS);
    if (step > 3)
        ends[ROWS - 1] = (ends[199] + ARENA_BYTES - 1) & ~(int64_t)(ARENA_BYTES - 1);
    if (step > 4)
        header->lap.value = ROWS;
    if (step > 5)
        header->cursor.value = ROWS;
    if (step > 6)
        header->skipped.value = (ROWS - 200) << 1;
    tw_close_ring(before);
    tw_ring *after = tw_open_ring(mapping, 0);
    const int64_t begin = step > 0 ? ROWS : 200;
    CHECK(after->head == begin && after->published == begin && header->cursor.value == begin);
    CHECK(!(header->skipped.value & 1) && after->head - after->skipped == 200);
    CHECK(tw_load_acquire(&gate->value) >> 1 == begin);
    while (number < 200 + ROWS - 1)
        CHECK(write_row(after, number++));
    tw_publish(after);
    last = 199;
    for (int64_t position = begin; position < after->published; position++)
        check_row(after, position, &last);
    CHECK(last == 200 + ROWS - 2);
    CHECK(!write_row(after, number));
    tw_close_ring(after);
    tw_mapping_release(mapping);
}

int main(int n_arguments, char **arguments)
{
    CHECK(n_arguments == 3);
    n_rows_to_write = strtoull(arguments[2], NULL, 10);
    if (strcmp(arguments[1], "cut") == 0) {
        for (int step = 0; step <= 7; step++)
            cut_jump(step);
        return 0;
    }
    if (strcmp(arguments[1], "look") == 0) {
        look();
        return 0;
    }
    hammer(strcmp(arguments[1], "drop") == 0);
    return 0;
}
