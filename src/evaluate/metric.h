/*
 * metric.h - what a good answer is: (input, target, output) to a score in [0,1] and feedback.
 *
 * A metric judges; it is chosen by the owner and is never something a candidate wrote. One file
 * metric_NAME.c per kind, ending in `const struct pawl_metric_kind pawl_metric_NAME`.
 *
 * In pawl.yaml: `metric: exact_match`, or `metric: {name: numeric, tolerance: 0.01}`,
 * `metric: {lua: file.lua}`, `metric: {command: [argv...]}`, `metric: {judge: rubric.md}`.
 *
 * A metric asks no model itself. One that needs a model's opinion says what to ask (questions), whoever
 * measures asks it of the role judge, and the replies come with the call: so the same rule serves the
 * engine, which may cache, and the vault, which must not.
 */
#ifndef PAWL_EVALUATE_METRIC_H
#define PAWL_EVALUATE_METRIC_H

#include "base/arena.h"
#include "base/option.h"

/* What the role judge is asked: one of the choices is the answer. */
struct pawl_metric_question {
    struct pawl_str system, user;
    const struct pawl_str *choices;
    size_t n_choices;
};
/* `text` is one of the question's choices, or NULL when no such answer came (refused, too long, other
 * words); what the world lost is no reply. */
struct pawl_metric_reply {
    const char *text;
};
enum { PAWL_METRIC_QUESTIONS_MAX = 2 };

struct pawl_metric_call {
    const char *id;
    const json_t *input, *target, *output; /* output: {field: value} */
    const json_t *metadata;
    const struct pawl_metric_reply *replies; /* one for each of its questions */
};
/* What a metric thinks of one aspect of an answer. The score alone is what a gate tests; named ones say
 * an operator in what a candidate is good (fronts of gepa), and a person (`pawl eval`). */
struct pawl_named_score {
    const char *name; /* 1 to PAWL_NAMED_BYTES_MAX bytes of UTF-8 */
    double score;     /* [0,1] */
};
enum { PAWL_NAMED_MAX = 16, PAWL_NAMED_BYTES_MAX = 64 };

struct pawl_metric_result {
    bool failed;          /* the metric itself could not judge (late, garbage): a failed case */
    double score;         /* [0,1] */
    const char *feedback; /* in the arena; what was expected and what came. NULL: none */
    struct pawl_named_score
        *named;     /* [n_named] in the arena, by name, each once; none when failed */
    size_t n_named; /* <= PAWL_NAMED_MAX */
};

enum pawl_metric_flags {
    PAWL_METRIC_BINARY = 1u << 0,   /* scores are exactly 0 or 1 */
    PAWL_METRIC_BY_FIELD = 1u << 1, /* by judge.h, from target and output alone */
    PAWL_METRIC_NAMED = 1u << 2,    /* may give named scores */
};

struct pawl_metric_kind {
    int api; /* PAWL_METRIC_API */
    const char *name, *summary;
    unsigned flags;
    const struct pawl_option *options;
    size_t options_bytes;
    /* (optional) load a file, start a command ... */
    enum pawl_status (*open)(const void *options, const char *project_dir, void **state,
                             struct pawl_error *err);
    void (*close)(void *state);
    /* (optional) what the rule depends on besides its options: contents of files. New reference. */
    json_t *(*identity)(void *state);
    /* (optional) what must be asked before score(), in the arena; at most PAWL_METRIC_QUESTIONS_MAX. */
    size_t (*questions)(void *state, const void *options, struct pawl_arena *arena,
                        const struct pawl_metric_call *call,
                        struct pawl_metric_question *questions);
    /* Many threads at once. Fails only with PAWL_EWORLD. */
    enum pawl_status (*score)(void *state, const void *options, struct pawl_arena *arena,
                              const struct pawl_metric_call *call,
                              struct pawl_metric_result *result, struct pawl_error *err);
};
enum { PAWL_METRIC_API = 1 };
extern const struct pawl_metric_kind *const pawl_metrics[]; /* NULL-terminated, generated */

struct pawl_metric;
PAWL_MUST_CHECK enum pawl_status pawl_metric_open(const json_t *section, const char *project_dir,
                                                  struct pawl_metric **metric,
                                                  struct pawl_error *err);
void pawl_metric_close(struct pawl_metric *metric);
const char *pawl_metric_name(const struct pawl_metric *metric);
bool pawl_metric_is_binary(const struct pawl_metric *metric);
bool pawl_metric_may_name(const struct pawl_metric *metric);
/* Whether it has questions for the role judge. */
bool pawl_metric_asks(const struct pawl_metric *metric);
/* What to ask before scoring; 0 for a metric that asks nothing. */
size_t pawl_metric_questions(struct pawl_metric *metric, struct pawl_arena *arena,
                             const struct pawl_metric_call *call,
                             struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX]);
/* For the kinds: take the named scores that somebody wrote, {name: number or boolean}; NULL, null and {} are
 * none. Gives NULL, or what is wrong with them, as "gave ...". */
const char *pawl_metric_take_named(struct pawl_metric_result *result, struct pawl_arena *arena,
                                   const json_t *named);
/* Whether the metric that a section names has PAWL_METRIC_BY_FIELD; opens nothing. */
bool pawl_metric_is_by_field(const json_t *section);
/* Changes when the metric's rule changes (name, options, file contents). */
/* Its options, those that were not given with their defaults; {} for a kind without. New reference. */
json_t *pawl_metric_options(const struct pawl_metric *metric);
struct pawl_hash;
void pawl_metric_identity(const struct pawl_metric *metric, struct pawl_hash *out);
PAWL_MUST_CHECK enum pawl_status pawl_metric_score(struct pawl_metric *metric,
                                                   struct pawl_arena *arena,
                                                   const struct pawl_metric_call *call,
                                                   struct pawl_metric_result *result,
                                                   struct pawl_error *err);

#endif
