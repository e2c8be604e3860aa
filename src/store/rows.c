/* rows.c - manifests, cases, runs, candidates and settings: JSON by name. */
#include "store/store_private.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* Write a row whose last value is `body` as canonical JSON. */
static enum pawl_status put(struct pawl_store *store, enum pawl_wait wait, enum pawl_sql_id id,
                            struct pawl_value *values, size_t n, const json_t *body,
                            struct pawl_error *err)
{
    char *text = pawl_json_text(body);
    values[n] = pawl_value_text(text);
    enum pawl_status status = pawl_writer_row(store->writer, wait, id, values, n + 1, err);
    free(text);
    return status;
}

/* ---- manifests ---- */

static enum pawl_status put_manifest(struct pawl_store *store, enum pawl_wait wait, const char *hex,
                                     const json_t *manifest, struct pawl_error *err)
{
    struct pawl_value values[3] = {pawl_value_text(hex), pawl_value_int(pawl_clock_now_ms())};
    return put(store, wait, PAWL_SQL_ARTIFACT_PUT, values, 2, manifest, err);
}

enum pawl_status pawl_store_manifest_put(struct pawl_store *store, const char *hex,
                                         const json_t *manifest, struct pawl_error *err)
{
    return put_manifest(store, PAWL_WAIT_KERNEL, hex, manifest, err);
}

enum pawl_status pawl_store_manifest_put_lazy(struct pawl_store *store, const char *hex,
                                              const json_t *manifest, struct pawl_error *err)
{
    return put_manifest(store, PAWL_WAIT_IDLE, hex, manifest, err);
}

enum pawl_status pawl_store_manifest_get(struct pawl_store *store, const char *hex,
                                         json_t **manifest, struct pawl_error *err)
{
    struct pawl_value key = pawl_value_text(hex);
    PAWL_TRY(pawl_store_json_get(store, PAWL_SQL_ARTIFACT_GET, &key, 1, manifest, err));
    if (*manifest) return PAWL_OK;
    return pawl_fail(err, PAWL_ENOTFOUND, "The store has no artifact %.12s.", hex);
}

struct matches {
    char id[PAWL_HASH_HEX]; /* the first */
    size_t n;
};

static enum pawl_status count_match(void *context, sqlite3_stmt *row, struct pawl_error *err)
{
    struct matches *matches = context;
    return matches->n++ == 0 ? pawl_row_id(matches->id, row, err) : PAWL_OK;
}

/* The one id that begins with `prefix`. An id that is equal to it wins over longer ones. */
static enum pawl_status find_prefix(struct pawl_store *store, enum pawl_sql_id id, const char *what,
                                    const char *prefix, char out[PAWL_HASH_HEX],
                                    struct pawl_error *err)
{
    struct matches matches = {.n = 0};
    struct pawl_value value = pawl_value_text(prefix);
    PAWL_TRY(pawl_store_each(store, id, &value, 1, count_match, &matches, err));
    if (matches.n == 0)
        return pawl_fail(err, PAWL_ENOTFOUND, "No %s begins with %.64s.", what, prefix);
    if (matches.n > 1 && strcmp(matches.id, prefix) != 0) {
        pawl_fail(err, PAWL_ENOTFOUND, "Several %ss begin with %.64s.", what, prefix);
        pawl_hint(err, "Write more characters of the id.");
        return PAWL_ENOTFOUND;
    }
    memcpy(out, matches.id, PAWL_HASH_HEX);
    return PAWL_OK;
}

enum pawl_status pawl_store_artifact_find(struct pawl_store *store, const char *name,
                                          char hex[PAWL_HASH_HEX], struct pawl_error *err)
{
    size_t len = strlen(name);
    if (len > 0 && strspn(name, "0123456789abcdef") == len) {
        if (len >= PAWL_ID_MIN)
            return find_prefix(store, PAWL_SQL_ARTIFACT_FIND, "artifact", name, hex, err);
        pawl_fail(err, PAWL_ENOTFOUND, "The id %s is too short.", name);
        pawl_hint(err, "Write at least %d characters of it.", PAWL_ID_MIN);
        return PAWL_ENOTFOUND;
    }
    PAWL_TRY(pawl_store_pointer_get(store, name, hex, err));
    if (hex[0] != '\0') return PAWL_OK;
    pawl_fail(err, PAWL_ENOTFOUND, "There is no artifact named %.64s.", name);
    pawl_hint(err, "Use an id as `pawl log` shows it, or incumbent, anchor or seed once set.");
    return PAWL_ENOTFOUND;
}

/* ---- cases ---- */

static enum pawl_status add_case(struct pawl_sql *sql, const json_t *case_, struct pawl_error *err)
{
    const char *id = pawl_json_get_text(case_, "id", NULL);
    const char *tier = pawl_json_get_text(case_, "tier", NULL);
    if (!id || !tier) PAWL_BUG("a case for the store has no id or no tier");
    if (strcmp(tier, "train") != 0 && strcmp(tier, "dev") != 0)
        PAWL_BUG("a case of tier %s must never reach the store", tier);

    struct pawl_value values[] = {pawl_value_text(id), pawl_value_text(tier),
                                  pawl_value_text(pawl_json_get_text(case_, "cluster", NULL)),
                                  pawl_value_text(NULL)};
    struct matches same = {.n = 0};
    PAWL_TRY(pawl_sql_each(sql, PAWL_SQL_CASE_FIND, values, 1, count_match, &same, err));
    if (same.n > 0)
        return pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "id", "The case %.64s is there already.",
                            id);
    char *text = pawl_json_text(case_);
    values[3] = pawl_value_text(text);
    enum pawl_status status = pawl_sql_each(sql, PAWL_SQL_CASE_PUT, values, 4, NULL, NULL, err);
    free(text);
    return status;
}

static enum pawl_status add_cases(struct pawl_sql *sql, void *cases, struct pawl_error *err)
{
    size_t i;
    json_t *case_;
    json_array_foreach((json_t *)cases, i, case_) PAWL_TRY(add_case(sql, case_, err));
    return PAWL_OK;
}

enum pawl_status pawl_store_cases_add(struct pawl_store *store, const json_t *cases,
                                      struct pawl_error *err)
{
    return pawl_writer_call(store->writer, add_cases, (void *)cases, err);
}

enum pawl_status pawl_store_cases_get(struct pawl_store *store, const char *tier, json_t **cases,
                                      struct pawl_error *err)
{
    struct pawl_value value = pawl_value_text(tier);
    return pawl_store_json_list(store, PAWL_SQL_CASES_GET, &value, 1, cases, err);
}

/* ---- runs and their candidates ---- */

enum pawl_status pawl_store_run_put(struct pawl_store *store, const char *run, const json_t *body,
                                    struct pawl_error *err)
{
    PAWL_ASSERT(strlen(run) < PAWL_HASH_HEX);
    struct pawl_value values[2] = {pawl_value_text(run)};
    return put(store, PAWL_WAIT_DISK, PAWL_SQL_RUN_PUT, values, 1, body, err);
}

enum pawl_status pawl_store_run_get(struct pawl_store *store, const char *run, json_t **body,
                                    struct pawl_error *err)
{
    struct pawl_value value = pawl_value_text(run);
    PAWL_TRY(pawl_store_json_get(store, PAWL_SQL_RUN_GET, &value, 1, body, err));
    if (*body) return PAWL_OK;
    return pawl_fail(err, PAWL_ENOTFOUND, "The store has no run %.64s.", run);
}

enum pawl_status pawl_store_run_find(struct pawl_store *store, const char *prefix,
                                     char run[PAWL_HASH_HEX], struct pawl_error *err)
{
    if (strcmp(prefix, "last") != 0)
        return find_prefix(store, PAWL_SQL_RUN_FIND, "run", prefix, run, err);
    run[0] = '\0';
    PAWL_TRY(pawl_store_each(store, PAWL_SQL_RUN_LAST, NULL, 0, pawl_row_id, run, err));
    if (run[0] != '\0') return PAWL_OK;
    pawl_fail(err, PAWL_ENOTFOUND, "There is no run yet.");
    pawl_hint(err, "Start one with `pawl improve`.");
    return PAWL_ENOTFOUND;
}

enum pawl_status pawl_store_runs(struct pawl_store *store, json_t **bodies, struct pawl_error *err)
{
    return pawl_store_json_list(store, PAWL_SQL_RUNS, NULL, 0, bodies, err);
}

enum pawl_status pawl_store_candidate_put(struct pawl_store *store, const char *run,
                                          int64_t ordinal, const char *artifact, const json_t *body,
                                          struct pawl_error *err)
{
    struct pawl_value values[4] = {pawl_value_text(run), pawl_value_int(ordinal),
                                   pawl_value_text(artifact)};
    return put(store, PAWL_WAIT_IDLE, PAWL_SQL_CANDIDATE_PUT, values, 3, body, err);
}

enum pawl_status pawl_store_candidates(struct pawl_store *store, const char *run, json_t **bodies,
                                       struct pawl_error *err)
{
    struct pawl_value value = pawl_value_text(run);
    return pawl_store_json_list(store, PAWL_SQL_CANDIDATES, &value, 1, bodies, err);
}

enum pawl_status pawl_store_candidates_of(struct pawl_store *store, const char *artifact,
                                          json_t **bodies, struct pawl_error *err)
{
    struct pawl_value value = pawl_value_text(artifact);
    return pawl_store_json_list(store, PAWL_SQL_CANDIDATES_OF, &value, 1, bodies, err);
}

/* ---- settings ---- */

enum pawl_status pawl_store_meta_put(struct pawl_store *store, const char *key, const json_t *value,
                                     struct pawl_error *err)
{
    struct pawl_value values[2] = {pawl_value_text(key)};
    return put(store, PAWL_WAIT_DISK, PAWL_SQL_META_PUT, values, 1, value, err);
}

enum pawl_status pawl_store_meta_get(struct pawl_store *store, const char *key, json_t **value,
                                     struct pawl_error *err)
{
    struct pawl_value name = pawl_value_text(key);
    return pawl_store_json_get(store, PAWL_SQL_META_GET, &name, 1, value, err);
}
