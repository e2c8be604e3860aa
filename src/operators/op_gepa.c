/*
 * gepa - reflective evolution of texts (Agrawal et al. 2025, arXiv 2507.19457).
 *
 * Example
 *     pawl improve --operator gepa --set minibatch=3 --budget evaluations=3000
 *
 * How it works
 *     A parent is drawn from the candidates that are best on some dev case (pareto.h). It answers a
 *     minibatch of train cases; a reflecting model reads its text and what it did right and wrong,
 *     and writes a new text for one component. The child is kept if it scores strictly more on the
 *     same minibatch; then it is scored on all of dev and joins the fronts. Of a pipeline the reflecting
 *     model reads what the one module was given and gave, and how the program's answer was judged.
 *
 * What differs from the published code: an iteration starts only when its worst case fits the
 * budget (2 minibatches and dev), so the limit is never overrun; a child whose text was tried before
 * is not evaluated again; texts over a limit are refused; a case that the world lost is no zero.
 */
#include "operators/operator.h"
#include "operators/pareto.h"
#include "operators/trace.h"

#include <math.h>
#include <string.h>

struct gepa_options {
    int64_t minibatch, max_iterations, reflection_tokens, max_text_bytes;
    double perfect_score, reflection_temperature;
    bool skip_perfect, show_target;
    const char *parent, *component, *accept;
};
static const struct pawl_option gepa_options[] = {
    PAWL_OPT_INT(struct gepa_options, minibatch, "3", 1, 1000, "train cases per reflection"),
    PAWL_OPT_INT(struct gepa_options, max_iterations, "0", 0, 1e9,
                 "stop after this many (0: when the budget ends)"),
    PAWL_OPT_CHOICE(struct gepa_options, parent, "pareto", "pareto|best",
                    "how the parent is chosen"),
    PAWL_OPT_CHOICE(struct gepa_options, component, "round_robin", "round_robin|all",
                    "which components a reflection rewrites"),
    PAWL_OPT_CHOICE(struct gepa_options, accept, "strict", "strict|equal",
                    "child must score more, or at least as much, on the minibatch"),
    PAWL_OPT_BOOL(struct gepa_options, skip_perfect, "true",
                  "do not reflect on a minibatch without a fault"),
    PAWL_OPT_REAL(struct gepa_options, perfect_score, "1", 0, 1, "a score without fault"),
    PAWL_OPT_BOOL(struct gepa_options, show_target, "true",
                  "let the reflection see how train answers were judged, wanted answers included"),
    PAWL_OPT_INT(struct gepa_options, reflection_tokens, "1024", 16, 100000,
                 "length limit of a reflection"),
    PAWL_OPT_REAL(struct gepa_options, reflection_temperature, "1", 0, 2,
                  "temperature of reflections"),
    PAWL_OPT_INT(struct gepa_options, max_text_bytes, "16000", 16, 1e6,
                 "longer proposals are refused"),
    {0}};

/* {{current}} and {{examples}} are replaced. */
static const struct pawl_operator_text gepa_texts[] = {
    {"reflection", "what the reflecting model is asked",
     "You improve the instruction that an assistant follows.\n"
     "\n"
     "The instruction in force:\n"
     "```\n{{current}}\n```\n"
     "\n"
     "What the assistant did with it on some tasks, and how that was judged:\n"
     "\n{{examples}}\n"
     "\n"
     "Find out what the tasks have in common, what form of input and answer they need, which facts "
     "about the domain the judgements reveal, and what strategy would have avoided the faults. "
     "Then write a better instruction. It must help on new tasks of the same kind: state rules, "
     "not the answers to these examples. Keep what worked.\n"
     "\n"
     "Give only the new instruction, between two lines of three backticks.\n"},
    {NULL, NULL, NULL}};

enum { PROMPT_BYTES_MAX = 4 << 20 };

struct gepa {
    struct pawl_host *host;
    const struct gepa_options *opt;
    struct pawl_pareto pareto;
    uint32_t best;            /* member with the largest mean, the oldest of equals */
    struct pawl_arena *arena; /* run */
    struct pawl_arena step;
    uint32_t *pool;   /* [capacity] host candidate of each pareto member */
    uint32_t *cursor; /* [capacity] next component of each member */
    uint32_t capacity;
    struct pawl_host_component *texts; /* that it may rewrite */
    size_t n_texts;
    uint32_t *order; /* epoch: a shuffle of the train cases, padded to whole minibatches */
    size_t n_order, at;
    size_t *use_count; /* how often a train case was drawn, to pad fairly */
    double *scores;    /* [n_dev] */
    bool *tried;       /* [n_tried] by candidate number: was on a minibatch, or is the start */
    size_t n_tried;
};

/* --- set up ------------------------------------------------------------------------------------ */

/* Demonstrations and calibrations are data, not prose; other operators write them. */
static bool is_prose(const struct pawl_host_component *component)
{
    return strcmp(component->kind, "text") == 0 && strcmp(component->role, "demos") != 0 &&
           strcmp(component->role, "calibration") != 0;
}

static enum pawl_status find_texts(struct gepa *g, struct pawl_error *err)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(g->host, &n);
    g->texts = PAWL_NEW_N(g->arena, struct pawl_host_component, n);
    for (size_t i = 0; i < n; i++) {
        if (is_prose(&components[i])) g->texts[g->n_texts++] = components[i];
    }
    if (g->n_texts > 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "gepa rewrites texts, and this program has none to rewrite.");
    pawl_hint(err, "Give the program an instruction, or use another operator.");
    return PAWL_ECONFIG;
}

static void remember(struct gepa *g, uint32_t candidate, uint32_t cursor)
{
    uint32_t member = g->pareto.n_candidates - 1;
    if (member >= g->capacity) {
        uint32_t capacity = g->capacity == 0 ? 64 : 2 * g->capacity;
        uint32_t *pool = PAWL_NEW_N(g->arena, uint32_t, capacity);
        uint32_t *cursors = PAWL_NEW_N(g->arena, uint32_t, capacity);
        if (member > 0) {
            memcpy(pool, g->pool, member * sizeof *pool);
            memcpy(cursors, g->cursor, member * sizeof *cursors);
        }
        g->pool = pool;
        g->cursor = cursors;
        g->capacity = capacity;
    }
    g->pool[member] = candidate;
    g->cursor[member] = cursor;
}

/* Score a candidate on dev and let it join the fronts. */
static enum pawl_status admit(struct gepa *g, uint32_t candidate, uint32_t cursor, double *mean,
                              struct pawl_error *err)
{
    PAWL_TRY(pawl_host_score_dev(g->host, candidate, g->scores, mean, err));
    uint32_t member = pawl_pareto_add(&g->pareto, g->scores, *mean);
    if (*mean > g->pareto.means[g->best]) g->best = member;
    remember(g, candidate, cursor);
    return PAWL_OK;
}

/* --- minibatches ---------------------------------------------------------------------------------- */

/* A new epoch: all train cases in random order, padded with those used least. */
static void start_epoch(struct gepa *g)
{
    size_t n = pawl_host_n_train(g->host), b = (size_t)g->opt->minibatch;
    size_t *shuffled = PAWL_NEW_N(&g->step, size_t, n);
    for (size_t i = 0; i < n; i++) shuffled[i] = i;
    pawl_random_shuffle(pawl_host_random(g->host), shuffled, n);
    for (size_t i = 0; i < n; i++) {
        g->order[i] = (uint32_t)shuffled[i];
        g->use_count[shuffled[i]]++;
    }
    g->n_order = n;
    while (g->n_order % b != 0) {
        size_t least = 0;
        for (size_t i = 1; i < n; i++) {
            if (g->use_count[i] < g->use_count[least]) least = i;
        }
        g->order[g->n_order++] = (uint32_t)least;
        g->use_count[least]++;
    }
    g->at = 0;
}

static const uint32_t *next_minibatch(struct gepa *g)
{
    if (g->at == g->n_order) start_epoch(g);
    const uint32_t *cases = g->order + g->at;
    g->at += (size_t)g->opt->minibatch;
    return cases;
}

/* --- reflection ------------------------------------------------------------------------------------- */

static void add_json(struct pawl_buf *out, const char *heading, const json_t *value)
{
    const char *field;
    json_t *item;
    pawl_buf_printf(out, "%s:\n", heading);
    if (!json_is_object(value)) {
        if (value != NULL) pawl_json_write(value, out);
        pawl_buf_add(out, "\n");
        return;
    }
    json_object_foreach((json_t *)value, field, item)
    {
        pawl_buf_printf(out, "- %s: ", field);
        if (json_is_string(item))
            pawl_buf_add(out, json_string_value(item));
        else
            pawl_json_write(item, out);
        pawl_buf_add(out, "\n");
    }
}

/* What the module was given and gave; without one, the program. A reply that could not be read stands
 * for the answer that it should have been. */
static void add_example(struct gepa *g, const char *module, struct pawl_buf *out, size_t number,
                        uint32_t index, const struct pawl_host_result *result)
{
    const json_t *entry = module != NULL ? pawl_trace_find(result->trace, module) : NULL;
    const json_t *input = pawl_host_train_case(g->host, index)->input, *output = result->output;
    if (module != NULL) {
        input = json_object_get(entry, "input");
        output = json_object_get(entry, "output");
    }
    pawl_buf_printf(out, "## Task %zu\n", number);
    add_json(out, "Input", input);
    if (output != NULL)
        add_json(out, "Answer", output);
    else if (module != NULL)
        add_json(out, "Answer, which could not be read", json_object_get(entry, "reply"));
    pawl_buf_printf(out, "Score: %.2f\n", result->score);
    if (g->opt->show_target && result->feedback != NULL)
        pawl_buf_printf(out, "Judgement: %s\n", result->feedback);
    pawl_buf_add(out, "\n");
}

/* Gives the number of examples: none is a case that the world lost, or that failed before the module's
 * turn. */
static size_t add_examples(struct gepa *g, const char *module, const uint32_t *cases,
                           const struct pawl_host_result *results, struct pawl_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (results[i].missing) continue;
        if (module != NULL && pawl_trace_find(results[i].trace, module) == NULL) continue;
        add_example(g, module, out, ++n, cases[i], &results[i]);
    }
    return n;
}

static void fill_pattern(struct pawl_str pattern, struct pawl_str current, struct pawl_str examples,
                         struct pawl_buf *out)
{
    const struct {
        struct pawl_str mark, value;
    } marks[] = {{PAWL_STR("{{current}}"), current}, {PAWL_STR("{{examples}}"), examples}};
    while (pattern.len > 0) {
        struct pawl_str piece = {pattern.ptr, 1};
        size_t used = 1;
        for (size_t i = 0; i < 2; i++) {
            if (!pawl_str_starts(pattern, marks[i].mark.ptr)) continue;
            piece = marks[i].value;
            used = marks[i].mark.len;
        }
        pawl_buf_add_str(out, piece);
        pattern = (struct pawl_str){pattern.ptr + used, pattern.len - used};
    }
}

static struct pawl_str between(const char *start, const char *end)
{
    return pawl_str_trim((struct pawl_str){start, (size_t)(end - start)});
}

/* A word that directly follows the opening fence and fills its line is a language tag. */
static const char *skip_language(const char *start, const char *end)
{
    const char *at = start;
    while (at < end && *at != '\n' && *at != ' ') at++;
    return at < end && *at == '\n' ? at : start;
}

/* What stands between the first and the last fence, without a language tag. With one fence: what
 * is before it when it ends the reply, else what is after it (a reply that was cut off). Without:
 * the whole reply. */
static struct pawl_str unfence(struct pawl_str reply)
{
    reply = pawl_str_trim(reply);
    if (reply.len < 3) return reply;
    const char *end = reply.ptr + reply.len, *first = memmem(reply.ptr, reply.len, "```", 3);
    if (first == NULL) return reply;
    const char *last = end - 3;
    while (memcmp(last, "```", 3) != 0) last--;
    if (last >= first + 3) return between(skip_language(first + 3, last), last);
    if (last == end - 3 && last > reply.ptr) return between(reply.ptr, first);
    return between(skip_language(first + 3, end), end);
}

/* What to ask about one component; false when it would be longer than a prompt may be. */
static bool make_prompt(struct gepa *g, struct pawl_str current, const struct pawl_buf *examples,
                        struct pawl_host_prompt *prompt)
{
    struct pawl_buf text = PAWL_BUF(PROMPT_BYTES_MAX);
    fill_pattern(pawl_host_operator_text(g->host, "reflection"), current, pawl_buf_str(examples),
                 &text);
    *prompt = (struct pawl_host_prompt){
        .role = "reflect",
        .user = pawl_arena_copy(&g->step, pawl_buf_str(&text)),
        .max_tokens = (int)g->opt->reflection_tokens,
        .temperature = g->opt->reflection_temperature,
        .sample = (uint32_t)pawl_random_below(pawl_host_random(g->host), UINT32_MAX)};
    bool fits = !text.overflowed && !examples->overflowed;
    pawl_buf_release(&text);
    return fits;
}

/* One prompt for each text whose module was asked; false when one is too long. */
static bool make_prompts(struct gepa *g, uint32_t parent, const struct pawl_host_component *texts,
                         size_t n, const uint32_t *cases, const struct pawl_host_result *results,
                         struct pawl_host_prompt *prompts, const char **names, size_t *n_prompts)
{
    bool fits = true;
    *n_prompts = 0;
    for (size_t i = 0; i < n && fits; i++) {
        struct pawl_buf examples = PAWL_BUF(PROMPT_BYTES_MAX);
        if (add_examples(g, texts[i].module, cases, results, &examples) > 0) {
            names[*n_prompts] = texts[i].name;
            fits = make_prompt(g, pawl_host_text(g->host, parent, texts[i].name), &examples,
                               &prompts[(*n_prompts)++]);
        }
        pawl_buf_release(&examples);
    }
    return fits;
}

/* Ask for new texts of the chosen components; failed reflections give no proposal. */
static enum pawl_status reflect(struct gepa *g, uint32_t parent,
                                const struct pawl_host_component *texts, size_t n,
                                const uint32_t *cases, const struct pawl_host_result *results,
                                struct pawl_host_edit *edits, size_t *n_edits,
                                struct pawl_error *err)
{
    struct pawl_host_prompt *prompts = PAWL_NEW_N(&g->step, struct pawl_host_prompt, n);
    struct pawl_host_reply *replies = PAWL_NEW_N(&g->step, struct pawl_host_reply, n);
    const char **names = PAWL_NEW_N(&g->step, const char *, n);
    size_t n_prompts;
    *n_edits = 0;
    if (!make_prompts(g, parent, texts, n, cases, results, prompts, names, &n_prompts)) {
        pawl_host_say(g->host, "a minibatch is too long to reflect on; skipped");
        return PAWL_OK;
    }
    if (n_prompts == 0) return PAWL_OK;
    PAWL_TRY(pawl_host_complete(g->host, &g->step, prompts, n_prompts, replies, err));
    for (size_t i = 0; i < n_prompts; i++) {
        if (replies[i].failed) continue;
        struct pawl_str text = unfence(replies[i].text);
        if (text.len == 0 || text.len > (size_t)g->opt->max_text_bytes) continue;
        edits[(*n_edits)++] = (struct pawl_host_edit){names[i], text};
    }
    return PAWL_OK;
}

/* --- one iteration ----------------------------------------------------------------------------------- */

static uint32_t choose_parent(struct gepa *g)
{
    if (strcmp(g->opt->parent, "pareto") == 0)
        return pawl_pareto_draw(&g->pareto, pawl_host_random(g->host));
    return g->best;
}

static enum pawl_status run_minibatch(struct gepa *g, uint32_t candidate, const uint32_t *cases,
                                      bool trace, struct pawl_host_result *results,
                                      struct pawl_error *err)
{
    struct pawl_host_evaluation evaluation = {.candidate = candidate,
                                              .tier = PAWL_HOST_TRAIN,
                                              .cases = cases,
                                              .n_cases = (size_t)g->opt->minibatch,
                                              .trace = trace,
                                              .results = results};
    return pawl_host_evaluate(g->host, &g->step, &evaluation, 1, err);
}

static bool is_perfect(const struct gepa *g, const struct pawl_host_result *results)
{
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (results[i].missing || results[i].score < g->opt->perfect_score) return false;
    }
    return true;
}

/* Compare on the cases that both answered; a case the world lost counts for neither. */
static bool is_accepted(const struct gepa *g, const struct pawl_host_result *parent,
                        const struct pawl_host_result *child)
{
    double gain = 0;
    size_t n = 0;
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (parent[i].missing || child[i].missing) continue;
        gain += child[i].score - parent[i].score;
        n++;
    }
    if (n == 0) return false;
    return strcmp(g->opt->accept, "equal") == 0 ? gain >= 0 : gain > 0;
}

/* True the first time that a candidate is looked at. */
static bool note_tried(struct gepa *g, uint32_t candidate)
{
    if (candidate >= g->n_tried) {
        size_t n = 2 * ((size_t)candidate + 32);
        bool *tried = PAWL_NEW_N(g->arena, bool, n);
        if (g->n_tried > 0) memcpy(tried, g->tried, g->n_tried * sizeof *tried);
        g->tried = tried;
        g->n_tried = n;
    }
    bool is_first = !g->tried[candidate];
    g->tried[candidate] = true;
    return is_first;
}

/* Draft the child, try it on the same minibatch, and admit it if it is better there. */
static enum pawl_status try_child(struct gepa *g, uint32_t member, uint32_t cursor,
                                  const uint32_t *cases, const struct pawl_host_edit *edits,
                                  size_t n_edits, const struct pawl_host_result *before,
                                  struct pawl_error *err)
{
    uint32_t child;
    double mean;
    struct pawl_host_result *after =
        PAWL_NEW_N(&g->step, struct pawl_host_result, (size_t)g->opt->minibatch);
    PAWL_TRY(pawl_host_draft(g->host, &g->pool[member], 1, edits, n_edits, &child, err));
    if (!note_tried(g, child)) return PAWL_OK;
    PAWL_TRY(run_minibatch(g, child, cases, false, after, err));
    if (!is_accepted(g, before, after)) return PAWL_OK;
    PAWL_TRY(admit(g, child, cursor, &mean, err));
    pawl_host_say(g->host, "candidate %u: %.3f on dev", child, mean);
    return pawl_host_nominate(g->host, child, err);
}

/* Rewrite the parent's next component (or all), and try what comes of it. */
static enum pawl_status reflect_and_try(struct gepa *g, uint32_t member, const uint32_t *cases,
                                        const struct pawl_host_result *before,
                                        struct pawl_error *err)
{
    bool all = strcmp(g->opt->component, "all") == 0;
    uint32_t first = all ? 0 : g->cursor[member];
    size_t n = all ? g->n_texts : 1, n_edits;
    struct pawl_host_edit *edits = PAWL_NEW_N(&g->step, struct pawl_host_edit, n);
    g->cursor[member] = (uint32_t)((first + n) % g->n_texts);
    PAWL_TRY(reflect(g, g->pool[member], g->texts + first, n, cases, before, edits, &n_edits, err));
    if (n_edits == 0) return PAWL_OK;
    return try_child(g, member, g->cursor[member], cases, edits, n_edits, before, err);
}

static bool is_lost(const struct gepa *g, const struct pawl_host_result *results)
{
    for (size_t i = 0; i < (size_t)g->opt->minibatch; i++) {
        if (!results[i].missing) return false;
    }
    return true;
}

static enum pawl_status iterate(struct gepa *g, struct pawl_error *err)
{
    uint32_t member = choose_parent(g);
    const uint32_t *cases = next_minibatch(g);
    struct pawl_host_result *before =
        PAWL_NEW_N(&g->step, struct pawl_host_result, (size_t)g->opt->minibatch);
    PAWL_TRY(run_minibatch(g, g->pool[member], cases, true, before, err));
    if (is_lost(g, before)) return PAWL_OK;
    if (g->opt->skip_perfect && is_perfect(g, before)) return PAWL_OK;
    return reflect_and_try(g, member, cases, before, err);
}

/* An iteration: parent and child on a minibatch, the child on dev. */
static int64_t iteration_cost(const struct gepa_options *opt, size_t n_dev)
{
    return 2 * opt->minibatch + (int64_t)n_dev;
}

static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    (void)n_train;
    return (int64_t)n_dev + iteration_cost(options, n_dev);
}

static enum pawl_status search(struct gepa *g, struct pawl_error *err)
{
    double mean;
    int64_t worst_case = iteration_cost(g->opt, pawl_host_n_dev(g->host));
    PAWL_TRY(admit(g, 0, 0, &mean, err));
    note_tried(g, 0);
    pawl_host_say(g->host, "start: %.3f on dev", mean);
    for (int64_t i = 0; g->opt->max_iterations == 0 || i < g->opt->max_iterations; i++) {
        if (pawl_host_budget_left(g->host) < worst_case) {
            pawl_host_note_short(g->host);
            if (i > 0) return PAWL_OK;
            return pawl_fail(err, PAWL_EBUDGET,
                             "No iteration of gepa fits the budget: one may take %lld evaluations.",
                             (long long)worst_case);
        }
        PAWL_TRY(iterate(g, err));
        pawl_arena_reset(&g->step);
    }
    return PAWL_OK;
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct gepa g = {.host = host, .opt = options, .arena = pawl_host_arena(host)};
    size_t n_train = pawl_host_n_train(host), n_dev = pawl_host_n_dev(host);
    PAWL_TRY(find_texts(&g, err));
    if (n_train == 0) {
        pawl_fail(err, PAWL_ECONFIG, "gepa reflects on train cases, and there are none.");
        pawl_hint(err, "Add cases with `pawl data add`.");
        return PAWL_ECONFIG;
    }
    g.order = PAWL_NEW_N(g.arena, uint32_t, n_train + (size_t)g.opt->minibatch);
    g.use_count = PAWL_NEW_N(g.arena, size_t, n_train);
    g.scores = PAWL_NEW_N(g.arena, double, n_dev);
    pawl_pareto_init(&g.pareto, n_dev, g.arena);
    enum pawl_status status = search(&g, err);
    pawl_arena_release(&g.step);
    return status;
}

const struct pawl_operator pawl_op_gepa = {
    .api = PAWL_OPERATOR_API,
    .name = "gepa",
    .version = 1,
    .summary = "rewrites texts by reflection on train cases, keeps what is best somewhere on dev",
    .paper = "Agrawal et al. 2025, GEPA: Reflective Prompt Evolution, arXiv 2507.19457",
    .options = gepa_options,
    .options_bytes = sizeof(struct gepa_options),
    .texts = gepa_texts,
    .risks = "copies train answers into the text; overfits dev when dev is small; needs a "
             "reflecting model that can write",
    .smallest = smallest,
    .run = run,
};
