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

struct pawl_strategy_call; /* the instance, the case, the arena, the trace: see signature_call.h */

struct pawl_strategy {
    int api; /* PAWL_STRATEGY_API */
    const char *name, *summary, *paper;
    /* Output fields it adds before the signature's own (e.g. "reasoning"), NULL-terminated. */
    const char *const *extra_outputs;
    int n_samples; /* answers that it asks for where `samples` is not set; 0: it asks for one */
    /* The option of pawl.yaml that holds its Lua, and the function in it; NULL: it has none. */
    const char *script;
    enum pawl_status (*run)(struct pawl_strategy_call *call, struct pawl_outcome *outcome,
                            struct pawl_error *err);
};
enum { PAWL_STRATEGY_API = 1 };
extern const struct pawl_strategy *const pawl_strategies[]; /* NULL-terminated, generated */

#endif
