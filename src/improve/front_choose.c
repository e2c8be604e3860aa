/* `improve --operator auto`: which operator suits the program, the data and the budget. */
#include "improve/front_improve.h"

#include <stdio.h>
#include <string.h>

/*
 * Below LOOKS_FEW looks at dev, a search that scores candidates on all of it, or on large parts, tries
 * too few; gepa's minibatches are of three train cases. On fewer than DEV_FEW cases scores tell little,
 * and textgrad goes by what is said of the answers. simba learns from answers that differ, and a step of
 * it takes SIMBA_STEP evaluations by its own settings (32 cases, 6 answers and 7 new programs).
 */
enum { LOOKS_FEW = 8, DEV_FEW = 20, SIMBA_STEP = 32 * 13, SIMBA_STEPS = 4 };

static struct pawl_improve_choice choice_of(const char *operator)
{
    return (struct pawl_improve_choice){.operator= operator};
}

/* Some steps of simba, beside the start and their winners on dev. */
static bool can_climb(const struct pawl_improve_facts *facts)
{
    int64_t looks = (1 + SIMBA_STEPS) * facts->n_dev;
    return facts->evaluations < 0 || facts->evaluations >= looks + SIMBA_STEPS * SIMBA_STEP;
}

struct pawl_improve_choice pawl_improve_choose(const struct pawl_improve_facts *facts)
{
    struct pawl_improve_choice choice;
    bool few = facts->evaluations >= 0 && facts->evaluations < LOOKS_FEW * facts->n_dev;
    if (!facts->shows_demos) {
        choice = choice_of("gepa");
        snprintf(
            choice.because, sizeof choice.because,
            "the program is a command: it has texts to rewrite, and no demonstrations to choose");
    } else if (!facts->has_writer) {
        choice = choice_of("bootstrap");
        snprintf(choice.because, sizeof choice.because,
                 "no model but the one that answers could write instructions (roles: reflect), and "
                 "demonstrations need no writer");
    } else if (facts->n_dev < DEV_FEW) {
        choice = choice_of("textgrad");
        snprintf(
            choice.because, sizeof choice.because,
            "scores on %lld cases of dev tell little, and textgrad goes by what a model says of "
            "each answer",
            (long long)facts->n_dev);
    } else if (few) {
        choice = choice_of("gepa");
        snprintf(
            choice.because, sizeof choice.because,
            "%lld evaluations are less than %d looks at the %lld cases of dev, and gepa screens "
            "on three train cases",
            (long long)facts->evaluations, LOOKS_FEW, (long long)facts->n_dev);
    } else if (facts->samples && can_climb(facts)) {
        choice = choice_of("simba");
        snprintf(choice.because, sizeof choice.because,
                 "the program draws several answers to each case, and simba learns from those that "
                 "differ");
    } else {
        choice = choice_of("mipro");
        snprintf(choice.because, sizeof choice.because,
                 "the program shows demonstrations, another model can write its instructions, and "
                 "the budget is enough to choose both together on %lld cases of dev",
                 (long long)facts->n_dev);
    }
    return choice;
}

/* --- the facts ------------------------------------------------------------------------------------ */

/* A role that is not named is played by task's model, and task by the only one (lm/lm.c). */
static bool has_writer(const struct pawl_config *config)
{
    const char *task = json_string_value(json_object_get(config->roles, "task"));
    const char *reflect = json_string_value(json_object_get(config->roles, "reflect"));
    if (reflect == NULL) return false;
    return task != NULL ? strcmp(task, reflect) != 0 : json_object_size(config->models) > 1;
}

static bool section_samples(const json_t *section)
{
    const char *strategy = pawl_json_get_text(section, "strategy", "");
    return strcmp(strategy, "self_consistency") == 0 || strcmp(strategy, "best_of_n") == 0;
}

/* Does the program, or a module of it, draw several answers and take one? */
static bool draws_samples(const json_t *program)
{
    const char *name;
    json_t *module;
    if (section_samples(program)) return true;
    json_object_foreach(json_object_get(program, "modules"), name, module)
    {
        if (section_samples(module)) return true;
    }
    return false;
}

/* Of dev, what an operator sees. */
static int64_t count_visible(const json_t *cases, bool dev_check)
{
    int64_t n = 0;
    for (size_t i = 0; i < json_array_size(cases); i++)
        n += !dev_check || !pawl_json_get_bool(json_array_get(cases, i), "check", false);
    return n;
}

enum pawl_status pawl_improve_read_facts(struct pawl_project *project,
                                         const struct pawl_config_budget *budget,
                                         struct pawl_improve_facts *facts, struct pawl_error *err)
{
    const struct pawl_config *config = &project->config;
    json_t *dev;
    PAWL_TRY(pawl_store_cases_get(project->store, "dev", &dev, err));
    *facts = (struct pawl_improve_facts){.shows_demos =
                                             json_object_get(config->program, "command") == NULL,
                                         .has_writer = has_writer(config),
                                         .samples = draws_samples(config->program),
                                         .n_dev = count_visible(dev, config->improve.dev_check),
                                         .evaluations = budget->evaluations};
    json_decref(dev);
    return PAWL_OK;
}
