/*
 * reflexion_memory.h - the lessons that a program remembers: a component of role memory, read and written.
 *
 * Invariants
 *   1. Bounded: PAWL_MEMORY_ITEMS_MAX items of PAWL_MEMORY_TEXT_MAX bytes. What is more is left out when
 *      a component is read: others may have written it.
 *   2. A memory is a value: a copy is another memory, with the same texts.
 *   3. No text stands there twice. Of two memories with the same items the component is the same.
 *
 *     struct pawl_memory memory = pawl_memory_read(pawl_host_text(host, 0, "lessons"), arena);
 *     pawl_memory_age(&memory);
 *     pawl_memory_add(&memory, text, "train-17", 3, 8, arena);
 *     edit.text = pawl_memory_text(&memory, &step);
 */
#ifndef PAWL_OPERATORS_REFLEXION_MEMORY_H
#define PAWL_OPERATORS_REFLEXION_MEMORY_H

#include "base/arena.h"
#include "base/json.h"

enum { PAWL_MEMORY_ITEMS_MAX = 32, PAWL_MEMORY_TEXT_MAX = 2000 };

struct pawl_memory_item {
    struct pawl_str text;
    const char *from; /* id of the train case that it was learned from; "" where nobody knows */
    int tried;        /* runs in which it was left out to see what it is worth ... */
    int helped;       /* ... and was missed */
    int ttl;          /* runs that it lives on */
};
struct pawl_memory {
    struct pawl_memory_item items[PAWL_MEMORY_ITEMS_MAX]; /* the oldest first */
    size_t n;
};
/* What cannot be read is an empty memory. Texts lie in `arena`. */
struct pawl_memory pawl_memory_read(struct pawl_str component, struct pawl_arena *arena);
/* The component's text. */
struct pawl_str pawl_memory_text(const struct pawl_memory *memory, struct pawl_arena *arena);
/* A line "- text" for each, or "(none)". */
struct pawl_str pawl_memory_lines(const struct pawl_memory *memory, struct pawl_arena *arena);
/* False when the text is there already. Above `most` items the one with the shortest life goes, the oldest of
 * equals, never the new one. */
bool pawl_memory_add(struct pawl_memory *memory, struct pawl_str text, const char *from, int ttl,
                     size_t most, struct pawl_arena *arena);
void pawl_memory_remove(struct pawl_memory *memory, size_t at);
/* A run has begun: each lives one run less, and those whose life is over are gone. */
void pawl_memory_age(struct pawl_memory *memory);

#endif
