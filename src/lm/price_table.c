#include "lm/price_table.h"

#include "base/yaml.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { TABLE_MAX = 16 << 20 };
static const double MILLION = 1e6;

/* A price by its name in either form. */
struct column {
    size_t offset;
    const char *name, *lite_name;
};
static const struct column columns[] = {
    {offsetof(struct pawl_lm_price, price_prompt), "prompt", "input_cost_per_token"},
    {offsetof(struct pawl_lm_price, price_completion), "completion", "output_cost_per_token"},
    {offsetof(struct pawl_lm_price, price_cached), "cached", "cache_read_input_token_cost"},
    {offsetof(struct pawl_lm_price, price_cache_write), "cache_write",
     "cache_creation_input_token_cost"},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

#define FAIL(...) pawl_fail_at(err, PAWL_ECONFIG, path, 0, "prices", __VA_ARGS__)

static bool is_json(const char *path)
{
    size_t len = strlen(path);
    return len >= 5 && strcmp(path + len - 5, ".json") == 0;
}

static enum pawl_status parse(const char *path, struct pawl_arena *arena, json_t **table,
                              struct pawl_error *err)
{
    struct pawl_str text;
    struct pawl_yaml_places *places = NULL;
    enum pawl_status status = pawl_file_read(path, TABLE_MAX, arena, &text, err);
    if (status == PAWL_OK && is_json(path))
        status = pawl_json_parse(text, TABLE_MAX, table, err);
    else if (status == PAWL_OK)
        status = pawl_yaml_parse(text, path, table, &places, err);
    pawl_yaml_places_free(places);
    if (status != PAWL_OK) {
        if (err) snprintf(err->field, sizeof err->field, "prices");
        return PAWL_ECONFIG;
    }
    if (json_is_object(*table)) return PAWL_OK;
    json_decref(*table);
    return FAIL("A table of prices is a map of models.");
}

static bool is_note(const char *key)
{
    return strcmp(key, "as_of") == 0 || strcmp(key, "source") == 0;
}

/* A word that is wrong in a table of our own form would be a price that is not there. */
static enum pawl_status check_words(const json_t *row, const char *path, struct pawl_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)row, key, value)
    {
        bool known = is_note(key);
        for (size_t i = 0; i < N_COLUMNS && !known; i++) known = strcmp(key, columns[i].name) == 0;
        if (known) continue;
        FAIL("A price has no part \"%.60s\".", key);
        pawl_hint(err, "Parts: prompt, completion, cached, cache_write, as_of, source.");
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

static enum pawl_status read_row(const json_t *row, const char *path, struct pawl_lm_price *price,
                                 struct pawl_error *err)
{
    bool lite = is_json(path);
    if (!lite) PAWL_TRY(check_words(row, path, err));
    for (size_t i = 0; i < N_COLUMNS; i++) {
        const char *name = lite ? columns[i].lite_name : columns[i].name;
        const json_t *value = json_object_get(row, name);
        double *out = (double *)(void *)((char *)price + columns[i].offset);
        if (!value || json_is_null(value) || *out >= 0) continue;
        double usd = json_number_value(value) * (lite ? MILLION : 1);
        if (!json_is_number(value) || !(usd >= 0 && usd <= MILLION))
            return FAIL("The price %.60s is not a number of usd from 0 on.", name);
        *out = usd;
    }
    /* One without the other would be a budget that is overrun. */
    if (price->price_prompt >= 0 && price->price_completion >= 0) return PAWL_OK;
    return FAIL("The table has the model, but not both its prices, prompt and completion.");
}

static enum pawl_status fail_unknown(const json_t *table, const char *path, const char *model,
                                     struct pawl_error *err)
{
    enum { NAMES_MAX = 4096 };
    const char **names = pawl_xcalloc(NAMES_MAX, sizeof *names), *key;
    size_t n = 0;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)table, key, value) if (n < NAMES_MAX) names[n++] = key;
    const char *nearest = pawl_nearest_word(model, names, n);
    FAIL("The table has no price for the model \"%.80s\".", model);
    if (nearest)
        pawl_hint(err,
                  "Did you mean %s? Else add a line for it, or give price_prompt and "
                  "price_completion.",
                  nearest);
    else
        pawl_hint(err, "Add a line for it, or give price_prompt and price_completion.");
    free(names);
    return PAWL_ECONFIG;
}

enum pawl_status pawl_price_table_read(const char *path, const char *backend, const char *model,
                                       struct pawl_lm_price *price, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    json_t *table = NULL;
    enum pawl_status status = parse(path, &arena, &table, err);
    if (status == PAWL_OK) {
        const json_t *row = json_object_get(table, model);
        if (!row) row = json_object_get(table, pawl_arena_printf(&arena, "%s/%s", backend, model));
        status = row ? read_row(row, path, price, err) : fail_unknown(table, path, model, err);
        json_decref(table);
    }
    pawl_arena_release(&arena);
    return status;
}
