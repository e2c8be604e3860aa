/*
 * strategy.h - how a signature is answered: one file strategy_NAME.c per way of asking, ending in
 * `const struct pawl_strategy pawl_strategy_NAME`.
 *
 * A strategy is straight-line blocking code: it renders messages, asks, parses, and may ask again.
 */
#ifndef PAWL_PROGRAM_STRATEGY_H
#define PAWL_PROGRAM_STRATEGY_H

#include "base/option.h"
#include "program/program.h"

struct pawl_module;
struct pawl_strategy_call; /* the instance, the case, the arena, the trace: see signature_call.h */

/*
 * A text of its own that a model is shown: a component of the artifact, of role instruction, so that it can
 * be improved as the instruction can. An artifact that lacks it has the one of this table.
 */
struct pawl_strategy_text {
    const char *name; /* of the component; behind the module's name and a dot where it has one */
    const char *text;
};
enum { PAWL_STRATEGY_TEXTS_MAX = 6 };

struct pawl_strategy {
    int api; /* PAWL_STRATEGY_API */
    const char *name, *summary, *paper;
    /* Output fields it adds before the signature's own (e.g. "reasoning"), NULL-terminated. */
    const char *const *extra_outputs;
    int n_samples; /* answers that it asks for where `samples` is not set; 0: it asks for one */
    /* The option of pawl.yaml that holds its Lua, and the function in it; NULL: it has none. */
    const char *script;
    /* The option that bounds how often it asks before it answers, and where that is not set; NULL: none. */
    const char *rounds;
    int n_rounds;
    int min_tokens;   /* that it needs for what it writes before the outputs */
    bool takes_tools; /* it needs `tools` (tool.h) */
    const struct pawl_strategy_text *texts; /* ends in {NULL, NULL}; NULL: none */
    /* Further options of pawl.yaml that it has a use for, NULL-terminated; NULL: none. */
    const char *const *takes;
    /* Its own system turn, in which demonstrations follow as examples of what is answered in the end. NULL:
     * that of render.h, and demonstrations as turns. */
    void (*render)(const struct pawl_module *module, struct pawl_str instruction,
                   struct pawl_buf *out);
    enum pawl_status (*run)(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err);
};
enum { PAWL_STRATEGY_API = 1 };
extern const struct pawl_strategy *const pawl_strategies[]; /* NULL-terminated, generated */

#endif
