/*
 * roster.h - the modules of a program, and what may be changed in each.
 *
 * A module is one call of a model: its instruction and its demonstrations are components. A program
 * that names no modules (an external command, say) is a list of texts: each is then a module of its
 * own with an instruction and nothing else.
 *
 * Invariants
 *   1. Modules stand in the order in which they run.
 *   2. Every component that holds prose is the instruction of exactly one module.
 *
 *     struct pawl_roster roster = pawl_roster_read(host, arena);
 *     for (size_t m = 0; m < roster.n; m++)
 *         if (roster.modules[m].instruction != NULL) ...
 */
#ifndef PAWL_OPERATORS_ROSTER_H
#define PAWL_OPERATORS_ROSTER_H

#include "operators/bootstrap_demos.h"
#include "operators/host.h"

struct pawl_roster_module {
    const char *name;                              /* "" when the program is one module */
    const char *instruction, *demos, *calibration; /* components; NULL: it has none */
    struct pawl_demo_fields fields;                /* none where nothing is known of them */
};
struct pawl_roster {
    struct pawl_roster_module *modules; /* [n] */
    size_t n;
};
/* Demonstrations, calibrations and lessons are data, and a flow is left alone unless its owner says otherwise
 * (then its role is "source"); any other text is prose, which a model can rewrite. */
bool pawl_roster_is_prose(const struct pawl_host_component *component);
struct pawl_roster pawl_roster_read(struct pawl_host *host, struct pawl_arena *arena);

/* The module's fields as a line: "review -> reasoning, sentiment (positive | negative)". */
void pawl_roster_add_signature(const struct pawl_roster_module *module, struct pawl_buf *out);
/* What the program is: every module's name, fields and instruction in a candidate. */
void pawl_roster_add_program(struct pawl_host *host, const struct pawl_roster *roster,
                             uint32_t candidate, struct pawl_buf *out);

/*
 * The module's input and answer in a traced result; false when it gave none. A module that was called
 * several times stands for one of its calls: the last with probability 1/2, else any earlier one
 * (after DSPy), by `random`, which draws nothing where there was one call. Borrowed from the result.
 */
bool pawl_roster_find_call(const struct pawl_roster *roster, size_t module,
                           const json_t *case_input, const struct pawl_host_result *result,
                           struct pawl_random *random, const json_t **input, const json_t **answer);

/* What a candidate has in place of the start's; ptr NULL: as in the start. */
struct pawl_roster_texts {
    struct pawl_str instruction, demos;
};
/* Step. The start with texts[roster->n]. A calibration fits its own demonstrations only, so that of a
 * module with other ones is taken out. */
PAWL_MUST_CHECK enum pawl_status pawl_roster_draft(struct pawl_host *host,
                                                   const struct pawl_roster *roster,
                                                   const struct pawl_roster_texts *texts,
                                                   uint32_t *candidate, struct pawl_error *err);

#endif
