/*
 * run_rig.h - a whole run in a temporary folder: a scripted model, a signature program, train and dev
 * cases, a journal, and any operator. Time is virtual, so equal runs are equal byte for byte.
 */
#ifndef TESTS_SUPPORT_RUN_RIG_H
#define TESTS_SUPPORT_RUN_RIG_H

#include "improve/engine.h"

#include <stdatomic.h>

enum { RIG_TRAIN = 12, RIG_DEV = 24, RIG_CHECK = 8 /* of dev */ };

/* Answers by chance, more often rightly under some instructions than under others; prompts to the
 * reflect role get an instruction back. */
extern const char rig_script[];

struct rig {
    char dir[256];
    uint64_t seed;
    int64_t budget;
    double usd, minutes; /* -1: no limit */
    double price;        /* usd per million tokens of the model; -1: none. Before rig_set_script */
    bool dev_check;
    bool force;            /* search although the start fails on every case */
    const json_t *options; /* of the operator; NULL: defaults */
    bool gate_says;        /* what every offer is answered */
    bool is_pipeline;      /* rig_set_pipeline */
    bool has_lessons;      /* rig_set_lessons */
    bool has_own_metric;   /* rig_set_metric; else exact_match */
    size_t stop_after_steps;

    json_t *train_json, *dev_json;
    struct pawl_arena arena;
    struct pawl_cases train, dev;
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_metric *metric;
    struct pawl_evaluator *evaluator;
    struct pawl_artifact *start;
    struct pawl_lm_purse purse; /* of the run under way */

    /* seen since rig_open */
    atomic_int n_evaluated, n_offers;
    char offered[PAWL_HASH_HEX], behaviour[PAWL_HASH_HEX];
};

/* What a run did, to be compared; all malloc'd. */
struct rig_summary {
    enum pawl_status status;
    struct pawl_error error;
    struct pawl_run_result result;
    char *candidates; /* one line per candidate: artifact, dev mean, nominated; sorted */
    char *journal;    /* its steps without checksums, sorted; the header left out */
    size_t n_steps;
};

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* Replace the script of the models; the instruments are opened anew. */
void rig_set_script(struct rig *rig, const char *script);
/* The same with a metric in Lua. */
void rig_set_metric(struct rig *rig, const char *lua);
/* Make a pipeline of two modules of the program; the run then starts from its seed. */
void rig_set_pipeline(struct rig *rig);
/* Give the program, or a pipeline's first module, a memory; the run then starts from its seed. */
void rig_set_lessons(struct rig *rig);
/* Run the operator on the journal `name`: resumed when it is there. */
struct rig_summary rig_run(struct rig *rig, const char *name, const struct pawl_operator *operator);
void rig_summary_release(struct rig_summary *summary);
void rig_remove(struct rig *rig, const char *name);
char *rig_path(const struct rig *rig, const char *name); /* of that journal; malloc'd */

#endif
