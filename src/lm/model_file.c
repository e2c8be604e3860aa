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

/* What a kept hash was true for. */
struct note {
    int64_t size_bytes, mtime_ns;
    struct pawl_hash hash;
};

static struct note note_of(const struct stat *st)
{
    return (struct note){.size_bytes = st->st_size,
                         .mtime_ns =
                             (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
}

static char *note_path(struct pawl_arena *arena, const char *path)
{
    return pawl_arena_printf(arena, "%s.sha256", path);
}

static bool note_read(struct pawl_arena *arena, const char *path, struct note *now)
{
    struct pawl_str text;
    if (pawl_file_read(note_path(arena, path), NOTE_LIMIT_BYTES, arena, &text, NULL) != PAWL_OK)
        return false;
    int64_t size_bytes, mtime_ns;
    char hex[PAWL_HASH_HEX];
    return sscanf(text.ptr, "%" SCNd64 " %" SCNd64 " %64s", &size_bytes, &mtime_ns, hex) == 3 &&
           size_bytes == now->size_bytes && mtime_ns == now->mtime_ns &&
           pawl_hash_from_hex(pawl_str_of(hex), &now->hash);
}

/* A hash that cannot be kept is worked out again next time: not an error. */
static void note_write(struct pawl_arena *arena, const char *path, const struct note *now)
{
    char hex[PAWL_HASH_HEX];
    pawl_hash_hex(&now->hash, hex);
    const char *text = pawl_arena_printf(arena, "%" PRId64 " %" PRId64 " %s\n", now->size_bytes,
                                         now->mtime_ns, hex);
    (void)!pawl_file_write_atomic(note_path(arena, path), pawl_str_of(text), 0644, NULL);
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

enum pawl_status pawl_model_hash(const char *path, bool keep, struct pawl_hash *hash,
                                 struct pawl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int errnum = errno;
        if (fd >= 0) close(fd);
        return pawl_fail_errno(err, PAWL_EWORLD, errnum, "Cannot read the model %s", path);
    }
    struct pawl_arena arena = {0};
    struct note now = note_of(&st);
    enum pawl_status status = PAWL_OK;
    if (!note_read(&arena, path, &now)) {
        status = hash_file(fd, path, &now.hash, err);
        if (status == PAWL_OK && keep) note_write(&arena, path, &now);
    }
    *hash = now.hash;
    pawl_arena_release(&arena);
    close(fd);
    return status;
}
