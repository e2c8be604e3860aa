#include "lm/llama_kept.h"

#include "io/file.h"
#include "lm/llama_engine.h"
#include "lm/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ggml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { LIMIT_BYTES = 1 << 20, VERSION = 1, THREADS_MAX = 1024 };

static const char *file_path(struct pawl_arena *arena)
{
    const char *dir = pawl_model_cache_dir(arena);
    return dir ? pawl_path_join(arena, dir, "machine.json") : NULL;
}

/* ---- Whose measurements ----------------------------------------------------------------------- */

static bool names_the_cpu(const char *line)
{
    static const char *const keys[] = {
        "vendor_id",        "cpu family",  "model",    "stepping", "flags",    "CPU implementer",
        "CPU architecture", "CPU variant", "CPU part", "Features", "features", "isa"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(line, keys[i], strlen(keys[i])) == 0) return true;
    return false;
}

/* The CPU's name and, as a virtual machine may hide some of them, a hash of its abilities. */
static const char *cpu_name(struct pawl_arena *arena)
{
    struct utsname system = {.machine = ""};
    uname(&system);
    const char *name = pawl_arena_strdup(arena, system.machine);
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    char *line = NULL;
    size_t room = 0;
    FILE *info = fopen("/proc/cpuinfo", "re");
    for (ssize_t n;
         info && (n = getline(&line, &room, info)) > 1;) { /* an empty line: the next CPU */
        const char *colon = strchr(line, ':');
        if (!colon || !names_the_cpu(line)) continue;
        pawl_hasher_add(&hasher, line, (size_t)n);
        if (strncmp(line, "model name", 10) == 0)
            name = pawl_arena_printf(arena, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (info) fclose(info);
    free(line);
    struct pawl_hash hash = pawl_hasher_final(&hasher);
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&hash, hex);
    return pawl_arena_printf(arena, "%s (%.12s)", name, hex);
}

static const char *build_name(struct pawl_arena *arena)
{
    return pawl_arena_printf(arena, "%s %.16s", ggml_version(), PAWL_LLAMA_BUILD);
}

static json_t *new_entry(struct pawl_arena *arena, const struct pawl_hash *model)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(model, hex);
    json_t *entry = json_object();
    pawl_json_set(entry, "model", json_string(hex));
    pawl_json_set(entry, "cpu", pawl_json_string(pawl_str_of(cpu_name(arena))));
    pawl_json_set(entry, "llama", pawl_json_string(pawl_str_of(build_name(arena))));
    return entry;
}

static const char *key_of(struct pawl_arena *arena, const json_t *entry)
{
    const char *text = pawl_arena_printf(
        arena, "%s\n%s\n%s", pawl_json_get_text(entry, "model", ""),
        pawl_json_get_text(entry, "cpu", ""), pawl_json_get_text(entry, "llama", ""));
    struct pawl_hash hash = pawl_hash_str(pawl_str_of(text));
    char *hex = pawl_arena_alloc(arena, 1, PAWL_HASH_HEX);
    pawl_hash_hex(&hash, hex);
    return hex;
}

/* ---- The file --------------------------------------------------------------------------------- */

/* {"version", "entries": {key: entry}}; an empty one where there is none that can be used. */
static json_t *read_all(struct pawl_arena *arena)
{
    const char *path = file_path(arena);
    struct pawl_str text;
    json_t *all = NULL;
    if (path && pawl_file_read(path, LIMIT_BYTES, arena, &text, NULL) == PAWL_OK &&
        pawl_json_parse(text, LIMIT_BYTES, &all, NULL) != PAWL_OK)
        all = NULL;
    if (pawl_json_get_int(all, "version", 0) == VERSION &&
        json_is_object(json_object_get(all, "entries")))
        return all;
    json_decref(all);
    all = json_object();
    pawl_json_set(all, "version", json_integer(VERSION));
    pawl_json_set(all, "entries", json_object());
    return all;
}

static bool write_all(struct pawl_arena *arena, const json_t *all)
{
    const char *path = file_path(arena);
    if (!path || pawl_dir_make(pawl_model_cache_dir(arena), 0755, NULL) != PAWL_OK) return false;
    char *text = pawl_json_text(all);
    bool written = strlen(text) < LIMIT_BYTES &&
                   pawl_file_write_atomic(path, pawl_str_of(text), 0644, NULL) == PAWL_OK;
    free(text);
    return written;
}

json_t *pawl_llama_kept_get(const struct pawl_hash *model)
{
    struct pawl_arena arena = {0};
    json_t *entry = new_entry(&arena, model), *all = read_all(&arena);
    json_t *kept = json_object_get(json_object_get(all, "entries"), key_of(&arena, entry));
    if (json_is_object(kept)) json_object_update_missing(entry, kept);
    json_decref(all);
    pawl_arena_release(&arena);
    return entry;
}

/* A file that has grown too long is begun anew. */
bool pawl_llama_kept_put(const json_t *entry)
{
    struct pawl_arena arena = {0};
    bool written = false;
    json_t *all = read_all(&arena);
    for (int attempt = 0; attempt < 2 && !written; attempt++) {
        json_t *entries = json_object_get(all, "entries");
        if (attempt > 0) json_object_clear(entries);
        pawl_json_set(entries, key_of(&arena, entry), json_deep_copy(entry));
        written = write_all(&arena, all);
    }
    json_decref(all);
    pawl_arena_release(&arena);
    return written;
}

/* The lock is on the folder, so that it needs no file of its own. */
int pawl_llama_kept_lock(void)
{
    struct pawl_arena arena = {0};
    const char *dir = pawl_model_cache_dir(&arena);
    int lock = -1;
    if (dir && pawl_dir_make(dir, 0755, NULL) == PAWL_OK)
        lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (lock >= 0 && flock(lock, LOCK_EX) != 0 && errno == EINTR) continue;
    pawl_arena_release(&arena);
    return lock;
}

void pawl_llama_kept_unlock(int lock)
{
    if (lock >= 0) close(lock);
}

/* ---- What an entry says ------------------------------------------------------------------------ */

json_t *pawl_llama_speed_json(const struct pawl_llama_speed *speed)
{
    return json_pack("{s:f, s:f}", "prompt_tokens_per_s", round(speed->prompt * 100) / 100,
                     "answer_tokens_per_s", round(speed->answer * 100) / 100);
}

void pawl_llama_kept_pace(const json_t *entry, struct pawl_llama_pace *pace)
{
    int64_t threads = pawl_json_get_int(entry, "threads", 0);
    int64_t batch = pawl_json_get_int(entry, "batch", 0);
    int64_t ubatch = pawl_json_get_int(entry, "ubatch", 0);
    if (threads >= 1 && threads <= THREADS_MAX) pace->n_threads = (int)threads;
    if (batch >= PAWL_LLAMA_BATCH_MIN && batch <= PAWL_LLAMA_BATCH)
        pace->batch_tokens = (size_t)batch;
    if (ubatch >= PAWL_LLAMA_UBATCH_MIN && ubatch <= PAWL_LLAMA_BATCH)
        pace->ubatch_tokens = (size_t)ubatch;
}
