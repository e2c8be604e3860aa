/*
 * Which demonstrations bootstrap finds: a line of JSON in, a line out. bench/conformance/bootstrap.py holds it against
 * the published BootstrapFewShot.
 *
 *     in   {"n_train":20,"order":[3,1...],"good":[[false,true]...],"bootstrapped":4,"labelled":16}
 *     out  {"bootstrapped":[3...],"labelled":[7...]}
 *
 * good[case][round] is whether the teacher's answer is good enough; a set holds so many demonstrations bootstrapped, and
 * raw ones up to `labelled` in all. Of the host there is only what the walk asks for.
 */
#include "operators/bootstrap_demos.h"
#include "operators/bootstrap_teacher.h"

#include "lines.h"

#include <stdlib.h>

struct pawl_host {
    size_t n_train;
    const json_t *good;
    json_t *fields; /* a case's input, and an answer to it */
    struct pawl_host_case train_case;
    struct pawl_arena arena;
};

size_t pawl_host_n_train(struct pawl_host *host)
{
    return host->n_train;
}

int64_t pawl_host_budget_left(struct pawl_host *host)
{
    (void)host;
    return INT32_MAX;
}

struct pawl_arena *pawl_host_arena(struct pawl_host *host)
{
    return &host->arena;
}

const struct pawl_host_case *pawl_host_train_case(struct pawl_host *host, uint32_t index)
{
    (void)index;
    return &host->train_case;
}

enum pawl_status pawl_host_evaluate(struct pawl_host *host, struct pawl_arena *step,
                                    struct pawl_host_evaluation *batch, size_t n,
                                    struct pawl_error *err)
{
    (void)step;
    (void)err;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < batch[i].n_cases; k++) {
            const json_t *rounds = json_array_get(host->good, batch[i].cases[k]);
            batch[i].results[k] = (struct pawl_host_result){
                .score = json_is_true(json_array_get(rounds, batch[i].sample)),
                .output = host->fields};
        }
    return PAWL_OK;
}

static json_t *cases_of(const struct pawl_demo_set *set, size_t from, size_t to)
{
    json_t *list = json_array();
    for (size_t i = from; i < to; i++)
        json_array_append_new(list, json_integer((json_int_t)set->demos[i]->train_case));
    return list;
}

static enum pawl_status answer(const json_t *question, struct pawl_error *err)
{
    static const char *inputs[] = {"question"}, *outputs[] = {"answer"};
    const struct pawl_demo_fields fields = {
        .inputs = inputs, .outputs = outputs, .n_inputs = 1, .n_outputs = 1};
    struct pawl_host host = {.n_train = (size_t)pawl_json_get_int(question, "n_train", 0),
                             .good = json_object_get(question, "good"),
                             .fields = json_pack("{s:s, s:s}", "question", "q", "answer", "a")};
    struct pawl_arena arena = {0};
    const json_t *list = json_object_get(question, "order");
    size_t *order = PAWL_NEW_N(&arena, size_t, host.n_train);
    struct pawl_demo *raw = PAWL_NEW_N(&arena, struct pawl_demo, host.n_train);
    size_t full = (size_t)pawl_json_get_int(question, "labelled", 0);
    size_t wanted = (size_t)pawl_json_get_int(question, "bootstrapped", 0);
    struct pawl_demo_set set = pawl_demo_set_new(full + wanted, host.n_train, &arena);
    struct pawl_teacher teacher = {.max_rounds =
                                       (int64_t)json_array_size(json_array_get(host.good, 0)),
                                   .threshold = -1,
                                   .asked = PAWL_NEW_N(&arena, bool, host.n_train),
                                   .learned = PAWL_NEW_N(&arena, struct pawl_demo, host.n_train),
                                   .fields = &fields};
    host.train_case.input = host.fields;
    for (size_t i = 0; i < host.n_train; i++) {
        order[i] = (size_t)json_integer_value(json_array_get(list, i));
        raw[i] = pawl_demo_make(&fields, (uint32_t)i, host.fields, host.fields, &arena);
    }
    PAWL_TRY(pawl_teacher_walk(&teacher, &host, &arena, order, wanted, 0, &set, err));
    if (set.n < full)
        pawl_demo_set_fill(&set, raw, order, host.n_train, full - set.n, false, &fields);
    json_t *out = json_pack("{s:o, s:o}", "bootstrapped", cases_of(&set, 0, set.n_bootstrapped),
                            "labelled", cases_of(&set, set.n_bootstrapped, set.n));
    put_line(out);
    json_decref(host.fields);
    pawl_arena_release(&host.arena);
    pawl_arena_release(&arena);
    return PAWL_OK;
}

int main(void)
{
    return answer_lines("conformance_bootstrap", 1 << 22, answer);
}
