/* The track record of an operator: one walk over the ledger. */
#include "improve/track.h"

#include "base/arena.h"
#include "base/hash.h"
#include "gate/decide.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH(list, i, item) json_array_foreach((json_t *)(uintptr_t)(list), i, item)

/* --- what an opened promotion certifies ----------------------------------------------------------- */

/* Whether "the mean gain is at most m0" is refuted by the evidence's clusters, in their order. */
static enum pawl_status refutes(const json_t *statement, const json_t *cases, double m0,
                                bool *refuted, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_gate gate;
    size_t n = json_array_size(cases), from = 0;
    double *old = PAWL_NEW_N(&arena, double, n + 1), *new = PAWL_NEW_N(&arena, double, n + 1);
    const struct pawl_gate_plan plan = {
        .look = PAWL_LOOK_SEQUENTIAL,
        .level = pawl_json_get_real(statement, "level", 0),
        .samples = (size_t)pawl_json_get_int(statement, "samples", 0),
        .largest_cluster = (size_t)pawl_json_get_int(statement, "largest_cluster", 0),
        .n_planned = (size_t)pawl_json_get_int(statement, "clusters", 0),
        .m0 = m0};
    enum pawl_status status = pawl_gate_init(&gate, &plan, &arena, err);
    while (status == PAWL_OK && from < n && gate.state == PAWL_GATE_OPEN) {
        size_t to = from;
        const char *cluster = pawl_json_get_text(json_array_get(cases, from), "cluster", "");
        for (; to < n; to++) {
            const json_t *item = json_array_get(cases, to);
            if (strcmp(pawl_json_get_text(item, "cluster", ""), cluster) != 0) break;
            /* A case without a score is a tie in both arms, as it was at the gate. */
            old[to] = pawl_json_get_real(item, "incumbent", 0);
            new[to] = pawl_json_get_real(item, "candidate", 0);
        }
        status = pawl_gate_observe(&gate, new + from, old + from, to - from, err);
        from = to;
    }
    *refuted = status == PAWL_OK && pawl_gate_promotes(&gate);
    pawl_arena_release(&arena);
    return status;
}

/* Upwards from 0, so that every smaller gain is refuted too. Sign evidence may promote where the grid
 * does not refute even 0: then 0 is all that is known. */
static enum pawl_status lower_bound(const json_t *statement, const json_t *cases, double *bound,
                                    struct pawl_error *err)
{
    enum { STEPS = 1000 };
    bool refuted = true;
    *bound = 0;
    for (int step = 0; step < STEPS && refuted; step++) {
        double m0 = (double)step / STEPS;
        PAWL_TRY(refutes(statement, cases, m0, &refuted, err));
        if (refuted) *bound = m0;
    }
    return PAWL_OK;
}

static const json_t *find_statement(const json_t *records, int64_t attempt)
{
    size_t i;
    json_t *record;
    EACH(records, i, record)
    {
        const json_t *statement = json_object_get(json_object_get(record, "body"), "statement");
        if (pawl_json_get_int(statement, "attempt", 0) == attempt) return statement;
    }
    return NULL;
}

/* SHA-256(salt | canonical evidence) is what the statement commits to. */
static bool is_committed(const json_t *statement, const json_t *entry)
{
    unsigned char salt[32];
    char hex[PAWL_HASH_HEX];
    struct pawl_hasher hasher;
    const json_t *evidence = json_object_get(entry, "evidence");
    if (!json_is_object(evidence) ||
        !pawl_unhex(pawl_json_get_str(entry, "salt"), salt, sizeof salt))
        return false;
    char *text = pawl_json_text(evidence);
    pawl_hasher_init(&hasher);
    pawl_hasher_add(&hasher, salt, sizeof salt);
    pawl_hasher_add(&hasher, text, strlen(text));
    free(text);
    struct pawl_hash root = pawl_hasher_final(&hasher);
    pawl_hash_hex(&root, hex);
    return strcmp(hex, pawl_json_get_text(statement, "evidence_root", "")) == 0;
}

static enum pawl_status open_entry(const json_t *records, const json_t *entry, json_t *opened,
                                   struct pawl_error *err)
{
    char key[24];
    double bound;
    int64_t attempt = pawl_json_get_int(entry, "attempt", 0);
    const json_t *statement = find_statement(records, attempt);
    if (statement == NULL || !is_committed(statement, entry)) {
        pawl_fail(err, PAWL_EINTEGRITY,
                  "The opened evidence of attempt %lld is not what this ledger commits to.",
                  (long long)attempt);
        pawl_hint(err, "Give a certificate of this project: pawl certificate ID --audit --json.");
        return PAWL_EINTEGRITY;
    }
    const json_t *cases = json_object_get(json_object_get(entry, "evidence"), "cases");
    PAWL_TRY(lower_bound(statement, cases, &bound, err));
    snprintf(key, sizeof key, "%lld", (long long)attempt);
    pawl_json_set(opened, key, json_real(bound));
    return PAWL_OK;
}

enum pawl_status pawl_track_open(const json_t *records, const json_t *certificate, json_t *opened,
                                 struct pawl_error *err)
{
    size_t i;
    json_t *entry;
    const json_t *evidence = json_object_get(certificate, "evidence");
    if (json_array_size(evidence) == 0) {
        pawl_fail(err, PAWL_ECONFIG, "This certificate opens no evidence.");
        pawl_hint(err, "`pawl certificate ID --audit --json` does, is recorded, and ends the life "
                       "of the sealed set.");
        return PAWL_ECONFIG;
    }
    EACH(evidence, i, entry) PAWL_TRY(open_entry(records, entry, opened, err));
    return PAWL_OK;
}

/* --- the walk ------------------------------------------------------------------------------------ */

/* One version of the operator. */
struct tally {
    int64_t version; /* -1: not recorded */
    int64_t runs, attempts, promotions, rolled_back;
    int64_t opened, costed, evaluations;
    double lower, levels, usd;
    int64_t first_ms, last_ms;
};
/* What came into force, oldest first; a rollback takes from the end. */
struct in_force {
    const char *artifact;
    size_t tally; /* whose promotion it was, or NOBODY */
};
struct walk {
    const char *operator;
    const json_t *opened;
    struct tally *tallies;
    size_t n;
    json_t *runs;    /* run -> index of its tally */
    json_t *waiting; /* attempt -> body of the verdict that people were asked about */
    json_t *costs;   /* run -> the newest end of it */
    struct in_force *stack;
    size_t depth;
};
enum { NOBODY = SIZE_MAX >> 1 };

static size_t tally_of(struct walk *walk, const char *run)
{
    const json_t *index = json_object_get(walk->runs, run);
    return index != NULL ? (size_t)json_integer_value(index) : (size_t)NOBODY;
}

static void note_time(struct tally *tally, int64_t ts_ms)
{
    if (tally->first_ms == 0) tally->first_ms = ts_ms;
    tally->last_ms = ts_ms;
}

static void take_run(struct walk *walk, const json_t *body, int64_t ts_ms)
{
    if (strcmp(pawl_json_get_text(body, "operator", ""), walk->operator) != 0) return;
    int64_t version = pawl_json_get_int(body, "version", -1);
    size_t i = 0;
    while (i < walk->n && walk->tallies[i].version != version) i++;
    if (i == walk->n) walk->tallies[walk->n++] = (struct tally){.version = version};
    walk->tallies[i].runs++;
    note_time(&walk->tallies[i], ts_ms);
    pawl_json_set(walk->runs, pawl_json_get_text(body, "run", ""), json_integer((json_int_t)i));
}

static void push(struct walk *walk, const char *artifact, size_t tally)
{
    walk->stack[walk->depth++] = (struct in_force){artifact, tally};
}

static void write_attempt(const json_t *body, char out[24])
{
    int64_t attempt = pawl_json_get_int(json_object_get(body, "statement"), "attempt", 0);
    snprintf(out, 24, "%lld", (long long)attempt);
}

static size_t owner_of(struct walk *walk, const json_t *body)
{
    const char *asked = pawl_json_get_text(json_object_get(body, "statement"), "run", NULL);
    return tally_of(walk, asked != NULL ? asked : pawl_json_get_text(body, "made_by", ""));
}

/* The candidate of this verdict is in force from now on. */
static void take_promotion(struct walk *walk, const json_t *verdict)
{
    char attempt[24];
    const json_t *statement = json_object_get(verdict, "statement");
    size_t owner = owner_of(walk, verdict);
    push(walk, pawl_json_get_text(statement, "candidate", ""), owner);
    if (owner == NOBODY) return;
    struct tally *tally = &walk->tallies[owner];
    write_attempt(verdict, attempt);
    const json_t *bound = json_object_get(walk->opened, attempt);
    tally->promotions++;
    tally->levels += pawl_json_get_real(statement, "level", 0);
    tally->opened += bound != NULL;
    tally->lower += json_number_value(bound);
}

static void take_verdict(struct walk *walk, const json_t *body, int64_t ts_ms)
{
    char attempt[24];
    size_t owner = owner_of(walk, body);
    if (owner != NOBODY) {
        walk->tallies[owner].attempts++;
        note_time(&walk->tallies[owner], ts_ms);
    }
    write_attempt(body, attempt);
    if (json_object_get(body, "approval") != NULL)
        pawl_json_set(walk->waiting, attempt, json_incref((json_t *)(uintptr_t)body));
    else if (pawl_json_get_bool(body, "promoted", false))
        take_promotion(walk, body);
}

/* The last approval that was needed put in force what the gate had certified. */
static void take_approve(struct walk *walk, const json_t *body)
{
    char attempt[24];
    write_attempt(body, attempt);
    const json_t *verdict = json_object_get(walk->waiting, attempt);
    if (verdict != NULL && pawl_json_get_bool(body, "promoted", false))
        take_promotion(walk, verdict);
}

static void pop(struct walk *walk)
{
    size_t owner = walk->stack[--walk->depth].tally;
    if (owner != NOBODY) walk->tallies[owner].rolled_back++;
}

/* Back to where it was in force last; to something that never was, what is in force goes. */
static void take_rollback(struct walk *walk, const char *to)
{
    size_t depth = walk->depth;
    while (depth > 0 && strcmp(walk->stack[depth - 1].artifact, to) != 0) depth--;
    if (depth == 0 && walk->depth > 0) pop(walk);
    while (depth > 0 && walk->depth > depth) pop(walk);
    if (depth == 0) push(walk, to, NOBODY);
}

static void take_record(struct walk *walk, const json_t *record)
{
    const char *kind = pawl_json_get_text(record, "kind", "");
    json_t *body = json_object_get(record, "body");
    int64_t ts_ms = pawl_json_get_int(record, "ts", 0);
    if (strcmp(kind, "seal") == 0) push(walk, pawl_json_get_text(body, "seed", ""), NOBODY);
    if (strcmp(kind, "run") == 0) take_run(walk, body, ts_ms);
    if (strcmp(kind, "verdict") == 0) take_verdict(walk, body, ts_ms);
    if (strcmp(kind, "approve") == 0) take_approve(walk, body);
    if (strcmp(kind, "promotion") == 0)
        push(walk, pawl_json_get_text(body, "incumbent", ""), NOBODY);
    if (strcmp(kind, "rollback") == 0)
        take_rollback(walk, pawl_json_get_text(body, "incumbent", ""));
    if (strcmp(kind, "confirm") == 0 && pawl_json_get_bool(body, "rolled_back", false))
        take_rollback(walk,
                      pawl_json_get_text(json_object_get(body, "statement"), "incumbent", ""));
    if (strcmp(kind, "end") == 0)
        pawl_json_set(walk->costs, pawl_json_get_text(body, "run", ""), json_incref(body));
}

/* A run that was paused has several ends; the newest holds the whole. */
static void add_costs(struct walk *walk)
{
    const char *run;
    json_t *end;
    json_object_foreach(walk->costs, run, end)
    {
        size_t owner = tally_of(walk, run);
        if (owner == NOBODY) continue;
        struct tally *tally = &walk->tallies[owner];
        tally->costed++;
        tally->evaluations += pawl_json_get_int(end, "evaluations", 0);
        tally->usd += pawl_json_get_real(end, "usd", 0);
    }
}

/* --- the figures ---------------------------------------------------------------------------------- */

static json_t *per_point(const struct tally *tally, double cost)
{
    double points = 100 * tally->lower;
    bool is_known = points > 0 && tally->costed == tally->runs;
    return is_known ? json_real(cost / points) : json_null();
}

static json_t *tally_json(const struct tally *tally)
{
    json_t *gain = json_pack("{s:f, s:I, s:f}", "lower", tally->lower, "known_for",
                             (json_int_t)tally->opened, "error_at_most", fmin(1, tally->levels));
    json_t *cost =
        json_pack("{s:I, s:f, s:I, s:o, s:o}", "evaluations", (json_int_t)tally->evaluations, "usd",
                  tally->usd, "known_for", (json_int_t)tally->costed, "evaluations_per_point",
                  per_point(tally, (double)tally->evaluations), "usd_per_point",
                  per_point(tally, tally->usd));
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "version",
                     tally->version >= 0 ? json_integer((json_int_t)tally->version) : json_null(),
                     "runs", (json_int_t)tally->runs, "attempts", (json_int_t)tally->attempts,
                     "promotions", (json_int_t)tally->promotions, "rolled_back",
                     (json_int_t)tally->rolled_back, "certified_gain", gain, "cost", cost,
                     "first_ms", (json_int_t)tally->first_ms, "last_ms",
                     (json_int_t)tally->last_ms);
}

json_t *pawl_track_record(const json_t *records, const char *operator_name, const json_t *opened)
{
    struct pawl_arena arena = {0};
    size_t i, n = json_array_size(records);
    json_t *record, *out = json_array();
    struct walk walk = {.operator= operator_name,
                        .opened = opened,
                        .tallies = PAWL_NEW_N(&arena, struct tally, n + 1),
                        .runs = json_object(),
                        .waiting = json_object(),
                        .costs = json_object(),
                        .stack = PAWL_NEW_N(&arena, struct in_force, n + 1)};
    EACH(records, i, record) take_record(&walk, record);
    add_costs(&walk);
    for (i = 0; i < walk.n; i++) json_array_append_new(out, tally_json(&walk.tallies[i]));
    json_decref(walk.runs);
    json_decref(walk.waiting);
    json_decref(walk.costs);
    pawl_arena_release(&arena);
    return out;
}
