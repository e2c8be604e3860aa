/* Fresh cases: which they are, by the ledger; what they say, by the engine. See front_fresh.h. */
#include "improve/front_fresh.h"

#include "gate/confirm.h"
#include "gate/trigger.h"
#include "improve/protocol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- which they are ---------------------------------------------------------------------------------- */

enum { TRAIN, DEV, N_VISIBLE };
static const char *const tier_names[N_VISIBLE] = {"train", "dev"};

/* Cases [from, to) of each visible tier came with one record. */
struct arrival {
    int64_t seq, from[N_VISIBLE], to[N_VISIBLE];
    bool by_data; /* else by a rotation, or there from the start */
};
struct history {
    struct arrival *items;
    size_t n, room;
    int64_t in_force_seq, run_seq; /* when what is in force took force; the newest run */
    struct pawl_fresh *fresh;
};

static void add_arrival(struct history *history, int64_t seq, const json_t *tiers, bool by_data)
{
    struct arrival arrival = {.seq = seq, .by_data = by_data};
    const struct arrival *last = history->n > 0 ? &history->items[history->n - 1] : NULL;
    for (int t = 0; t < N_VISIBLE; t++) {
        arrival.from[t] = last != NULL ? last->to[t] : 0;
        arrival.to[t] = pawl_json_get_int(tiers, tier_names[t], arrival.from[t]);
    }
    if (history->n == history->room) {
        history->room = history->room > 0 ? 2 * history->room : 16;
        history->items = pawl_xrealloc(history->items, history->room * sizeof *history->items);
    }
    history->items[history->n++] = arrival;
}

static void put_in_force(struct history *history, int64_t seq, const char *artifact,
                         const char *instead_of)
{
    history->in_force_seq = seq;
    snprintf(history->fresh->incumbent, PAWL_HASH_HEX, "%s", artifact);
    snprintf(history->fresh->baseline, PAWL_HASH_HEX, "%s", instead_of);
}

/* What was rolled back is nothing to go back to. */
static void take_move(struct history *history, int64_t seq, const char *kind, const json_t *body)
{
    const json_t *statement = json_object_get(body, "statement");
    const char *candidate = pawl_json_get_text(statement, "candidate", "");
    const char *replaced = pawl_json_get_text(statement, "incumbent", "");
    if (strcmp(kind, "seal") == 0)
        put_in_force(history, seq, pawl_json_get_text(body, "seed", ""), "");
    else if (strcmp(kind, "promotion") == 0)
        put_in_force(history, seq, pawl_json_get_text(body, "incumbent", ""),
                     pawl_json_get_text(body, "previous", ""));
    else if (strcmp(kind, "rollback") == 0)
        put_in_force(history, seq, pawl_json_get_text(body, "incumbent", ""), "");
    else if (strcmp(kind, "confirm") == 0 && pawl_json_get_bool(body, "rolled_back", false))
        put_in_force(history, seq, replaced, "");
    else if (pawl_json_get_bool(body, "promoted", false))
        put_in_force(history, seq, candidate, replaced);
}

static enum pawl_status take_record(void *context, int64_t seq, const char *kind,
                                    struct pawl_str text, const char *hash, struct pawl_error *err)
{
    struct history *history = context;
    json_t *record;
    (void)hash;
    PAWL_TRY(pawl_json_parse(text, text.len, &record, err));
    const json_t *body = json_object_get(record, "body");
    bool by_data = strcmp(kind, "data") == 0, rotates = strcmp(kind, "rotate") == 0;
    if (by_data || strcmp(kind, "seal") == 0)
        add_arrival(history, seq, json_object_get(body, "tiers"), by_data);
    if (rotates)
        add_arrival(history, seq, json_object_get(json_object_get(body, "statement"), "tiers"),
                    false);
    if (strcmp(kind, "run") == 0) history->run_seq = seq;
    take_move(history, seq, kind, body);
    json_decref(record);
    return PAWL_OK;
}

/* --- scoring ------------------------------------------------------------------------------------------ */

/* Scores of one artifact on a visible tier from a case on; NAN: the world kept it from one. */
struct scores {
    int64_t from, n, room;
    double *values;
    json_t *clusters; /* names, in the same order */
};

static enum pawl_status take_row(void *context, struct pawl_front_worker *worker,
                                 const json_t *message, struct pawl_error *err)
{
    struct scores *scores = context;
    const json_t *row = json_object_get(message, "row");
    (void)worker;
    if (row == NULL || scores->n == scores->room)
        return pawl_fail(err, PAWL_EWORLD, "The engine said something unexpected.");
    scores->values[scores->n++] = pawl_json_get_real(row, "score", NAN);
    json_array_append_new(scores->clusters, json_string(pawl_json_get_text(row, "cluster", "")));
    return PAWL_OK;
}

/* The tier's cases [from, to). */
static enum pawl_status score(struct pawl_call *call, const char *hex, int tier, int64_t from,
                              int64_t to, struct scores *scores, struct pawl_error *err)
{
    struct pawl_artifact *artifact;
    struct pawl_front_worker engine;
    json_t *done = NULL;
    *scores = (struct scores){.from = from, .room = to - from, .clusters = json_array()};
    if (to <= from) return PAWL_OK;
    scores->values = PAWL_NEW_N(&call->arena, double, (size_t)(to - from));
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, hex, &artifact, err));
    PAWL_TRY(pawl_front_start(call->project, PAWL_ROLE_ENGINE_NAME, (struct pawl_front_fds){0},
                              NULL, &engine, err));
    json_t *request =
        json_pack("{s:s, s:s, s:I, s:I, s:b}", "op", "evaluate", "tier", tier_names[tier], "from",
                  (json_int_t)from, "limit", (json_int_t)(to - from), "per_case", 1);
    pawl_json_set(request, "artifact", pawl_artifact_json(artifact));
    enum pawl_status status =
        pawl_front_request(call, &engine, request, take_row, scores, &done, err);
    pawl_front_end(&engine);
    json_decref(done);
    if (status == PAWL_OK && scores->n != scores->room)
        status = pawl_fail(err, PAWL_EWORLD, "The engine scored other cases than it was asked.");
    return status;
}

static double score_at(const struct scores *scores, int64_t i)
{
    bool there = i >= scores->from && i < scores->from + scores->n;
    return there ? scores->values[i - scores->from] : NAN;
}

static const char *cluster_at(const struct scores *scores, int64_t i)
{
    return json_string_value(json_array_get(scores->clusters, (size_t)(i - scores->from)));
}

/* --- drift and failures --------------------------------------------------------------------------------- */

static bool is_new(const struct history *history, const struct arrival *arrival)
{
    return arrival->by_data && arrival->seq > history->run_seq;
}

static bool is_fresh(const struct history *history, const struct arrival *arrival)
{
    return arrival->by_data && arrival->seq > history->in_force_seq;
}

/* The incumbent's mean on the dev cases that are not new. */
static double mean_before(const struct history *history, const struct scores *dev)
{
    double sum = 0;
    int64_t n = 0;
    for (size_t a = 0; a < history->n; a++) {
        const struct arrival *arrival = &history->items[a];
        if (is_new(history, arrival)) continue;
        for (int64_t i = arrival->from[DEV]; i < arrival->to[DEV]; i++) {
            double x = score_at(dev, i);
            if (isnan(x)) continue;
            sum += x;
            n++;
        }
    }
    return n > 0 ? sum / (double)n : NAN;
}

static void see_drift(const struct history *history, const struct pawl_fresh_settings *settings,
                      const struct scores *now)
{
    struct pawl_fresh *fresh = history->fresh;
    double s = 0;
    fresh->mu0 = mean_before(history, &now[DEV]);
    for (size_t a = 0; a < history->n; a++) {
        const struct arrival *arrival = &history->items[a];
        if (!is_new(history, arrival)) continue;
        for (int t = 0; t < N_VISIBLE; t++) {
            for (int64_t i = arrival->from[t]; i < arrival->to[t]; i++) {
                double x = score_at(&now[t], i);
                if (isnan(x)) continue;
                fresh->n_new++;
                fresh->n_failures += x < 0.5;
                if (!isnan(fresh->mu0)) s = pawl_cusum_step(s, x, fresh->mu0, settings->slack);
                fresh->cusum = fmax(fresh->cusum, s);
            }
        }
    }
    fresh->alarm = fresh->cusum >= settings->alarm;
}

/* --- harm ------------------------------------------------------------------------------------------------- */

/* What counts of one cluster: of the arrival that brought it. */
struct observation {
    size_t arrival, n, room;
    double *candidate, *incumbent;
};
struct observations {
    struct observation *items; /* in the order in which they came */
    size_t n, largest;
    json_t *places; /* cluster: its place */
};

static void observe(struct observations *all, struct pawl_arena *arena, const char *cluster,
                    size_t arrival, double now, double before)
{
    int64_t place = pawl_json_get_int(all->places, cluster, -1);
    if (place < 0) {
        place = (int64_t)all->n;
        pawl_json_set(all->places, cluster, json_integer(place));
        all->items[all->n++] =
            (struct observation){.arrival = arrival,
                                 .room = all->largest,
                                 .candidate = PAWL_NEW_N(arena, double, all->largest),
                                 .incumbent = PAWL_NEW_N(arena, double, all->largest)};
    }
    struct observation *item = &all->items[place];
    if (item->arrival != arrival || item->n == item->room) return;
    bool missing = isnan(now) || isnan(before); /* a tie */
    item->candidate[item->n] = missing ? 0 : now;
    item->incumbent[item->n++] = missing ? 0 : before;
}

static void gather(const struct history *history, struct pawl_arena *arena,
                   const struct scores *now, const struct scores *before, struct observations *all)
{
    for (size_t a = 0; a < history->n; a++) {
        const struct arrival *arrival = &history->items[a];
        if (!is_fresh(history, arrival)) continue;
        for (int t = 0; t < N_VISIBLE; t++)
            for (int64_t i = arrival->from[t]; i < arrival->to[t]; i++)
                observe(all, arena, cluster_at(&before[t], i), a, score_at(&now[t], i),
                        score_at(&before[t], i));
    }
}

static enum pawl_status see_harm(struct pawl_call *call, const struct history *history,
                                 const struct scores *now, const struct scores *before,
                                 int64_t largest, struct pawl_error *err)
{
    struct pawl_fresh *fresh = history->fresh;
    size_t room = (size_t)(before[TRAIN].n + before[DEV].n);
    struct observations all = {.items = PAWL_NEW_N(&call->arena, struct observation, room + 1),
                               .largest = largest > 0 ? (size_t)largest : 1,
                               .places = json_object()};
    gather(history, &call->arena, now, before, &all);
    json_decref(all.places);
    if (all.n == 0) return PAWL_OK;
    struct pawl_gate_plan plan = {
        .level = fresh->level, .samples = 1, .largest_cluster = all.largest, .n_planned = all.n};
    struct pawl_confirm confirm;
    PAWL_TRY(pawl_confirm_init(&confirm, &plan, err));
    for (size_t g = 0; g < all.n; g++) {
        const struct observation *item = &all.items[g];
        PAWL_TRY(pawl_confirm_observe(&confirm, item->candidate, item->incumbent, item->n, err));
    }
    fresh->n_clusters = (int64_t)all.n;
    fresh->n_fresh = (int64_t)confirm.n_cases;
    fresh->log_harm = pawl_confirm_log_harm(&confirm);
    fresh->harm = pawl_confirm_answer_of(&confirm) == PAWL_CONFIRM_HARM;
    return PAWL_OK;
}

/* --- the whole ---------------------------------------------------------------------------------------------- */

/* The first case of a tier that the given question is about, and one past the last there is. */
static int64_t first_of(const struct history *history, int tier,
                        bool (*fits)(const struct history *history, const struct arrival *arrival))
{
    for (size_t a = 0; a < history->n; a++)
        if (fits(history, &history->items[a])) return history->items[a].from[tier];
    return history->n > 0 ? history->items[history->n - 1].to[tier] : 0;
}

static enum pawl_status look(struct pawl_call *call, const struct pawl_fresh_settings *settings,
                             const struct history *history, struct scores now[N_VISIBLE],
                             struct scores before[N_VISIBLE], struct pawl_error *err)
{
    struct pawl_fresh *fresh = history->fresh;
    const struct arrival *last = &history->items[history->n - 1];
    json_t *seal;
    for (int t = 0; t < N_VISIBLE; t++) {
        int64_t of_run = first_of(history, t, is_new), of_force = first_of(history, t, is_fresh);
        int64_t from = t == DEV ? 0 : of_run < of_force ? of_run : of_force;
        PAWL_TRY(score(call, fresh->incumbent, t, from, last->to[t], &now[t], err));
        if (fresh->baseline[0] == '\0') of_force = last->to[t];
        PAWL_TRY(score(call, fresh->baseline, t, of_force, last->to[t], &before[t], err));
    }
    see_drift(history, settings, now);
    if (fresh->baseline[0] == '\0') return PAWL_OK;
    PAWL_TRY(pawl_front_seal(call->project, &seal, err));
    int64_t largest = pawl_json_get_int(seal, "largest_cluster", 1);
    json_decref(seal);
    return see_harm(call, history, now, before, largest, err);
}

enum pawl_status pawl_fresh_look(struct pawl_call *call, const struct pawl_fresh_settings *settings,
                                 struct pawl_fresh *fresh, struct pawl_error *err)
{
    struct scores now[N_VISIBLE] = {0}, before[N_VISIBLE] = {0};
    struct history history = {.run_seq = -1, .fresh = fresh};
    *fresh = (struct pawl_fresh){.mu0 = NAN, .level = call->project->config.gate.alpha};
    enum pawl_status status =
        pawl_store_ledger_each(call->project->store, take_record, &history, err);
    if (status == PAWL_OK && history.n == 0)
        status = pawl_fail(err, PAWL_EINTEGRITY, "The ledger does not begin with a seal.");
    if (status == PAWL_OK) status = look(call, settings, &history, now, before, err);
    for (int t = 0; t < N_VISIBLE; t++) {
        json_decref(now[t].clusters);
        json_decref(before[t].clusters);
    }
    free(history.items);
    return status;
}
