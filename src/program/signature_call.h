/*
 * signature_call.h - what a strategy works with: the conversation about one case.
 *
 * The conversation starts as the candidate's shared messages and the case's turn. A strategy asks,
 * reads, may say more and ask again:
 *
 *     PAWL_TRY(pawl_call_ask(call, &(struct pawl_call_ask){0}, &reply, err));
 *     if (reply.status != PAWL_REPLY_OK) return pawl_call_unanswered(&reply, outcome);
 */
#ifndef PAWL_PROGRAM_SIGNATURE_CALL_H
#define PAWL_PROGRAM_SIGNATURE_CALL_H

#include "program/environment.h"
#include "program/kind.h"
#include "program/signature.h"
#include "program/strategy.h"
#include "program/tool.h"

enum {
    PAWL_TURNS_MAX = 128, /* that a case or a strategy may add */
    PAWL_SAMPLES_MAX = 64,
    PAWL_ROUNDS_MAX = 32, /* two turns each */
};

/* Opened from pawl.yaml; the same for all candidates. */
struct pawl_module {
    const char *name;         /* "" when it is the whole program */
    struct pawl_arena *arena; /* the program's */
    struct pawl_lm *lm;
    enum pawl_role role; /* of the model that it asks */
    const struct pawl_strategy *strategy;
    struct pawl_signature signature; /* outputs: the strategy's, then the signature's own */
    const struct pawl_field *own;    /* the signature's own outputs */
    size_t n_own;
    bool
        reads_answers; /* its input is another module's: a list there is data, never turns of a talk */
    const struct pawl_field *held; /* the only own output, when its choices are held; or NULL */
    struct pawl_str instruction, demos;                           /* of the seed */
    const char *instruction_name, *demos_name, *calibration_name; /* its components */
    const char *lessons_name; /* of role memory (recall.h); NULL: it has none */
    const struct pawl_str *stops;
    size_t n_stops;
    int max_tokens;
    double temperature, top_p;
    bool repair;
    uint64_t seed;
    int n_samples;           /* of a strategy that asks for several answers */
    struct pawl_lua *script; /* of the strategy, or NULL */
    const struct pawl_environment_kind *environment; /* that judges answers, or NULL */
    struct pawl_tools tools;                         /* of a strategy that takes them */
    int n_rounds;                                    /* of a strategy that has them */
    size_t trajectory_bytes;                         /* the most that is told of them */
    int debate;         /* rounds in which critics answer one another */
    int memory;         /* lessons that are kept, the latest */
    int depth, at_once; /* of a search: its longest path, leaves at a time */
    double exploration, lambda;
    const char *text_names[PAWL_STRATEGY_TEXTS_MAX]; /* components of the strategy's texts */
};

/* One candidate, rendered. */
struct pawl_module_instance {
    const struct pawl_module *module;
    struct pawl_arena arena;
    struct pawl_message *shared;
    size_t n_shared;
    const double *offsets;                          /* one per held choice, or NULL */
    struct pawl_str texts[PAWL_STRATEGY_TEXTS_MAX]; /* of the strategy, in the order of its table */
    const char *fault;                              /* why its components cannot be used, or NULL */
};

struct pawl_strategy_call {
    const struct pawl_module_instance *instance;
    const struct pawl_module *module;
    struct pawl_arena *arena; /* the call's */
    const struct pawl_run_options *how;
    const json_t *input;           /* {field: value} */
    struct pawl_message *messages; /* room for PAWL_TURNS_MAX beyond the shared ones */
    size_t n_messages;
    const char *case_id;
    struct pawl_usage *usage;
    json_t *trace;  /* list, or NULL */
    size_t n_asked; /* requests so far; as many entries has the trace */
};

/* The module's own outputs as one text, letters without case: two ways to one answer are one vote. */
char *pawl_module_vote(const struct pawl_module *module, const json_t *answer,
                       struct pawl_arena *arena);

/* Add a turn. A strategy that talks without end is our bug. */
void pawl_call_say(struct pawl_strategy_call *call, const char *role, struct pawl_str content);

struct pawl_call_ask {
    const struct pawl_field *choices; /* hold the answer to them; NULL: free text */
    const struct pawl_str *stops;     /* beside those of pawl.yaml; n_stops 0: none */
    size_t n_stops;
    double temperature; /* unless the run or pawl.yaml says otherwise; 0: greedy */
    int nth, of;        /* one of several answers to these messages; of 0: the only one */
    /* A conversation of its own, which begins as the call's; NULL: that of the call. */
    const struct pawl_message *messages;
    size_t n_messages;
    /* The strategy's text that asks, as its component is called: the trace names that and not the module,
     * and has the reply as its output. NULL: the module asks for its outputs. */
    const char *part;
};
PAWL_MUST_CHECK enum pawl_status pawl_call_ask(struct pawl_strategy_call *call,
                                               const struct pawl_call_ask *ask,
                                               struct pawl_lm_reply *reply, struct pawl_error *err);
/* Several at once, e.g. samples. replies[n] in order, and as many entries of the trace. */
PAWL_MUST_CHECK enum pawl_status pawl_call_ask_all(struct pawl_strategy_call *call,
                                                   const struct pawl_call_ask *asks, size_t n,
                                                   struct pawl_lm_reply *replies,
                                                   struct pawl_error *err);
/* One after a further turn, which the conversation then is without again. Where the last turn is of the same
 * role, this one goes on with it: many models want the two to take turns. */
PAWL_MUST_CHECK enum pawl_status pawl_call_ask_after(struct pawl_strategy_call *call,
                                                     const struct pawl_call_ask *ask,
                                                     const char *role, struct pawl_str content,
                                                     struct pawl_lm_reply *reply,
                                                     struct pawl_error *err);
/* The outcome of a reply that is not OK. */
enum pawl_status pawl_call_unanswered(const struct pawl_lm_reply *reply,
                                      struct pawl_outcome *outcome);
/* The best choice by log-probability and calibration, or where there are none the one that the text is;
 * false when it has to be read from the text. */
bool pawl_call_best_choice(const struct pawl_strategy_call *call, const struct pawl_lm_reply *reply,
                           struct pawl_str *choice);
/* The outcome of an output that was read; takes the reference. In the trace it is that of the last
 * request, or of the request that many before the last. */
enum pawl_status pawl_call_done_at(const struct pawl_strategy_call *call, json_t *output,
                                   size_t n_after, struct pawl_outcome *outcome);
enum pawl_status pawl_call_done(const struct pawl_strategy_call *call, json_t *output,
                                struct pawl_outcome *outcome);
/* Ask for all outputs at once, read them, ask once more when they cannot be read. */
PAWL_MUST_CHECK enum pawl_status pawl_call_answer(struct pawl_strategy_call *call,
                                                  const struct pawl_field *held,
                                                  struct pawl_outcome *outcome,
                                                  struct pawl_error *err);

#endif
