/*
 * When an answer leaves the vault.
 *
 *     registered        D/4        D/2        3D/4         D
 *         |--------------|----------|-----------|----------|-----> (then 2D, 4D, 8D ...)
 *     promote            ^ the first of these after the work is done
 *     no                                                   ^
 *
 * D follows from public figures. At every point something is written, of the same size, and then an
 * answer leaves or does not: who watches the clock, the files or the processes learns at a point
 * what the answer says, and nothing between. A candidate that is late on purpose, by how many sealed
 * inputs of some kind there are, tells by its answer's point no more than the logarithm of that number:
 * after D the distance doubles.
 */
#include "improve/vault.h"

#include "base/clock.h"

#include <sodium.h>

static int64_t attempt_of(const struct pawl_vault_asked *asked)
{
    return pawl_json_get_int(asked->row, "attempt", 0);
}

enum pawl_status pawl_vault_asked_save(struct pawl_vault_asked *asked, struct pawl_error *err)
{
    uint64_t k = (uint64_t)attempt_of(asked);
    char *text = pawl_json_text(asked->row);
    struct pawl_vault_write writes[] = {
        {PAWL_VAULT_ROW_ATTEMPT, k, pawl_str_of(text)},
        {PAWL_VAULT_ROW_EVIDENCE, k, pawl_vault_scores_pack(asked->vault, &asked->scores)}};
    enum pawl_status status =
        pawl_vault_commit(asked->vault, writes, sizeof writes / sizeof *writes, err);
    free(text);
    return status;
}

/* --- release points ------------------------------------------------------------------------------- */

static int64_t points_passed(const struct pawl_vault_asked *asked)
{
    return pawl_json_get_int(asked->row, "points", 0);
}

int64_t pawl_vault_point_ms(int64_t duration_ms, int64_t point)
{
    enum { DOUBLINGS_MAX = 20 };
    int64_t late = point - PAWL_VAULT_POINTS;
    if (late <= 0) return point * duration_ms / PAWL_VAULT_POINTS;
    return duration_ms << (late < DOUBLINGS_MAX ? late : DOUBLINGS_MAX);
}

static int64_t point_ms(const struct pawl_vault_asked *asked, int64_t point)
{
    return pawl_json_get_int(asked->row, "started_ms", 0) +
           pawl_vault_point_ms(pawl_json_get_int(asked->row, "duration_ms", 0), point);
}

/* Durable before anybody could have noticed that no answer came. */
static enum pawl_status pass_point(struct pawl_vault_asked *asked, struct pawl_error *err)
{
    int64_t points = points_passed(asked) + 1;
    pawl_json_set(asked->row, "points", json_integer(points));
    PAWL_TRY(pawl_vault_asked_save(asked, err));
    int64_t passed = points < PAWL_VAULT_POINTS ? points : PAWL_VAULT_POINTS;
    double eta_s = (double)(point_ms(asked, PAWL_VAULT_POINTS) - point_ms(asked, passed)) / 1000;
    json_t *progress =
        json_pack("{s:{s:s, s:I, s:i, s:f}}", "progress", "phase", "gate", "release_points_passed",
                  (json_int_t)passed, "release_points", PAWL_VAULT_POINTS, "eta_s", eta_s);
    enum pawl_status status = pawl_channel_send(asked->vault->worker->front, progress, err);
    json_decref(progress);
    return status == PAWL_OK ? PAWL_OK : PAWL_EPAUSED;
}

static enum pawl_status pass_due_points(void *context, int *wait_ms, struct pawl_error *err)
{
    struct pawl_vault_asked *asked = context;
    int64_t next_ms;
    while ((next_ms = point_ms(asked, points_passed(asked) + 1)) <= pawl_clock_now_ms())
        PAWL_TRY(pass_point(asked, err));
    int64_t left_ms = next_ms - pawl_clock_now_ms();
    *wait_ms = pawl_clock_is_virtual() || left_ms > INT32_MAX ? -1 : (int)left_ms;
    return PAWL_OK;
}

enum pawl_status pawl_vault_sleep_until(struct pawl_vault_asked *asked, int64_t then_ms,
                                        struct pawl_error *err)
{
    enum { SLICE_MS = 60000 };
    int64_t left_ms;
    while ((left_ms = then_ms - pawl_clock_now_ms()) > 0) {
        if (pawl_clock_is_virtual()) pawl_clock_sleep_ms(left_ms);
        int wait_ms = pawl_clock_is_virtual() ? 0 : left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
        PAWL_TRY(pawl_vault_wait(asked->vault->worker, wait_ms, err));
    }
    return PAWL_OK;
}

/* Pass every point before the one of the answer: D at the earliest for `no`, the next one for all
 * else. Gives the instant of release, which is still to come. */
static enum pawl_status approach_release(struct pawl_vault_asked *asked, bool is_no,
                                         int64_t *release_ms, struct pawl_error *err)
{
    int wait_ms;
    PAWL_TRY(pass_due_points(asked, &wait_ms, err));
    int64_t target = points_passed(asked) + 1;
    if (is_no && target < PAWL_VAULT_POINTS) target = PAWL_VAULT_POINTS;
    while (points_passed(asked) + 1 < target) {
        PAWL_TRY(pawl_vault_sleep_until(asked, point_ms(asked, points_passed(asked) + 1), err));
        PAWL_TRY(pass_point(asked, err));
    }
    *release_ms = point_ms(asked, target);
    return PAWL_OK;
}

/* --- the statement ------------------------------------------------------------------------------- */

static json_t *statement_of(struct pawl_vault_asked *asked, const char *verdict,
                            int64_t released_ms, const char *evidence_root,
                            const struct pawl_signer *signer)
{
    struct pawl_vault *vault = asked->vault;
    const json_t *row = asked->row;
    const struct pawl_policy *policy = pawl_policy_find(pawl_json_get_text(row, "policy", ""));
    struct pawl_gate_plan plan = pawl_vault_gate_plan(vault, row);
    struct pawl_statement_facts facts = {.vault = vault->id,
                                         .attempt = attempt_of(asked),
                                         .run = pawl_json_get_text(row, "run", NULL),
                                         .candidate = pawl_json_get_text(row, "candidate", ""),
                                         .incumbent = pawl_json_get_text(row, "incumbent", ""),
                                         .verdict = verdict,
                                         .policy = policy->name,
                                         .guarantee = policy->guarantee,
                                         .not_guaranteed = policy->not_guarantee,
                                         .alpha = pawl_json_get_real(row, "alpha", 0),
                                         .level = plan.level,
                                         .log_histories =
                                             pawl_json_get_real(row, "log_histories", 0),
                                         .look = pawl_gate_look_name(plan.look),
                                         .unit = pawl_gate_unit_name(pawl_gate_unit_of(&plan)),
                                         .n_planned = pawl_json_get_int(row, "n_planned", 0),
                                         .clusters = pawl_json_get_int(row, "clusters", 0),
                                         .samples = pawl_json_get_int(row, "samples", 1),
                                         .largest_cluster = (int64_t)plan.largest_cluster,
                                         .commitment_root = pawl_json_get_text(row, "root", ""),
                                         .commitment_size = pawl_json_get_int(row, "log_size", 0),
                                         .evidence_root = evidence_root,
                                         .metric = pawl_json_get_text(row, "metric", ""),
                                         .metric_hash = pawl_json_get_text(row, "metric_hash", ""),
                                         .program = pawl_json_get_text(row, "program", ""),
                                         .models = json_object_get(row, "models"),
                                         .custody = pawl_vault_custody_said(vault),
                                         .confinement = pawl_json_get_text(row, "confinement", ""),
                                         .released_ms = released_ms,
                                         .public_key = signer->public_hex};
    json_t *guards = pawl_vault_guards_said(row);
    facts.guards = guards;
    facts.timing_channel = pawl_json_get_text(row, "timing_channel", NULL);
    json_t *traps = pawl_vault_traps_said(row);
    facts.traps = traps;
    json_t *statement = pawl_statement_make(&facts);
    json_decref(guards);
    json_decref(traps);
    return statement;
}

static enum pawl_status sign_answer(struct pawl_vault_asked *asked, const char *verdict,
                                    int64_t released_ms, struct pawl_error *err)
{
    struct pawl_signer signer;
    char root[PAWL_HASH_HEX], signature[PAWL_SIGNATURE_HEX];
    json_t *evidence;
    PAWL_TRY(
        pawl_vault_evidence(asked->vault, &asked->set, asked->row, &asked->scores, &evidence, err));
    pawl_vault_evidence_root(asked->vault, attempt_of(asked), evidence, root);
    json_decref(evidence);
    pawl_signer_init(&signer, asked->vault->keys.sign);
    json_t *statement = statement_of(asked, verdict, released_ms, root, &signer);
    pawl_statement_sign(&signer, statement, signature);
    sodium_memzero(&signer, sizeof signer);
    pawl_json_set(asked->row, "statement", statement);
    pawl_json_set(asked->row, "signature", json_string(signature));
    return PAWL_OK;
}

/* --- the answer ------------------------------------------------------------------------------------ */

/* Everything is ready; at its moment it becomes durable, and then it may be told. */
static enum pawl_status release(struct pawl_vault_asked *asked, const char *verdict,
                                int64_t release_ms, struct pawl_error *err)
{
    json_t *attempts = json_object_get(asked->vault->state, "attempts");
    json_t *entry = json_array_get(attempts, (size_t)attempt_of(asked) - 1);
    PAWL_TRY(pawl_vault_sleep_until(asked, release_ms, err));
    pawl_json_set(entry, "verdict", json_string(verdict));
    pawl_json_set(asked->vault->state, "last_ms", json_integer(release_ms));
    return pawl_vault_asked_save(asked, err);
}

static enum pawl_status release_undecided(struct pawl_vault_asked *asked, const char *why,
                                          struct pawl_error *err)
{
    int64_t release_ms;
    PAWL_TRY(approach_release(asked, false, &release_ms, err));
    pawl_json_set(asked->row, "why", json_string(why));
    PAWL_TRY(release(asked, "undecided", release_ms, err));
    pawl_fail(err, PAWL_EUNDECIDED, "Attempt %lld is undecided: %s", (long long)attempt_of(asked),
              why);
    pawl_hint(err, "The attempt is spent. When model and network work again, ask again: that is a "
                   "new attempt.");
    return PAWL_EUNDECIDED;
}

static enum pawl_status release_verdict(struct pawl_vault_asked *asked,
                                        const struct pawl_gate *gate,
                                        const struct pawl_guards *guards, struct pawl_error *err)
{
    int64_t release_ms;
    bool promotes =
        pawl_vault_promotes(gate, guards) && pawl_vault_traps_sprung(asked->row) == NULL;
    const char *verdict = promotes ? "promote" : "no";
    PAWL_TRY(approach_release(asked, !promotes, &release_ms, err));
    PAWL_TRY(sign_answer(asked, verdict, release_ms, err));
    if (promotes) pawl_vault_guards_promoted(asked->vault, asked->row, guards);
    return release(asked, verdict, release_ms, err);
}

enum pawl_status pawl_vault_asked_answer(struct pawl_vault_asked *asked, int parallel,
                                         struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    struct pawl_gate_plan plan = pawl_vault_gate_plan(vault, asked->row);
    struct pawl_gate gate;
    struct pawl_guards guards;
    PAWL_TRY(pawl_gate_init(&gate, &plan, &vault->arena, err));
    PAWL_TRY(pawl_vault_guards_init(vault, asked->row, &guards, err));
    struct pawl_vault_measure measure = {.worker = vault->worker,
                                         .keys = &vault->keys,
                                         .set = &asked->set,
                                         .order = &asked->order,
                                         .metric = asked->metric,
                                         .gate = &gate,
                                         .guards = &guards,
                                         .n_arms = pawl_vault_arms(asked->row),
                                         .scores.width = pawl_vault_width(asked->row),
                                         .arena = &vault->arena,
                                         .attempt = attempt_of(asked),
                                         .samples = (int64_t)plan.samples,
                                         .parallel = parallel};
    PAWL_TRY(pawl_vault_measure(&measure, pass_due_points, asked, err));
    asked->scores = measure.scores;
    if (measure.undecided == NULL)
        PAWL_TRY(pawl_vault_traps_measure(asked, &measure, pass_due_points, asked, err));
    if (measure.undecided != NULL) return release_undecided(asked, measure.undecided, err);
    return release_verdict(asked, &gate, &guards, err);
}
