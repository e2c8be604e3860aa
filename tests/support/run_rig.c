#include "support/run_rig.h"

#include "base/clock.h"
#include "improve/host_internal.h"
#include "io/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char rig_script[] =
    "function complete(request)\n"
    "  local last = request.messages[#request.messages].content\n"
    "  if request.role ~= 'task' then\n"
    "    return '```\\nAnswer the question, way ' .. math.floor(random(request) * 1000000) .. "
    "'.\\n```'\n"
    "  end\n"
    "  local way = tonumber(request.messages[1].content:match('way (%d+)') or '5')\n"
    "  local right = last:match('RIGHT (%a+)') or last:match('^%a+$') or 'yes'\n"
    "  local skill = 0.3 + 0.05 * (way % 11)\n"
    "  if random(request) < skill then return right end\n"
    "  return right == 'yes' and 'no' or 'yes'\n"
    "end\n";

static void must(enum pawl_status status, const struct pawl_error *err)
{
    if (status == PAWL_OK) return;
    fprintf(stderr, "%s: %s %s\n", pawl_status_name(status), err->message, err->hint);
    abort();
}

static json_t *make_cases(const char *tier, int n, int n_check)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char id[32], question[64];
        const char *right = i % 3 == 0 ? "no" : "yes";
        snprintf(id, sizeof id, "%s-%d", tier, i);
        snprintf(question, sizeof question, "Question %s, RIGHT %s", id, right);
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s, s:s, s:s, s:b}", "id", id,
                                              "input", "q", question, "target", right, "cluster",
                                              id, "tier", tier, "check", i < n_check));
    }
    return list;
}

static void count_one(void *context, size_t n_done, size_t n_total)
{
    struct rig *rig = context;
    (void)n_done;
    (void)n_total;
    atomic_fetch_add(&rig->n_evaluated, 1);
}

static enum pawl_status reserve(void *context, int64_t microusd, struct pawl_error *err)
{
    struct rig *rig = context;
    return rig->purse.reserve(rig->purse.context, microusd, err);
}

static void settle(void *context, int64_t reserved_microusd, int64_t spent_microusd)
{
    struct rig *rig = context;
    rig->purse.settle(rig->purse.context, reserved_microusd, spent_microusd);
}

/* A signature, or a pipeline: `read` finds out, `say` says it again. */
static json_t *program_of(const struct rig *rig)
{
    if (!rig->is_pipeline)
        return json_pack("{s:s, s:{s:s}, s:b}", "signature", "q -> a: yes | no", "instruction",
                         "text", "Answer the question.", "lessons", rig->has_lessons);
    return json_pack("{s:{s:{s:s, s:{s:s}, s:b}, s:{s:s}}}", "modules", "read", "signature",
                     "q -> right: yes | no", "instruction", "text", "Answer the question.",
                     "lessons", rig->has_lessons, "say", "signature", "right -> a: yes | no");
}

static void open_instruments(struct rig *rig)
{
    struct pawl_error err = {0};
    json_t *models =
        json_pack("{s:{s:s, s:s, s:f, s:f}}", "m", "backend", "script", "file", "model.lua",
                  "price_prompt", rig->price, "price_completion", rig->price);
    const struct pawl_lm_purse purse = {reserve, settle, rig};
    json_t *program = program_of(rig), *metric = rig->has_own_metric
                                                     ? json_pack("{s:s}", "lua", "metric.lua")
                                                     : json_string("exact_match");
    struct pawl_lm_settings lm = {
        .models = models, .project_dir = rig->dir, .seed = 11, .purse = &purse};
    must(pawl_lm_open(&lm, &rig->lm, &err), &err);
    struct pawl_program_settings settings = {
        .program = program, .project_dir = rig->dir, .lm = rig->lm, .seed = 11};
    must(pawl_program_open(&settings, &rig->program, &err), &err);
    must(pawl_metric_open(metric, rig->dir, &rig->metric, &err), &err);
    struct pawl_evaluator_settings evaluator = {
        .metric = rig->metric, .threads = 2, .progress = count_one, .context = rig};
    must(pawl_evaluator_open(&evaluator, rig->program, &rig->evaluator, &err), &err);
    json_decref(models);
    json_decref(program);
    json_decref(metric);
}

static void close_instruments(struct rig *rig)
{
    pawl_evaluator_close(rig->evaluator);
    pawl_metric_close(rig->metric);
    pawl_program_close(rig->program);
    pawl_lm_close(rig->lm);
}

static void write_script(const struct rig *rig, const char *name, const char *script)
{
    char path[300];
    struct pawl_error err = {0};
    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    must(pawl_file_write_atomic(path, pawl_str_of(script), 0600, &err), &err);
}

void rig_set_script(struct rig *rig, const char *script)
{
    close_instruments(rig);
    write_script(rig, "model.lua", script);
    open_instruments(rig);
}

void rig_set_metric(struct rig *rig, const char *lua)
{
    close_instruments(rig);
    write_script(rig, "metric.lua", lua);
    rig->has_own_metric = true;
    open_instruments(rig);
}

void rig_set_pipeline(struct rig *rig)
{
    struct pawl_error err = {0};
    close_instruments(rig);
    rig->is_pipeline = true;
    open_instruments(rig);
    must(pawl_program_seed(rig->program, &rig->arena, &rig->start, &err), &err);
}

void rig_set_lessons(struct rig *rig)
{
    struct pawl_error err = {0};
    close_instruments(rig);
    rig->has_lessons = true;
    open_instruments(rig);
    must(pawl_program_seed(rig->program, &rig->arena, &rig->start, &err), &err);
}

void rig_open(struct rig *rig)
{
    struct pawl_error err = {0};
    const char *tmp = getenv("TMPDIR");
    *rig = (struct rig){
        .seed = 1, .budget = 400, .usd = -1, .minutes = -1, .price = -1, .dev_check = true};
    pawl_crypto_init();
    pawl_clock_fix(1767225600000);
    snprintf(rig->dir, sizeof rig->dir, "%s/pawl-run-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(rig->dir) == NULL) abort();
    write_script(rig, "model.lua", rig_script);
    open_instruments(rig);
    rig->train_json = make_cases("train", RIG_TRAIN, 0);
    rig->dev_json = make_cases("dev", RIG_DEV, RIG_CHECK);
    must(pawl_cases_from_json(rig->train_json, &rig->arena, &rig->train, &err), &err);
    must(pawl_cases_from_json(rig->dev_json, &rig->arena, &rig->dev, &err), &err);
    must(pawl_program_seed(rig->program, &rig->arena, &rig->start, &err), &err);
}

void rig_close(struct rig *rig)
{
    char command[300];
    close_instruments(rig);
    pawl_cases_release(&rig->train);
    pawl_cases_release(&rig->dev);
    json_decref(rig->train_json);
    json_decref(rig->dev_json);
    pawl_arena_release(&rig->arena);
    snprintf(command, sizeof command, "rm -rf '%s'", rig->dir);
    if (system(command) != 0) abort();
}

char *rig_path(const struct rig *rig, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s/journal", rig->dir, name);
    return pawl_xstrdup(path);
}

void rig_remove(struct rig *rig, const char *name)
{
    char *path = rig_path(rig, name);
    unlink(path);
    free(path);
}

/* --- summaries ----------------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
    const struct pawl_str *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->ptr, y->ptr, n);
    if (order != 0) return order;
    return x->len < y->len ? -1 : x->len > y->len;
}

/* The lines of `text` without their first `skip` bytes, sorted. */
static char *sorted_lines(struct pawl_str text, size_t skip)
{
    struct pawl_arena arena = {0};
    struct pawl_buf out = PAWL_BUF(1 << 28);
    struct pawl_str rest = text, line;
    size_t n = 0;
    struct pawl_str *lines = PAWL_NEW_N(&arena, struct pawl_str, text.len + 1);
    while (pawl_str_split(&rest, '\n', &line))
        if (line.len > skip) lines[n++] = (struct pawl_str){line.ptr + skip, line.len - skip};
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++) {
        pawl_buf_add_str(&out, lines[i]);
        pawl_buf_add(&out, "\n");
    }
    pawl_arena_release(&arena);
    pawl_buf_add(&out, "");
    return pawl_buf_take(&out);
}

static char *journal_lines(const struct rig *rig, const char *name)
{
    struct pawl_arena arena = {0};
    struct pawl_error err = {0};
    struct pawl_str text, header;
    char *path = rig_path(rig, name);
    must(pawl_file_read(path, 1 << 28, &arena, &text, &err), &err);
    pawl_str_split(&text, '\n', &header);
    char *lines = sorted_lines(text, 9);
    pawl_arena_release(&arena);
    free(path);
    return lines;
}

static char *candidate_lines(struct pawl_run *run)
{
    struct pawl_buf text = PAWL_BUF(1 << 28);
    for (uint32_t i = 0; i < run->n_candidates; i++) {
        const struct pawl_candidate *candidate = &run->candidates[i];
        if (candidate->artifact == NULL) continue;
        pawl_buf_printf(&text, "%s %.6f %d\n", candidate->artifact->hex,
                        pawl_run_dev_mean(run, i, NULL), candidate->nominated);
    }
    char *lines = sorted_lines(pawl_buf_str(&text), 0);
    pawl_buf_release(&text);
    return lines;
}

void rig_summary_release(struct rig_summary *summary)
{
    free(summary->candidates);
    free(summary->journal);
}

/* --- running --------------------------------------------------------------------------------------- */

static enum pawl_status answer_offer(void *context, const struct pawl_offer_call *call,
                                     bool *promoted, struct pawl_error *err)
{
    struct rig *rig = context;
    (void)err;
    atomic_fetch_add(&rig->n_offers, 1);
    memcpy(rig->offered, call->candidate, PAWL_HASH_HEX);
    memcpy(rig->behaviour, call->behaviour, PAWL_HASH_HEX);
    *promoted = rig->gate_says;
    return PAWL_OK;
}

static struct pawl_journal *open_journal(const struct rig *rig, const char *name)
{
    struct pawl_journal *journal;
    struct pawl_error err = {0};
    char *path = rig_path(rig, name);
    json_t *header = json_pack("{s:s}", "run", name);
    enum pawl_status status = pawl_path_exists(path)
                                  ? pawl_journal_open(path, NULL, &journal, &err)
                                  : pawl_journal_create(path, header, NULL, &journal, &err);
    must(status, &err);
    json_decref(header);
    free(path);
    return journal;
}

struct rig_summary rig_run(struct rig *rig, const char *name, const struct pawl_operator *operator)
{
    struct rig_summary summary = {0};
    struct pawl_arena arena = {0};
    struct pawl_run *run;
    void *options = pawl_arena_alloc(&arena, 1, operator->options_bytes + 1);
    static const struct pawl_option none[] = {{0}};
    const struct pawl_option *table = operator->options != NULL ? operator->options : none;
    must(pawl_options_read(table, rig->options, "", &arena, options, &summary.error),
         &summary.error);
    struct pawl_run_settings settings = {
        .id = name,
        .seed = rig->seed,
        .lm_seed = 11,
        .operator= operator,
        .options = options,
        .budget = {.evaluations = rig->budget, .usd = rig->usd, .minutes = rig->minutes},
        .dev_check = rig->dev_check,
        .force = rig->force,
        .start = rig->start,
        .journal = open_journal(rig, name),
        .program = rig->program,
        .evaluator = rig->evaluator,
        .lm = rig->lm,
        .train = &rig->train,
        .dev = &rig->dev,
        .offer = answer_offer,
        .context = rig,
        .stop_after_steps = rig->stop_after_steps,
    };
    summary.status = pawl_run_open(&settings, &run, &summary.error);
    if (summary.status == PAWL_OK) {
        rig->purse = pawl_run_purse(run);
        summary.status = pawl_run_go(run, &summary.result, &summary.error);
        summary.candidates = candidate_lines(run);
        summary.n_steps = atomic_load(&run->n_steps);
        pawl_run_close(run);
    }
    pawl_journal_close(settings.journal);
    summary.journal = journal_lines(rig, name);
    pawl_arena_release(&arena);
    return summary;
}
