/*
 * Confirmation: what an attempt promoted, asked once more of cases that chose nothing (gate/confirm.h).
 *
 *   registered      all fresh clusters of the vault tier are spent, durably, before the first is asked
 *   measured        every case of them, both arms, in keyed order: there is no early end
 *   released        at D, 2D, 4D ...: one of three answers, signed
 *
 * Invariants
 *   1. No case serves two confirmations, nor a confirmation and the gate: what one has used retires to dev
 *      with the next rotation, and so does its whole cluster.
 *   2. Nothing about it is known before its release: whatever was cut short is measured again under its own
 *      number, of the same cases.
 *   3. Levels count over the vault's life, not over an epoch's.
 */
#include "improve/vault.h"

#include "artifact/artifact.h"
#include "base/clock.h"
#include "evaluate/metric.h"
#include "gate/confirm.h"

#include <sodium.h>
#include <stdlib.h>

static const char guarantee[] = "Over the life of this vault, a candidate that is not better is "
                                "called stable with probability at "
                                "most alpha, and one that is not worse is found harmful with "
                                "probability at most alpha, however "
                                "it was chosen: no case of a confirmation served anything before.";

struct question {
    int64_t attempt, pace_us;
    const struct pawl_artifact *candidate, *incumbent;
};

static int64_t number_of(const struct pawl_vault_asked *asked)
{
    return pawl_json_get_int(asked->row, "confirmation", 0);
}

static int64_t confirmations(const struct pawl_vault *vault)
{
    return (int64_t)json_array_size(json_object_get(vault->state, "confirmations"));
}

static json_t *entry_of(const struct pawl_vault *vault, int64_t k)
{
    return json_array_get(json_object_get(vault->state, "confirmations"), (size_t)k - 1);
}

static bool is_open(const struct pawl_vault *vault, int64_t k)
{
    return strcmp(pawl_json_get_text(entry_of(vault, k), "answer", ""), "open") == 0;
}

static enum pawl_status read_row(struct pawl_vault *vault, enum pawl_vault_row kind, int64_t k,
                                 json_t **row, struct pawl_error *err)
{
    struct pawl_str text;
    PAWL_TRY(pawl_vault_read(vault, kind, (uint64_t)k, &text, err));
    return pawl_json_parse(text, text.len, row, err);
}

/* --- the question ----------------------------------------------------------------------------------- */

/* Only what this vault promoted is confirmed, against what it was promoted over. */
static enum pawl_status check_promotion(struct pawl_vault *vault, const struct question *question,
                                        struct pawl_error *err)
{
    json_t *row = NULL;
    int64_t k = question->attempt;
    bool fits = k >= 1 && k <= pawl_vault_attempts(vault) &&
                strcmp(pawl_vault_verdict(vault, k), "promote") == 0;
    if (fits) PAWL_TRY(read_row(vault, PAWL_VAULT_ROW_ATTEMPT, k, &row, err));
    fits = fits &&
           strcmp(pawl_json_get_text(row, "candidate", ""), question->candidate->hex) == 0 &&
           strcmp(pawl_json_get_text(row, "incumbent", ""), question->incumbent->hex) == 0;
    json_decref(row);
    if (fits) return PAWL_OK;
    return pawl_fail(err, PAWL_EUSAGE, "Attempt %lld did not promote this artifact over that one.",
                     (long long)k);
}

static enum pawl_status read_question(struct pawl_vault *vault, const json_t *request,
                                      struct question *question, struct pawl_error *err)
{
    enum { PACE_MAX_US = 600 * 1000 * 1000 };
    struct pawl_artifact *candidate, *incumbent;
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, json_object_get(request, "candidate"),
                                     &candidate, err));
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, json_object_get(request, "incumbent"),
                                     &incumbent, err));
    *question = (struct question){.attempt = pawl_json_get_int(request, "attempt", 0),
                                  .pace_us = pawl_json_get_int(request, "pace_us", 0),
                                  .candidate = candidate,
                                  .incumbent = incumbent};
    if (question->pace_us < 0 || question->pace_us > PACE_MAX_US)
        return pawl_fail(err, PAWL_EUSAGE, "The pace of an evaluation is 0 to %d microseconds.",
                         PACE_MAX_US);
    return check_promotion(vault, question, err);
}

/* The newest confirmation of this attempt that was answered, or that is open and the last one; 0: none. */
static int64_t find_confirmation(const struct pawl_vault *vault, int64_t attempt)
{
    for (int64_t k = confirmations(vault); k >= 1; k--) {
        const json_t *entry = entry_of(vault, k);
        const char *answer = pawl_json_get_text(entry, "answer", "");
        if (pawl_json_get_int(entry, "attempt", 0) == attempt && strcmp(answer, "interrupted") != 0)
            return k;
    }
    return 0;
}

static enum pawl_status check_recorded(const struct pawl_vault *vault, int64_t recorded,
                                       struct pawl_error *err)
{
    if (recorded <= confirmations(vault)) return PAWL_OK;
    pawl_fail(
        err, PAWL_EINTEGRITY,
        "The ledger records confirmation %lld, and the vault knows only %lld: the vault and its "
        "counter were put back.",
        (long long)recorded, (long long)confirmations(vault));
    pawl_hint(err, "Restore the newest .pawl/sealed/vault.db and counter.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status check_reserve(const struct pawl_vault *vault, struct pawl_error *err)
{
    int64_t n = pawl_json_get_int(json_object_get(vault->state, "tiers"), "vault", 0);
    if (n > 0 && pawl_vault_reserve_is_sealed(vault)) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              n == 0 ? "This project keeps no vault tier, so nothing can be confirmed."
                     : "The vault tier may have been seen, so it confirms nothing.");
    pawl_hint(err, n == 0
                       ? "`data.tiers: {vault: 0.1, ...}` keeps one when a project is sealed; "
                         "what was promoted stays in force unconfirmed."
                       : "`pawl rotate --data FILE --reason TEXT` seals fresh cases for the gate.");
    return PAWL_EUSAGE;
}

/* --- registration ------------------------------------------------------------------------------------ */

static int64_t largest_of(const struct pawl_vault_order *order)
{
    size_t largest = 1, from = 0;
    for (size_t g = 0; g < order->n_clusters; from = order->ends[g++])
        if (order->ends[g] - from > largest) largest = order->ends[g] - from;
    return (int64_t)largest;
}

static enum pawl_status check_size(const struct pawl_vault_order *order, double level,
                                   struct pawl_error *err)
{
    if (order->n_clusters >= PAWL_VAULT_CLUSTERS_MIN &&
        pawl_confirm_can_answer(level, order->n_clusters))
        return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              "The vault tier has %zu fresh clusters of cases left: too few to confirm anything at "
              "level %.2g.",
              order->n_clusters, level);
    pawl_hint(err, "Each confirmation uses up what is fresh; `pawl data add FILE` brings more.");
    return PAWL_EUSAGE;
}

static struct pawl_gate_plan plan_of(const json_t *row)
{
    return (struct pawl_gate_plan){.look = PAWL_LOOK_SEQUENTIAL,
                                   .level = pawl_json_get_real(row, "level", 0),
                                   .pass_fail = pawl_json_get_bool(row, "binary", false),
                                   .samples = (size_t)pawl_json_get_int(row, "samples", 1),
                                   .largest_cluster =
                                       (size_t)pawl_json_get_int(row, "largest_cluster", 1),
                                   .n_planned = (size_t)pawl_json_get_int(row, "clusters", 0)};
}

static void make_order(struct pawl_vault_asked *asked)
{
    pawl_vault_order_fresh(asked->vault, &asked->set,
                           (size_t)pawl_json_get_int(asked->row, "spent", 0),
                           (size_t)pawl_json_get_int(asked->row, "log_size", 0), &asked->order);
}

static enum pawl_status save(struct pawl_vault_asked *asked, struct pawl_error *err)
{
    uint64_t k = (uint64_t)number_of(asked);
    char *text = pawl_json_text(asked->row);
    struct pawl_vault_write writes[] = {{PAWL_VAULT_ROW_CONFIRMATION, k, pawl_str_of(text)},
                                        {PAWL_VAULT_ROW_CONFIRMATION_SCORES, k,
                                         pawl_vault_scores_pack(asked->vault, &asked->scores)}};
    enum pawl_status status =
        pawl_vault_commit(asked->vault, writes, sizeof writes / sizeof *writes, err);
    free(text);
    return status;
}

/* The clock starts, or starts again. */
static enum pawl_status start(struct pawl_vault_asked *asked, const json_t *ready, int64_t pace_us,
                              struct pawl_error *err)
{
    json_t *row = asked->row;
    pawl_vault_put_subject(row, asked, ready);
    pawl_json_set(row, "started_ms", json_integer(pawl_clock_now_ms()));
    pawl_json_set(
        row, "duration_ms",
        json_integer(pawl_vault_duration_ms(pawl_json_get_int(row, "n_planned", 0), 2,
                                            pawl_json_get_int(row, "samples", 1), pace_us)));
    return save(asked, err);
}

static void put_question(json_t *row, const struct pawl_vault *vault,
                         const struct question *question, int64_t k)
{
    double alpha = vault->worker->config.gate.alpha;
    const json_t *commitment = json_object_get(vault->state, "commitment");
    pawl_json_set(row, "confirmation", json_integer(k));
    pawl_json_set(row, "attempt", json_integer(question->attempt));
    pawl_json_set(row, "epoch", json_integer(pawl_vault_epoch(vault)));
    pawl_json_set(row, "candidate", json_string(question->candidate->hex));
    pawl_json_set(row, "incumbent", json_string(question->incumbent->hex));
    pawl_json_set(row, "alpha", json_real(alpha));
    pawl_json_set(row, "level", json_real(pawl_confirm_level(alpha, (uint64_t)k)));
    pawl_json_set(row, "spent", json_integer(pawl_json_get_int(vault->state, "confirmed", 0)));
    pawl_json_set(row, "log_size", json_incref(json_object_get(commitment, "size")));
    pawl_json_set(row, "root", json_incref(json_object_get(commitment, "root")));
}

/* One that is still open and about another promotion will not be answered; its cases are spent. */
static void interrupt_open(const struct pawl_vault *vault)
{
    int64_t last = confirmations(vault);
    if (last > 0 && is_open(vault, last))
        pawl_json_set(entry_of(vault, last), "answer", json_string("interrupted"));
}

static enum pawl_status register_new(struct pawl_vault_asked *asked,
                                     const struct question *question, const json_t *ready,
                                     struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    json_t *row = asked->row = json_object();
    put_question(row, vault, question, confirmations(vault) + 1);
    make_order(asked);
    PAWL_TRY(check_size(&asked->order, pawl_json_get_real(row, "level", 1), err));
    pawl_json_set(row, "n_planned", json_integer((json_int_t)asked->order.n));
    pawl_json_set(row, "clusters", json_integer((json_int_t)asked->order.n_clusters));
    pawl_json_set(row, "largest_cluster", json_integer(largest_of(&asked->order)));
    interrupt_open(vault);
    if (json_object_get(vault->state, "confirmations") == NULL)
        pawl_json_set(vault->state, "confirmations", json_array());
    json_array_append_new(json_object_get(vault->state, "confirmations"),
                          json_pack("{s:i, s:I, s:s}", "version", 0, "attempt",
                                    (json_int_t)question->attempt, "answer", "open"));
    pawl_json_set(vault->state, "confirmed", json_incref(json_object_get(row, "log_size")));
    return start(asked, ready, question->pace_us, err);
}

/* --- measuring --------------------------------------------------------------------------------------- */

static enum pawl_status no_tick(void *context, int *wait_ms, struct pawl_error *err)
{
    (void)context, (void)err;
    *wait_ms = -1;
    return PAWL_OK;
}

/* A gate of one planned look sees every case before it says anything; what it says is not asked. */
static enum pawl_status measure(struct pawl_vault_asked *asked, int parallel,
                                const char **undecided, struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    struct pawl_gate_plan plan = plan_of(asked->row);
    struct pawl_gate gate;
    struct pawl_guards none = {0};
    plan.look = PAWL_LOOK_FIXED;
    PAWL_TRY(pawl_gate_init(&gate, &plan, &vault->arena, err));
    struct pawl_vault_measure measure = {.worker = vault->worker,
                                         .keys = &vault->keys,
                                         .set = &asked->set,
                                         .order = &asked->order,
                                         .metric = asked->metric,
                                         .gate = &gate,
                                         .guards = &none,
                                         .n_arms = 2,
                                         .scores.width = PAWL_VAULT_WIDTH,
                                         .arena = &vault->arena,
                                         .attempt = -number_of(asked),
                                         .samples = (int64_t)plan.samples,
                                         .parallel = parallel};
    PAWL_TRY(pawl_vault_measure(&measure, no_tick, NULL, err));
    asked->scores = measure.scores;
    *undecided = measure.undecided;
    return PAWL_OK;
}

/* Feed what was seen, cluster by cluster. */
static enum pawl_status judge(struct pawl_vault_asked *asked, struct pawl_confirm *confirm,
                              struct pawl_error *err)
{
    struct pawl_gate_plan plan = plan_of(asked->row);
    const struct pawl_vault_order *order = &asked->order;
    struct pawl_arena *arena = &asked->vault->arena;
    double *incumbent = PAWL_NEW_N(arena, double, plan.largest_cluster);
    double *candidate = PAWL_NEW_N(arena, double, plan.largest_cluster);
    size_t from = 0;
    PAWL_TRY(pawl_confirm_init(confirm, &plan, err));
    for (size_t g = 0; g < order->n_clusters; from = order->ends[g++]) {
        size_t n = order->ends[g] - from;
        for (size_t i = 0; i < n; i++) {
            struct pawl_guard_case seen;
            pawl_vault_scores_case(&asked->scores, from + i, &seen);
            incumbent[i] = seen.missing ? 0 : seen.values[PAWL_ARM_INCUMBENT][PAWL_MEASURE_SCORE];
            candidate[i] = seen.missing ? 0 : seen.values[PAWL_ARM_CANDIDATE][PAWL_MEASURE_SCORE];
        }
        PAWL_TRY(pawl_confirm_observe(confirm, candidate, incumbent, n, err));
    }
    return PAWL_OK;
}

/* --- the statement ------------------------------------------------------------------------------------- */

static void evidence_root(struct pawl_vault_asked *asked, const struct pawl_confirm *confirm,
                          char hex[PAWL_HASH_HEX])
{
    json_t *evidence =
        json_pack("{s:O, s:O, s:O}", "confirmation", json_object_get(asked->row, "confirmation"),
                  "candidate", json_object_get(asked->row, "candidate"), "incumbent",
                  json_object_get(asked->row, "incumbent"));
    pawl_json_set(
        evidence, "cases",
        pawl_vault_evidence_cases(&asked->set, &asked->order, &asked->scores, asked->row));
    pawl_json_set(evidence, "confirm", pawl_confirm_evidence_json(confirm));
    pawl_vault_evidence_root(asked->vault, -number_of(asked), evidence, hex);
    json_decref(evidence);
}

static json_t *statement_of(struct pawl_vault_asked *asked, const struct pawl_confirm *confirm,
                            int64_t released_ms, const struct pawl_signer *signer)
{
    static const char *const said[] = {
        "confirmation", "attempt",     "epoch",           "candidate", "incumbent",  "alpha",
        "level",        "samples",     "largest_cluster", "clusters",  "n_planned",  "spent",
        "metric",       "metric_hash", "program",         "models",    "confinement"};
    struct pawl_vault *vault = asked->vault;
    char root[PAWL_HASH_HEX];
    evidence_root(asked, confirm, root);
    json_t *out = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:I, s:s, s:{s:O, s:O}}", "schema",
        PAWL_STATEMENT_SCHEMA, "kind", "confirmation", "vault", vault->id, "public_key",
        signer->public_hex, "answer", pawl_confirm_answer_name(pawl_confirm_answer_of(confirm)),
        "guarantee", guarantee, "unit", pawl_gate_unit_name(confirm->unit), "evidence_root", root,
        "threshold", 1 / confirm->plan.level, "released_ms", (json_int_t)released_ms, "custody",
        pawl_vault_custody_said(vault), "commitment", "root", json_object_get(asked->row, "root"),
        "size", json_object_get(asked->row, "log_size"));
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        pawl_json_set(out, said[i], json_incref(json_object_get(asked->row, said[i])));
    json_t *timing = json_object_get(asked->row, "timing_channel");
    if (timing != NULL) pawl_json_set(out, "timing_channel", json_incref(timing));
    return out;
}

static void sign(struct pawl_vault_asked *asked, const struct pawl_confirm *confirm,
                 int64_t released_ms)
{
    struct pawl_signer signer;
    char signature[PAWL_SIGNATURE_HEX];
    pawl_signer_init(&signer, asked->vault->keys.sign);
    json_t *statement = statement_of(asked, confirm, released_ms, &signer);
    pawl_statement_sign(&signer, statement, signature);
    sodium_memzero(&signer, sizeof signer);
    pawl_json_set(asked->row, "statement", statement);
    pawl_json_set(asked->row, "signature", json_string(signature));
}

/* --- the whole -------------------------------------------------------------------------------------------- */

/* The first of D, 2D, 4D ... that is still to come. */
static int64_t release_ms(const json_t *row)
{
    int64_t started_ms = pawl_json_get_int(row, "started_ms", 0);
    int64_t duration_ms = pawl_json_get_int(row, "duration_ms", 0), point = PAWL_VAULT_POINTS;
    while (started_ms + pawl_vault_point_ms(duration_ms, point) <= pawl_clock_now_ms()) point++;
    return started_ms + pawl_vault_point_ms(duration_ms, point);
}

static enum pawl_status answer_now(struct pawl_vault_asked *asked, int parallel,
                                   struct pawl_error *err)
{
    struct pawl_confirm confirm;
    const char *undecided;
    PAWL_TRY(measure(asked, parallel, &undecided, err));
    int64_t moment_ms = release_ms(asked->row);
    if (undecided != NULL) {
        PAWL_TRY(pawl_vault_sleep_until(asked, moment_ms, err));
        pawl_fail(err, PAWL_EUNDECIDED, "Confirmation %lld is undecided: %s",
                  (long long)number_of(asked), undecided);
        pawl_hint(err, "Its cases are kept for it: when model and network work again, run `pawl "
                       "confirm` once more.");
        return PAWL_EUNDECIDED;
    }
    PAWL_TRY(judge(asked, &confirm, err));
    sign(asked, &confirm, moment_ms);
    PAWL_TRY(pawl_vault_sleep_until(asked, moment_ms, err));
    pawl_json_set(entry_of(asked->vault, number_of(asked)), "answer",
                  json_string(pawl_confirm_answer_name(pawl_confirm_answer_of(&confirm))));
    pawl_json_set(asked->vault->state, "last_ms", json_integer(moment_ms));
    return save(asked, err);
}

static enum pawl_status ask_anew(struct pawl_vault_asked *asked, const struct question *question,
                                 const json_t *request, struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    json_t *ready, *program;
    PAWL_TRY(pawl_metric_open(vault->worker->config.metric, vault->worker->project_dir,
                              &asked->metric, err));
    PAWL_TRY(pawl_vault_identify_program(asked, &program, err));
    json_decref(program);
    PAWL_TRY(pawl_vault_load_arms(vault->worker, json_object_get(request, "incumbent"),
                                  json_object_get(request, "candidate"), NULL, &ready, err));
    int64_t parallel = pawl_json_get_int(ready, "parallel", 1);
    enum pawl_status status = pawl_vault_set_load(vault, &asked->set, err);
    if (status == PAWL_OK && asked->row != NULL) {
        make_order(asked);
        status = start(asked, ready, question->pace_us, err);
    } else if (status == PAWL_OK) {
        status = register_new(asked, question, ready, err);
    }
    json_decref(ready);
    PAWL_TRY(status);
    return answer_now(asked, parallel < INT16_MAX ? (int)parallel : INT16_MAX, err);
}

static enum pawl_status answer(struct pawl_vault_asked *asked, const json_t *request, json_t **done,
                               struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    struct question question;
    PAWL_TRY(read_question(vault, request, &question, err));
    PAWL_TRY(check_recorded(vault, pawl_json_get_int(request, "recorded", 0), err));
    int64_t k = find_confirmation(vault, question.attempt);
    bool stored = k > 0 && !is_open(vault, k);
    /* What is open may be gone on with in its own epoch only: its cases have retired since. */
    if (k > 0) PAWL_TRY(read_row(vault, PAWL_VAULT_ROW_CONFIRMATION, k, &asked->row, err));
    if (!stored && k > 0 && pawl_json_get_int(asked->row, "epoch", 0) != pawl_vault_epoch(vault)) {
        json_decref(asked->row);
        asked->row = NULL;
    }
    if (!stored) PAWL_TRY(check_reserve(vault, err));
    if (!stored) PAWL_TRY(ask_anew(asked, &question, request, err));
    *done = json_pack("{s:O, s:O, s:b}", "statement", json_object_get(asked->row, "statement"),
                      "signature", json_object_get(asked->row, "signature"), "stored", stored);
    return PAWL_OK;
}

enum pawl_status pawl_vault_confirm(struct pawl_worker *worker, const json_t *request,
                                    json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_asked asked = {.vault = &vault, .scores.width = PAWL_VAULT_WIDTH};
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) status = answer(&asked, request, done, err);
    json_decref(asked.row);
    if (asked.metric != NULL) pawl_metric_close(asked.metric);
    pawl_vault_set_release(&asked.set);
    pawl_vault_release(&vault);
    return status;
}
