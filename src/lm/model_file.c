#include "lm/model_file.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASH_STEP_BYTES = 1 << 20, NOTE_LIMIT_BYTES = 4096 };

enum pawl_status pawl_models_dir(struct pawl_arena *arena, const char **dir, struct pawl_error *err)
{
    const char *named = getenv("PAWL_MODELS");
    if (named && *named) {
        *dir = pawl_arena_strdup(arena, named);
        return PAWL_OK;
    }
    const char *data = pawl_path_user(arena, "XDG_DATA_HOME", ".local/share");
    if (!data) {
        pawl_fail(err, PAWL_EWORLD,
                  "There is no models folder: neither PAWL_MODELS nor HOME is set.");
        pawl_hint(err, "Set PAWL_MODELS to the folder that holds the model files.");
        return PAWL_EWORLD;
    }
    *dir = pawl_path_join(arena, data, "pawl/models");
    return PAWL_OK;
}

static bool is_path(const char *model)
{
    struct pawl_str name = pawl_str_of(model);
    return strchr(model, '/') || (name.len > 5 && strcmp(model + name.len - 5, ".gguf") == 0);
}

enum pawl_status pawl_model_find(struct pawl_arena *arena, const char *model,
                                 const char *project_dir, const char **path, struct pawl_error *err)
{
    const char *file;
    if (is_path(model)) {
        file = pawl_path_join(arena, project_dir, model);
    } else {
        const char *dir;
        PAWL_TRY(pawl_models_dir(arena, &dir, err));
        file = pawl_path_join(arena, dir, pawl_arena_printf(arena, "%s.gguf", model));
    }
    struct stat st;
    if (stat(file, &st) != 0) {
        pawl_fail(err, PAWL_ENOTFOUND, "There is no model file %s.", file);
        if (is_path(model))
            pawl_hint(err, "Name a model of the models folder, or the path of a .gguf file.");
        else
            pawl_hint(err, "Fetch it with `pawl model pull %s`, or see `pawl model list`.", model);
        return PAWL_ENOTFOUND;
    }
    if (!S_ISREG(st.st_mode))
        return pawl_fail(err, PAWL_ECONFIG, "The model %s is not a regular file.", file);
    *path = file;
    return PAWL_OK;
}

const char *pawl_model_cache_dir(struct pawl_arena *arena)
{
    const char *cache = pawl_path_user(arena, "XDG_CACHE_HOME", ".cache");
    return cache ? pawl_path_join(arena, cache, "pawl/weights") : NULL;
}

/* What a file looked like when it had this hash. */
struct note {
    char looks[160];
    struct pawl_hash hash;
};

static struct note note_of(const struct stat *st)
{
    struct note note = {.hash = {{0}}};
    snprintf(note.looks, sizeof note.looks, "%ju:%ju:%jd:%jd.%09ld:%jd.%09ld",
             (uintmax_t)st->st_dev, (uintmax_t)st->st_ino, (intmax_t)st->st_size,
             (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
             st->st_ctim.tv_nsec);
    return note;
}

/* NULL where nothing can be kept. */
static const char *note_path(struct pawl_arena *arena, const char *path)
{
    const char *dir = pawl_model_cache_dir(arena);
    char *real = dir ? realpath(path, NULL) : NULL;
    if (!real) return NULL;
    struct pawl_hash of_path = pawl_hash_str(pawl_str_of(real));
    free(real);
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&of_path, hex);
    return pawl_arena_printf(arena, "%s/%s.sha256", dir, hex);
}

static bool note_read(struct pawl_arena *arena, const char *path, struct note *note)
{
    const char *file = note_path(arena, path);
    struct pawl_str text;
    char hex[PAWL_HASH_HEX];
    return file && pawl_file_read(file, NOTE_LIMIT_BYTES, arena, &text, NULL) == PAWL_OK &&
           sscanf(text.ptr, "%159s %64s", note->looks, hex) == 2 &&
           pawl_hash_from_hex(pawl_str_of(hex), &note->hash);
}

/* A hash that cannot be kept is worked out again next time: not an error. */
static void note_write(struct pawl_arena *arena, const char *path, const struct note *note)
{
    const char *file = note_path(arena, path);
    if (!file || pawl_dir_make(pawl_model_cache_dir(arena), 0755, NULL) != PAWL_OK) return;
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&note->hash, hex);
    const char *text = pawl_arena_printf(arena, "%s %s\n", note->looks, hex);
    (void)!pawl_file_write_atomic(file, pawl_str_of(text), 0644, NULL);
}

static enum pawl_status hash_file(int fd, const char *path, struct pawl_hash *hash,
                                  struct pawl_error *err)
{
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    unsigned char *step = pawl_xmalloc(HASH_STEP_BYTES);
    ssize_t n;
    while ((n = read(fd, step, HASH_STEP_BYTES)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) break;
        pawl_hasher_add(&hasher, step, (size_t)n);
    }
    int errnum = errno;
    free(step);
    if (n < 0) return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Cannot read the model %s", path);
    *hash = pawl_hasher_final(&hasher);
    return PAWL_OK;
}

static enum pawl_status open_and_look(const char *path, int *fd, struct note *now,
                                      struct pawl_error *err)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &st) != 0) {
        int errnum = errno;
        if (*fd >= 0) close(*fd);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Cannot read the model %s", path);
    }
    *now = note_of(&st);
    return PAWL_OK;
}

enum pawl_status pawl_model_hash(const char *path, bool keep, struct pawl_hash *hash,
                                 struct pawl_error *err)
{
    int fd;
    struct note now, kept;
    PAWL_TRY(open_and_look(path, &fd, &now, err));
    struct pawl_arena arena = {0};
    enum pawl_status status = PAWL_OK;
    if (note_read(&arena, path, &kept) && strcmp(kept.looks, now.looks) == 0) {
        now.hash = kept.hash;
    } else {
        status = hash_file(fd, path, &now.hash, err);
        if (status == PAWL_OK && keep) note_write(&arena, path, &now);
    }
    *hash = now.hash;
    pawl_arena_release(&arena);
    close(fd);
    return status;
}

bool pawl_model_is_intact(const char *path)
{
    struct pawl_arena arena = {0};
    struct note kept;
    struct pawl_hash hash;
    bool intact = note_read(&arena, path, &kept) &&
                  pawl_model_hash(path, false, &hash, NULL) == PAWL_OK &&
                  pawl_hash_eq(&hash, &kept.hash);
    pawl_arena_release(&arena);
    return intact;
}
