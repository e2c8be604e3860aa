/* Unified diffs, by Myers ("An O(ND) difference algorithm and its variations", 1986), in linear
 * space: find the middle of a shortest edit script from both ends, then do both halves. */
#include "base/str.h"

#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum {
    CONTEXT_LINES = 3,
    /* Past this many edits from either end, a good split is taken for the best one, so that two
     * unlike texts of n lines cost n * COST_MAX steps and not n^2. */
    COST_MAX = 512,
};

struct line {
    struct pawl_str text; /* without its newline */
    ptrdiff_t id;         /* equal lines have equal ids */
    bool changed;         /* deleted from the left side, or added on the right one */
    bool cut;             /* the last line, and no newline ends it */
};

struct side {
    struct line *lines;
    ptrdiff_t n;
};

struct comparison {
    const struct side *a, *b;
    /* Furthest x on each diagonal d = x - y, walking from the start and from the end. */
    ptrdiff_t *forward, *backward;
};

static struct side split_lines(struct pawl_str text)
{
    struct side side = {0};
    for (size_t i = 0; i < text.len; i++) side.n += text.ptr[i] == '\n';
    side.lines = pawl_xcalloc((size_t)side.n + 1, sizeof *side.lines);
    side.n = 0;
    bool ends_in_newline = text.len > 0 && text.ptr[text.len - 1] == '\n';
    while (pawl_str_split(&text, '\n', &side.lines[side.n].text)) side.n++;
    if (side.n > 0) side.lines[side.n - 1].cut = !ends_in_newline;
    return side;
}

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = *(struct line *const *)left, *b = *(struct line *const *)right;
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = len ? memcmp(a->text.ptr, b->text.ptr, len) : 0;
    if (order != 0) return order;
    if (a->text.len != b->text.len) return a->text.len < b->text.len ? -1 : 1;
    return (int)a->cut - (int)b->cut;
}

/* By sorting, not hashing: no text makes it slow. */
static void number_lines(struct side *a, struct side *b)
{
    size_t n = (size_t)(a->n + b->n);
    struct line **all = pawl_xcalloc(n, sizeof(struct line *));
    for (ptrdiff_t i = 0; i < a->n; i++) all[i] = &a->lines[i];
    for (ptrdiff_t i = 0; i < b->n; i++) all[a->n + i] = &b->lines[i];
    qsort(all, n, sizeof *all, compare_lines);
    for (size_t i = 1; i < n; i++)
        all[i]->id = all[i - 1]->id + (compare_lines(&all[i - 1], &all[i]) != 0);
    free(all);
}

static bool same(const struct comparison *c, ptrdiff_t x, ptrdiff_t y)
{
    return c->a->lines[x].id == c->b->lines[y].id;
}

/* A part of both sides: a's lines x0 to x1, b's lines y0 to y1. */
struct part {
    ptrdiff_t x0, x1, y0, y1;
};
struct point {
    ptrdiff_t x, y;
};

static struct point furthest_forward(const struct comparison *c, struct part p, ptrdiff_t dmin,
                                     ptrdiff_t dmax)
{
    struct point best = {-1, -1};
    for (ptrdiff_t d = dmax; d >= dmin; d -= 2) {
        ptrdiff_t x = c->forward[d] < p.x1 ? c->forward[d] : p.x1;
        if (x - d > p.y1) x = p.y1 + d;
        if (x + x - d > best.x + best.y) best = (struct point){x, x - d};
    }
    return best;
}

/*
 * A point on a shortest edit script of p, which has no common prefix or suffix and two non-empty
 * sides: there the walks from both ends meet. Each turn of the loop allows one edit more.
 */
static struct point find_middle(const struct comparison *c, struct part p)
{
    ptrdiff_t *fd = c->forward, *bd = c->backward;
    const ptrdiff_t dmin = p.x0 - p.y1, dmax = p.x1 - p.y0; /* the diagonals of p */
    const ptrdiff_t fmid = p.x0 - p.y0, bmid = p.x1 - p.y1; /* those of its corners */
    ptrdiff_t fmin = fmid, fmax = fmid, bmin = bmid, bmax = bmid;
    const bool odd = (fmid - bmid) & 1;
    fd[fmid] = p.x0;
    bd[bmid] = p.x1;
    for (int cost = 1;; cost++) {
        if (fmin > dmin)
            fd[--fmin - 1] = -1;
        else
            fmin++;
        if (fmax < dmax)
            fd[++fmax + 1] = -1;
        else
            fmax--;
        for (ptrdiff_t d = fmax; d >= fmin; d -= 2) {
            ptrdiff_t x = fd[d - 1] < fd[d + 1] ? fd[d + 1] : fd[d - 1] + 1;
            while (x < p.x1 && x - d < p.y1 && same(c, x, x - d)) x++;
            fd[d] = x;
            if (odd && bmin <= d && d <= bmax && bd[d] <= x) return (struct point){x, x - d};
        }
        if (bmin > dmin)
            bd[--bmin - 1] = PTRDIFF_MAX;
        else
            bmin++;
        if (bmax < dmax)
            bd[++bmax + 1] = PTRDIFF_MAX;
        else
            bmax--;
        for (ptrdiff_t d = bmax; d >= bmin; d -= 2) {
            ptrdiff_t x = bd[d - 1] < bd[d + 1] ? bd[d - 1] : bd[d + 1] - 1;
            while (p.x0 < x && p.y0 < x - d && same(c, x - 1, x - d - 1)) x--;
            bd[d] = x;
            if (!odd && fmin <= d && d <= fmax && x <= fd[d]) return (struct point){x, x - d};
        }
        if (cost >= COST_MAX) return furthest_forward(c, p, fmin, fmax);
    }
}

static void mark_changes(const struct comparison *c, struct part p)
{
    for (;;) {
        while (p.x0 < p.x1 && p.y0 < p.y1 && same(c, p.x0, p.y0)) p.x0++, p.y0++;
        while (p.x0 < p.x1 && p.y0 < p.y1 && same(c, p.x1 - 1, p.y1 - 1)) p.x1--, p.y1--;
        if (p.x0 == p.x1 || p.y0 == p.y1) break;
        struct point middle = find_middle(c, p);
        mark_changes(c, (struct part){p.x0, middle.x, p.y0, middle.y});
        p.x0 = middle.x;
        p.y0 = middle.y;
    }
    for (; p.x0 < p.x1; p.x0++) c->a->lines[p.x0].changed = true;
    for (; p.y0 < p.y1; p.y0++) c->b->lines[p.y0].changed = true;
}

static void compare_sides(const struct side *a, const struct side *b)
{
    /* Diagonals run from -b->n to a->n, and find_middle looks one further on both sides. */
    size_t room = (size_t)(a->n + b->n) + 3;
    ptrdiff_t *diagonals = pawl_xcalloc(2 * room, sizeof *diagonals);
    struct comparison c = {a, b, diagonals + b->n + 1, diagonals + room + b->n + 1};
    mark_changes(&c, (struct part){0, a->n, 0, b->n});
    free(diagonals);
}

static bool changed_at(const struct side *side, ptrdiff_t i)
{
    return i < side->n && side->lines[i].changed;
}

/* The end of the hunk that begins at (p->x0, p->y0): changes that stand at most two contexts apart
 * belong together. */
static void extend_hunk(const struct side *a, const struct side *b, struct part *p)
{
    ptrdiff_t x = p->x0, y = p->y0, quiet = 0;
    while ((x < a->n || y < b->n) && quiet <= 2 * CONTEXT_LINES) {
        if (changed_at(a, x) || changed_at(b, y)) {
            while (changed_at(a, x)) x++;
            while (changed_at(b, y)) y++;
            quiet = 0;
            p->x1 = x;
            p->y1 = y;
        } else {
            x++, y++, quiet++;
        }
    }
}

static void write_range(char mark, ptrdiff_t from, ptrdiff_t to, struct pawl_buf *out)
{
    /* An empty range names the line before it. */
    pawl_buf_printf(out, " %c%td", mark, to > from ? from + 1 : from);
    if (to - from != 1) pawl_buf_printf(out, ",%td", to - from);
}

static void write_line(char mark, const struct line *line, struct pawl_buf *out)
{
    pawl_buf_add_bytes(out, &mark, 1);
    pawl_buf_add_str(out, line->text);
    pawl_buf_add(out, line->cut ? "\n\\ No newline at end of file\n" : "\n");
}

static void write_hunk(const struct side *a, const struct side *b, struct part p,
                       struct pawl_buf *out)
{
    pawl_buf_add(out, "@@");
    write_range('-', p.x0, p.x1, out);
    write_range('+', p.y0, p.y1, out);
    pawl_buf_add(out, " @@\n");
    ptrdiff_t x = p.x0, y = p.y0;
    while (x < p.x1 || y < p.y1) {
        for (; x < p.x1 && changed_at(a, x); x++) write_line('-', &a->lines[x], out);
        for (; y < p.y1 && changed_at(b, y); y++) write_line('+', &b->lines[y], out);
        for (; x < p.x1 && !changed_at(a, x) && !changed_at(b, y); x++, y++)
            write_line(' ', &a->lines[x], out);
    }
}

static void write_hunks(const struct side *a, const struct side *b, struct pawl_buf *out)
{
    ptrdiff_t x = 0, y = 0;
    while (x < a->n || y < b->n) {
        if (!changed_at(a, x) && !changed_at(b, y)) {
            x++, y++;
            continue;
        }
        struct part p = {.x0 = x, .y0 = y};
        extend_hunk(a, b, &p);
        x = p.x1;
        y = p.y1;
        ptrdiff_t before = p.x0 < CONTEXT_LINES ? p.x0 : CONTEXT_LINES;
        ptrdiff_t after = a->n - p.x1 < CONTEXT_LINES ? a->n - p.x1 : CONTEXT_LINES;
        struct part with_context = {p.x0 - before, p.x1 + after, p.y0 - before, p.y1 + after};
        write_hunk(a, b, with_context, out);
    }
}

void pawl_text_diff(struct pawl_str before, struct pawl_str after, const char *label_before,
                    const char *label_after, struct pawl_buf *out)
{
    if (pawl_str_eq(before, after)) return;
    struct side a = split_lines(before), b = split_lines(after);
    number_lines(&a, &b);
    compare_sides(&a, &b);
    pawl_buf_printf(out, "--- %s\n+++ %s\n", label_before, label_after);
    write_hunks(&a, &b, out);
    free(a.lines);
    free(b.lines);
}
