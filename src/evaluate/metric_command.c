/*
 * A metric that is any command (CONTRACTS): one JSON object a line.
 *
 *     in   {"id","input","target","output"}      out  {"id","score":0..1,"feedback":"...",
 *                                                      "scores":{name:0..1}}
 *
 * Each child judges one case at a time; a pool of them serves the threads. A child that is late,
 * talks nonsense or ends is stopped, the case it had is failed, and the next case gets a new child.
 */
#include "evaluate/metric_command.h"
#include "program/command_line.h"
#include "program/folder.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHILDREN_MAX = 64, ANSWER_BYTES_MAX = 1 << 20 };

struct options {
    json_t *command;
    int64_t timeout_ms, parallel, memory_mb;
    bool network;
};
static const struct pawl_option options_table[] = {
    {"command", PAWL_OPTION_JSON, offsetof(struct options, command), NULL, 0, 0, NULL,
     "the program and its arguments; it may read the files and folders they name", true},
    PAWL_OPT_INT(struct options, timeout_ms, "10000", 10, 86400000, "time for one case"),
    PAWL_OPT_INT(struct options, parallel, "0", 0, CHILDREN_MAX,
                 "processes at once (0: one for each core)"),
    PAWL_OPT_INT(struct options, memory_mb, "2048", 16, 1048576, "memory of each process"),
    PAWL_OPT_BOOL(struct options, network, "false", "let it use the network"),
    {0}};

struct judge {
    struct pawl_child *child;
    char *folder;
};
struct pool {
    struct pawl_arena arena;
    struct pawl_command_line line;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct judge idle[CHILDREN_MAX];
    int n_idle, n_children, n_max;
};

static enum pawl_status open_pool(const void *options, const char *project_dir, void **state,
                                  struct pawl_error *err)
{
    const struct options *o = options;
    struct pool *pool = pawl_xcalloc(1, sizeof *pool);
    enum pawl_status status = pawl_command_line_read(
        o->command, project_dir, NULL, "metric.command", &pool->arena, &pool->line, err);
    if (status != PAWL_OK) {
        pawl_arena_release(&pool->arena);
        free(pool);
        return status;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pool->n_max = o->parallel > 0        ? (int)o->parallel
                  : cores < 1            ? 1
                  : cores > CHILDREN_MAX ? CHILDREN_MAX
                                         : (int)cores;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    *state = pool;
    return PAWL_OK;
}

static void stop_judge(struct judge *judge)
{
    pawl_child_stop(judge->child);
    pawl_folder_remove(judge->folder);
    *judge = (struct judge){0};
}

static void close_pool(void *state)
{
    struct pool *pool = state;
    while (pool->n_idle > 0) stop_judge(&pool->idle[--pool->n_idle]);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->changed);
    pawl_arena_release(&pool->arena);
    free(pool);
}

static json_t *identity(void *state)
{
    return pawl_command_line_identity(&((struct pool *)state)->line);
}

static enum pawl_status start_judge(struct pool *pool, const struct options *o, struct judge *judge,
                                    struct pawl_error *err)
{
    PAWL_TRY(pawl_folder_make(&judge->folder, err));
    enum pawl_status status = pawl_command_line_start(&pool->line, judge->folder, o->network,
                                                      o->memory_mb << 20, &judge->child, err);
    if (status == PAWL_OK) return PAWL_OK;
    pawl_folder_remove(judge->folder);
    return PAWL_EWORLD;
}

/* An idle child, or a new one, or the next that becomes idle. */
static enum pawl_status get_judge(struct pool *pool, const struct options *o, struct judge *judge,
                                  struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    *judge = (struct judge){0};
    pthread_mutex_lock(&pool->lock);
    while (pool->n_idle == 0 && pool->n_children == pool->n_max)
        pthread_cond_wait(&pool->changed, &pool->lock);
    if (pool->n_idle > 0) {
        *judge = pool->idle[--pool->n_idle];
        pthread_mutex_unlock(&pool->lock);
        return PAWL_OK;
    }
    pool->n_children++;
    pthread_mutex_unlock(&pool->lock);
    status = start_judge(pool, o, judge, err);
    if (status == PAWL_OK) return PAWL_OK;
    pthread_mutex_lock(&pool->lock);
    pool->n_children--;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

static void put_judge(struct pool *pool, struct judge *judge, bool sound)
{
    if (!sound) stop_judge(judge);
    pthread_mutex_lock(&pool->lock);
    if (sound)
        pool->idle[pool->n_idle++] = *judge;
    else
        pool->n_children--;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

static struct pawl_str call_line(const struct pawl_metric_call *call, struct pawl_buf *out)
{
    json_t *line = json_object();
    pawl_json_set(line, "id", json_string(call->id));
    pawl_json_set(line, "input", json_incref((json_t *)(uintptr_t)call->input));
    pawl_json_set(line, "target", json_incref((json_t *)(uintptr_t)call->target));
    pawl_json_set(line, "output", json_incref((json_t *)(uintptr_t)call->output));
    if (call->metadata)
        pawl_json_set(line, "metadata", json_incref((json_t *)(uintptr_t)call->metadata));
    pawl_json_write(line, out);
    json_decref(line);
    return pawl_buf_str(out);
}

const char *pawl_metric_read_answer(struct pawl_str text, const char *id, struct pawl_arena *arena,
                                    struct pawl_metric_result *result)
{
    json_t *line;
    const char *wrong = NULL;
    if (pawl_json_parse(text, ANSWER_BYTES_MAX, &line, NULL) != PAWL_OK)
        return "wrote a line that is not JSON";
    const json_t *score = json_object_get(line, "score");
    if (!pawl_str_is(pawl_json_get_str(line, "id"), id)) {
        wrong = "answered another case";
    } else if (!json_is_number(score) || !(json_number_value(score) >= 0) ||
               !(json_number_value(score) <= 1)) {
        wrong = "gave no score from 0 to 1";
    } else {
        result->score = json_number_value(score);
        const char *feedback = pawl_json_get_text(line, "feedback", NULL);
        if (feedback) result->feedback = pawl_arena_strdup(arena, feedback);
        wrong = pawl_metric_take_named(result, arena, json_object_get(line, "scores"));
    }
    json_decref(line);
    return wrong;
}

static const char *ask_judge(struct judge *judge, const struct options *o,
                             const struct pawl_metric_call *call, struct pawl_arena *arena,
                             struct pawl_metric_result *result)
{
    struct pawl_buf line = PAWL_BUF(32 << 20);
    struct pawl_str text = call_line(call, &line);
    bool written = !line.overflowed && pawl_child_write(judge->child, text, o->timeout_ms);
    pawl_buf_release(&line);
    if (!written) return "does not read its input";
    switch (pawl_child_read(judge->child, o->timeout_ms, &text)) {
    case PAWL_CHILD_LINE:
        return pawl_metric_read_answer(text, call->id, arena, result);
    case PAWL_CHILD_LATE:
        return "did not answer in time";
    case PAWL_CHILD_ENDED:
        return "ended";
    case PAWL_CHILD_TOO_LONG:
        return "wrote an over-long line";
    }
    PAWL_BUG("a new way of reading");
}

static enum pawl_status score(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err)
{
    const struct options *o = options;
    struct pool *pool = state;
    struct judge judge;
    PAWL_TRY(get_judge(pool, o, &judge, err));
    const char *wrong = ask_judge(&judge, o, call, arena, result);
    if (wrong) {
        *result = (struct pawl_metric_result){.failed = true};
        result->feedback = pawl_arena_printf(arena, "The metric's command %s. %s", wrong,
                                             pawl_child_complaint(judge.child));
    }
    put_judge(pool, &judge, !wrong);
    return PAWL_OK;
}

const struct pawl_metric_kind pawl_metric_command = {
    .api = PAWL_METRIC_API,
    .name = "command",
    .summary = "any program that reads cases and writes scores, a line each",
    .flags = PAWL_METRIC_NAMED,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_pool,
    .close = close_pool,
    .identity = identity,
    .score = score,
};
