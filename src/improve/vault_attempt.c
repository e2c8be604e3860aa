/*
 * An attempt until its first sealed case: has it been asked before, may it be asked, and the
 * registration that makes it spent.
 *
 *   asked before       same candidate, or same dev outputs, against the same incumbent, under the
 *                      same metric, program and models, of these sealed cases: the stored statement,
 *                      whatever came since
 *   left unfinished    the same question with no release point passed: the same attempt, again
 *                      from the start; anything else closes it as interrupted
 *   new                attempt number k, durable before the sealed side sees a case
 */
#include "improve/vault.h"

#include "artifact/artifact.h"
#include "base/clock.h"
#include "evaluate/metric.h"
#include "program/program.h"

#include <stdlib.h>

enum {
    RUN_MAX = 128,
    IDENTITY_MAX = 128,
    MODELS_MAX = 3,
    PACE_MAX_US = 600 * 1000 * 1000,
};

/* --- the question ------------------------------------------------------------------------------------ */

struct question {
    const struct pawl_artifact *candidate, *incumbent;
    const struct pawl_artifact *anchor; /* NULL without guards */
    const char *behaviour;              /* hex, or "" */
    const char *run;                    /* or NULL */
    int64_t pace_us;
    char context[PAWL_HASH_HEX];
};

/* Guards compare with the anchor, too. */
static enum pawl_status read_anchor(struct pawl_vault *vault, const json_t *request,
                                    struct question *question, struct pawl_error *err)
{
    struct pawl_artifact *anchor;
    const json_t *said = json_object_get(request, "anchor");
    if (vault->worker->config.gate.n_guards == 0) return PAWL_OK;
    if (said == NULL)
        return pawl_fail(err, PAWL_EUSAGE, "An attempt under guards names the anchor.");
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, said, &anchor, err));
    question->anchor = anchor;
    return PAWL_OK;
}

static enum pawl_status read_question(struct pawl_vault *vault, const json_t *request,
                                      struct question *question, struct pawl_error *err)
{
    struct pawl_artifact *candidate, *incumbent;
    struct pawl_hash behaviour;
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, json_object_get(request, "candidate"),
                                     &candidate, err));
    PAWL_TRY(pawl_artifact_from_json(&vault->arena, json_object_get(request, "incumbent"),
                                     &incumbent, err));
    *question = (struct question){.candidate = candidate,
                                  .incumbent = incumbent,
                                  .behaviour = pawl_json_get_text(request, "behaviour", ""),
                                  .run = pawl_json_get_text(request, "run", NULL),
                                  .pace_us = pawl_json_get_int(request, "pace_us", 0)};
    if (strcmp(candidate->hex, incumbent->hex) == 0)
        return pawl_fail(err, PAWL_EUSAGE, "The candidate is the incumbent already.");
    if (question->behaviour[0] != '\0' &&
        !pawl_hash_from_hex(pawl_str_of(question->behaviour), &behaviour))
        return pawl_fail(err, PAWL_EUSAGE, "The behaviour of a candidate is a SHA-256 in hex.");
    if (question->run != NULL && strlen(question->run) > RUN_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "The id of a run has at most %d bytes.", RUN_MAX);
    if (question->pace_us < 0 || question->pace_us > PACE_MAX_US)
        return pawl_fail(err, PAWL_EUSAGE, "The pace of an evaluation is 0 to %d microseconds.",
                         PACE_MAX_US);
    return read_anchor(vault, request, question, err);
}

static void hash_of_json(const json_t *value, char hex[PAWL_HASH_HEX])
{
    struct pawl_hash hash = pawl_hash_json(value);
    pawl_hash_hex(&hash, hex);
}

static json_t *section(const json_t *value)
{
    return value != NULL ? json_incref((json_t *)value) : json_null();
}

static void metric_hex(const struct pawl_metric *metric, char hex[PAWL_HASH_HEX])
{
    struct pawl_hash identity;
    pawl_metric_identity(metric, &identity);
    pawl_hash_hex(&identity, hex);
}

enum pawl_status pawl_vault_identify_program(struct pawl_vault_asked *asked, json_t **identity,
                                             struct pawl_error *err)
{
    const struct pawl_worker *worker = asked->vault->worker;
    const struct pawl_program_settings settings = {.program = worker->config.program,
                                                   .project_dir = worker->project_dir};
    PAWL_TRY(pawl_program_identity(&settings, identity, err));
    hash_of_json(*identity, asked->program);
    return PAWL_OK;
}

/* A stored answer holds under the metric, program, models, samples and guards that it was measured
 * with. */
static enum pawl_status set_context(struct pawl_vault_asked *asked, struct question *question,
                                    struct pawl_error *err)
{
    const struct pawl_worker *worker = asked->vault->worker;
    json_t *program;
    char hex[PAWL_HASH_HEX];
    PAWL_TRY(pawl_vault_identify_program(asked, &program, err));
    metric_hex(asked->metric, hex);
    json_t *context =
        json_pack("{s:s, s:I}", "metric", hex, "samples", (json_int_t)worker->config.gate.samples);
    pawl_json_set(context, "program", program);
    pawl_json_set(context, "models", section(worker->config.models));
    pawl_json_set(context, "roles", section(worker->config.roles));
    if (question->anchor != NULL) {
        pawl_json_set(context, "guards", section(worker->config.gate.guards));
        pawl_json_set(context, "anchor", json_string(question->anchor->hex));
    }
    hash_of_json(context, question->context);
    json_decref(context);
    return PAWL_OK;
}

/* --- asked before -------------------------------------------------------------------------------------- */

static enum pawl_status read_row(struct pawl_vault *vault, int64_t k, json_t **row,
                                 struct pawl_error *err)
{
    struct pawl_str text;
    PAWL_TRY(pawl_vault_read(vault, PAWL_VAULT_ROW_ATTEMPT, (uint64_t)k, &text, err));
    return pawl_json_parse(text, text.len, row, err);
}

static bool same_text(const json_t *row, const char *key, const char *value)
{
    return strcmp(pawl_json_get_text(row, key, ""), value) == 0;
}

static bool same_ground(const json_t *row, const struct question *question)
{
    return same_text(row, "incumbent", question->incumbent->hex) &&
           same_text(row, "context", question->context);
}

static bool same_question(const json_t *row, const struct question *question)
{
    bool alike = question->behaviour[0] != '\0' && same_text(row, "behaviour", question->behaviour);
    return same_ground(row, question) &&
           (alike || same_text(row, "candidate", question->candidate->hex));
}

static bool is_decided(const struct pawl_vault *vault, int64_t k)
{
    const char *verdict = pawl_vault_verdict(vault, k);
    return strcmp(verdict, "promote") == 0 || strcmp(verdict, "no") == 0;
}

/* Gives the row of the attempt that answered this question (new reference), or NULL. */
static enum pawl_status find_stored(struct pawl_vault *vault, const struct question *question,
                                    json_t **found, struct pawl_error *err)
{
    *found = NULL;
    for (int64_t k = pawl_vault_attempts(vault); k > pawl_vault_since(vault); k--) {
        json_t *row;
        if (!is_decided(vault, k)) continue;
        PAWL_TRY(read_row(vault, k, &row, err));
        if (same_question(row, question)) {
            *found = row;
            return PAWL_OK;
        }
        json_decref(row);
    }
    return PAWL_OK;
}

/* --- left unfinished ------------------------------------------------------------------------------------- */

/* Gives the row of an attempt to be measured again (new reference), or NULL. One that cannot be is
 * closed, to become durable with the next registration. */
static enum pawl_status find_open(struct pawl_vault *vault, const struct question *question,
                                  json_t **found, struct pawl_error *err)
{
    int64_t k = pawl_vault_attempts(vault);
    *found = NULL;
    if (k == pawl_vault_before(vault) || strcmp(pawl_vault_verdict(vault, k), "open") != 0)
        return PAWL_OK;
    json_t *row;
    PAWL_TRY(read_row(vault, k, &row, err));
    if (pawl_json_get_int(row, "points", 1) == 0 && same_ground(row, question) &&
        same_text(row, "candidate", question->candidate->hex)) {
        *found = row;
        return PAWL_OK;
    }
    json_decref(row);
    pawl_vault_interrupt(vault);
    return PAWL_OK;
}

static enum pawl_status check_allowed(const struct pawl_vault *vault, struct pawl_error *err)
{
    if (!pawl_json_get_bool(vault->state, "epoch_open", false)) {
        pawl_fail(err, PAWL_EUSAGE,
                  "The audit view was opened, or sealed cases were scored with --burn: this sealed "
                  "set takes no more attempts.");
        pawl_hint(err, "Who has seen sealed results cannot be tested on them; `pawl rotate` draws "
                       "fresh cases.");
        return PAWL_EUSAGE;
    }
    return PAWL_OK;
}

/* Store and counter may both have been put back; the ledger then knows more attempts than we do. */
static enum pawl_status check_recorded(const struct pawl_vault *vault, int64_t recorded,
                                       struct pawl_error *err)
{
    if (recorded <= pawl_vault_attempts(vault)) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY,
              "The ledger records attempt %lld, and the vault knows only %lld: the vault and its "
              "counter were put back.",
              (long long)recorded, (long long)pawl_vault_attempts(vault));
    pawl_hint(err, "An attempt cannot be taken back. Restore the newest .pawl/sealed/vault.db and "
                   "counter, or start over with fresh cases.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status check_left(const struct pawl_vault *vault, struct pawl_error *err)
{
    bool worn = pawl_vault_promotions_left(vault) == 0;
    if (!worn) PAWL_TRY(pawl_vault_check_draw(vault, err));
    if (!worn && pawl_vault_attempts_left(vault) > 0) return PAWL_OK;
    if (worn)
        pawl_fail(
            err, PAWL_EBUDGET,
            "This sealed set has promoted %lld times, and tells no more (gate.max_promotions).",
            (long long)vault->worker->config.gate.max_promotions);
    else
        pawl_fail(err, PAWL_EBUDGET, "All %lld attempts on this sealed set are spent.",
                  (long long)(pawl_vault_attempts(vault) - pawl_vault_since(vault)));
    pawl_hint(err,
              "Attempts count over the life of a sealed set; `pawl rotate` draws fresh cases.");
    return PAWL_EBUDGET;
}

/* A rotation that came between the question and its arrival. */
static enum pawl_status check_epoch(const struct pawl_vault *vault, int64_t epoch,
                                    struct pawl_error *err)
{
    if (epoch == 0 || epoch == pawl_vault_epoch(vault)) return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD, "The sealed set was rotated while this was asked.");
    pawl_hint(err, "Run the command again; no attempt was spent.");
    return PAWL_EWORLD;
}

/* --- registration ------------------------------------------------------------------------------------------ */

/* Identities by role; a long one by its hash, so that a statement fits its row. */
static json_t *models_of(const json_t *ready)
{
    const char *role;
    json_t *identity, *out = json_object();
    json_object_foreach((json_t *)json_object_get(ready, "models"), role, identity)
    {
        char hex[PAWL_HASH_HEX];
        if (json_object_size(out) >= MODELS_MAX || strlen(role) > IDENTITY_MAX) break;
        bool is_short = json_is_string(identity) && json_string_length(identity) <= IDENTITY_MAX;
        hash_of_json(identity, hex);
        pawl_json_set(out, role, is_short ? json_incref(identity) : json_string(hex));
    }
    return out;
}

static void put_question(json_t *row, const struct question *question)
{
    pawl_json_set(row, "candidate", json_string(question->candidate->hex));
    pawl_json_set(row, "incumbent", json_string(question->incumbent->hex));
    pawl_json_set(row, "behaviour", json_string(question->behaviour));
    pawl_json_set(row, "context", json_string(question->context));
    pawl_json_set(row, "run", question->run != NULL ? json_string(question->run) : json_null());
    pawl_json_set(row, "pace_us", json_integer(question->pace_us));
}

static void put_plan(json_t *row, const struct pawl_vault_plan *plan)
{
    pawl_json_set(row, "policy", json_string(plan->policy->name));
    pawl_json_set(row, "look", json_string(pawl_gate_look_name(plan->look)));
    pawl_json_set(row, "alpha", json_real(plan->alpha));
    pawl_json_set(row, "level", json_real(plan->level));
    pawl_json_set(row, "log_histories", json_real(plan->log_histories));
}

void pawl_vault_put_subject(json_t *row, struct pawl_vault_asked *asked, const json_t *ready)
{
    const struct pawl_worker *worker = asked->vault->worker;
    char hex[PAWL_HASH_HEX];
    const char *confinement = pawl_json_get_text(ready, "confinement", "unknown");
    metric_hex(asked->metric, hex);
    pawl_json_set(row, "metric", json_string(pawl_metric_name(asked->metric)));
    pawl_json_set(row, "metric_hash", json_string(hex));
    pawl_json_set(row, "binary", json_boolean(pawl_metric_is_binary(asked->metric)));
    pawl_json_set(row, "program", json_string(asked->program));
    pawl_json_set(row, "models", models_of(ready));
    pawl_json_set(row, "confinement",
                  json_string(strlen(confinement) <= IDENTITY_MAX ? confinement : "unknown"));
    const char *timing =
        pawl_statement_timing(json_object_get(ready, "served_here"), &asked->vault->arena);
    if (timing != NULL) pawl_json_set(row, "timing_channel", json_string(timing));
    pawl_json_set(row, "samples", json_integer(worker->config.gate.samples));
}

/* What it is asked of: the sealed cases that there are now, also if more come, or a draw of them. */
static void put_cases(json_t *row, struct pawl_vault_asked *asked)
{
    const json_t *commitment = json_object_get(asked->vault->state, "commitment");
    int64_t size = pawl_json_get_int(commitment, "size", 0);
    pawl_vault_order_draw(asked->vault, &asked->set, (size_t)size, pawl_vault_draw(asked->vault),
                          &asked->order);
    pawl_json_set(row, "log_size", json_integer(size));
    pawl_json_set(row, "root", json_incref(json_object_get(commitment, "root")));
    pawl_json_set(row, "n_planned", json_integer((json_int_t)asked->order.n));
    pawl_json_set(row, "clusters", json_integer((json_int_t)asked->order.n_clusters));
    pawl_vault_traps_register(asked);
}

int64_t pawl_vault_duration_ms(int64_t n_cases, size_t arms, int64_t samples, int64_t pace_us)
{
    double answers = (double)n_cases * (double)arms * (double)samples;
    double work_s = answers * (double)pace_us * 1e-6 * 1.5 + 2;
    int64_t whole_s = (int64_t)work_s;
    return 1000 * (whole_s + ((double)whole_s < work_s));
}

/* The clock of an attempt starts when it is registered, and again when it is measured again. */
static enum pawl_status start(struct pawl_vault_asked *asked, struct pawl_error *err)
{
    json_t *row = asked->row;
    pawl_json_set(row, "points", json_integer(0));
    pawl_json_set(row, "started_ms", json_integer(pawl_clock_now_ms()));
    pawl_json_set(row, "duration_ms",
                  json_integer(pawl_vault_duration_ms(
                      pawl_json_get_int(row, "n_planned", 0) + pawl_vault_traps_planned(row),
                      pawl_vault_arms(row), pawl_json_get_int(row, "samples", 1),
                      pawl_json_get_int(row, "pace_us", 0))));
    return pawl_vault_asked_save(asked, err);
}

static enum pawl_status register_new(struct pawl_vault_asked *asked,
                                     const struct question *question, const json_t *ready,
                                     struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    struct pawl_vault_plan plan;
    PAWL_TRY(pawl_vault_plan_next(vault, &plan, err));
    asked->row = json_pack("{s:I}", "attempt", (json_int_t)pawl_vault_attempts(vault) + 1);
    put_question(asked->row, question);
    put_plan(asked->row, &plan);
    pawl_vault_put_subject(asked->row, asked, ready);
    put_cases(asked->row, asked);
    PAWL_TRY(pawl_vault_guards_register(
        asked, question->anchor != NULL ? question->anchor->hex : "", err));
    json_array_append_new(json_object_get(vault->state, "attempts"),
                          json_pack("{s:i, s:s}", "version", 0, "verdict", "open"));
    json_t *rule = json_pack("{s:f, s:s, s:s}", "alpha", plan.alpha, "policy", plan.policy->name,
                             "look", pawl_gate_look_name(plan.look));
    if (plan.draw > 0) pawl_json_set(rule, "draw", json_integer(plan.draw));
    if (question->anchor != NULL)
        pawl_json_set(rule, "guards", pawl_vault_guards_configured(vault));
    pawl_json_set(vault->state, "rule", rule);
    return start(asked, err);
}

static enum pawl_status start_again(struct pawl_vault_asked *asked, const json_t *ready,
                                    struct pawl_error *err)
{
    pawl_vault_put_subject(asked->row, asked, ready);
    pawl_vault_order_of(asked->vault, &asked->set, asked->row, &asked->order);
    return start(asked, err);
}

/* --- the whole -------------------------------------------------------------------------------------------- */

static json_t *answer_of(const json_t *row, bool stored)
{
    return json_pack("{s:O, s:O, s:b}", "statement", json_object_get(row, "statement"), "signature",
                     json_object_get(row, "signature"), "stored", stored);
}

/* Whether the anchor needs an arm of its own. */
static bool is_apart(const struct question *question)
{
    return question->anchor != NULL &&
           strcmp(question->anchor->hex, question->incumbent->hex) != 0 &&
           strcmp(question->anchor->hex, question->candidate->hex) != 0;
}

static enum pawl_status ask_anew(struct pawl_vault_asked *asked, const struct question *question,
                                 const json_t *request, struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    json_t *ready;
    PAWL_TRY(check_recorded(vault, pawl_json_get_int(request, "recorded", 0), err));
    PAWL_TRY(check_allowed(vault, err));
    PAWL_TRY(find_open(vault, question, &asked->row, err));
    if (asked->row == NULL) PAWL_TRY(check_left(vault, err));
    if (asked->row == NULL) PAWL_TRY(pawl_vault_retire_draw(vault, err));
    PAWL_TRY(pawl_vault_load_arms(
        vault->worker, json_object_get(request, "incumbent"), json_object_get(request, "candidate"),
        is_apart(question) ? json_object_get(request, "anchor") : NULL, &ready, err));
    int64_t parallel = pawl_json_get_int(ready, "parallel", 1);
    enum pawl_status status = pawl_vault_set_load(vault, &asked->set, err);
    if (status == PAWL_OK)
        status = asked->row != NULL ? start_again(asked, ready, err)
                                    : register_new(asked, question, ready, err);
    json_decref(ready);
    PAWL_TRY(status);
    return pawl_vault_asked_answer(asked, parallel < INT16_MAX ? (int)parallel : INT16_MAX, err);
}

static enum pawl_status answer(struct pawl_vault_asked *asked, const json_t *request, json_t **done,
                               struct pawl_error *err)
{
    struct pawl_vault *vault = asked->vault;
    struct question question;
    json_t *stored;
    PAWL_TRY(read_question(vault, request, &question, err));
    PAWL_TRY(pawl_metric_open(vault->worker->config.metric, vault->worker->project_dir,
                              &asked->metric, err));
    PAWL_TRY(set_context(asked, &question, err));
    PAWL_TRY(check_epoch(vault, pawl_json_get_int(request, "epoch", 0), err));
    PAWL_TRY(find_stored(vault, &question, &stored, err));
    if (stored == NULL) PAWL_TRY(ask_anew(asked, &question, request, err));
    *done = answer_of(stored != NULL ? stored : asked->row, stored != NULL);
    json_decref(stored);
    return PAWL_OK;
}

/* What was asked goes to dev with its answer. Where that fails, whoever asks next does it. */
static enum pawl_status retire_used(struct pawl_vault *vault, enum pawl_status answered,
                                    json_t **done, struct pawl_error *err)
{
    struct pawl_error ignored = {0};
    if (answered == PAWL_EUNDECIDED && pawl_vault_retire_draw(vault, &ignored) != PAWL_OK)
        return answered;
    if (answered != PAWL_OK) return answered;
    enum pawl_status status = pawl_vault_retire_draw(vault, err);
    if (status == PAWL_OK) return PAWL_OK;
    json_decref(*done);
    *done = NULL;
    return status;
}

enum pawl_status pawl_vault_attempt(struct pawl_worker *worker, const json_t *request,
                                    json_t **done, struct pawl_error *err)
{
    struct pawl_vault vault;
    struct pawl_vault_asked asked = {.vault = &vault};
    enum pawl_status status = pawl_vault_open(worker, PAWL_VAULT_CHANGE, &vault, err);
    if (status == PAWL_OK) status = answer(&asked, request, done, err);
    status = retire_used(&vault, status, done, err);
    json_decref(asked.row);
    if (asked.metric != NULL) pawl_metric_close(asked.metric);
    pawl_vault_set_release(&asked.set);
    pawl_vault_release(&vault);
    return status;
}
