/*
 * What gepa decides from a history: a line of JSON in, a line out. bench/conformance/gepa.py holds it against the
 * published package.
 *
 *     in   {"scores":[[1,0,0.5]...],"before":[1,0],"after":[1,1]}
 *          {"scores":[...],"parents":[[0,null]...],"texts":[["a","b"]...],"merged":[[1,2,0]...],"child":[1,2,0]|null}
 *          both with "frontier":"hybrid" and "named":[[{"form":1}...]...], of every candidate on every dev case
 *     out  {"survivors":[[candidate,weight]...],"accepted":true}
 *          {"survivors":[...],"triplets":[[first,second,ancestor]...],"child":[1,2,null...]|null}
 *
 * Scores are of every candidate on every dev case, the best of them being drawn from in proportion to their weights.
 * `merged` are pairs with an ancestor that were merged before; `child` is a merge that was made, and the answer says
 * whose text each component has; null where a coin decides.
 */
#define remember remember_merge
#include "operators/gepa_merge.c"
#undef remember
#include "operators/op_gepa.c"

#include "lines.h"

#include <stdlib.h>

struct history {
    struct pawl_arena arena;
    const json_t *texts;
    struct pawl_fronts fronts;
    struct pawl_merger merger;
};

static uint32_t number_at(const json_t *list, size_t i)
{
    return (uint32_t)json_integer_value(json_array_get(list, i));
}

static bool equal_texts(const void *context, uint32_t a, uint32_t b, size_t component)
{
    const json_t *texts = ((const struct history *)context)->texts;
    return json_equal(json_array_get(json_array_get(texts, a), component),
                      json_array_get(json_array_get(texts, b), component));
}

static uint32_t parent_at(const json_t *parents, size_t i)
{
    const json_t *parent = json_array_get(parents, i);
    return json_is_integer(parent) ? (uint32_t)json_integer_value(parent) : PAWL_MERGE_NONE;
}

static void read_history(struct history *h, const json_t *question)
{
    const json_t *all = json_object_get(question, "scores");
    const json_t *parents = json_object_get(question, "parents");
    const json_t *merged = json_object_get(question, "merged");
    const json_t *named = json_object_get(question, "named");
    size_t n_dev = json_array_size(json_array_get(all, 0));
    double *scores = PAWL_NEW_N(&h->arena, double, n_dev);
    struct pawl_host_result *results = PAWL_NEW_N(&h->arena, struct pawl_host_result, n_dev);
    h->texts = json_object_get(question, "texts");
    pawl_fronts_init(&h->fronts, json_string_value(json_object_get(question, "frontier")), n_dev,
                     &h->arena);
    h->merger = (struct pawl_merger){.arena = &h->arena,
                                     .n_components = json_array_size(json_array_get(h->texts, 0)),
                                     .same = equal_texts,
                                     .context = h,
                                     .n_dev = n_dev};
    for (size_t i = 0; i < json_array_size(all); i++) {
        double sum = 0;
        for (size_t c = 0; c < n_dev; c++) {
            scores[c] = json_number_value(json_array_get(json_array_get(all, i), c));
            results[c] = (struct pawl_host_result){
                .score = scores[c], .named = json_array_get(json_array_get(named, i), c)};
            sum += scores[c];
        }
        pawl_fronts_add(&h->fronts, results, sum / (double)n_dev);
        if (parents == NULL) continue;
        const json_t *from = json_array_get(parents, i);
        pawl_merge_join(&h->merger, parent_at(from, 0), parent_at(from, 1), sum / (double)n_dev,
                        scores);
    }
    for (size_t i = 0; i < json_array_size(merged); i++) {
        const json_t *triplet = json_array_get(merged, i);
        remember_merge(&h->merger, &(struct pawl_merge){.first = number_at(triplet, 0),
                                                        .second = number_at(triplet, 1),
                                                        .ancestor = number_at(triplet, 2)});
    }
}

static json_t *survivors_of(struct history *h)
{
    size_t n;
    const uint32_t *survivors = pawl_pareto_survivors(&h->fronts.pareto, &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("[I, I]", (json_int_t)survivors[i],
                            (json_int_t)pawl_pareto_weight(&h->fronts.pareto, survivors[i])));
    return list;
}

static void add_triplets(const struct history *h, uint32_t first, uint32_t second, json_t *list)
{
    uint8_t *marks = pawl_xcalloc(h->merger.n_members, sizeof *marks);
    mark_ancestors(&h->merger, first, 1, marks);
    mark_ancestors(&h->merger, second, 2, marks);
    for (uint32_t i = 0; i < first && !(marks[first] & 2); i++)
        if (marks[i] == 3 && is_eligible(&h->merger, first, second, i))
            json_array_append_new(
                list, json_pack("[I, I, I]", (json_int_t)first, (json_int_t)second, (json_int_t)i));
    free(marks);
}

/* Of any two survivors and any ancestor that a draw could take. */
static json_t *triplets_of(struct history *h)
{
    size_t n;
    const uint32_t *s = pawl_pareto_survivors(&h->fronts.pareto, &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (s[i] < s[k]) add_triplets(h, s[i], s[k], list);
    return list;
}

/* Whose text each component has. A component on which two draws disagree is a coin's. */
static json_t *child_of(const struct history *h, const json_t *triplet)
{
    enum { TOSSES = 64 };
    if (!json_is_array(triplet)) return json_null();
    struct pawl_merge merge = {.first = number_at(triplet, 0),
                               .second = number_at(triplet, 1),
                               .ancestor = number_at(triplet, 2)};
    struct pawl_random random;
    json_t *list = json_array();
    pawl_random_init(&random, 1);
    for (size_t c = 0; c < h->merger.n_components; c++) {
        size_t n_second = 0;
        for (int toss = 0; toss < TOSSES; toss++)
            n_second += takes_second(&h->merger, &merge, c, &random);
        json_array_append_new(list, n_second == 0        ? json_integer(merge.first)
                                    : n_second == TOSSES ? json_integer(merge.second)
                                                         : json_null());
    }
    return list;
}

static struct pawl_host_result *results_of(const json_t *scores, struct pawl_arena *arena)
{
    struct pawl_host_result *results =
        PAWL_NEW_N(arena, struct pawl_host_result, json_array_size(scores));
    for (size_t i = 0; i < json_array_size(scores); i++)
        results[i].score = json_number_value(json_array_get(scores, i));
    return results;
}

static json_t *accepted_of(struct history *h, const json_t *question)
{
    const json_t *before = json_object_get(question, "before");
    const struct gepa_options options = {.minibatch = (int64_t)json_array_size(before),
                                         .accept = "strict"};
    const struct gepa g = {.opt = &options};
    double gain;
    if (before == NULL) return json_null();
    return json_boolean(is_accepted(&g, results_of(before, &h->arena),
                                    results_of(json_object_get(question, "after"), &h->arena),
                                    &gain));
}

static enum pawl_status answer(const json_t *question, struct pawl_error *err)
{
    (void)err;
    struct history h = {0};
    read_history(&h, question);
    json_t *out = json_pack("{s:o, s:o}", "survivors", survivors_of(&h), "accepted",
                            accepted_of(&h, question));
    if (json_object_get(question, "parents") != NULL) {
        pawl_json_set(out, "triplets", triplets_of(&h));
        pawl_json_set(out, "child", child_of(&h, json_object_get(question, "child")));
    }
    put_line(out);
    pawl_arena_release(&h.arena);
    return PAWL_OK;
}

int main(void)
{
    return answer_lines("conformance_gepa", 1 << 24, answer);
}
