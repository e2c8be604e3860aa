/*
 * What mipro decides from a history: a line of JSON in, a line out. bench/conformance/mipro.py holds it against
 * the published packages.
 *
 *     in   {"choices":[3,6],"observations":[{"x":[0,1],"value":0.5}...],"trials":[...],"full":[[0,0]...]}
 *     out  {"ratios":[...],"next_full":[0,1]|null}
 *
 * Observations are what the sampler was told; ratios are log l - log g of every point, the last choice
 * running fastest. Trials are minibatch scores, full the points that were scored on all of dev.
 */
#include "operators/op_mipro.c"

#include "lines.h"

#include <stdlib.h>

static const uint32_t *read_point(const json_t *list, size_t n, struct pawl_arena *arena)
{
    uint32_t *x = PAWL_NEW_N(arena, uint32_t, n);
    for (size_t d = 0; d < n; d++) x[d] = (uint32_t)json_integer_value(json_array_get(list, d));
    return x;
}

static json_t *ratios_of(const struct pawl_tpe *tpe)
{
    json_t *list = json_array();
    size_t n = 1;
    uint32_t *x = pawl_xcalloc(tpe->n_dims + 1, sizeof *x);
    for (size_t d = 0; d < tpe->n_dims; d++) n *= tpe->n_choices[d];
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        for (size_t d = tpe->n_dims; d > 0; d--) {
            x[d - 1] = (uint32_t)(rest % tpe->n_choices[d - 1]);
            rest /= tpe->n_choices[d - 1];
        }
        json_array_append_new(list, json_real(pawl_tpe_log_ratio(tpe, x)));
    }
    free(x);
    return list;
}

static json_t *next_full(struct mipro *m, const json_t *trials, const json_t *full)
{
    json_t *point = json_array();
    m->tried = PAWL_NEW_N(m->arena, struct combination, json_array_size(trials));
    for (size_t i = 0; i < json_array_size(trials); i++) {
        const json_t *trial = json_array_get(trials, i);
        const uint32_t *x = read_point(json_object_get(trial, "x"), m->n_variables, m->arena);
        struct combination *c = find(m, x);
        if (c == NULL) {
            c = &m->tried[m->n_tried++];
            c->x = (uint32_t *)(uintptr_t)x;
        }
        c->trial_sum += pawl_json_get_real(trial, "value", 0);
        c->n_trials++;
    }
    for (size_t i = 0; i < json_array_size(full); i++) {
        struct combination *c =
            find(m, read_point(json_array_get(full, i), m->n_variables, m->arena));
        if (c != NULL) c->is_full = true;
    }
    const struct combination *chosen = most_promising(m->tried, m->n_tried);
    for (size_t d = 0; chosen != NULL && d < m->n_variables; d++)
        json_array_append_new(point, json_integer(chosen->x[d]));
    if (chosen != NULL) return point;
    json_decref(point);
    return json_null();
}

static enum pawl_status answer(const json_t *question, struct pawl_error *err)
{
    (void)err;
    struct pawl_arena arena = {0};
    const json_t *choices = json_object_get(question, "choices");
    const json_t *observations = json_object_get(question, "observations");
    size_t n_dims = json_array_size(choices);
    size_t *n_choices = PAWL_NEW_N(&arena, size_t, n_dims + 1);
    struct mipro m = {.arena = &arena, .n_variables = n_dims};
    for (size_t d = 0; d < n_dims; d++)
        n_choices[d] = (size_t)json_integer_value(json_array_get(choices, d));
    m.tpe = pawl_tpe_new(n_choices, n_dims, &arena);
    for (size_t i = 0; i < json_array_size(observations); i++) {
        const json_t *seen = json_array_get(observations, i);
        pawl_tpe_add(&m.tpe, read_point(json_object_get(seen, "x"), n_dims, &arena),
                     pawl_json_get_real(seen, "value", 0));
    }
    json_t *out = json_pack(
        "{s:o, s:o}", "ratios", ratios_of(&m.tpe), "next_full",
        next_full(&m, json_object_get(question, "trials"), json_object_get(question, "full")));
    put_line(out);
    pawl_arena_release(&arena);
    return PAWL_OK;
}

int main(void)
{
    return answer_lines("conformance_mipro", 1 << 22, answer);
}
