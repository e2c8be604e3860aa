#include "operators/reflexion_memory.h"

#include <stdbool.h>

enum { COMPONENT_BYTES_MAX = 1 << 20, COUNT_MAX = 1000000 };

static int count_of(const json_t *item, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(item, key));
    return n < 0 ? 0 : n > COUNT_MAX ? COUNT_MAX : (int)n;
}

static bool holds(const struct pawl_memory *memory, struct pawl_str text)
{
    for (size_t i = 0; i < memory->n; i++)
        if (pawl_str_eq(memory->items[i].text, text)) return true;
    return false;
}

struct pawl_memory pawl_memory_read(struct pawl_str component, struct pawl_arena *arena)
{
    struct pawl_memory memory = {.n = 0};
    json_t *list;
    if (pawl_json_parse(component, COMPONENT_BYTES_MAX, &list, NULL) != PAWL_OK) return memory;
    for (size_t i = 0; i < json_array_size(list) && memory.n < PAWL_MEMORY_ITEMS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        struct pawl_str text = pawl_json_get_str(item, "text");
        if (!text.ptr || text.len == 0 || text.len > PAWL_MEMORY_TEXT_MAX) continue;
        if (holds(&memory, text)) continue;
        memory.items[memory.n++] = (struct pawl_memory_item){
            .text = pawl_arena_copy(arena, text),
            .from = pawl_arena_strdup(arena, pawl_json_get_text(item, "from", "")),
            .tried = count_of(item, "tried"),
            .helped = count_of(item, "helped"),
            .ttl = count_of(item, "ttl")};
    }
    json_decref(list);
    return memory;
}

struct pawl_str pawl_memory_text(const struct pawl_memory *memory, struct pawl_arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < memory->n; i++) {
        const struct pawl_memory_item *item = &memory->items[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:i, s:i, s:i}", "text",
                                        pawl_json_string(item->text), "from", item->from, "tried",
                                        item->tried, "helped", item->helped, "ttl", item->ttl));
    }
    struct pawl_buf text = PAWL_BUF(COMPONENT_BYTES_MAX);
    pawl_json_write(list, &text);
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    json_decref(list);
    return copy;
}

struct pawl_str pawl_memory_lines(const struct pawl_memory *memory, struct pawl_arena *arena)
{
    struct pawl_buf text = PAWL_BUF(COMPONENT_BYTES_MAX);
    for (size_t i = 0; i < memory->n; i++) {
        pawl_buf_add(&text, "- ");
        pawl_buf_add_str(&text, memory->items[i].text);
        pawl_buf_add(&text, "\n");
    }
    if (memory->n == 0) pawl_buf_add(&text, "(none)\n");
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

void pawl_memory_remove(struct pawl_memory *memory, size_t at)
{
    memory->n--;
    memmove(memory->items + at, memory->items + at + 1, (memory->n - at) * sizeof *memory->items);
}

static size_t shortest_life(const struct pawl_memory *memory)
{
    size_t shortest = 0;
    for (size_t i = 1; i < memory->n; i++)
        if (memory->items[i].ttl < memory->items[shortest].ttl) shortest = i;
    return shortest;
}

bool pawl_memory_add(struct pawl_memory *memory, struct pawl_str text, const char *from, int ttl,
                     size_t most, struct pawl_arena *arena)
{
    if (holds(memory, text)) return false;
    while (memory->n > 0 && memory->n >= most) pawl_memory_remove(memory, shortest_life(memory));
    memory->items[memory->n++] = (struct pawl_memory_item){
        .text = pawl_arena_copy(arena, text), .from = pawl_arena_strdup(arena, from), .ttl = ttl};
    return true;
}

void pawl_memory_age(struct pawl_memory *memory)
{
    for (size_t i = memory->n; i-- > 0;)
        if (--memory->items[i].ttl <= 0) pawl_memory_remove(memory, i);
}
