#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Under the address sanitizer, bytes that were not handed out are poisoned, with a gap between
 * neighbours, so that an overrun inside a block is seen like one of malloc. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = 16 };
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
enum { GAP_BYTES = 0 };
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN_BYTES = 16, BLOCK_BYTES = 16 * 1024, BLOCK_BYTES_MAX = 1024 * 1024 };

struct pawl_arena_block {
    struct pawl_arena_block *next;
    size_t size_bytes;
    _Alignas(ALIGN_BYTES) unsigned char data[];
};

static struct pawl_arena_block *block_new(size_t size_bytes)
{
    struct pawl_arena_block *block = pawl_xmalloc(sizeof *block + size_bytes);
    block->size_bytes = size_bytes;
    POISON(block->data, size_bytes);
    return block;
}

/* Later blocks are larger, so that a big arena has few of them. */
static void add_block(struct pawl_arena *arena)
{
    size_t size_bytes = arena->blocks ? arena->blocks->size_bytes * 2 : BLOCK_BYTES;
    if (size_bytes > BLOCK_BYTES_MAX) size_bytes = BLOCK_BYTES_MAX;
    struct pawl_arena_block *block = block_new(size_bytes);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->next = block->data;
    arena->end = block->data + size_bytes;
}

/* A large allocation has a block of its own, behind the newest one, whose free room stays in use. */
static void *alloc_large(struct pawl_arena *arena, size_t size_bytes)
{
    if (!arena->blocks) add_block(arena);
    struct pawl_arena_block *block = block_new(size_bytes);
    block->next = arena->blocks->next;
    arena->blocks->next = block;
    return block->data;
}

void *pawl_arena_alloc(struct pawl_arena *arena, size_t n, size_t size_bytes)
{
    size_t wanted;
    if (__builtin_mul_overflow(n, size_bytes, &wanted) || wanted > SIZE_MAX / 4)
        PAWL_BUG("an arena was asked for %zu x %zu bytes", n, size_bytes);
    size_t padded = (wanted + GAP_BYTES + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    void *p;
    if (padded > BLOCK_BYTES / 4) {
        p = alloc_large(arena, padded);
    } else {
        if (padded > (size_t)(arena->end - arena->next)) add_block(arena);
        p = arena->next;
        arena->next += padded;
    }
    arena->used_bytes += wanted;
    UNPOISON(p, wanted);
    return memset(p, 0, wanted);
}

char *pawl_arena_strdup(struct pawl_arena *arena, const char *text)
{
    return (char *)pawl_arena_copy(arena, pawl_str_of(text)).ptr;
}

struct pawl_str pawl_arena_copy(struct pawl_arena *arena, struct pawl_str text)
{
    char *copy = pawl_arena_alloc(arena, text.len + 1, 1);
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    return (struct pawl_str){copy, text.len};
}

char *pawl_arena_printf(struct pawl_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    PAWL_ASSERT(len >= 0);
    char *text = pawl_arena_alloc(arena, (size_t)len + 1, 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

static void free_blocks(struct pawl_arena_block *block)
{
    while (block) {
        struct pawl_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void pawl_arena_reset(struct pawl_arena *arena)
{
    arena->used_bytes = 0;
    if (!arena->blocks) return;
    free_blocks(arena->blocks->next);
    arena->blocks->next = NULL;
    arena->next = arena->blocks->data;
    POISON(arena->next, arena->blocks->size_bytes);
}

void pawl_arena_release(struct pawl_arena *arena)
{
    free_blocks(arena->blocks);
    *arena = (struct pawl_arena){0};
}

static void *or_abort(void *p)
{
    if (!p) {
        fputs("pawl: out of memory; the run can be resumed\n", stderr);
        abort();
    }
    return p;
}

/* Zero bytes are one byte, so that NULL always means "no memory". */
void *pawl_xmalloc(size_t size_bytes)
{
    return or_abort(malloc(size_bytes ? size_bytes : 1));
}

void *pawl_xcalloc(size_t n, size_t size_bytes)
{
    return or_abort(n && size_bytes ? calloc(n, size_bytes) : calloc(1, 1));
}

void *pawl_xrealloc(void *p, size_t size_bytes)
{
    return or_abort(realloc(p, size_bytes ? size_bytes : 1));
}

char *pawl_xstrdup(const char *text)
{
    return or_abort(strdup(text));
}
