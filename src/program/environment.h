/*
 * environment.h - a task that answers back: what can be done in it, and what comes of it. One file
 * environment_NAME.c per kind, ending in `const struct pawl_environment_kind pawl_environment_NAME`.
 *
 *     program: {signature: "numbers -> answer", strategy: reflexion, environment: game24}
 *     metric:  {name: environment, task: game24}
 *
 * An episode begins with a case's input (reset), shows what there is (observe), takes an action as text and says
 * what came of it (act), until it is over; and knows how good it was (score).
 *
 * Invariants
 *   1. An episode is made of a case's input alone: a target has no way into it, so its score is visible
 *      evidence.
 *   2. An action is a text that a model wrote: bounded, never trusted. One that cannot be done is a sentence that
 *      says why, and changes nothing.
 *   3. It lives in the arena and in nothing else: no file, clock or chance; equal actions, equal episodes.
 *
 *     const char *fault = kind->reset(input, arena, &episode);
 *     if (!fault) text = kind->act(episode, PAWL_STR("10 - 4"), arena);
 *     if (kind->score(episode, &score)) ...
 */
#ifndef PAWL_PROGRAM_ENVIRONMENT_H
#define PAWL_PROGRAM_ENVIRONMENT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

enum { PAWL_ACTION_BYTES_MAX = 500 };

struct pawl_environment_kind {
    int api; /* PAWL_ENVIRONMENT_API */
    const char *name, *summary;
    /* NULL, or why the input is no task of this kind. `input` is a text, or an object whose first text it is. */
    const char *(*reset)(const json_t *input, struct pawl_arena *arena, void **episode);
    struct pawl_str (*observe)(const void *episode, struct pawl_arena *arena);
    struct pawl_str (*act)(void *episode, struct pawl_str action, struct pawl_arena *arena);
    /* Whether it is over; *score in [0,1] then, and 0 before. */
    bool (*score)(const void *episode, double *score);
};
enum { PAWL_ENVIRONMENT_API = 1 };
/* NULL-terminated, generated. */
extern const struct pawl_environment_kind *const pawl_environments[];

/* Fails PAWL_ECONFIG with the nearest name. */
PAWL_MUST_CHECK enum pawl_status pawl_environment_find(const char *name,
                                                       const struct pawl_environment_kind **kind,
                                                       struct pawl_error *err);
/* A whole episode of one action, the answer's only field or its last: what came of it, and the score, 0 where it
 * is not over. NULL, or why there is no such episode. */
const char *pawl_environment_judge(const struct pawl_environment_kind *kind, const json_t *input,
                                   const json_t *answer, const char *field,
                                   struct pawl_arena *arena, double *score,
                                   struct pawl_str *feedback);
/* For kinds: the input's text. ptr NULL: it has none. */
struct pawl_str pawl_environment_text(const json_t *input);

#endif
