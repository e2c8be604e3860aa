/* `improve --operator auto`: which operator suits the program, the data and the budget. */
#include "improve/front_improve.h"

#include <stdio.h>
#include <string.h>

/* Below this many looks at dev, a search that scores candidates on all of it, or on large parts, tries
 * too few; gepa's minibatches are of three train cases. */
enum { LOOKS_FEW = 8 };

static struct pawl_improve_choice choice_of(const char *operator)
{
    return (struct pawl_improve_choice){.operator= operator};
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
    } else if (few) {
        choice = choice_of("gepa");
        snprintf(
            choice.because, sizeof choice.because,
            "%lld evaluations are less than %d looks at the %lld cases of dev, and gepa screens "
            "on three train cases",
            (long long)facts->evaluations, LOOKS_FEW, (long long)facts->n_dev);
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
                                         .n_dev = count_visible(dev, config->improve.dev_check),
                                         .evaluations = budget->evaluations};
    json_decref(dev);
    return PAWL_OK;
}
