#include "operators/mipro_demos.h"

#include "operators/bootstrap_teacher.h"

#include <stdio.h>

/* Asked together, so that a local model decodes them side by side. */
enum { TEACHER_BATCH = 16 };

enum kind { EMPTY, LABELLED, UNSHUFFLED, SHUFFLED };

struct maker {
    struct pawl_host *host;
    struct pawl_arena *arena, *step;
    const struct pawl_mipro_demos_settings *set;
    const struct pawl_roster *roster;
    struct pawl_mipro_demos *demos;
    size_t n_train;
    struct pawl_demo **raw, **learned; /* [module][n_train] */
    uint32_t teacher;
    bool *shown, *asked, *good; /* [n_train] */
    size_t *order;              /* [n_train] scratch: the walk of a set */
    bool start_shows;           /* some demonstration */
};

/* --- set up ------------------------------------------------------------------------------------ */

/* Each set has a stream of its own, so that what one draws depends on no other. */
static struct pawl_random set_stream(const struct maker *m, const char *name, size_t number)
{
    char label[64];
    snprintf(label, sizeof label, "%s %zu", name, number);
    return pawl_random_split(pawl_host_random(m->host), pawl_str_of(label));
}

static struct pawl_demo *make_raw(const struct maker *m, const struct pawl_demo_fields *fields)
{
    struct pawl_demo *raw = PAWL_NEW_N(m->arena, struct pawl_demo, m->n_train);
    for (uint32_t i = 0; i < m->n_train; i++) {
        const struct pawl_host_case *item = pawl_host_train_case(m->host, i);
        raw[i] = pawl_demo_make(fields, i, item->input, item->target, m->arena);
    }
    return raw;
}

static void prepare(struct maker *m)
{
    size_t n_modules = m->roster->n, capacity = m->set->max_bootstrapped + m->set->max_labeled;
    m->raw = PAWL_NEW_N(m->arena, struct pawl_demo *, n_modules);
    m->learned = PAWL_NEW_N(m->arena, struct pawl_demo *, n_modules);
    m->shown = PAWL_NEW_N(m->arena, bool, m->n_train);
    m->asked = PAWL_NEW_N(m->arena, bool, m->n_train);
    m->good = PAWL_NEW_N(m->arena, bool, m->n_train);
    m->order = PAWL_NEW_N(m->arena, size_t, m->n_train);
    m->demos->modules = PAWL_NEW_N(m->arena, struct pawl_mipro_module_demos, n_modules);
    for (size_t k = 0; k < n_modules; k++) {
        const struct pawl_roster_module *module = &m->roster->modules[k];
        struct pawl_mipro_module_demos *demos = &m->demos->modules[k];
        m->raw[k] = make_raw(m, &module->fields);
        m->learned[k] = PAWL_NEW_N(m->arena, struct pawl_demo, m->n_train);
        demos->sets = PAWL_NEW_N(m->arena, struct pawl_demo_set, m->set->n_sets);
        demos->n_sets = m->set->n_sets;
        for (size_t s = 0; s < demos->n_sets; s++)
            demos->sets[s] = pawl_demo_set_new(capacity, m->n_train, m->arena);
        if (module->demos == NULL) continue;
        demos->texts = PAWL_NEW_N(m->arena, struct pawl_str, m->set->n_sets);
        demos->texts[demos->n_texts++] = pawl_host_text(m->host, 0, module->demos);
        m->start_shows |= !pawl_str_is(pawl_str_trim(demos->texts[0]), "[]");
    }
}

static void reset_order(struct maker *m)
{
    for (size_t i = 0; i < m->n_train; i++) m->order[i] = i;
}

/* Fill every module's set up with targets, in one random order. */
static void fill(struct maker *m, size_t number, size_t n, struct pawl_random *random)
{
    pawl_random_shuffle(random, m->order, m->n_train);
    for (size_t k = 0; k < m->roster->n; k++) {
        struct pawl_demo_set *set = &m->demos->modules[k].sets[number];
        if (set->n < n)
            pawl_demo_set_fill(set, m->raw[k], m->order, m->n_train, n - set->n, true,
                               &m->roster->modules[k].fields);
    }
}

/* The teacher shows as many, and all modules half of the train cases at most, so that others are left to
 * be answered. */
static size_t n_labelled(const struct maker *m)
{
    size_t most = m->n_train / 2 / m->roster->n;
    return m->set->max_labeled < most ? m->set->max_labeled : most;
}

/* --- the teacher --------------------------------------------------------------------------------- */

/* The start with the set of targets alone, which is one of the sets to choose from; what the start shows
 * itself could be cases that are asked about. */
static enum pawl_status draft_teacher(struct maker *m, struct pawl_error *err)
{
    struct pawl_roster_texts *texts = PAWL_NEW_N(m->step, struct pawl_roster_texts, m->roster->n);
    struct pawl_random random = set_stream(m, "labelled", 0);
    size_t n = n_labelled(m);
    reset_order(m);
    pawl_random_shuffle(&random, m->order, m->n_train);
    for (size_t k = 0; k < m->roster->n; k++) {
        struct pawl_demo_set set = pawl_demo_set_new(n, m->n_train, m->step);
        pawl_demo_set_fill(&set, m->raw[k], m->order, m->n_train, n, true,
                           &m->roster->modules[k].fields);
        for (size_t i = 0; i < m->n_train; i++) m->shown[i] |= set.holds[i];
        if (m->roster->modules[k].demos != NULL) texts[k].demos = pawl_demo_set_text(&set, m->step);
    }
    return pawl_roster_draft(m->host, m->roster, texts, &m->teacher, err);
}

static void take_answer(struct maker *m, uint32_t train_case, const struct pawl_host_result *result)
{
    const json_t *case_input = pawl_host_train_case(m->host, train_case)->input;
    struct pawl_random random = set_stream(m, "call", train_case);
    m->good[train_case] = true;
    m->demos->n_good++;
    for (size_t k = 0; k < m->roster->n; k++) {
        const json_t *input, *answer;
        if (!pawl_roster_find_call(m->roster, k, case_input, result, &random, &input, &answer))
            continue;
        m->learned[k][train_case] =
            pawl_demo_make(&m->roster->modules[k].fields, train_case, input, answer, m->arena);
    }
}

/* The next cases of the walk that nobody asked about, as many as may be paid for. */
static size_t next_cases(struct maker *m, const size_t *order, size_t n_order, uint32_t *cases)
{
    int64_t room = pawl_host_budget_left(m->host) - m->set->keep;
    size_t n = 0;
    for (size_t i = 0; i < n_order && n < TEACHER_BATCH && (int64_t)n < room; i++) {
        if (m->asked[order[i]] || m->shown[order[i]]) continue;
        m->asked[order[i]] = true;
        cases[n++] = (uint32_t)order[i];
    }
    return n;
}

static enum pawl_status ask_teacher(struct maker *m, const size_t *order, size_t n_order,
                                    bool *asked, struct pawl_error *err)
{
    struct pawl_teacher rule = {.threshold = m->set->threshold};
    struct pawl_host_result results[TEACHER_BATCH];
    uint32_t cases[TEACHER_BATCH];
    struct pawl_host_evaluation evaluation = {.candidate = m->teacher,
                                              .tier = PAWL_HOST_TRAIN,
                                              .cases = cases,
                                              .n_cases = next_cases(m, order, n_order, cases),
                                              .trace = true,
                                              .results = results};
    *asked = evaluation.n_cases > 0;
    if (!*asked) return PAWL_OK;
    PAWL_TRY(pawl_host_evaluate(m->host, m->step, &evaluation, 1, err));
    m->demos->n_asked += evaluation.n_cases;
    for (size_t i = 0; i < evaluation.n_cases; i++)
        if (pawl_teacher_is_good(&rule, &results[i])) take_answer(m, cases[i], &results[i]);
    return PAWL_OK;
}

/* Walk over the cases in order until `wanted` of them gave demonstrations. When there is nothing left
 * to pay with, what was learned before still counts. */
static enum pawl_status walk(struct maker *m, size_t number, size_t wanted, struct pawl_error *err)
{
    size_t n_found = 0;
    bool can_ask = true;
    for (size_t i = 0; i < m->n_train && n_found < wanted; i++) {
        size_t train_case = m->order[i];
        if (can_ask && !m->asked[train_case] && !m->shown[train_case])
            PAWL_TRY(ask_teacher(m, m->order + i, m->n_train - i, &can_ask, err));
        if (!m->good[train_case]) continue;
        n_found++;
        for (size_t k = 0; k < m->roster->n; k++)
            pawl_demo_set_add(&m->demos->modules[k].sets[number], &m->learned[k][train_case]);
    }
    for (size_t k = 0; k < m->roster->n; k++) {
        struct pawl_demo_set *set = &m->demos->modules[k].sets[number];
        set->n_bootstrapped = set->n;
    }
    return PAWL_OK;
}

/* --- sets ------------------------------------------------------------------------------------------ */

static enum kind kind_of(const struct maker *m, size_t number)
{
    if (m->start_shows && number-- == 1) return EMPTY;
    if (m->set->max_labeled > 0 && number-- == 1) return LABELLED;
    return number == 1 ? UNSHUFFLED : SHUFFLED;
}

static enum pawl_status make_set(struct maker *m, size_t number, struct pawl_error *err)
{
    enum kind kind = kind_of(m, number);
    bool is_labelled = kind == LABELLED;
    struct pawl_random random =
        is_labelled ? set_stream(m, "labelled", 0) : set_stream(m, "set", number);
    size_t wanted = m->set->max_bootstrapped;
    if (kind == EMPTY) return PAWL_OK;
    reset_order(m);
    if (kind == SHUFFLED) {
        pawl_random_shuffle(&random, m->order, m->n_train);
        if (wanted > 0) wanted = 1 + (size_t)pawl_random_below(&random, wanted);
    }
    if (!is_labelled) PAWL_TRY(walk(m, number, wanted, err));
    fill(m, number, is_labelled ? n_labelled(m) : m->set->max_labeled, &random);
    return PAWL_OK;
}

static bool has_text(const struct pawl_mipro_module_demos *demos, struct pawl_str text)
{
    for (size_t i = 0; i < demos->n_texts; i++)
        if (pawl_str_eq(demos->texts[i], text)) return true;
    return false;
}

static void add_texts(struct maker *m)
{
    for (size_t k = 0; k < m->roster->n; k++) {
        struct pawl_mipro_module_demos *demos = &m->demos->modules[k];
        for (size_t s = 1; demos->texts != NULL && s < demos->n_sets; s++) {
            struct pawl_str text = pawl_demo_set_text(&demos->sets[s], m->arena);
            if (!has_text(demos, text)) demos->texts[demos->n_texts++] = text;
        }
    }
}

/* Nothing is known of the fields of an external command, so nobody is asked in vain. */
static bool can_learn(const struct maker *m)
{
    for (size_t k = 0; k < m->roster->n; k++)
        if (m->roster->modules[k].fields.n_inputs > 0) return true;
    return false;
}

enum pawl_status pawl_mipro_make_demos(struct pawl_host *host, struct pawl_arena *step,
                                       const struct pawl_mipro_demos_settings *settings,
                                       struct pawl_mipro_demos *demos, struct pawl_error *err)
{
    struct maker m = {.host = host,
                      .arena = pawl_host_arena(host),
                      .step = step,
                      .set = settings,
                      .roster = settings->roster,
                      .demos = demos,
                      .n_train = pawl_host_n_train(host)};
    *demos = (struct pawl_mipro_demos){0};
    prepare(&m);
    if (!can_learn(&m)) return PAWL_OK;
    if (settings->max_bootstrapped > 0) PAWL_TRY(draft_teacher(&m, err));
    for (size_t s = 1; s < settings->n_sets; s++) PAWL_TRY(make_set(&m, s, err));
    if (!settings->only_for_proposals) add_texts(&m);
    return PAWL_OK;
}
