/*
 * program.h - how an artifact turns a case into an outcome.
 *
 * A program is opened once from the `program` section of pawl.yaml. It is prepared once per
 * candidate and run once per (case, sample). Three kinds: a signature with a strategy (predict, cot,
 * ...; one file each), a pipeline of several, and any external command (CONTRACTS).
 *
 * Invariants
 *   1. The target never enters a program: a struct pawl_program_case has no room for it.
 *   2. A failing candidate is data: run returns PAWL_OK with an outcome FAILED and a reason. Only
 *      the world or our caller can make it fail.
 *   3. run may be called by many threads at once on one instance, each with its own arena.
 *
 *     PAWL_TRY(pawl_program_prepare(program, artifact, 0, &instance, err));
 *     struct pawl_run_options how = {.sample = 0};
 *     PAWL_TRY(pawl_program_run(instance, &arena, &c, &how, &outcome, err));
 *     pawl_outcome_release(&outcome);
 *     pawl_program_release(instance);
 */
#ifndef PAWL_PROGRAM_PROGRAM_H
#define PAWL_PROGRAM_PROGRAM_H

#include "artifact/artifact.h"
#include "lm/lm.h"

struct pawl_program;
struct pawl_instance;

struct pawl_program_case {
    const char *id;
    const json_t *input; /* text or object */
};

enum pawl_outcome_status {
    PAWL_OUTCOME_DONE,    /* there is an output to be scored */
    PAWL_OUTCOME_FAILED,  /* the candidate's fault: score 0 */
    PAWL_OUTCOME_MISSING, /* the world's fault: no score, never cached, never in a mean */
};
enum pawl_run_flags {
    PAWL_RUN_TRACE = 1u << 0,    /* keep messages and raw replies */
    PAWL_RUN_LOGPROBS = 1u << 1, /* with a trace: those of all choices; costs more than the best */
};
struct pawl_run_options {
    uint32_t sample;    /* which of several answers to the same prompt */
    double temperature; /* 0: the program's own */
    unsigned flags;     /* enum pawl_run_flags */
};

struct pawl_outcome {
    enum pawl_outcome_status status;
    json_t *output;     /* {field: value} of the output fields; owned by the outcome */
    json_t *trace;      /* one entry for each request with PAWL_RUN_TRACE, else NULL; see below */
    const char *reason; /* a sentence when not DONE; in the arena */
    struct pawl_usage usage;
    struct pawl_hash behaviour; /* of the own outputs, or of a failure: equal answers, equal hash */
};
void pawl_outcome_release(struct pawl_outcome *outcome);

struct pawl_program_settings {
    const json_t *program; /* the section of pawl.yaml */
    const char *project_dir;
    struct pawl_lm *lm;
    uint64_t seed; /* sampling seeds are derived from (seed, case, sample) */
    bool sealed;   /* a fresh process or Lua state for every case; nothing on disk */
};
/* Check the section without models. err->field is a path below "program". */
PAWL_MUST_CHECK enum pawl_status pawl_program_check(const struct pawl_program_settings *settings,
                                                    struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_program_open(const struct pawl_program_settings *settings,
                                                   struct pawl_program **program,
                                                   struct pawl_error *err);
void pawl_program_close(struct pawl_program *program);
/* What answers depend on beside the artifact and the models: the section, and with it the content of files
 * that it names and that no artifact holds (collections). New reference. Opens the program where it has to. */
PAWL_MUST_CHECK enum pawl_status pawl_program_identity(const struct pawl_program_settings *settings,
                                                       json_t **identity, struct pawl_error *err);

/* The artifact that the project's own files describe: instruction from its file, no
 * demonstrations, no calibration; or the files a command program names. */
PAWL_MUST_CHECK enum pawl_status pawl_program_seed(struct pawl_program *program,
                                                   struct pawl_arena *arena,
                                                   struct pawl_artifact **seed,
                                                   struct pawl_error *err);
/* Names of the fields as JSON {inputs:[...], outputs:[{name,type,choices?}], extra:[...],
 * modules:[...]}, extra being what the strategy adds ("reasoning"); empty lists for a command. Modules
 * in the order in which they run: {name, inputs, outputs, extra, instruction, demos, calibration?}, the
 * last three being names of components; a signature is one with the name "". New reference. */
json_t *pawl_program_fields(const struct pawl_program *program);
/* A case's input (or target) as an object by field: a plain text becomes the only (first) field.
 * New reference; NULL when it does not fit. Part of how demonstrations are written. */
json_t *pawl_program_input_object(const struct pawl_program *program, const json_t *input);
json_t *pawl_program_target_object(const struct pawl_program *program, const json_t *target);
/* The roles whose models answer, as bits 1u << enum pawl_role: who the answers depend on. */
unsigned pawl_program_roles(const struct pawl_program *program);
int pawl_program_parallel(const struct pawl_program *program); /* useful threads */

/* replicate: which of several independent preparations. A candidate whose components do not parse
 * (demos that are no JSON ...) is prepared all right and fails every case with that reason. */
PAWL_MUST_CHECK enum pawl_status
pawl_program_prepare(struct pawl_program *program, const struct pawl_artifact *artifact,
                     uint32_t replicate, struct pawl_instance **instance, struct pawl_error *err);
/* Fails PAWL_EBUDGET, PAWL_EPAUSED, PAWL_EWORLD as pawl_lm_ask; otherwise see outcome->status.
 * outcome->usage is valid either way: a later request may fail after earlier ones were paid. */
PAWL_MUST_CHECK enum pawl_status
pawl_program_run(struct pawl_instance *instance, struct pawl_arena *arena,
                 const struct pawl_program_case *item, const struct pawl_run_options *how,
                 struct pawl_outcome *outcome, struct pawl_error *err);
/*
 * What each module says to its model, every input being {{its name}}: [{module, messages:[{role,
 * content}...]}...], a new reference. Fails PAWL_EUSAGE when the candidate's components cannot be used, or
 * the program is a command.
 */
PAWL_MUST_CHECK enum pawl_status pawl_program_messages(const struct pawl_instance *instance,
                                                       json_t **messages, struct pawl_error *err);
void pawl_program_release(struct pawl_instance *instance);

/*
 * A trace is a list of {module, messages, reply, input, output?, choice_logprobs?}: the module that
 * asked ("" for a signature), its input fields, and in the entry that completed its answer all of its
 * output fields. A command's entries have messages and reply alone.
 *
 * A case whose only input is a list of {role, content} is a conversation: its turns come last.
 * The system turn ends in the wanted form of the answer; a single output is answered bare, several
 * as `field: value` lines. Greedy requests carry seed 0, so that equal prompts are equal requests.
 *
 * Components of a signature program, by role:
 *   instruction  free text, the system turn
 *   demos        JSON list of {field: value} with all input and output fields (reasoning too for
 *                cot), shown as user/assistant turns in order
 *   calibration  JSON object {choice: offset} added to the log-probability of each choice of the
 *                (only) choices field before the best is taken; {} changes nothing
 *   memory       with `lessons: on`: JSON list of {text, ...}, shown below the instruction (recall.h)
 */
#define PAWL_ROLE_INSTRUCTION "instruction"
#define PAWL_ROLE_DEMOS       "demos"
#define PAWL_ROLE_CALIBRATION "calibration"

#endif
