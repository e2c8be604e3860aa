/*
 * bootstrap - a search over sets of demonstrations (Khattab et al. 2023, arXiv 2310.03714:
 * BootstrapFewShotWithRandomSearch), with calibration of choices.
 *
 * Example
 *     pawl improve --operator bootstrap --set candidates=16 --budget evaluations=3000
 *
 * How it works
 *     Set -3 is empty, set -2 is train cases with their targets. Its candidate is the teacher: it
 *     answers other train cases, and the good answers are demonstrations too. Set -1 takes the first
 *     max_bootstrapped of them; each set from 0 on shuffles the train cases, takes a random number
 *     of good answers, and fills up with targets to max_labeled. Where the program chooses
 *     between answers and the model says how likely each is, every set is calibrated on unlabelled
 *     train cases (bootstrap_calibrate.h). Every candidate is scored on all of dev (race=on: until it
 *     is plain that it will not be among the best three, race.h); those that beat the start are
 *     nominated.
 *
 * What differs from the published code: a threshold of 0 is a threshold; a teacher never sees the
 * target of a case that it answers, and its answers count against the budget and are asked for
 * once; a demonstration has all fields or is none; where targets are choices, the filling is
 * balanced over them (balance=off: drawn uniformly). At most half of the train cases are shown to
 * the teacher. A set is begun only when its scoring fits the budget.
 */
#include "operators/bootstrap_calibrate.h"
#include "operators/bootstrap_teacher.h"
#include "operators/operator.h"
#include "operators/race.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct bootstrap_options {
    int64_t candidates, max_bootstrapped, max_labeled, max_rounds, calibration_cases;
    double threshold;
    const char *calibrate, *balance, *race;
    double race_error;
};
static const struct pawl_option bootstrap_options[] = {
    PAWL_OPT_INT(struct bootstrap_options, candidates, "16", 0, 1000,
                 "random sets, beside the empty, the labelled and the unshuffled one"),
    PAWL_OPT_INT(struct bootstrap_options, max_bootstrapped, "4", 0, 64,
                 "answers of the teacher in a set, at most"),
    PAWL_OPT_INT(struct bootstrap_options, max_labeled, "16", 0, 512,
                 "a set is filled up to this with train targets"),
    PAWL_OPT_INT(struct bootstrap_options, max_rounds, "1", 1, 100,
                 "how often the teacher may try a case; later tries at temperature 1"),
    PAWL_OPT_REAL(struct bootstrap_options, threshold, "-1", -1, 1,
                  "lowest score of an answer to learn from (-1: any above 0)"),
    PAWL_OPT_CHOICE(struct bootstrap_options, calibrate, "auto", "auto|on|off",
                    "offset choices by what the model leans to (auto: where it says how likely)"),
    PAWL_OPT_INT(struct bootstrap_options, calibration_cases, "60", 1, 10000,
                 "unlabelled train cases per calibration"),
    PAWL_OPT_CHOICE(struct bootstrap_options, balance, "auto", "auto|off",
                    "fill evenly over choices, not uniformly over cases"),
    PAWL_OPT_CHOICE(struct bootstrap_options, race, "off", "off|on",
                    "stop scoring a set that will not be among the best three on dev"),
    PAWL_OPT_REAL(struct bootstrap_options, race_error, "0.05", 0.000001, 0.5,
                  "probability, per set, that one of the best three is stopped"),
    {0}};

enum { EMPTY_SET = -3, LABELLED_SET = -2, FIRST_RANDOM_SET = 0, PROBES = 4 };

struct bootstrap {
    struct pawl_host *host;
    const struct bootstrap_options *opt;
    struct pawl_arena *arena; /* run */
    struct pawl_arena step;   /* reset after each set */
    size_t n_train, n_dev;
    const char *demos, *calibration; /* components; the program may have no calibration */
    bool calibrates;
    struct pawl_demo_fields fields;
    struct pawl_demo *raw; /* [n_train] */
    struct pawl_teacher teacher;
    size_t *order;             /* [n_train] scratch: the walk of a set */
    size_t *calibration_order; /* [n_train] */
    uint32_t *made;            /* candidates that were made, each once */
    size_t n_made;
    double *scores;            /* [n_dev] */
    double start;              /* mean of the start on dev */
    struct pawl_podium podium; /* of those that beat the start */
    size_t *dev_order;         /* [n_dev] scratch; NULL: no race */
    size_t n_saved;            /* evaluations */
};

/* --- set up ------------------------------------------------------------------------------------ */

static const char *find_component(struct pawl_host *host, const char *role)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(host, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(components[i].role, role) == 0) return components[i].name;
    }
    return NULL;
}

static enum pawl_status check_program(struct bootstrap *b, struct pawl_error *err)
{
    b->demos = find_component(b->host, "demos");
    b->calibration = find_component(b->host, "calibration");
    if (b->demos == NULL) {
        pawl_fail(err, PAWL_ECONFIG,
                  "bootstrap writes demonstrations, and this program shows none.");
        pawl_hint(err, "Give the program a signature, or use another operator.");
        return PAWL_ECONFIG;
    }
    if (b->n_train > 0) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "bootstrap learns from train cases, and there are none.");
    pawl_hint(err, "Add cases with `pawl data add`.");
    return PAWL_ECONFIG;
}

/* Each set has a stream of its own, so that what one draws depends on no other. */
static struct pawl_random stream_of(const struct bootstrap *b, const char *name, int64_t number)
{
    char label[64];
    snprintf(label, sizeof label, "%s %" PRId64, name, number);
    return pawl_random_split(pawl_host_random(b->host), pawl_str_of(label));
}

static void reset_order(size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) order[i] = i;
}

static void set_up(struct bootstrap *b)
{
    struct pawl_random random = stream_of(b, "calibration", 0);
    b->fields = pawl_demo_fields_read(pawl_host_fields(b->host), b->arena);
    b->raw = PAWL_NEW_N(b->arena, struct pawl_demo, b->n_train);
    b->order = PAWL_NEW_N(b->arena, size_t, b->n_train);
    b->calibration_order = PAWL_NEW_N(b->arena, size_t, b->n_train);
    b->made = PAWL_NEW_N(b->arena, uint32_t, 2 * (size_t)(b->opt->candidates - EMPTY_SET) + 1);
    b->scores = PAWL_NEW_N(b->arena, double, b->n_dev);
    if (strcmp(b->opt->race, "on") == 0) b->dev_order = PAWL_NEW_N(b->arena, size_t, b->n_dev);
    for (uint32_t i = 0; i < b->n_train; i++) {
        const struct pawl_host_case *item = pawl_host_train_case(b->host, i);
        b->raw[i] = pawl_demo_make(&b->fields, i, item->input, item->target, b->arena);
    }
    reset_order(b->calibration_order, b->n_train);
    pawl_random_shuffle(&random, b->calibration_order, b->n_train);
    b->teacher = (struct pawl_teacher){
        .max_rounds = b->opt->max_rounds,
        .threshold = b->opt->threshold,
        .asked = PAWL_NEW_N(b->arena, bool, b->n_train),
        .learned = PAWL_NEW_N(b->arena, struct pawl_demo, b->n_train),
        .fields = &b->fields,
    };
}

/* --- calibration --------------------------------------------------------------------------------- */

/* Does the model say how likely each choice is? */
static enum pawl_status probe(struct bootstrap *b, bool *found, struct pawl_error *err)
{
    struct pawl_host_result results[PROBES];
    uint32_t cases[PROBES];
    double *logprobs = PAWL_NEW_N(&b->step, double, b->fields.n_choices);
    struct pawl_host_evaluation evaluation = {.tier = PAWL_HOST_TRAIN,
                                              .cases = cases,
                                              .trace = true,
                                              .logprobs = true,
                                              .results = results};
    size_t n = b->n_train < PROBES ? b->n_train : PROBES;
    for (; evaluation.n_cases < n; evaluation.n_cases++)
        cases[evaluation.n_cases] = (uint32_t)b->calibration_order[evaluation.n_cases];
    *found = false;
    PAWL_TRY(pawl_host_evaluate(b->host, &b->step, &evaluation, 1, err));
    for (size_t i = 0; i < n; i++)
        *found |= pawl_calibrate_read(results[i].trace, b->fields.n_choices, logprobs);
    return PAWL_OK;
}

static enum pawl_status decide_calibration(struct bootstrap *b, struct pawl_error *err)
{
    if (strcmp(b->opt->calibrate, "off") == 0) return PAWL_OK;
    if (b->calibration != NULL && b->fields.n_choices > 0) PAWL_TRY(probe(b, &b->calibrates, err));
    if (b->calibrates || strcmp(b->opt->calibrate, "auto") == 0) return PAWL_OK;
    pawl_fail_at(
        err, PAWL_ECONFIG, NULL, 0, "calibrate",
        "Nothing can be calibrated: no log-probabilities of choices came with the answers.");
    pawl_hint(err, "Set calibrate=auto, or give the program one output with choices and a model "
                   "that scores them.");
    return PAWL_ECONFIG;
}

/* A case whose answer is on show would tell the model's memory, not its lean. */
static enum pawl_status calibrate(struct bootstrap *b, uint32_t candidate,
                                  const struct pawl_demo_set *set, struct pawl_str *offsets,
                                  struct pawl_error *err)
{
    size_t limit = (size_t)b->opt->calibration_cases, n = 0;
    if (limit > b->n_train) limit = b->n_train;
    uint32_t *cases = PAWL_NEW_N(&b->step, uint32_t, limit);
    for (size_t i = 0; i < b->n_train && n < limit; i++) {
        size_t train_case = b->calibration_order[i];
        if (!set->holds[train_case]) cases[n++] = (uint32_t)train_case;
    }
    return pawl_calibrate(b->host, &b->step, &b->fields, candidate, cases, n, offsets, err);
}

/* --- candidates ---------------------------------------------------------------------------------- */

/* True the first time. */
static bool note_made(struct bootstrap *b, uint32_t candidate)
{
    for (size_t i = 0; i < b->n_made; i++) {
        if (b->made[i] == candidate) return false;
    }
    b->made[b->n_made++] = candidate;
    return true;
}

/* Each candidate meets the dev cases in an order of its own. */
static enum pawl_status score_in_race(struct bootstrap *b, uint32_t candidate,
                                      const struct pawl_demo_set *set, struct pawl_error *err)
{
    struct pawl_race_scored scored;
    struct pawl_random random = stream_of(b, "race", candidate);
    reset_order(b->dev_order, b->n_dev);
    pawl_random_shuffle(&random, b->dev_order, b->n_dev);
    PAWL_TRY(pawl_race_score_dev(b->host, &b->step, &b->podium, b->dev_order, candidate,
                                 b->opt->race_error, &scored, err));
    b->n_saved += b->n_dev - scored.n_used;
    pawl_host_say(b->host, "%zu bootstrapped and %zu labelled demonstrations: %.3f on %zu of dev%s",
                  set->n_bootstrapped, set->n - set->n_bootstrapped, scored.mean, scored.n_used,
                  scored.stopped ? ", stopped" : "");
    if (scored.stopped || !(scored.mean > b->start)) return PAWL_OK;
    pawl_podium_add(&b->podium, scored.scores, scored.mean);
    return pawl_host_nominate(b->host, candidate, err);
}

static enum pawl_status score(struct bootstrap *b, uint32_t candidate,
                              const struct pawl_demo_set *set, struct pawl_error *err)
{
    double mean;
    if (b->dev_order != NULL) return score_in_race(b, candidate, set, err);
    PAWL_TRY(pawl_host_score_dev(b->host, candidate, b->scores, &mean, err));
    pawl_host_say(b->host, "%zu bootstrapped and %zu labelled demonstrations: %.3f on dev",
                  set->n_bootstrapped, set->n - set->n_bootstrapped, mean);
    if (!(mean > b->start)) return PAWL_OK;
    return pawl_host_nominate(b->host, candidate, err);
}

/* A calibration fits its own demonstrations only, so other ones start without. */
static enum pawl_status draft_demos(struct bootstrap *b, struct pawl_str demos, uint32_t *candidate,
                                    struct pawl_error *err)
{
    const uint32_t start = 0;
    struct pawl_host_edit edits[] = {{b->demos, demos}, {b->calibration, PAWL_STR("{}")}};
    return pawl_host_draft(b->host, &start, 1, edits, b->calibration != NULL ? 2 : 1, candidate,
                           err);
}

/* Calibrate a candidate and score the result, which stands for its set: measured, the calibrated
 * twin is the better one nearly always. Without log-probabilities the set stands as it is. */
static enum pawl_status try_calibrated(struct bootstrap *b, const struct pawl_demo_set *set,
                                       uint32_t *candidate, struct pawl_error *err)
{
    uint32_t plain = *candidate;
    struct pawl_host_edit edit = {.component = b->calibration};
    PAWL_TRY(calibrate(b, plain, set, &edit.text, err));
    if (edit.text.ptr == NULL) return set->n > 0 ? score(b, plain, set, err) : PAWL_OK;
    PAWL_TRY(pawl_host_draft(b->host, &plain, 1, &edit, 1, candidate, err));
    return note_made(b, *candidate) ? score(b, *candidate, set, err) : PAWL_OK;
}

/* Make the candidate of a set and score it; that of the empty set both calibrated and not. */
static enum pawl_status try_set(struct bootstrap *b, const struct pawl_demo_set *set,
                                uint32_t *candidate, struct pawl_error *err)
{
    bool is_empty = set->n == 0;
    PAWL_TRY(draft_demos(b, pawl_demo_set_text(set, &b->step), candidate, err));
    bool is_new = note_made(b, *candidate);
    if (!is_new && !is_empty) return PAWL_OK;
    if (is_new && (is_empty || !b->calibrates)) PAWL_TRY(score(b, *candidate, set, err));
    return b->calibrates ? try_calibrated(b, set, candidate, err) : PAWL_OK;
}

/* --- sets ------------------------------------------------------------------------------------------ */

/* What making the candidate of a set costs at most, beside asking the teacher. */
static int64_t worst_case(const struct bootstrap *b, int64_t number)
{
    int64_t dev = (int64_t)b->n_dev, n = b->opt->calibration_cases;
    if (!b->calibrates) return dev;
    if (n > (int64_t)b->n_train) n = (int64_t)b->n_train;
    return n + (number == EMPTY_SET ? 2 * dev : dev);
}

static void fill(struct bootstrap *b, struct pawl_random *random, size_t n,
                 struct pawl_demo_set *set)
{
    pawl_random_shuffle(random, b->order, b->n_train);
    pawl_demo_set_fill(set, b->raw, b->order, b->n_train, n, strcmp(b->opt->balance, "auto") == 0,
                       &b->fields);
}

/* Its candidate teaches, so it leaves half of the cases to be answered. */
static void make_labelled(struct bootstrap *b, struct pawl_demo_set *set)
{
    struct pawl_random random = stream_of(b, "labelled", 0);
    size_t n = (size_t)b->opt->max_labeled;
    reset_order(b->order, b->n_train);
    fill(b, &random, n < b->n_train / 2 ? n : b->n_train / 2, set);
}

static enum pawl_status make_bootstrapped(struct bootstrap *b, int64_t number,
                                          struct pawl_demo_set *set, struct pawl_error *err)
{
    struct pawl_random random = stream_of(b, "set", number);
    size_t wanted = (size_t)b->opt->max_bootstrapped, full = (size_t)b->opt->max_labeled;
    reset_order(b->order, b->n_train);
    if (number >= FIRST_RANDOM_SET) {
        pawl_random_shuffle(&random, b->order, b->n_train);
        if (wanted > 0) wanted = 1 + (size_t)pawl_random_below(&random, wanted);
    }
    PAWL_TRY(pawl_teacher_walk(&b->teacher, b->host, &b->step, b->order, wanted,
                               worst_case(b, number), set, err));
    if (set->n < full) fill(b, &random, full - set->n, set);
    return PAWL_OK;
}

static enum pawl_status do_set(struct bootstrap *b, int64_t number, struct pawl_error *err)
{
    size_t capacity = (size_t)(b->opt->max_bootstrapped + b->opt->max_labeled);
    struct pawl_arena *lives = number == LABELLED_SET ? b->arena : &b->step;
    struct pawl_demo_set set = pawl_demo_set_new(capacity, b->n_train, lives);
    uint32_t candidate;
    if (number == LABELLED_SET) make_labelled(b, &set);
    if (number > LABELLED_SET) PAWL_TRY(make_bootstrapped(b, number, &set, err));
    if (number != EMPTY_SET && set.n == 0) return PAWL_OK;
    PAWL_TRY(try_set(b, &set, &candidate, err));
    if (number == EMPTY_SET || number == LABELLED_SET) b->teacher.candidate = candidate;
    if (number == LABELLED_SET) b->teacher.shown = set.holds;
    return PAWL_OK;
}

static enum pawl_status search(struct bootstrap *b, struct pawl_error *err)
{
    PAWL_TRY(pawl_host_score_dev(b->host, 0, b->scores, &b->start, err));
    note_made(b, 0);
    pawl_host_say(b->host, "start: %.3f on dev", b->start);
    if (b->dev_order != NULL) b->podium = pawl_podium_new(b->scores, b->n_dev, b->arena);
    PAWL_TRY(decide_calibration(b, err));
    bool is_short = false;
    for (int64_t number = EMPTY_SET; number < b->opt->candidates; number++) {
        if (pawl_host_budget_left(b->host) < worst_case(b, number)) {
            pawl_host_note_short(b->host);
            is_short = true;
            continue;
        }
        PAWL_TRY(do_set(b, number, err));
        pawl_arena_reset(&b->step);
    }
    if (is_short && b->n_made == 1)
        return pawl_fail(err, PAWL_EBUDGET, "No set of demonstrations fits the budget.");
    if (b->dev_order != NULL)
        pawl_host_say(b->host, "racing saved %zu evaluations on dev", b->n_saved);
    return PAWL_OK;
}

/* The start and one candidate on dev. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    (void)options;
    (void)n_train;
    return 2 * (int64_t)n_dev;
}

static enum pawl_status run(struct pawl_host *host, const void *options, struct pawl_error *err)
{
    struct bootstrap b = {.host = host,
                          .opt = options,
                          .arena = pawl_host_arena(host),
                          .n_train = pawl_host_n_train(host),
                          .n_dev = pawl_host_n_dev(host)};
    PAWL_TRY(check_program(&b, err));
    set_up(&b);
    enum pawl_status status = search(&b, err);
    pawl_arena_release(&b.step);
    return status;
}

static const char *const bootstrap_roles[] = {"demos", "calibration", NULL};

const struct pawl_operator pawl_op_bootstrap = {
    .api = PAWL_OPERATOR_API,
    .name = "bootstrap",
    .version = 1,
    .summary = "searches sets of demonstrations, from train targets and its own good answers",
    .paper = "Khattab et al. 2023, DSPy, arXiv 2310.03714; Zhao et al. 2021, arXiv 2102.09690",
    .roles = bootstrap_roles,
    .options = bootstrap_options,
    .options_bytes = sizeof(struct bootstrap_options),
    .risks =
        "shows train cases to the model at every call, which costs tokens and may show what is "
        "private; the best of many sets looks better on dev than it is; calibration supposes "
        "choices that are about equally frequent",
    .smallest = smallest,
    .run = run,
};
