/*
 * Vectors of texts: what lm.h promises of all backends is done here once. Texts are checked and made
 * whole UTF-8, the cache is asked first, and a row that a backend gives is brought to length 1.
 */
#include "lm/model.h"
#include "lm/request.h"
#include "store/store.h"

#include <math.h>
#include <string.h>

/* What is kept: the row as it lies in memory. The store is this machine's own. */
static struct pawl_hash key_of(const char *identity, struct pawl_str text)
{
    static const char what[] = "vector";
    struct pawl_hasher hasher;
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, what, sizeof what);
    pawl_hasher_add(&hasher, identity, strlen(identity) + 1);
    pawl_hasher_add(&hasher, text.ptr, text.len);
    return pawl_hasher_final(&hasher);
}

static bool read_row(struct pawl_store *cache, const struct pawl_hash *key, size_t dimension,
                     float *row)
{
    struct pawl_arena scratch = {0};
    struct pawl_str body = {0};
    bool ok = pawl_store_answer_get(cache, &scratch, key, &body, NULL) == PAWL_OK && body.ptr &&
              body.len == dimension * sizeof *row;
    if (ok) memcpy(row, body.ptr, body.len);
    pawl_arena_release(&scratch);
    return ok;
}

/* A cache that cannot be written is no reason to lose a vector. */
static void write_row(struct pawl_store *cache, const struct pawl_hash *key, size_t dimension,
                      const float *row)
{
    struct pawl_str body = {(const char *)row, dimension * sizeof *row};
    enum pawl_status status = pawl_store_answer_put(cache, key, body, NULL);
    (void)status;
}

static enum pawl_status bring_to_length_1(float *row, size_t dimension, struct pawl_error *err)
{
    double sum = 0;
    for (size_t i = 0; i < dimension; i++) sum += (double)row[i] * (double)row[i];
    if (!(sum > 0) || !isfinite(sum))
        return pawl_fail(err, PAWL_EWORLD, "The model gave a vector that is no direction.");
    double length = sqrt(sum);
    for (size_t i = 0; i < dimension; i++) row[i] = (float)((double)row[i] / length);
    return PAWL_OK;
}

static enum pawl_status take_text(struct pawl_arena *arena, struct pawl_str text, size_t number,
                                  struct pawl_str *whole, struct pawl_error *err)
{
    if (text.len == 0)
        return pawl_fail(err, PAWL_EUSAGE, "Text %zu is empty and has no vector.", number);
    if (text.len > PAWL_PROMPT_MAX)
        return pawl_fail(err, PAWL_ETOOBIG, "Text %zu is over 16 MiB.", number);
    *whole = text;
    if (pawl_utf8_is_valid(text, NULL)) return PAWL_OK;
    struct pawl_buf repaired = PAWL_BUF((size_t)3 * PAWL_PROMPT_MAX);
    pawl_utf8_repair(text, &repaired);
    *whole = pawl_arena_copy(arena, pawl_buf_str(&repaired));
    pawl_buf_release(&repaired);
    return PAWL_OK;
}

enum pawl_status pawl_lm_fail_long_text(struct pawl_str text, size_t n, size_t limit,
                                        const char *unit, struct pawl_error *err)
{
    enum { SHOWN_MAX = 40 };
    struct pawl_arena scratch = {0};
    size_t shown = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    while (shown > 0 && shown < text.len && (text.ptr[shown] & 0xC0) == 0x80) shown--;
    const char *begin = pawl_lm_reason(&scratch, "", (struct pawl_str){text.ptr, shown});
    pawl_fail(err, PAWL_ETOOBIG, "The text that begins \"%s\" has %zu %s; the model reads %zu.",
              begin, n, unit, limit);
    pawl_hint(err, "A vector is of a whole text: embed its parts, or a summary.");
    pawl_arena_release(&scratch);
    return PAWL_ETOOBIG;
}

/* Without a cache every text is asked for. */
static enum pawl_status embed_texts(struct pawl_store *cache, const struct pawl_lm_model *model,
                                    void *state, struct pawl_arena *scratch,
                                    const struct pawl_str *texts, size_t n, float *rows,
                                    struct pawl_error *err)
{
    size_t dimension = model->backend->dimension(state), n_asked = 0;
    size_t *asked = PAWL_NEW_N(scratch, size_t, n);
    struct pawl_hash *keys = PAWL_NEW_N(scratch, struct pawl_hash, n);
    struct pawl_str *whole = PAWL_NEW_N(scratch, struct pawl_str, n);
    for (size_t i = 0; i < n; i++) {
        struct pawl_str text;
        PAWL_TRY(take_text(scratch, texts[i], i + 1, &text, err));
        if (cache) keys[i] = key_of(model->backend->identity(state), text);
        if (cache && read_row(cache, &keys[i], dimension, rows + i * dimension)) continue;
        whole[n_asked] = text;
        asked[n_asked++] = i;
    }
    if (n_asked == 0) return PAWL_OK;
    float *fresh = PAWL_NEW_N(scratch, float, n_asked *dimension);
    PAWL_TRY(model->backend->embed(state, whole, n_asked, fresh, err));
    for (size_t k = 0; k < n_asked; k++) {
        float *row = fresh + k * dimension;
        PAWL_TRY(bring_to_length_1(row, dimension, err));
        if (cache) write_row(cache, &keys[asked[k]], dimension, row);
        memcpy(rows + asked[k] * dimension, row, dimension * sizeof *row);
    }
    return PAWL_OK;
}

static enum pawl_status fail_without_vectors(const struct pawl_lm_model *model,
                                             struct pawl_error *err)
{
    struct pawl_buf names = PAWL_BUF(200);
    for (size_t i = 0; pawl_lm_backends[i]; i++)
        if (pawl_lm_backends[i]->embed)
            pawl_buf_printf(&names, "%s%s", names.len ? ", " : "", pawl_lm_backends[i]->name);
    pawl_fail(err, PAWL_ECONFIG, "The model %s has no vectors: its backend is %s.", model->name,
              model->backend->name);
    pawl_hint(err, "Backends that have: %s.", names.len ? names.data : "none in this build");
    pawl_buf_release(&names);
    return PAWL_ECONFIG;
}

enum pawl_status pawl_lm_model_embed(struct pawl_lm *lm, struct pawl_lm_model *model,
                                     struct pawl_arena *arena, const struct pawl_str *texts,
                                     size_t n, struct pawl_lm_vectors *vectors,
                                     struct pawl_error *err)
{
    if (!model->backend->embed) return fail_without_vectors(model, err);
    if (atomic_load(&lm->canceled)) return pawl_lm_fail_canceled(err);
    void *state;
    PAWL_TRY(pawl_lm_load(lm, model, &state, err));
    size_t dimension = model->backend->dimension(state);
    float *rows = PAWL_NEW_N(arena, float, n *dimension);
    struct pawl_arena scratch = {0};
    struct pawl_store *cache = model->backend->flags & PAWL_BACKEND_CACHED ? lm->cache : NULL;
    enum pawl_status status = embed_texts(cache, model, state, &scratch, texts, n, rows, err);
    pawl_arena_release(&scratch);
    if (status == PAWL_OK)
        *vectors = (struct pawl_lm_vectors){.n = n, .dimension = dimension, .values = rows};
    return status;
}
