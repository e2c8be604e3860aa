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
 *     nominated. In a pipeline each module has its part of a set: what it was given and gave in the
 *     cases that the whole program answered well, and targets where they have the module's fields.
 *
 * What differs from the published code: a threshold of 0 is a threshold; a teacher never sees the
 * target of a case that it answers, and its answers count against the budget and are asked for
 * once; a demonstration has all fields or is none; where targets are choices, the filling is
 * balanced over them (balance=off: drawn uniformly). At most half of the train cases are shown to
 * the teacher. A set is begun only when its scoring fits the budget.
 */
#include "operators/bootstrap_calibrate.h"
#include "operators/bootstrap_teacher.h"
#include "operators/gain.h"
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
    size_t n_modules; /* 1 for a signature */
    const char **names;
    const char **demos, **calibrations; /* components of each; it may have no calibration */
    struct pawl_demo_fields *fields;
    struct pawl_demo **raw; /* of each, [n_train] */
    bool calibrates;        /* those with a calibration */
    struct pawl_teacher teacher;
    size_t *order;             /* [n_train] scratch: the walk of a set */
    size_t *calibration_order; /* [n_train] */
    uint32_t *made;            /* candidates that were made, each once */
    size_t n_made;
    double *scores, *start;    /* [n_dev], of a candidate and of the start */
    struct pawl_podium podium; /* of those that beat the start */
    size_t *dev_order;         /* [n_dev] scratch; NULL: no race */
    size_t n_saved;            /* evaluations */
};

/* --- set up ------------------------------------------------------------------------------------ */

/* An artifact made for another program may lack it. */
static bool has_component(struct pawl_host *host, const char *name)
{
    size_t n;
    const struct pawl_host_component *components = pawl_host_components(host, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(components[i].name, name) == 0) return true;
    }
    return false;
}

/* Those that show demonstrations. */
static void find_modules(struct bootstrap *b)
{
    const json_t *modules = json_object_get(pawl_host_fields(b->host), "modules");
    size_t n = json_array_size(modules);
    b->names = PAWL_NEW_N(b->arena, const char *, n);
    b->demos = PAWL_NEW_N(b->arena, const char *, n);
    b->calibrations = PAWL_NEW_N(b->arena, const char *, n);
    b->fields = PAWL_NEW_N(b->arena, struct pawl_demo_fields, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *module = json_array_get(modules, i);
        const char *demos = pawl_json_get_text(module, "demos", "");
        const char *calibration = pawl_json_get_text(module, "calibration", "");
        if (!has_component(b->host, demos)) continue;
        b->names[b->n_modules] = pawl_json_get_text(module, "name", "");
        b->demos[b->n_modules] = demos;
        if (has_component(b->host, calibration)) b->calibrations[b->n_modules] = calibration;
        b->fields[b->n_modules++] = pawl_demo_fields_read(module, b->arena);
    }
}

static enum pawl_status check_program(struct bootstrap *b, struct pawl_error *err)
{
    find_modules(b);
    if (b->n_modules == 0) {
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

static bool is_pipeline(const struct bootstrap *b)
{
    return b->names[0][0] != '\0';
}

/* A module of a pipeline finds a field of its own in the case, or among the fields of the target. */
static struct pawl_demo raw_demo(const struct bootstrap *b, size_t module, uint32_t train_case)
{
    const struct pawl_host_case *item = pawl_host_train_case(b->host, train_case);
    if (!is_pipeline(b))
        return pawl_demo_make(&b->fields[module], train_case, item->input, item->target, b->arena);
    json_t *known = json_object();
    json_object_update(known, (json_t *)item->input);
    json_object_update_missing(known, (json_t *)item->target);
    struct pawl_demo demo = pawl_demo_make(&b->fields[module], train_case, known, known, b->arena);
    json_decref(known);
    return demo;
}

static void set_up(struct bootstrap *b)
{
    struct pawl_random random = stream_of(b, "calibration", 0);
    b->raw = PAWL_NEW_N(b->arena, struct pawl_demo *, b->n_modules);
    b->order = PAWL_NEW_N(b->arena, size_t, b->n_train);
    b->calibration_order = PAWL_NEW_N(b->arena, size_t, b->n_train);
    b->made = PAWL_NEW_N(b->arena, uint32_t, 2 * (size_t)(b->opt->candidates - EMPTY_SET) + 1);
    b->scores = PAWL_NEW_N(b->arena, double, b->n_dev);
    b->start = PAWL_NEW_N(b->arena, double, b->n_dev);
    if (strcmp(b->opt->race, "on") == 0) b->dev_order = PAWL_NEW_N(b->arena, size_t, b->n_dev);
    for (size_t m = 0; m < b->n_modules; m++) {
        b->raw[m] = PAWL_NEW_N(b->arena, struct pawl_demo, b->n_train);
        for (uint32_t i = 0; i < b->n_train; i++) b->raw[m][i] = raw_demo(b, m, i);
    }
    reset_order(b->calibration_order, b->n_train);
    pawl_random_shuffle(&random, b->calibration_order, b->n_train);
    b->teacher = (struct pawl_teacher){
        .max_rounds = b->opt->max_rounds,
        .threshold = b->opt->threshold,
        .asked = PAWL_NEW_N(b->arena, bool, b->n_train),
        .learned = PAWL_NEW_N(b->arena, struct pawl_demo, b->n_modules * b->n_train),
        .fields = b->fields,
        .modules = is_pipeline(b) ? b->names : NULL,
        .n_modules = b->n_modules,
    };
}

/* --- sets of all modules ------------------------------------------------------------------------- */

static struct pawl_demo_set *new_sets(const struct bootstrap *b, struct pawl_arena *arena)
{
    size_t capacity = (size_t)(b->opt->max_bootstrapped + b->opt->max_labeled);
    struct pawl_demo_set *sets = PAWL_NEW_N(arena, struct pawl_demo_set, b->n_modules);
    for (size_t m = 0; m < b->n_modules; m++)
        sets[m] = pawl_demo_set_new(capacity, b->n_train, arena);
    return sets;
}

static size_t n_demos(const struct bootstrap *b, const struct pawl_demo_set *sets)
{
    size_t n = 0;
    for (size_t m = 0; m < b->n_modules; m++) n += sets[m].n;
    return n;
}

static size_t n_bootstrapped(const struct bootstrap *b, const struct pawl_demo_set *sets)
{
    size_t n = 0;
    for (size_t m = 0; m < b->n_modules; m++) n += sets[m].n_bootstrapped;
    return n;
}

static bool holds(const struct bootstrap *b, const struct pawl_demo_set *sets, size_t train_case)
{
    for (size_t m = 0; m < b->n_modules; m++) {
        if (sets[m].holds[train_case]) return true;
    }
    return false;
}

/* --- calibration --------------------------------------------------------------------------------- */

/* Modules with one field of choices and a component to calibrate it by. */
static size_t to_calibrate(struct bootstrap *b, struct pawl_calibrated *list, const char **edited)
{
    size_t n = 0;
    for (size_t m = 0; m < b->n_modules; m++) {
        if (b->calibrations[m] == NULL || b->fields[m].n_choices == 0) continue;
        edited[n] = b->calibrations[m];
        list[n++] = (struct pawl_calibrated){.module = b->names[m], .fields = &b->fields[m]};
    }
    return n;
}

/* Does the model say how likely each choice is? */
static enum pawl_status probe(struct bootstrap *b, const struct pawl_calibrated *modules,
                              size_t n_modules, bool *found, struct pawl_error *err)
{
    struct pawl_host_result results[PROBES];
    uint32_t cases[PROBES];
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
    for (size_t m = 0; m < n_modules; m++) {
        size_t n_choices = modules[m].fields->n_choices;
        double *logprobs = PAWL_NEW_N(&b->step, double, n_choices);
        for (size_t i = 0; i < n; i++)
            *found |= pawl_calibrate_read(results[i].trace, modules[m].module, n_choices, logprobs);
    }
    return PAWL_OK;
}

/* What a candidate that is calibrated costs at most, beside its demonstrations. */
static int64_t calibrated_cost(const struct bootstrap_options *opt, size_t n_train, size_t n_dev)
{
    int64_t n = opt->calibration_cases;
    return (n < (int64_t)n_train ? n : (int64_t)n_train) + (int64_t)n_dev;
}

/* With `auto` not where the budget would hold no candidate beside it. */
static enum pawl_status decide_calibration(struct bootstrap *b, struct pawl_error *err)
{
    bool is_auto = strcmp(b->opt->calibrate, "auto") == 0;
    int64_t least = PROBES + calibrated_cost(b->opt, b->n_train, b->n_dev);
    if (strcmp(b->opt->calibrate, "off") == 0) return PAWL_OK;
    if (is_auto && pawl_host_budget_left(b->host) < least) return PAWL_OK;
    struct pawl_calibrated *modules = PAWL_NEW_N(b->arena, struct pawl_calibrated, b->n_modules);
    const char **edited = PAWL_NEW_N(b->arena, const char *, b->n_modules);
    size_t n = to_calibrate(b, modules, edited);
    if (n > 0) PAWL_TRY(probe(b, modules, n, &b->calibrates, err));
    if (b->calibrates || is_auto) return PAWL_OK;
    pawl_fail_at(
        err, PAWL_ECONFIG, NULL, 0, "calibrate",
        "Nothing can be calibrated: no log-probabilities of choices came with the answers.");
    pawl_hint(err, "Set calibrate=auto, or give the program one output with choices and a model "
                   "that scores them.");
    return PAWL_ECONFIG;
}

/* Gives an edit for each module that could be calibrated. A case whose answer is on show would tell the
 * model's memory, not its lean. */
static enum pawl_status calibrate(struct bootstrap *b, uint32_t candidate,
                                  const struct pawl_demo_set *sets, struct pawl_host_edit *edits,
                                  size_t *n_edits, struct pawl_error *err)
{
    size_t limit = (size_t)b->opt->calibration_cases, n = 0;
    if (limit > b->n_train) limit = b->n_train;
    uint32_t *cases = PAWL_NEW_N(&b->step, uint32_t, limit);
    struct pawl_calibrated *modules = PAWL_NEW_N(&b->step, struct pawl_calibrated, b->n_modules);
    const char **edited = PAWL_NEW_N(&b->step, const char *, b->n_modules);
    size_t n_modules = to_calibrate(b, modules, edited);
    for (size_t i = 0; i < b->n_train && n < limit; i++) {
        size_t train_case = b->calibration_order[i];
        if (!holds(b, sets, train_case)) cases[n++] = (uint32_t)train_case;
    }
    *n_edits = 0;
    PAWL_TRY(pawl_calibrate(b->host, &b->step, candidate, cases, n, modules, n_modules, err));
    for (size_t m = 0; m < n_modules; m++) {
        if (modules[m].text.ptr == NULL) continue;
        edits[(*n_edits)++] = (struct pawl_host_edit){edited[m], modules[m].text};
    }
    return PAWL_OK;
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
                                      const struct pawl_demo_set *sets, struct pawl_error *err)
{
    struct pawl_race_scored scored;
    struct pawl_random random = stream_of(b, "race", candidate);
    reset_order(b->dev_order, b->n_dev);
    pawl_random_shuffle(&random, b->dev_order, b->n_dev);
    PAWL_TRY(pawl_race_score_dev(b->host, &b->step, &b->podium, b->dev_order, candidate,
                                 b->opt->race_error, &scored, err));
    b->n_saved += b->n_dev - scored.n_used;
    pawl_host_say(b->host, "%zu bootstrapped and %zu labelled demonstrations: %.3f on %zu of dev%s",
                  n_bootstrapped(b, sets), n_demos(b, sets) - n_bootstrapped(b, sets), scored.mean,
                  scored.n_used, scored.stopped ? ", stopped" : "");
    if (scored.stopped || !(pawl_gain(scored.scores, b->start, b->n_dev) > 0)) return PAWL_OK;
    pawl_podium_add(&b->podium, scored.scores, scored.mean);
    return pawl_host_nominate(b->host, candidate, err);
}

static enum pawl_status score(struct bootstrap *b, uint32_t candidate,
                              const struct pawl_demo_set *sets, struct pawl_error *err)
{
    double mean;
    if (b->dev_order != NULL) return score_in_race(b, candidate, sets, err);
    PAWL_TRY(pawl_host_score_dev(b->host, candidate, b->scores, &mean, err));
    pawl_host_say(b->host, "%zu bootstrapped and %zu labelled demonstrations: %.3f on dev",
                  n_bootstrapped(b, sets), n_demos(b, sets) - n_bootstrapped(b, sets), mean);
    if (!(pawl_gain(b->scores, b->start, b->n_dev) > 0)) return PAWL_OK;
    return pawl_host_nominate(b->host, candidate, err);
}

/* A calibration fits its own demonstrations only, so other ones start without. */
static enum pawl_status draft_demos(struct bootstrap *b, const struct pawl_demo_set *sets,
                                    uint32_t *candidate, struct pawl_error *err)
{
    const uint32_t start = 0;
    struct pawl_host_edit *edits = PAWL_NEW_N(&b->step, struct pawl_host_edit, 2 * b->n_modules);
    size_t n = 0;
    for (size_t m = 0; m < b->n_modules; m++) {
        edits[n++] = (struct pawl_host_edit){b->demos[m], pawl_demo_set_text(&sets[m], &b->step)};
        if (b->calibrations[m] != NULL)
            edits[n++] = (struct pawl_host_edit){b->calibrations[m], PAWL_STR("{}")};
    }
    return pawl_host_draft(b->host, &start, 1, edits, n, candidate, err);
}

/* Calibrate a candidate and score the result, which stands for its sets: measured, the calibrated
 * twin is the better one nearly always. Without log-probabilities the sets stand as they are. */
static enum pawl_status try_calibrated(struct bootstrap *b, const struct pawl_demo_set *sets,
                                       uint32_t *candidate, struct pawl_error *err)
{
    uint32_t plain = *candidate;
    struct pawl_host_edit *edits = PAWL_NEW_N(&b->step, struct pawl_host_edit, b->n_modules);
    size_t n_edits;
    PAWL_TRY(calibrate(b, plain, sets, edits, &n_edits, err));
    if (n_edits == 0) return n_demos(b, sets) > 0 ? score(b, plain, sets, err) : PAWL_OK;
    PAWL_TRY(pawl_host_draft(b->host, &plain, 1, edits, n_edits, candidate, err));
    return note_made(b, *candidate) ? score(b, *candidate, sets, err) : PAWL_OK;
}

/* Make the candidate of the sets and score it; that of empty ones both calibrated and not. */
static enum pawl_status try_sets(struct bootstrap *b, const struct pawl_demo_set *sets,
                                 uint32_t *candidate, struct pawl_error *err)
{
    bool is_empty = n_demos(b, sets) == 0;
    PAWL_TRY(draft_demos(b, sets, candidate, err));
    bool is_new = note_made(b, *candidate);
    if (!is_new && !is_empty) return PAWL_OK;
    if (is_new && (is_empty || !b->calibrates)) PAWL_TRY(score(b, *candidate, sets, err));
    return b->calibrates ? try_calibrated(b, sets, candidate, err) : PAWL_OK;
}

/* --- sets ------------------------------------------------------------------------------------------ */

/* What making the candidate of a set costs at most, beside asking the teacher. */
static int64_t worst_case(const struct bootstrap *b, int64_t number)
{
    int64_t dev = (int64_t)b->n_dev;
    if (!b->calibrates) return dev;
    return calibrated_cost(b->opt, b->n_train, b->n_dev) + (number == EMPTY_SET ? dev : 0);
}

static void fill(struct bootstrap *b, struct pawl_random *random, size_t n, size_t module,
                 struct pawl_demo_set *set)
{
    pawl_random_shuffle(random, b->order, b->n_train);
    pawl_demo_set_fill(set, b->raw[module], b->order, b->n_train, n,
                       strcmp(b->opt->balance, "auto") == 0, &b->fields[module]);
}

/* Their candidate teaches, so they leave half of the cases to be answered. */
static void make_labelled(struct bootstrap *b, struct pawl_demo_set *sets)
{
    struct pawl_random random = stream_of(b, "labelled", 0);
    size_t n = (size_t)b->opt->max_labeled, most = b->n_train / 2 / b->n_modules;
    for (size_t m = 0; m < b->n_modules; m++) {
        reset_order(b->order, b->n_train);
        fill(b, &random, n < most ? n : most, m, &sets[m]);
    }
}

static enum pawl_status make_bootstrapped(struct bootstrap *b, int64_t number,
                                          struct pawl_demo_set *sets, struct pawl_error *err)
{
    struct pawl_random random = stream_of(b, "set", number);
    size_t wanted = (size_t)b->opt->max_bootstrapped, full = (size_t)b->opt->max_labeled;
    reset_order(b->order, b->n_train);
    if (number >= FIRST_RANDOM_SET) {
        pawl_random_shuffle(&random, b->order, b->n_train);
        if (wanted > 0) wanted = 1 + (size_t)pawl_random_below(&random, wanted);
    }
    PAWL_TRY(pawl_teacher_walk(&b->teacher, b->host, &b->step, b->order, wanted,
                               worst_case(b, number), sets, err));
    for (size_t m = 0; m < b->n_modules; m++)
        if (sets[m].n < full) fill(b, &random, full - sets[m].n, m, &sets[m]);
    return PAWL_OK;
}

/* Cases that the teacher was shown the answer of, in any module. */
static bool *shown_in(const struct bootstrap *b, const struct pawl_demo_set *sets)
{
    bool *shown = PAWL_NEW_N(b->arena, bool, b->n_train);
    for (size_t i = 0; i < b->n_train; i++) shown[i] = holds(b, sets, i);
    return shown;
}

static enum pawl_status do_sets(struct bootstrap *b, int64_t number, struct pawl_error *err)
{
    struct pawl_demo_set *sets = new_sets(b, &b->step);
    uint32_t candidate;
    if (number == LABELLED_SET) make_labelled(b, sets);
    if (number > LABELLED_SET) PAWL_TRY(make_bootstrapped(b, number, sets, err));
    if (number != EMPTY_SET && n_demos(b, sets) == 0) return PAWL_OK;
    PAWL_TRY(try_sets(b, sets, &candidate, err));
    if (number == EMPTY_SET || number == LABELLED_SET) b->teacher.candidate = candidate;
    if (number == LABELLED_SET) b->teacher.shown = shown_in(b, sets);
    return PAWL_OK;
}

static enum pawl_status search(struct bootstrap *b, struct pawl_error *err)
{
    double mean;
    PAWL_TRY(pawl_host_score_dev(b->host, 0, b->start, &mean, err));
    note_made(b, 0);
    pawl_host_say(b->host, "start: %.3f on dev", mean);
    if (b->dev_order != NULL) b->podium = pawl_podium_new(b->start, b->n_dev, b->arena);
    PAWL_TRY(decide_calibration(b, err));
    bool is_short = false;
    for (int64_t number = EMPTY_SET; number < b->opt->candidates; number++) {
        if (pawl_host_budget_left(b->host) < worst_case(b, number)) {
            pawl_host_note_short(b->host);
            is_short = true;
            continue;
        }
        PAWL_TRY(do_sets(b, number, err));
        pawl_arena_reset(&b->step);
    }
    if (is_short && b->n_made == 1)
        return pawl_fail(err, PAWL_EBUDGET, "No set of demonstrations fits the budget.");
    if (b->dev_order != NULL)
        pawl_host_say(b->host, "racing saved %zu evaluations on dev", b->n_saved);
    return PAWL_OK;
}

/* The start and one candidate on dev; calibrated, where the user wants that whatever it costs. */
static int64_t smallest(const void *options, size_t n_train, size_t n_dev)
{
    const struct bootstrap_options *opt = options;
    if (strcmp(opt->calibrate, "on") != 0) return 2 * (int64_t)n_dev;
    return (int64_t)n_dev + PROBES + calibrated_cost(opt, n_train, n_dev);
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
