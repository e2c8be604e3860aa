/* embed: vectors of texts, for whoever makes or searches a collection. */
#include "improve/engine_internal.h"

static json_t *vectors_json(const struct pawl_lm_vectors *vectors)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < vectors->n; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < vectors->dimension; j++)
            json_array_append_new(row,
                                  json_real((double)vectors->values[i * vectors->dimension + j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static enum pawl_status embed(struct pawl_engine *engine, enum pawl_role role, const json_t *texts,
                              struct pawl_arena *arena, json_t **done, struct pawl_error *err)
{
    size_t n = json_array_size(texts);
    const char *model;
    struct pawl_lm_vectors vectors;
    struct pawl_str *list = PAWL_NEW_N(arena, struct pawl_str, n + 1);
    for (size_t i = 0; i < n; i++) {
        const json_t *text = json_array_get(texts, i);
        list[i] = (struct pawl_str){json_string_value(text), json_string_length(text)};
    }
    PAWL_TRY(pawl_lm_identity(engine->lm, role, &model, err));
    PAWL_TRY(pawl_lm_embed(engine->lm, arena, role, list, n, &vectors, err));
    *done = json_pack("{s:s, s:I, s:o}", "model", model, "dimension", (json_int_t)vectors.dimension,
                      "vectors", vectors_json(&vectors));
    return PAWL_OK;
}

enum pawl_status pawl_engine_embed(struct pawl_engine *engine, const json_t *request, json_t **done,
                                   struct pawl_error *err)
{
    enum pawl_role role;
    struct pawl_arena arena = {0};
    if (!pawl_role_from_name(pawl_json_get_str(request, "role"), &role))
        return pawl_fail(err, PAWL_EUSAGE, "There is no role \"%s\": task, reflect or judge.",
                         pawl_json_get_text(request, "role", ""));
    PAWL_TRY(pawl_engine_open(engine, false, err));
    enum pawl_status status =
        embed(engine, role, json_object_get(request, "texts"), &arena, done, err);
    pawl_arena_release(&arena);
    return status;
}
