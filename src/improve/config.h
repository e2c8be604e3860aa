/*
 * config.h - pawl.yaml, checked, as one struct that front and workers share.
 *
 * The front parses YAML and sends the JSON to the workers, which read it again with the same
 * tables; sections that belong to one room (program, models, metric) are checked by that room.
 *
 * Invariants
 *   1. An unknown key is an error with line, column and the nearest known key.
 *   2. No secret is in a configuration: keys are named (key_env), never written.
 */
#ifndef PAWL_IMPROVE_CONFIG_H
#define PAWL_IMPROVE_CONFIG_H

#include "base/arena.h"
#include "base/json.h"
#include "base/yaml.h"
#include "gate/guard.h"

#include <stdbool.h>
#include <stdint.h>

struct pawl_config_data {
    const char *file;                       /* one file, split by keyed hash ... */
    const char *train, *dev, *gate, *vault; /* ... or a file per tier */
    const json_t *columns;                  /* of a CSV file */
    int64_t max_per_cluster; /* of a sealed cluster; the rest is left out. 0: no limit */
    const json_t *tiers;     /* {train: share, dev: share, gate: share, vault: share} or NULL */
};
struct pawl_config_budget {
    int64_t evaluations; /* logical; -1: no limit */
    double usd;          /* -1: none */
    double minutes;      /* -1: none */
};
#define PAWL_OPERATOR_AUTO                                                                         \
    "auto" /* as an operator's name: what suits is chosen when a run begins */

enum { PAWL_CHAIN_MAX = 16 }; /* operators in a row */
struct pawl_config_improve {
    const char *operator_name;
    bool dev_check;
    struct pawl_config_budget budget;
    const json_t *options; /* of the operator; NULL: defaults */
    const json_t *texts;   /* the operator's own texts, by name, replaced; NULL: as shipped */
};
struct pawl_config_gate {
    double alpha;
    const char *policy; /* e-lond | strict | per-decision | fresh */
    const char *look;   /* auto | sequential | fixed */
    int64_t samples;    /* K answers per case and arm */
    int64_t max_attempts, max_promotions;
    int64_t draw;         /* clusters of an attempt under fresh; 0: a quarter of the gate */
    bool confirm;         /* after a run's promotion */
    const json_t *guards; /* as written; NULL: none */
    struct pawl_guard_rule guard_rules[PAWL_GUARDS_MAX]; /* the same, without caps */
    size_t n_guards;
};
enum { PAWL_APPROVERS_MAX = 32 };
/* Who must agree before what the gate promotes takes force (approval.h). */
struct pawl_config_approval {
    bool is_asked;      /* the section is there */
    const char *from;   /* L0 .. L3: the lowest layer of change that waits for people */
    int64_t people;     /* how many; 0: one, and two from L3 on */
    const json_t *keys; /* {name: public key in hex}: who may */
    double expires_hours;
};
struct pawl_config {
    const char *name;
    uint64_t seed;                                   /* of sampling and scripted models */
    int64_t concurrency;                             /* 0: what the models can use */
    const json_t *program, *metric, *models, *roles; /* sections, checked by their rooms */
    bool judged;                                     /* a model judges: metric is {judge: ...} */
    struct pawl_config_data data;
    struct pawl_config_improve improve;
    struct pawl_config_gate gate;
    struct pawl_config_approval approval;
    json_t *json; /* owns every value above */
};

/* From YAML text; keeps `places` for later errors of the rooms (pawl_yaml_places_free). */
PAWL_MUST_CHECK enum pawl_status pawl_config_parse(struct pawl_str yaml, const char *file,
                                                   struct pawl_arena *arena,
                                                   struct pawl_config *config,
                                                   struct pawl_yaml_places **places,
                                                   struct pawl_error *err);
/* From the JSON that a worker was sent; borrows and keeps a reference. */
PAWL_MUST_CHECK enum pawl_status pawl_config_from_json(json_t *json, struct pawl_arena *arena,
                                                       struct pawl_config *config,
                                                       struct pawl_error *err);
void pawl_config_release(struct pawl_config *config);
bool pawl_config_all_scripted(const struct pawl_config *config);

#endif
