/*
 * bootstrap_demos.h - demonstrations: worked examples that a program shows its model.
 *
 * A demonstration is a JSON object with every input and output field of the program; a set of them
 * is the text of the component with the role "demos". A *raw* one is a train case with its target,
 * a *bootstrapped* one a train case with an answer that was good.
 *
 * Invariants
 *   1. A demonstration carries all fields, what the strategy adds ("reasoning") included, or it does
 *      not exist (text.ptr is NULL).
 *   2. A set holds a train case at most once.
 */
#ifndef PAWL_OPERATORS_BOOTSTRAP_DEMOS_H
#define PAWL_OPERATORS_BOOTSTRAP_DEMOS_H

#include "base/arena.h"
#include "base/json.h"

#include <stdint.h>

enum { PAWL_DEMO_SET_BYTES_MAX = 1 << 20 }; /* as much as a component may hold */

/* The program's fields, as pawl_host_fields names them. */
struct pawl_demo_fields {
    const char **inputs, **outputs;
    size_t n_inputs, n_outputs;
    const char *choices_field; /* the only output that has choices; NULL: none */
    struct pawl_str *choices;
    size_t n_choices;
};
/* Names are borrowed from `fields`. */
struct pawl_demo_fields pawl_demo_fields_read(const json_t *fields, struct pawl_arena *arena);

struct pawl_demo {
    struct pawl_str text; /* one JSON object; ptr NULL: there is no such demonstration */
    uint32_t train_case;
    size_t choice; /* which choice it answers; n_choices when none is named */
};
/* From a case's input and an answer to it; members that are no fields are left out. */
struct pawl_demo pawl_demo_make(const struct pawl_demo_fields *fields, uint32_t train_case,
                                const json_t *input, const json_t *answer,
                                struct pawl_arena *arena);

struct pawl_demo_set {
    const struct pawl_demo **demos; /* [capacity] */
    size_t n, capacity;
    size_t n_bootstrapped;
    bool *holds; /* [n_train] */
};
struct pawl_demo_set pawl_demo_set_new(size_t capacity, size_t n_train, struct pawl_arena *arena);
/* Does nothing when there is no such demonstration, when its case is there, or the set is full. */
void pawl_demo_set_add(struct pawl_demo_set *set, const struct pawl_demo *demo);
/*
 * Add up to n of raw[n_train], in the given order of cases. Balanced: each time the first of those
 * whose choice the set holds least often, so that the answers shown are as even as they can be.
 */
void pawl_demo_set_fill(struct pawl_demo_set *set, const struct pawl_demo *raw, const size_t *order,
                        size_t n_train, size_t n, bool balanced,
                        const struct pawl_demo_fields *fields);
/* The component's text, in `arena`; a demonstration that does not fit the maximum is left out. */
struct pawl_str pawl_demo_set_text(const struct pawl_demo_set *set, struct pawl_arena *arena);

#endif
