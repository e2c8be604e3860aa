/*
 * Does a text hold what stands in sealed cases only?
 *
 * The owner gives a case a canary of its own: {"id", "input", "target", "canary": TEXT}, a GUID as a rule,
 * in no other case. It is a part of the case's metadata, which no program sees. Whoever has it opened what
 * was sealed. Cases of train and dev may have one, too; only those of sealed ones are looked for.
 *
 * Invariants
 *   1. One bit leaves. It tells nothing to who does not know the canary, which nobody guesses: one shorter
 *      than PAWL_CANARY_BYTES_MIN is none.
 *   2. A candidate, a journal and a result are bytes that are searched, nothing else.
 *   3. A canary that operators see anyway is refused before it is sealed: it would accuse the innocent.
 *   4. A search costs time linear in the text, however many canaries there are: each is looked for by a rolling
 *      hash of its first bytes.
 */
#include "improve/vault.h"

#include "artifact/artifact.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAWL_CANARY_BYTES_MIN = 16, /* how many are hashed, too */
    PAWL_CANARY_BYTES_MAX = 256,
    FILTER_BITS = 1 << 16,
};

/* --- the search ------------------------------------------------------------------------------------ */

struct canary {
    uint64_t hash; /* of its first PAWL_CANARY_BYTES_MIN bytes */
    struct pawl_str text;
    const char *id; /* of its case */
};
struct canaries {
    struct canary *items; /* by hash */
    size_t n;
    unsigned char filter[FILTER_BITS / 8];
};

static const uint64_t base = 0x9e3779b97f4a7c15u;

static uint64_t hash_start(const char *at)
{
    uint64_t hash = 0;
    for (int i = 0; i < PAWL_CANARY_BYTES_MIN; i++) hash = hash * base + (unsigned char)at[i];
    return hash;
}

/* Of the window one further: without the byte that leaves it, with the one that enters. */
static uint64_t hash_next(uint64_t hash, uint64_t leaving, char out, char in)
{
    return (hash - leaving * (unsigned char)out) * base + (unsigned char)in;
}

static size_t filter_at(uint64_t hash)
{
    return (size_t)(hash >> 48) % FILTER_BITS;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct canary *)a)->hash, y = ((const struct canary *)b)->hash;
    return (x > y) - (x < y);
}

static const struct canary *match_at(const struct canaries *canaries, uint64_t hash,
                                     struct pawl_str rest)
{
    size_t low = 0, high = canaries->n;
    if ((canaries->filter[filter_at(hash) / 8] & 1 << filter_at(hash) % 8) == 0) return NULL;
    while (low < high) { /* the first of this hash */
        size_t middle = (low + high) / 2;
        if (canaries->items[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < canaries->n && canaries->items[low].hash == hash; low++) {
        struct pawl_str text = canaries->items[low].text;
        if (text.len <= rest.len && memcmp(text.ptr, rest.ptr, text.len) == 0)
            return &canaries->items[low];
    }
    return NULL;
}

/* The first canary in the text, or NULL. */
static const struct canary *find(const struct canaries *canaries, struct pawl_str text)
{
    uint64_t leaving = 1;
    for (int i = 1; i < PAWL_CANARY_BYTES_MIN; i++) leaving *= base;
    if (text.len < PAWL_CANARY_BYTES_MIN || canaries->n == 0) return NULL;
    uint64_t hash = hash_start(text.ptr);
    for (size_t i = 0;; i++) {
        const struct canary *found =
            match_at(canaries, hash, (struct pawl_str){text.ptr + i, text.len - i});
        if (found != NULL || i + PAWL_CANARY_BYTES_MIN >= text.len) return found;
        hash = hash_next(hash, leaving, text.ptr[i], text.ptr[i + PAWL_CANARY_BYTES_MIN]);
    }
}

/* --- what is looked for ---------------------------------------------------------------------------- */

static struct pawl_str canary_of(const struct pawl_case *item)
{
    const json_t *canary = json_object_get(item->metadata, "canary");
    return json_is_string(canary)
               ? (struct pawl_str){json_string_value(canary), json_string_length(canary)}
               : (struct pawl_str){"", 0};
}

static void add(struct canaries *canaries, const struct pawl_case *item)
{
    struct pawl_str text = canary_of(item);
    if (text.len < PAWL_CANARY_BYTES_MIN) return;
    struct canary *canary = &canaries->items[canaries->n++];
    *canary = (struct canary){hash_start(text.ptr), text, item->id};
    size_t at = filter_at(canary->hash);
    canaries->filter[at / 8] = (unsigned char)(canaries->filter[at / 8] | 1 << at % 8);
}

/* Of the sealed cases from the given one on; `all` or, where the vault has told some, those that are hidden still. */
static struct canaries *gather(struct pawl_vault *vault, const struct pawl_vault_set *set,
                               size_t from, bool all)
{
    struct canaries *canaries = PAWL_NEW(&vault->arena, struct canaries);
    canaries->items = PAWL_NEW_N(&vault->arena, struct canary, set->cases.n + 1);
    for (size_t i = from; i < set->cases.n; i++) {
        bool sealed = set->tiers[i] != PAWL_TIER_TRAIN && set->tiers[i] != PAWL_TIER_DEV;
        if (all ? sealed : pawl_vault_hides(vault, set->tiers[i]))
            add(canaries, &set->cases.items[i]);
    }
    qsort(canaries->items, canaries->n, sizeof *canaries->items, by_hash);
    return canaries;
}

static const struct canary *find_in_artifact(const struct canaries *canaries,
                                             const struct pawl_artifact *artifact)
{
    const struct canary *found = NULL;
    for (size_t i = 0; i < artifact->n_components && found == NULL; i++)
        found = find(canaries, artifact->components[i].text);
    return found;
}

/* --- before anything is sealed --------------------------------------------------------------------- */

/* It stands in JSON as it is, so that a journal has the same bytes. */
static bool is_plain(struct pawl_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '"' || text.ptr[i] == '\\')
            return false;
    return text.len >= PAWL_CANARY_BYTES_MIN && text.len <= PAWL_CANARY_BYTES_MAX;
}

static enum pawl_status check_form(const struct pawl_vault_set *set, size_t from,
                                   struct pawl_error *err)
{
    for (size_t i = from; i < set->cases.n; i++) {
        const struct pawl_case *item = &set->cases.items[i];
        if (json_object_get(item->metadata, "canary") == NULL || is_plain(canary_of(item)))
            continue;
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "canary",
                     "The canary of the case \"%s\" is none that could be looked for.", item->id);
        pawl_hint(err,
                  "A canary is a text of %d to %d plain characters without spaces and quotes, "
                  "e.g. a GUID.",
                  PAWL_CANARY_BYTES_MIN, PAWL_CANARY_BYTES_MAX);
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

static enum pawl_status refuse(const struct canary *found, const char *where, const char *name,
                               struct pawl_error *err)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "canary",
                 "The canary of the sealed case \"%s\" stands in %s%s%s%s, which operators see.",
                 found->id, where, name != NULL ? " \"" : "", name != NULL ? name : "",
                 name != NULL ? "\"" : "");
    pawl_hint(err, "Whoever is shown a canary proves nothing by having it. Give the sealed case "
                   "another one, or take it out there.");
    return PAWL_ECONFIG;
}

static enum pawl_status check_visible(const struct canaries *canaries,
                                      const struct pawl_vault_set *set, size_t from, size_t to,
                                      struct pawl_error *err)
{
    const struct canary *found = NULL;
    for (size_t i = from; i < to && canaries->n > 0; i++) {
        if (set->tiers[i] != PAWL_TIER_TRAIN && set->tiers[i] != PAWL_TIER_DEV) continue;
        json_t *object = pawl_case_json(&set->cases.items[i], pawl_tier_name(set->tiers[i]));
        char *text = pawl_json_text(object);
        found = find(canaries, pawl_str_of(text));
        free(text);
        json_decref(object);
        if (found != NULL)
            return refuse(found, set->tiers[i] == PAWL_TIER_DEV ? "the dev case" : "the train case",
                          set->cases.items[i].id, err);
    }
    return PAWL_OK;
}

enum pawl_status pawl_vault_canaries_check(struct pawl_vault *vault,
                                           const struct pawl_vault_set *set, size_t from,
                                           const json_t *seed, struct pawl_error *err)
{
    struct pawl_artifact *artifact;
    PAWL_TRY(check_form(set, from, err));
    const struct canaries *canaries = gather(vault, set, 0, true);
    PAWL_TRY(check_visible(canaries, set, from, set->cases.n, err));
    if (from > 0) PAWL_TRY(check_visible(gather(vault, set, from, true), set, 0, from, err));
    if (seed == NULL || canaries->n == 0) return PAWL_OK;
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, seed, &artifact, err));
    const struct canary *found = find_in_artifact(canaries, artifact);
    return found != NULL ? refuse(found, "the program's texts", NULL, err) : PAWL_OK;
}

/* --- the question ---------------------------------------------------------------------------------- */

static enum pawl_status look(struct pawl_vault *vault, const json_t *request, bool *found,
                             struct pawl_error *err)
{
    struct pawl_artifact *candidate = NULL;
    struct pawl_vault_set set;
    const json_t *said = json_object_get(request, "candidate");
    size_t i;
    json_t *text;
    *found = false;
    if (said != NULL) PAWL_TRY(pawl_artifact_from_json(&vault->arena, said, &candidate, err));
    enum pawl_status status = pawl_vault_set_load(vault, &set, err);
    if (status == PAWL_OK) {
        const struct canaries *canaries = gather(vault, &set, 0, false);
        *found = candidate != NULL && find_in_artifact(canaries, candidate) != NULL;
        json_array_foreach(json_object_get(request, "texts"), i, text)
        {
            struct pawl_str bytes = {json_string_value(text), json_string_length(text)};
            if (json_is_string(text) && find(canaries, bytes) != NULL) *found = true;
        }
    }
    pawl_vault_set_release(&set);
    return status;
}

enum pawl_status pawl_vault_canaries(struct pawl_worker *worker, const json_t *request,
                                     json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    bool found;
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_READ, &vault, err);
    if (status == PAWL_OK) status = look(&vault, request, &found, err);
    if (status == PAWL_OK) *done = json_pack("{s:b}", "found", found);
    pawl_vault_release(&vault);
    return status;
}
