/*
 * The files that hold sealed cases: moved out of the project, and looked for.
 *
 * The kernel keeps the engine from the case files that pawl.yaml names, and from nothing else: a
 * second copy in the project is as readable as any file. So what was sealed is remembered by hash,
 * beside the vault's key where the engine cannot look, and copies are searched for by it.
 *
 *     <vault_home>/<id>/case-files.json     [{"bytes":N,"sha256":hex}]
 *     <vault_home>/<id>/cases/              what `init --move-cases` moved
 *
 * Invariant: a search has a bound and says when it ended there; a copy that was changed is not found.
 */
#include "improve/front.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTES_MAX = 1 << 20, CONFIG_MAX = 1 << 20, ENTRIES_MAX = 50000, DEPTH_MAX = 32 };
static const int64_t hashed_bytes_max = (int64_t)1 << 30;

/* The keys of `data` whose files hold sealed cases. */
static const char *const sealed_keys[] = {"file", "gate", "vault"};
enum { N_SEALED_KEYS = sizeof sealed_keys / sizeof *sealed_keys };

static const char *configured(const struct pawl_project *project, const char *key)
{
    return pawl_json_get_text(json_object_get(project->config.json, "data"), key, NULL);
}

static enum pawl_status vault_file(struct pawl_call *call, const char *name, const char **path,
                                   struct pawl_error *err)
{
    json_t *seal;
    PAWL_TRY(pawl_front_seal(call->project, &seal, err));
    const char *id = pawl_json_get_text(seal, "vault", "");
    *path = pawl_path_join(&call->arena, pawl_front_vault_home(call->project, &call->arena),
                           pawl_arena_printf(&call->arena, "%s/%s", id, name));
    json_decref(seal);
    return PAWL_OK;
}

/* --- notes --------------------------------------------------------------------------------------- */

/* Files sealed by an older pawl have no note: an empty list. New reference. */
static enum pawl_status read_notes(struct pawl_call *call, json_t **notes, struct pawl_error *err)
{
    const char *path;
    struct pawl_str text;
    *notes = NULL;
    PAWL_TRY(vault_file(call, "case-files.json", &path, err));
    if (pawl_path_exists(path)) {
        PAWL_TRY(pawl_file_read(path, NOTES_MAX, &call->arena, &text, err));
        PAWL_TRY(pawl_json_parse(text, NOTES_MAX, notes, err));
    } else {
        *notes = json_array();
    }
    return PAWL_OK;
}

static bool is_noted(const json_t *notes, const char *hex)
{
    json_t *note;
    size_t i;
    json_array_foreach((json_t *)notes, i, note)
    {
        if (strcmp(pawl_json_get_text(note, "sha256", ""), hex) == 0) return true;
    }
    return false;
}

enum pawl_status pawl_front_note_case_file(struct pawl_call *call, const char *path,
                                           struct pawl_error *err)
{
    struct stat info;
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    json_t *notes;
    const char *file;
    if (stat(path, &info) != 0) return PAWL_OK;
    PAWL_TRY(pawl_file_hash(path, &hash, err));
    pawl_hash_hex(&hash, hex);
    PAWL_TRY(read_notes(call, &notes, err));
    enum pawl_status status = vault_file(call, "case-files.json", &file, err);
    if (status == PAWL_OK && !is_noted(notes, hex)) {
        json_array_append_new(
            notes, json_pack("{s:I, s:s}", "bytes", (json_int_t)info.st_size, "sha256", hex));
        char *text = pawl_json_text(notes);
        status = pawl_file_write_atomic(file, pawl_str_of(text), 0600, err);
        free(text);
    }
    json_decref(notes);
    return status;
}

enum pawl_status pawl_front_note_case_files(struct pawl_call *call, struct pawl_error *err)
{
    for (size_t i = 0; i < N_SEALED_KEYS; i++) {
        const char *file = configured(call->project, sealed_keys[i]);
        if (file == NULL) continue;
        PAWL_TRY(pawl_front_note_case_file(
            call, pawl_path_join(&call->arena, call->project->dir, file), err));
    }
    return PAWL_OK;
}

/* --- copies -------------------------------------------------------------------------------------- */

struct search {
    const char *project_dir;
    const json_t *notes;
    json_t *configured; /* {absolute path: true}: what the kernel keeps the engine from */
    json_t *found;      /* paths, those in the project relative to it */
    struct pawl_arena arena;
    int64_t entries, hashed_bytes;
    bool complete;
};

static bool has_noted_size(const struct search *search, int64_t bytes)
{
    json_t *note;
    size_t i;
    json_array_foreach((json_t *)search->notes, i, note)
    {
        if (pawl_json_get_int(note, "bytes", -1) == bytes) return true;
    }
    return false;
}

static void look_at_file(struct search *search, const char *path, int64_t bytes)
{
    struct pawl_hash hash;
    char hex[PAWL_HASH_HEX];
    if (json_object_get(search->configured, path) != NULL || !has_noted_size(search, bytes)) return;
    if (search->hashed_bytes + bytes > hashed_bytes_max) {
        search->complete = false;
        return;
    }
    search->hashed_bytes += bytes;
    if (pawl_file_hash(path, &hash, NULL) != PAWL_OK) return; /* we may not read it either */
    pawl_hash_hex(&hash, hex);
    if (!is_noted(search->notes, hex)) return;
    bool own = pawl_path_is_at_or_below(path, search->project_dir);
    json_array_append_new(search->found, pawl_json_string(pawl_str_of(
                                             path + (own ? strlen(search->project_dir) + 1 : 0))));
}

/* Links are not followed: what they lead to is found where it is. */
static void walk(struct search *search, const char *dir, int depth)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        struct stat info;
        bool skipped =
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".pawl") == 0;
        if (!skipped && (++search->entries > ENTRIES_MAX || depth > DEPTH_MAX)) {
            search->complete = false;
        } else if (!skipped) {
            const char *path = pawl_path_join(&search->arena, dir, name);
            bool there = lstat(path, &info) == 0; /* others may work in the project meanwhile */
            if (there && S_ISDIR(info.st_mode))
                walk(search, path, depth + 1);
            else if (there && S_ISREG(info.st_mode))
                look_at_file(search, path, info.st_size);
        }
        free(entries[i]);
    }
    free(entries);
}

/* The project, and the folder of each case file that lies elsewhere. */
static void walk_all(struct search *search, struct pawl_project *project)
{
    json_t *files = pawl_front_case_files(project), *file;
    size_t i;
    search->configured = json_object();
    json_array_foreach(files, i, file)
    {
        char *real = realpath(json_string_value(file), NULL);
        if (real != NULL) pawl_json_set(search->configured, real, json_true());
        free(real);
    }
    json_decref(files);
    walk(search, project->dir, 0);
    const char *path;
    json_t *unused, *walked = json_object();
    json_object_foreach(search->configured, path, unused)
    {
        char *dir = pawl_arena_strdup(&search->arena, path);
        *strrchr(dir, '/') = '\0';
        if (pawl_path_is_at_or_below(dir, project->dir) || json_object_get(walked, dir) != NULL)
            continue;
        pawl_json_set(walked, dir, json_true());
        walk(search, dir[0] != '\0' ? dir : "/", 0);
    }
    json_decref(walked);
}

enum pawl_status pawl_front_case_copies(struct pawl_call *call, json_t **copies,
                                        struct pawl_error *err)
{
    json_t *notes;
    PAWL_TRY(read_notes(call, &notes, err));
    struct search search = {.project_dir = call->project->dir,
                            .notes = notes,
                            .found = json_array(),
                            .complete = json_array_size(notes) > 0};
    if (search.complete) walk_all(&search, call->project);
    *copies = json_pack("{s:o, s:b}", "found", search.found, "complete", search.complete);
    json_decref(search.configured);
    json_decref(notes);
    pawl_arena_release(&search.arena);
    return PAWL_OK;
}

/* --- moving -------------------------------------------------------------------------------------- */

/* A configured file that is there, lies in the project, and is not where we would move it: its real
 * path, else NULL. */
static const char *movable(struct pawl_call *call, const char *key)
{
    const char *file = configured(call->project, key);
    if (file == NULL) return NULL;
    char *real = realpath(pawl_path_join(&call->arena, call->project->dir, file), NULL);
    char *home = realpath(pawl_front_vault_home(call->project, &call->arena), NULL);
    const char *path = NULL;
    if (real != NULL && pawl_path_is_at_or_below(real, call->project->dir) &&
        (home == NULL || !pawl_path_is_at_or_below(real, home)))
        path = pawl_arena_strdup(&call->arena, real);
    free(home);
    free(real);
    return path;
}

json_t *pawl_front_movable_cases(struct pawl_call *call)
{
    json_t *list = json_array();
    for (size_t i = 0; i < N_SEALED_KEYS; i++) {
        if (movable(call, sealed_keys[i]) != NULL)
            json_array_append_new(list, json_string(configured(call->project, sealed_keys[i])));
    }
    return list;
}

static bool starts_at(struct pawl_str text, size_t at, const char *word)
{
    size_t len = strlen(word);
    return at + len <= text.len && memcmp(text.ptr + at, word, len) == 0;
}

/*
 * Where the value of `key` stands in the text of pawl.yaml, given where the key stands: as it is, or
 * in quotes. False for what we do not read, e.g. a value on the next line.
 */
static bool find_value(struct pawl_str yaml, const struct pawl_error *place, const char *key,
                       const char *value, struct pawl_arena *arena, size_t *start, size_t *end)
{
    const char *const forms[] = {value, pawl_arena_printf(arena, "\"%s\"", value),
                                 pawl_arena_printf(arena, "'%s'", value)};
    size_t at = 0;
    for (int line = 1; line < place->line && at < yaml.len; at++) line += yaml.ptr[at] == '\n';
    at += (size_t)place->column - 1;
    if (!starts_at(yaml, at, key)) return false;
    at += strlen(key);
    if (!starts_at(yaml, at, ":")) return false;
    at++;
    while (starts_at(yaml, at, " ")) at++;
    for (size_t i = 0; i < 3; i++) {
        if (!starts_at(yaml, at, forms[i])) continue;
        *start = at;
        *end = at + strlen(forms[i]);
        return true;
    }
    return false;
}

/* The text with the new value; it must read as the old one in all else. */
static enum pawl_status rewrite(struct pawl_call *call, const char *key, const char *to,
                                struct pawl_buf *out, struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    struct pawl_str yaml;
    size_t start, end;
    struct pawl_error place = {0};
    json_t *reread = NULL;
    struct pawl_yaml_places *places = NULL;
    PAWL_TRY(pawl_file_read(project->config_path, CONFIG_MAX, &call->arena, &yaml, err));
    snprintf(place.field, sizeof place.field, "data.%s", key);
    pawl_yaml_locate(project->places, &place);
    bool found =
        find_value(yaml, &place, key, configured(project, key), &call->arena, &start, &end);
    if (found) {
        pawl_buf_add_str(out, (struct pawl_str){yaml.ptr, start});
        pawl_json_write_string(pawl_str_of(to), out);
        pawl_buf_add_str(out, (struct pawl_str){yaml.ptr + end, yaml.len - end});
        json_t *expected = json_deep_copy(project->config.json);
        pawl_json_set(json_object_get(expected, "data"), key, json_string(to));
        found = pawl_yaml_parse(pawl_buf_str(out), NULL, &reread, &places, NULL) == PAWL_OK &&
                json_equal(reread, expected);
        pawl_yaml_places_free(places);
        json_decref(reread);
        json_decref(expected);
    }
    if (found) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, project->config_path, place.line, place.field,
                 "The line is written in a way that pawl does not change by itself.");
    pawl_hint(err, "Move the file yourself and write its new path there, in quotes.");
    return PAWL_ECONFIG;
}

/* With the rights it had, and through a link if it is one. */
static enum pawl_status replace_config(const struct pawl_project *project, struct pawl_str text,
                                       struct pawl_error *err)
{
    struct stat was;
    char *real = realpath(project->config_path, NULL);
    enum pawl_status status = real != NULL && stat(real, &was) == 0
                                  ? pawl_file_write_atomic(real, text, was.st_mode & 0777, err)
                                  : pawl_fail_errno(err, PAWL_EWORLD, errno,
                                                    "%s cannot be replaced", project->config_path);
    free(real);
    return status;
}

/* Copy, name the copy in pawl.yaml, then remove: a call that is killed leaves a file too many. */
static enum pawl_status move_one(struct pawl_call *call, const char *key, const char *from,
                                 struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    const char *to, *dir;
    struct pawl_hash hash;
    struct pawl_buf yaml = PAWL_BUF(CONFIG_MAX);
    PAWL_TRY(vault_file(call, "cases", &dir, err));
    to = pawl_path_join(&call->arena, dir,
                        pawl_arena_printf(&call->arena, "%s-%s", key, strrchr(from, '/') + 1));
    enum pawl_status status = rewrite(call, key, to, &yaml, err);
    if (status == PAWL_OK) status = pawl_dir_make(dir, 0700, err);
    if (status == PAWL_OK) status = pawl_file_copy(from, to, 0600, &hash, err);
    if (status == PAWL_OK) status = replace_config(project, pawl_buf_str(&yaml), err);
    if (status == PAWL_OK && unlink(from) != 0)
        status = pawl_fail_errno(err, PAWL_EWORLD, errno, "%s cannot be removed", from);
    pawl_buf_release(&yaml);
    if (status != PAWL_OK) return status;
    json_array_append_new(json_object_get(call->result, "moved"),
                          json_pack("{s:s, s:s}", "from", from, "to", to));
    return pawl_project_reread(project, err);
}

enum pawl_status pawl_front_move_cases(struct pawl_call *call, struct pawl_error *err)
{
    pawl_json_set(call->result, "moved", json_array());
    for (size_t i = 0; i < N_SEALED_KEYS; i++) {
        const char *from = movable(call, sealed_keys[i]);
        if (from != NULL) PAWL_TRY(move_one(call, sealed_keys[i], from, err));
    }
    return PAWL_OK;
}
