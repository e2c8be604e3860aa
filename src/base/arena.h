/*
 * arena.h - memory by lifetime.
 *
 * An arena is a bag of allocations that die together. Lifetimes are named where they are used:
 * process > run > step > call; the arena is always an argument, never a global.
 *
 * Invariants
 *   1. Memory from an arena lives until pawl_arena_reset or pawl_arena_release, and is zeroed.
 *   2. Out of memory aborts: the store is crash-safe and a run resumes. Sizes that come from
 *      outside are checked against a maximum before they reach an arena.
 *   3. An arena belongs to one thread at a time.
 *
 *     struct pawl_arena step = {0};
 *     char *s = pawl_arena_printf(&step, "case %zu", i);
 *     pawl_arena_release(&step);
 */
#ifndef PAWL_BASE_ARENA_H
#define PAWL_BASE_ARENA_H

#include "base/error.h"
#include "base/str.h"

#include <stddef.h>

struct pawl_arena_block;
struct pawl_arena {
    struct pawl_arena_block *blocks; /* newest first */
    unsigned char *next, *end;       /* free room in the newest block */
    size_t used_bytes;               /* handed out since the last reset */
};

void *pawl_arena_alloc(struct pawl_arena *arena, size_t n, size_t size_bytes);
#define PAWL_NEW(arena, type)      ((type *)pawl_arena_alloc((arena), 1, sizeof(type)))
#define PAWL_NEW_N(arena, type, n) ((type *)pawl_arena_alloc((arena), (n), sizeof(type)))

/* Copies; always NUL-terminated, also when the text holds NUL bytes. */
char *pawl_arena_strdup(struct pawl_arena *arena, const char *text);
struct pawl_str pawl_arena_copy(struct pawl_arena *arena, struct pawl_str text);
char *pawl_arena_printf(struct pawl_arena *arena, const char *format, ...) PAWL_PRINTF(2, 3);

void pawl_arena_reset(struct pawl_arena *arena);   /* forget all, keep one block */
void pawl_arena_release(struct pawl_arena *arena); /* forget all, give memory back */

/* malloc/calloc/realloc that abort when there is no memory; free with free(). */
void *pawl_xmalloc(size_t size_bytes);
void *pawl_xcalloc(size_t n, size_t size_bytes);
void *pawl_xrealloc(void *p, size_t size_bytes);
char *pawl_xstrdup(const char *text);

#endif
