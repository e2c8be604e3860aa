/*
 * backend_replay.c - answers from a recording, and makes one.
 *
 * The file is JSON Lines of {"key","reply","request"}; key is the SHA-256 of the request's
 * canonical JSON (lm/request.h), so sha256sum can check it. In mode record the model named by `of`
 * is asked for what the file does not hold yet, and its answers are appended; what is MISSING is
 * not an answer. A recording holds prompts and answers and never a key; on the sealed side none is
 * made.
 *
 *     models: {tape: {backend: replay, file: tape.jsonl},
 *              live: {backend: openai, model: gpt-5-mini},
 *              taping: {backend: replay, file: tape.jsonl, mode: record, of: live}}
 *
 * Invariants
 *   1. A line is whole or was cut off by a crash at the end of the file; recording goes on after
 *      the last whole line.
 *   2. Equal requests have equal replies: the first recorded one counts.
 */
#include "base/hash.h"
#include "io/file.h"
#include "lm/backend.h"
#include "lm/key_set.h"
#include "lm/request.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORDING_MAX = 1 << 30, LINE_MAX_BYTES = 256 << 20 };

struct replay_options {
    const char *file, *mode, *of;
};
static const struct pawl_option replay_options[] = {
    {.name = "file",
     .type = PAWL_OPTION_TEXT,
     .offset = offsetof(struct replay_options, file),
     .help = "the recording, JSON Lines",
     .required = true},
    PAWL_OPT_CHOICE(struct replay_options, mode, "replay", "replay|record",
                    "record asks the model `of` for what the file lacks and appends the answer"),
    PAWL_OPT_TEXT(struct replay_options, of, NULL, "the model that is recorded"),
    {0}};

struct replay_model {
    struct pawl_lm *lm;
    struct pawl_arena arena;
    const char *path, *of; /* of: NULL when only replaying */
    const char *identity;
    pthread_mutex_t lock; /* of everything below */
    struct pawl_key_set keys;
    json_t **records; /* by the key's number: {"key","reply","request"} */
    size_t capacity;
    int fd;    /* -1 when only replaying */
    off_t end; /* of the last whole line */
};

extern const struct pawl_lm_backend pawl_backend_replay;

static bool is_recording(const struct replay_options *options)
{
    return strcmp(options->mode, "record") == 0;
}

/* --- the recording ---------------------------------------------------------------------------- */

/* Takes the record; an equal request keeps its first reply. */
static void keep_record(struct replay_model *model, const struct pawl_hash *key, json_t *record)
{
    size_t n_before = model->keys.n;
    if (pawl_key_set_add(&model->keys, key) < n_before) {
        json_decref(record);
        return;
    }
    if (n_before == model->capacity) {
        model->capacity = 2 * model->capacity + 64;
        model->records = pawl_xrealloc(model->records, model->capacity * sizeof *model->records);
    }
    model->records[n_before] = record;
}

static enum pawl_status read_line(struct replay_model *model, struct pawl_str line, int n,
                                  struct pawl_error *err)
{
    json_t *record;
    enum pawl_status status = pawl_json_parse(line, LINE_MAX_BYTES, &record, err);
    if (status != PAWL_OK) {
        if (err) err->line = n;
        return status;
    }
    struct pawl_hash key, request = {{0}};
    const json_t *asked = json_object_get(record, "request");
    if (asked) request = pawl_hash_json(asked);
    if (!pawl_hash_from_hex(pawl_json_get_str(record, "key"), &key) || !json_is_object(asked) ||
        !json_is_object(json_object_get(record, "reply"))) {
        json_decref(record);
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, n, NULL,
                            "The line is not a record {\"key\",\"reply\",\"request\"}.");
    }
    if (!pawl_hash_eq(&key, &request)) {
        json_decref(record);
        return pawl_fail_at(err, PAWL_EINTEGRITY, NULL, n, "key",
                            "The key is not the SHA-256 of the request.");
    }
    keep_record(model, &key, record);
    return PAWL_OK;
}

static enum pawl_status read_recording(struct replay_model *model, struct pawl_str text,
                                       struct pawl_error *err)
{
    struct pawl_str rest = text, line;
    for (int n = 1; pawl_str_split(&rest, '\n', &line); n++) {
        bool cut_off = rest.len == 0 && text.ptr[text.len - 1] != '\n';
        if (cut_off && model->of) break;
        if (pawl_str_trim(line).len > 0) PAWL_TRY(read_line(model, line, n, err));
        model->end = line.ptr + line.len + (cut_off ? 0 : 1) - text.ptr;
    }
    return PAWL_OK;
}

/* Appends one line, whole or not at all. */
static enum pawl_status write_line(struct replay_model *model, struct pawl_str line,
                                   struct pawl_error *err)
{
    enum pawl_status status = pawl_fd_write(model->fd, line.ptr, line.len, model->path, err);
    if (status == PAWL_OK) {
        model->end += (off_t)line.len;
    } else if (ftruncate(model->fd, model->end) != 0) {
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Cannot repair the recording %s",
                               model->path);
    }
    return status;
}

static enum pawl_status record(struct replay_model *model, const struct pawl_lm_request *request,
                               const struct pawl_lm_reply *reply, struct pawl_error *err)
{
    if (reply->status == PAWL_REPLY_MISSING) return PAWL_OK;
    char hex[PAWL_HASH_HEX];
    struct pawl_hash key = pawl_lm_request_key(NULL, request);
    pawl_hash_hex(&key, hex);
    struct pawl_buf line = PAWL_BUF(LINE_MAX_BYTES);
    pawl_buf_printf(&line, "{\"key\":\"%s\",\"reply\":", hex);
    pawl_lm_reply_write(reply, request->n_choices, &line);
    pawl_buf_add(&line, ",\"request\":");
    pawl_lm_request_write(request, &line);
    pawl_buf_add(&line, "}");
    enum pawl_status status = PAWL_OK;
    json_t *object = NULL;
    pthread_mutex_lock(&model->lock);
    if (pawl_key_set_find(&model->keys, &key) == PAWL_KEY_NONE) {
        status = pawl_json_parse(pawl_buf_str(&line), LINE_MAX_BYTES, &object, err);
        if (status == PAWL_OK) {
            pawl_buf_add(&line, "\n");
            status = write_line(model, pawl_buf_str(&line), err);
        }
        if (status == PAWL_OK)
            keep_record(model, &key, object);
        else
            json_decref(object);
    }
    pthread_mutex_unlock(&model->lock);
    pawl_buf_release(&line);
    return status;
}

/* --- what is not recorded --------------------------------------------------------------------- */

struct nearness {
    size_t n_different; /* fields of the request */
    const char *field;  /* one of them */
    size_t n_common;    /* bytes at the start of the last message */
};

static struct pawl_str last_message(const json_t *request)
{
    const json_t *messages = json_object_get(request, "messages");
    size_t n = json_array_size(messages);
    struct pawl_str none = {"", 0};
    struct pawl_str text =
        n > 0 ? pawl_json_get_str(json_array_get(messages, n - 1), "content") : none;
    return text.ptr ? text : none;
}

static struct nearness compare(const json_t *asked, const json_t *recorded)
{
    struct nearness near = {0};
    const char *field;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)asked, field, value)
    {
        if (json_equal(value, json_object_get(recorded, field))) continue;
        near.n_different++;
        near.field = field;
    }
    struct pawl_str a = last_message(asked), b = last_message(recorded);
    while (near.n_common < a.len && near.n_common < b.len &&
           a.ptr[near.n_common] == b.ptr[near.n_common])
        near.n_common++;
    return near;
}

/* Names the record that differs in the fewest fields, and then the latest in its last message. */
static enum pawl_status fail_not_recorded(struct replay_model *model,
                                          const struct pawl_lm_request *request,
                                          struct pawl_error *err)
{
    struct pawl_buf text = PAWL_BUF(LINE_MAX_BYTES);
    pawl_lm_request_write(request, &text);
    json_t *asked = NULL;
    enum pawl_status parsed = pawl_json_parse(pawl_buf_str(&text), LINE_MAX_BYTES, &asked, NULL);
    struct nearness best = {.n_different = (size_t)-1};
    size_t at = 0;
    pthread_mutex_lock(&model->lock);
    for (size_t i = 0; parsed == PAWL_OK && i < model->keys.n; i++) {
        struct nearness near = compare(asked, json_object_get(model->records[i], "request"));
        if (near.n_different > best.n_different ||
            (near.n_different == best.n_different && near.n_common <= best.n_common))
            continue;
        best = near;
        at = i;
    }
    pawl_fail_at(err, PAWL_ENOTFOUND, model->path, 0, NULL,
                 "The recording does not hold the request that was asked (one of %zu).",
                 model->keys.n);
    if (best.field) {
        struct pawl_str nearest = last_message(json_object_get(model->records[at], "request"));
        int n_shown = nearest.len < 60 ? (int)nearest.len : 60;
        pawl_hint(err,
                  "The nearest one differs in %s; it ends in the message \"%.*s\". "
                  "Record again with mode: record.",
                  best.field, n_shown, nearest.ptr);
    } else {
        pawl_hint(err, "The recording is empty: make one with mode: record and of: MODEL.");
    }
    pthread_mutex_unlock(&model->lock);
    json_decref(asked);
    pawl_buf_release(&text);
    return PAWL_ENOTFOUND;
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool replay_one(struct replay_model *model, struct pawl_arena *arena,
                       const struct pawl_lm_request *request, struct pawl_lm_reply *reply)
{
    struct pawl_hash key = pawl_lm_request_key(NULL, request);
    pthread_mutex_lock(&model->lock);
    size_t number = pawl_key_set_find(&model->keys, &key);
    bool ok = number != PAWL_KEY_NONE &&
              pawl_lm_reply_read(json_object_get(model->records[number], "reply"),
                                 request->n_choices, arena, reply);
    pthread_mutex_unlock(&model->lock);
    return ok;
}

static enum pawl_status ask_live(struct replay_model *model, struct pawl_arena *arena,
                                 const struct pawl_lm_request *requests, const size_t *missed,
                                 size_t n_missed, struct pawl_lm_reply *replies,
                                 struct pawl_arena *scratch, struct pawl_error *err)
{
    struct pawl_lm_request *asked = PAWL_NEW_N(scratch, struct pawl_lm_request, n_missed);
    struct pawl_lm_reply *answers = PAWL_NEW_N(scratch, struct pawl_lm_reply, n_missed);
    for (size_t i = 0; i < n_missed; i++) asked[i] = requests[missed[i]];
    PAWL_TRY(pawl_lm_ask_model(model->lm, model->of, arena, asked, n_missed, answers, err));
    for (size_t i = 0; i < n_missed; i++) {
        PAWL_TRY(record(model, &asked[i], &answers[i], err));
        replies[missed[i]] = answers[i];
    }
    return PAWL_OK;
}

static enum pawl_status replay_ask(void *state, struct pawl_arena *arena,
                                   const struct pawl_lm_request *requests, size_t n,
                                   struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct replay_model *model = state;
    struct pawl_arena scratch = {0};
    size_t *missed = PAWL_NEW_N(&scratch, size_t, n), n_missed = 0;
    for (size_t i = 0; i < n; i++)
        if (!replay_one(model, arena, &requests[i], &replies[i])) missed[n_missed++] = i;
    enum pawl_status status = PAWL_OK;
    if (n_missed > 0 && model->of)
        status = ask_live(model, arena, requests, missed, n_missed, replies, &scratch, err);
    else if (n_missed > 0)
        status = fail_not_recorded(model, &requests[missed[0]], err);
    pawl_arena_release(&scratch);
    return status;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum pawl_status replay_check(const struct pawl_lm_open *context, const void *given,
                                     struct pawl_error *err)
{
    const struct replay_options *options = given;
    if (!is_recording(options)) {
        struct pawl_arena arena = {0};
        bool exists = pawl_path_exists(pawl_path_join(&arena, context->project_dir, options->file));
        pawl_arena_release(&arena);
        if (exists) return PAWL_OK;
        pawl_fail_at(err, PAWL_ENOTFOUND, options->file, 0, "file", "There is no recording %s.",
                     options->file);
        pawl_hint(err, "Make one with mode: record and of: MODEL.");
        return PAWL_ENOTFOUND;
    }
    if (context->sealed) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "mode",
                     "Nothing is recorded where sealed cases are evaluated.");
        pawl_hint(err, "Ask the model %s itself there, or use mode: replay.",
                  options->of ? options->of : "");
        return PAWL_ECONFIG;
    }
    const struct pawl_lm_backend *of =
        options->of ? pawl_lm_find_backend(context->lm, options->of) : NULL;
    if (of && of != &pawl_backend_replay) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "of",
                 options->of ? "%s is not a model that can be recorded."
                             : "Mode record needs the name of a model%s.",
                 options->of ? options->of : "");
    pawl_hint(err, "of names another model of this file whose backend is not replay.");
    return PAWL_ECONFIG;
}

static void replay_close(void *state)
{
    struct replay_model *model = state;
    if (model->fd >= 0) {
        (void)!fdatasync(model->fd);
        close(model->fd);
    }
    for (size_t i = 0; i < model->keys.n; i++) json_decref(model->records[i]);
    free(model->records);
    pawl_key_set_release(&model->keys);
    pthread_mutex_destroy(&model->lock);
    pawl_arena_release(&model->arena);
    free(model);
}

static enum pawl_status open_for_writing(struct replay_model *model, struct pawl_error *err)
{
    model->fd = open(model->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (model->fd < 0 || ftruncate(model->fd, model->end) != 0)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Cannot write the recording %s",
                               model->path);
    const char *identity;
    PAWL_TRY(pawl_lm_model_identity(model->lm, model->of, &identity, err));
    model->identity = pawl_arena_printf(&model->arena, "record:%s", identity);
    return PAWL_OK;
}

static enum pawl_status read_file(struct replay_model *model, struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    struct pawl_str text = {"", 0};
    enum pawl_status status = PAWL_OK;
    if (!model->of || pawl_path_exists(model->path))
        status = pawl_file_read(model->path, RECORDING_MAX, &scratch, &text, err);
    if (status == PAWL_OK) {
        char hex[PAWL_HASH_HEX];
        struct pawl_hash hash = pawl_hash_str(text);
        pawl_hash_hex(&hash, hex);
        model->identity = pawl_arena_printf(&model->arena, "replay:%s", hex);
        status = read_recording(model, text, err);
        if (status != PAWL_OK && err) {
            size_t len = strnlen(model->path, sizeof err->file - 1);
            memcpy(err->file, model->path, len);
            err->file[len] = '\0';
        }
    }
    pawl_arena_release(&scratch);
    return status;
}

static enum pawl_status replay_open(const struct pawl_lm_open *context, const void *given,
                                    void **state, struct pawl_error *err)
{
    const struct replay_options *options = given;
    struct replay_model *model = pawl_xcalloc(1, sizeof *model);
    model->lm = context->lm;
    model->fd = -1;
    model->path = pawl_path_join(&model->arena, context->project_dir, options->file);
    model->of = is_recording(options) ? options->of : NULL;
    pthread_mutex_init(&model->lock, NULL);
    enum pawl_status status = read_file(model, err);
    if (status == PAWL_OK && model->of) status = open_for_writing(model, err);
    if (status != PAWL_OK) {
        replay_close(model);
        return status;
    }
    *state = model;
    return PAWL_OK;
}

static const char *replay_identity(void *state)
{
    return ((struct replay_model *)state)->identity;
}

const struct pawl_lm_backend pawl_backend_replay = {
    .api = PAWL_LM_BACKEND_API,
    .name = "replay",
    .summary = "answers from a recording, and records another model",
    .flags = PAWL_BACKEND_SCRIPTED | PAWL_BACKEND_ADAPTERS, /* the recorded model has its say */
    .options = replay_options,
    .options_bytes = sizeof(struct replay_options),
    .check = replay_check,
    .open = replay_open,
    .close = replay_close,
    .identity = replay_identity,
    .ask = replay_ask,
};
