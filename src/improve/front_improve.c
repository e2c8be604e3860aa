/* improve: start or resume a run in the engine, relay its offer to the gate, record the end. */
#include "improve/front_improve.h"

#include "improve/front_confirm.h"

#include "base/clock.h"
#include "base/random.h"
#include "improve/protocol.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pawl_option improve_options[] = {
    PAWL_OPT_TEXT(
        struct pawl_improve_options, operator, NULL,
        "what proposes changes: bootstrap, gepa, mipro, simba, textgrad, placebo; auto: what suits "
        "program, data and budget; several with commas between: a chain, each of them gated; "
        "default: improve.operator of pawl.yaml"),
    PAWL_OPT_JSON(struct pawl_improve_options, set,
                  "a setting of the operator, KEY=VALUE (repeatable)"),
    PAWL_OPT_TEXT(struct pawl_improve_options, budget, NULL, "evaluations=N,usd=X,minutes=M"),
    PAWL_OPT_INT(struct pawl_improve_options, seed, "-1", -1, 9e15,
                 "seed of the run; -1: 0, or that of the run resumed"),
    PAWL_OPT_TEXT(struct pawl_improve_options, resume, NULL,
                  "go on with a paused run (RUN or last), under the options that it began with"),
    PAWL_OPT_TEXT(struct pawl_improve_options, fork, NULL,
                  "a new run that inherits another's candidates and paid answers"),
    PAWL_OPT_BOOL(
        struct pawl_improve_options, force, "false",
        "search although there is little to hope for: the gate has too few cases, or what "
        "the run starts from fails on every case"),
    PAWL_FRONT_WAIT_OPTION(struct pawl_improve_options),
    PAWL_OPT_BOOL(struct pawl_improve_options, confirm, "false",
                  "ask the vault tier's fresh cases about what is promoted (gate.confirm)"),
    {0}};

/* --- the run's row ------------------------------------------------------------------------------ */

static enum pawl_status take_head(void *context, const struct pawl_ledger_head *head,
                                  struct pawl_ledger_append *append, struct pawl_error *err)
{
    (void)err;
    append->record = NULL;
    *(struct pawl_ledger_head *)context = *head;
    return PAWL_OK;
}

/* Ids sort by age; in test mode they follow from the ledger, so that a repeated test is equal. */
static enum pawl_status new_run_id(struct pawl_project *project, char id[32], int64_t *now_ms,
                                   struct pawl_error *err)
{
    struct pawl_ledger_head head;
    unsigned char random[2];
    PAWL_TRY(pawl_store_ledger_append(project->store, take_head, &head, err));
    *now_ms = pawl_front_now_ms(project, &head);
    pawl_secret_bytes(random, sizeof random);
    if (project->test_mode)
        snprintf(id, 32, "%011llx%04llx", (unsigned long long)*now_ms,
                 (unsigned long long)(head.seq + 1) & 0xffff);
    else
        snprintf(id, 32, "%011llx%02x%02x", (unsigned long long)*now_ms, random[0], random[1]);
    return PAWL_OK;
}

/* Which operator a run gets, and why where that was left open. */
static enum pawl_status choose_operator(struct pawl_project *project,
                                        const struct pawl_improve_options *options,
                                        const struct pawl_improve_link *link,
                                        struct pawl_improve_choice *choice, struct pawl_error *err)
{
    struct pawl_improve_facts facts;
    *choice = (struct pawl_improve_choice){.operator= link->operator};
    if (strcmp(choice->operator, PAWL_OPERATOR_AUTO) != 0) return PAWL_OK;
    if (options->set != NULL) {
        pawl_fail(err, PAWL_EUSAGE, "A setting is one of an operator, and auto names none yet.");
        pawl_hint(err, "Leave --set out, or name the operator with --operator.");
        return PAWL_EUSAGE;
    }
    PAWL_TRY(pawl_improve_read_facts(project, &link->budget, &facts, err));
    *choice = pawl_improve_choose(&facts);
    return PAWL_OK;
}

/* Everything that the engine needs to run it, and to run it again. */
static enum pawl_status describe_run(struct pawl_call *call,
                                     const struct pawl_improve_options *options,
                                     const struct pawl_improve_link *link, json_t **out,
                                     struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    const struct pawl_config_improve *config = &project->config.improve;
    char id[32], incumbent[PAWL_HASH_HEX];
    int64_t now_ms;
    PAWL_TRY(pawl_front_pointer(project, "incumbent", incumbent, err));
    PAWL_TRY(new_run_id(project, id, &now_ms, err));
    struct pawl_improve_choice choice;
    PAWL_TRY(choose_operator(project, options, link, &choice, err));
    const char *name = choice.operator;
    /* Settings in pawl.yaml are for the operator named there. */
    bool configured = strcmp(name, config->operator_name) == 0;
    json_t *settings =
        configured && config->options != NULL ? json_deep_copy(config->options) : json_object();
    enum pawl_status status = pawl_improve_read_settings(settings, options->set, err);
    if (status != PAWL_OK) {
        json_decref(settings);
        return status;
    }
    json_t *run =
        json_pack("{s:s, s:s, s:o, s:I, s:o, s:b, s:s}", "id", id, "operator", name, "options",
                  settings, "seed", (json_int_t)(options->seed >= 0 ? options->seed : 0), "budget",
                  pawl_improve_budget_json(&link->budget), "dev_check", config->dev_check,
                  "started_from", incumbent);
    pawl_json_set(run, "texts",
                  configured && config->texts != NULL ? json_incref((json_t *)config->texts)
                                                      : json_object());
    if (choice.because[0] != '\0') pawl_json_set(run, "because", json_string(choice.because));
    if (link->chain != NULL) pawl_json_set(run, "chain", json_deep_copy(link->chain));
    pawl_json_set(run, "forked_from",
                  options->fork != NULL ? json_string(options->fork) : json_null());
    *out = json_pack("{s:s, s:s, s:I, s:o}", "id", id, "state", "running", "started_ms",
                     (json_int_t)now_ms, "run", run);
    return PAWL_OK;
}

/* The link before this one, if there is one, names it: it is not begun again. */
static enum pawl_status name_next(struct pawl_project *project, const json_t *row,
                                  struct pawl_error *err)
{
    const json_t *links =
        json_object_get(json_object_get(json_object_get(row, "run"), "chain"), "links");
    json_t *before;
    for (size_t i = json_array_size(links); i-- > 0;) {
        const char *id = pawl_json_get_text(json_array_get(links, i), "run", "");
        if (id[0] == '\0') continue; /* it could not begin */
        PAWL_TRY(pawl_store_run_get(project->store, id, &before, err));
        pawl_json_set(before, "next", json_incref(json_object_get(row, "id")));
        enum pawl_status status = pawl_store_run_put(project->store, id, before, err);
        json_decref(before);
        return status;
    }
    return PAWL_OK;
}

static enum pawl_status record_start(struct pawl_project *project, json_t *row, int64_t version,
                                     struct pawl_error *err)
{
    const json_t *run = json_object_get(row, "run");
    const char *id = pawl_json_get_text(row, "id", "");
    json_t *body = json_pack("{s:s, s:O, s:O, s:O, s:O, s:I}", "run", id, "operator",
                             json_object_get(run, "operator"), "seed", json_object_get(run, "seed"),
                             "budget", json_object_get(run, "budget"), "started_from",
                             json_object_get(run, "started_from"), "version", (json_int_t)version);
    struct pawl_ledger_entry entry = {.kind = "run", .body = body};
    enum pawl_status status = pawl_store_run_put(project->store, id, row, err);
    if (status == PAWL_OK) status = name_next(project, row, err);
    if (status == PAWL_OK) status = pawl_ledger_append(project, &entry, err);
    json_decref(body);
    return status;
}

static enum pawl_status find_row(struct pawl_project *project, const char *name, json_t **row,
                                 struct pawl_error *err)
{
    char id[PAWL_HASH_HEX];
    PAWL_TRY(pawl_store_run_find(project->store, name, id, err));
    return pawl_store_run_get(project->store, id, row, err);
}

/* Resolve --fork before a run is described, so that a wrong name costs nothing. */
static enum pawl_status open_row(struct pawl_call *call, struct pawl_improve_options *options,
                                 const struct pawl_improve_link *link, json_t **row,
                                 struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    if (options->resume != NULL) {
        PAWL_TRY(find_row(project, options->resume, row, err));
        return pawl_improve_check_resumed(options, json_object_get(*row, "run"), err);
    }
    if (options->fork != NULL) {
        char id[PAWL_HASH_HEX];
        PAWL_TRY(pawl_store_run_find(project->store, options->fork, id, err));
        options->fork = pawl_arena_strdup(&call->arena, id);
    }
    return describe_run(call, options, link, row, err);
}

/* --- what the engine asks ---------------------------------------------------------------------- */

struct offers {
    struct pawl_call *call;
    json_t *row;
    const char *run;
    int64_t wait_ms;
    bool is_recorded;  /* the run, in store and ledger */
    const char *note;  /* on the verdict, when that is stored; or NULL */
    json_t *statement; /* of the last attempt; NULL: none was made */
};

static enum pawl_status send_answer(struct pawl_front_worker *worker, json_t *content,
                                    struct pawl_error *err)
{
    json_t *answer = json_pack("{s:o}", "answer", content);
    enum pawl_status status = pawl_channel_send(worker->channel, answer, err);
    json_decref(answer);
    return status;
}

/* From when on it is recorded, an error too says which run it is about. */
static void name_run(struct offers *offers)
{
    pawl_json_set(offers->call->result, "run", json_incref(json_object_get(offers->row, "id")));
}

/* A run that could not even begin leaves no trace. */
static enum pawl_status answer_begin(struct offers *offers, struct pawl_front_worker *worker,
                                     const json_t *begun, struct pawl_error *err)
{
    int64_t version = pawl_json_get_int(begun, "version", 0);
    if (!offers->is_recorded)
        PAWL_TRY(record_start(offers->call->project, offers->row, version, err));
    offers->is_recorded = true;
    name_run(offers);
    return send_answer(worker, json_object(), err);
}

/* A verdict on another text that answers alike is not one on this: it is kept as a note alone. */
static enum pawl_status ask_gate(struct offers *offers, const struct pawl_offer *offer,
                                 bool *certified, struct pawl_error *err)
{
    json_t *statement;
    PAWL_TRY(pawl_front_attempt(offers->call, offer, &statement, err));
    enum pawl_status status = pawl_front_explain(offers->call, statement, offer->candidate,
                                                 certified, &offers->note, err);
    bool is_own = strcmp(pawl_json_get_text(statement, "candidate", ""), offer->candidate) == 0;
    if (is_own) {
        json_decref(offers->statement);
        offers->statement = json_incref(statement);
    }
    json_decref(statement);
    return status;
}

static enum pawl_status answer_offer(struct offers *offers, struct pawl_front_worker *worker,
                                     const json_t *offered, struct pawl_error *err)
{
    struct pawl_offer offer = {.candidate = pawl_json_get_text(offered, "candidate", ""),
                               .behaviour = pawl_json_get_text(offered, "behaviour", ""),
                               .pace_us = pawl_json_get_int(offered, "pace_us", 1000),
                               .run = offers->run,
                               .wait_ms = offers->wait_ms};
    bool certified;
    PAWL_TRY(ask_gate(offers, &offer, &certified, err));
    return send_answer(worker, json_pack("{s:b}", "promoted", certified), err);
}

static enum pawl_status answer_engine(void *context, struct pawl_front_worker *worker,
                                      const json_t *message, struct pawl_error *err)
{
    const json_t *offered = json_object_get(message, "offer");
    const json_t *begun = json_object_get(message, "begin");
    if (begun != NULL) return answer_begin(context, worker, begun, err);
    if (offered != NULL) return answer_offer(context, worker, offered, err);
    return pawl_fail(err, PAWL_EWORLD, "The engine said something unexpected.");
}

/* --- the end ------------------------------------------------------------------------------------ */

/* On resume the journal may answer the offer, so the statement is looked up in the ledger. */
static bool is_of_run(void *context, const json_t *body)
{
    const char *run = pawl_json_get_text(json_object_get(body, "statement"), "run", "");
    return strcmp(run, context) == 0;
}

/* An offer that got the stored verdict on another text was not promoted, and cost no attempt. */
static const char *verdict_of(const struct offers *offers, const json_t *done)
{
    bool paused = strcmp(pawl_json_get_text(done, "state", ""), "paused") == 0;
    bool offered = json_is_string(json_object_get(done, "offered"));
    if (offers->statement == NULL) return offered && !paused ? "no" : "none";
    return strcmp(pawl_json_get_text(offers->statement, "verdict", "no"), "promote") == 0
               ? "promote"
               : "no";
}

static void fill_result(const struct offers *offers, const json_t *done)
{
    static const char *const totals[] = {"best",   "evaluations", "tokens",        "usd",
                                         "wall_s", "candidates",  "resumed_steps", "dev",
                                         "ended",  "short_of"};
    const json_t *run = json_object_get(offers->row, "run"), *statement = offers->statement;
    json_t *result = offers->call->result;
    const char *verdict = verdict_of(offers, done);
    pawl_json_set(result, "run", json_incref(json_object_get(offers->row, "id")));
    pawl_json_set(result, "operator", json_incref(json_object_get(run, "operator")));
    if (json_object_get(run, "because") != NULL)
        pawl_json_set(result, "because", json_incref(json_object_get(run, "because")));
    pawl_json_set(result, "seed", json_incref(json_object_get(run, "seed")));
    pawl_json_set(result, "started_from", json_incref(json_object_get(run, "started_from")));
    pawl_json_set(result, "state", json_incref(json_object_get(done, "state")));
    pawl_json_set(result, "verdict", json_string(verdict));
    pawl_json_set(result, "note", offers->note != NULL ? json_string(offers->note) : json_null());
    pawl_json_set(result, "attempts", json_integer(statement != NULL ? 1 : 0));
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        json_t *value = json_object_get(done, totals[i]);
        if (value != NULL) pawl_json_set(result, totals[i], json_incref(value));
    }
    bool promoted = strcmp(verdict, "promote") == 0;
    pawl_json_set(result, "certificate",
                  promoted ? json_incref(json_object_get(statement, "candidate")) : json_null());
}

/* What the run had spent when it ended so. Said once: a finished run that is resumed ends as before. */
static enum pawl_status record_cost(struct pawl_call *call, const json_t *row, const json_t *done,
                                    struct pawl_error *err)
{
    json_t *records, *record, *known = NULL;
    size_t i;
    json_t *body =
        json_pack("{s:O, s:O, s:O, s:O}", "run", json_object_get(row, "id"), "state",
                  json_object_get(done, "state"), "evaluations",
                  json_object_get(done, "evaluations"), "usd", json_object_get(done, "usd"));
    enum pawl_status status = pawl_ledger_records(call->project->store, &records, err);
    json_array_foreach(records, i, record)
    {
        json_t *other = json_object_get(record, "body");
        bool is_end = strcmp(pawl_json_get_text(record, "kind", ""), "end") == 0;
        if (is_end && json_equal(json_object_get(other, "run"), json_object_get(row, "id")))
            known = other;
    }
    struct pawl_ledger_entry entry = {.kind = "end", .body = body};
    if (status == PAWL_OK && !(known != NULL && json_equal(known, body)))
        status = pawl_ledger_append(call->project, &entry, err);
    json_decref(records);
    json_decref(body);
    return status;
}

/* The ledger first: a run that was killed in between is resumed, and ends as it did. */
static enum pawl_status record_end(struct pawl_call *call, json_t *row, const json_t *done,
                                   struct pawl_error *err)
{
    bool paused = strcmp(pawl_json_get_text(done, "state", ""), "paused") == 0;
    PAWL_TRY(record_cost(call, row, done, err));
    pawl_json_set(row, "state", json_string(paused ? "paused" : "finished"));
    pawl_json_set(row, "result", json_deep_copy(call->result));
    return pawl_store_run_put(call->project->store, pawl_json_get_text(row, "id", ""), row, err);
}

/* What to do about an error stays said; that the run waits meanwhile is added where it fits. */
static void name_way_on(const char *run, struct pawl_error *err)
{
    char way[80], hint[sizeof err->hint];
    if (err == NULL) return;
    int n = snprintf(way, sizeof way, "o on with: pawl improve --resume %s", run);
    snprintf(hint, sizeof hint, "%s", err->hint);
    if (hint[0] == '\0')
        pawl_hint(err, "G%s", way);
    else if (strlen(hint) + (size_t)n + sizeof " Then g" <= sizeof hint)
        pawl_hint(err, "%s Then g%s", hint, way);
}

/* Those that pass, or that a person mends from outside. What is wrong in the project itself would make
 * another run of this one, and resuming only meets it again. */
static bool can_resume_cure(enum pawl_status status)
{
    return status == PAWL_EWORLD || status == PAWL_EPAUSED || status == PAWL_EUNDECIDED;
}

/* promote 0; no 1; nothing to offer 1, or 3 when the budget was the reason; paused 130 or 6. */
static enum pawl_status status_of_end(const json_t *done, const char *verdict, const char *run,
                                      struct pawl_error *err)
{
    const char *state = pawl_json_get_text(done, "state", "");
    if (strcmp(state, "paused") == 0) {
        json_t *reason = json_object_get(done, "error");
        enum pawl_status status = PAWL_EPAUSED;
        if (json_is_object(reason))
            status = pawl_error_from_json(done, err);
        else
            pawl_fail(err, PAWL_EPAUSED, "The run %s is paused.", run);
        name_way_on(run, err);
        return status;
    }
    if (strcmp(verdict, "promote") == 0) return PAWL_OK;
    if (strcmp(verdict, "none") == 0 && strcmp(state, "budget") == 0) {
        const char *unit = pawl_json_get_text(done, "short_of", "evaluations");
        bool tried = strcmp(pawl_json_get_text(done, "ended", ""), "no_candidate") != 0;
        pawl_fail(err, PAWL_EBUDGET, "The budget of %s %s.", unit,
                  tried ? "was too small to make an offer" : "ended before a candidate was tried");
        pawl_hint(err, "Give more with --budget %s=N, or a smaller search.", unit);
        return PAWL_EBUDGET;
    }
    return PAWL_ENOTPROMOTED;
}

/* --- the verb ------------------------------------------------------------------------------------ */

static enum pawl_status hopeless(const char *what, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EUSAGE, "%s", what);
    pawl_hint(err, "`pawl plan` says what the gate can do; add cases, start a new set with `pawl "
                   "rotate`, or search all the same with --force.");
    return PAWL_EUSAGE;
}

/* A search whose winner could not be put before the gate is not begun. A vault that was tampered with
 * is found here too, before anything is spent. */
static enum pawl_status refuse_hopeless(struct pawl_call *call, bool force, struct pawl_error *err)
{
    json_t *vault;
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    bool few = pawl_json_get_int(vault, "gate_clusters", 0) < PAWL_FRONT_CLUSTERS_FEW;
    bool closed = !pawl_json_get_bool(vault, "epoch_open", true);
    bool worn = pawl_json_get_int(vault, "attempts_left", 1) <= 0;
    json_decref(vault);
    if (force) return PAWL_OK;
    if (closed)
        return hopeless("The audit view was opened, or sealed cases were scored with --burn: the "
                        "gate takes no more attempts.",
                        err);
    if (worn) return hopeless("All attempts of the sealed set are spent.", err);
    if (few) return hopeless("The gate has too few cases; it can certify hardly any gain.", err);
    return PAWL_OK;
}

static enum pawl_status run_in_engine(struct pawl_call *call, json_t *row, struct offers *offers,
                                      json_t **done, struct pawl_error *err)
{
    struct pawl_front_worker engine;
    json_t *request = json_pack("{s:s, s:O}", "op", "improve", "run", json_object_get(row, "run"));
    enum pawl_status status = pawl_front_start(call->project, PAWL_ROLE_ENGINE_NAME,
                                               (struct pawl_front_fds){0}, NULL, &engine, err);
    if (status != PAWL_OK) {
        json_decref(request);
        return status;
    }
    status = pawl_front_request(call, &engine, request, answer_engine, offers, done, err);
    pawl_front_end(&engine);
    return status;
}

static enum pawl_status improve_row(struct pawl_call *call, json_t *row,
                                    const struct pawl_improve_options *options,
                                    struct pawl_error *err)
{
    json_t *done = NULL;
    bool is_recorded = options->resume != NULL;
    struct offers offers = {.call = call,
                            .row = row,
                            .run = pawl_json_get_text(row, "id", ""),
                            .wait_ms = options->wait * 60000,
                            .is_recorded = is_recorded};
    if (is_recorded) name_run(&offers);
    enum pawl_status status = run_in_engine(call, row, &offers, &done, err);
    if (status == PAWL_OK && offers.statement == NULL) {
        json_t *body;
        status = pawl_ledger_find_verdict(call->project->store, is_of_run, (void *)offers.run,
                                          &body, err);
        if (status == PAWL_OK && body != NULL)
            offers.statement = json_incref(json_object_get(body, "statement"));
        json_decref(body);
        bool promoted = strcmp(pawl_json_get_text(offers.statement, "verdict", ""), "promote") == 0;
        if (status == PAWL_OK && promoted)
            status = pawl_approval_explain(call, offers.statement, &offers.note, err);
    }
    if (status == PAWL_OK) {
        fill_result(&offers, done);
        status = record_end(call, row, done, err);
    } else if (status == PAWL_EUNDECIDED) {
        pawl_json_set(call->result, "verdict", json_string("undecided"));
    }
    if (status == PAWL_OK)
        status = status_of_end(done, verdict_of(&offers, done), offers.run, err);
    else if (offers.is_recorded && can_resume_cure(status))
        name_way_on(offers.run, err);
    json_decref(done);
    json_decref(offers.statement);
    return status;
}

/* The run has ended and is recorded; its operator hears nothing of this. Where there is nothing to ask (no vault
 * tier, nothing fresh of it), what was promoted is in force all the same, and why is said. A confirmation that failed
 * is an error: it may have been harm. */
static enum pawl_status confirm_promotion(struct pawl_call *call, int64_t wait_ms,
                                          struct pawl_error *err)
{
    const char *best = pawl_json_get_text(call->result, "certificate", "");
    char incumbent[PAWL_HASH_HEX];
    struct pawl_error why = {0};
    json_t *body;
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    if (strcmp(incumbent, best) != 0) return PAWL_OK; /* it waits for people, or is out of force */
    enum pawl_status status = pawl_front_confirm(call, incumbent, wait_ms, &body, &why);
    if (status != PAWL_OK) {
        pawl_json_set(call->result, "unconfirmed_because",
                      pawl_json_string(pawl_str_of(why.message)));
        if (status == PAWL_EUSAGE) return PAWL_OK;
        pawl_fail(err, status, "%.12s is in force and could not be confirmed: %s", best,
                  why.message);
        pawl_hint(err, "`pawl confirm` asks again; what does harm is rolled back then.");
        return status;
    }
    json_t *said = pawl_front_confirmation_json(body);
    bool harm = strcmp(pawl_json_get_text(said, "answer", ""), "harm") == 0;
    pawl_json_set(call->result, "confirmation", said);
    json_decref(body);
    return harm ? PAWL_ENOTPROMOTED : PAWL_OK;
}

enum pawl_status pawl_improve_one(struct pawl_call *call, struct pawl_improve_options *options,
                                  const struct pawl_improve_link *link, struct pawl_error *err)
{
    json_t *row = NULL;
    PAWL_TRY(pawl_front_freeze_guards(call, err));
    enum pawl_status status = open_row(call, options, link, &row, err);
    /* Not part of what a run is: it may be given when it is gone on with. */
    if (status == PAWL_OK)
        pawl_json_set(json_object_get(row, "run"), "force", json_boolean(options->force));
    if (status == PAWL_OK) status = improve_row(call, row, options, err);
    if (status == PAWL_OK && (options->confirm || call->project->config.gate.confirm))
        status = confirm_promotion(call, options->wait * 60000, err);
    json_decref(row);
    return status;
}

static enum pawl_status run_improve(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    struct pawl_improve_options options = *(const struct pawl_improve_options *)values;
    /* A paused run may have its answer already; it is gone on with, whatever the gate can do now. */
    if (options.resume == NULL) {
        json_t *providers;
        PAWL_TRY(refuse_hopeless(call, options.force, err));
        PAWL_TRY(pawl_front_check_providers(call, &providers, err));
        json_decref(providers);
    }
    return pawl_improve_chain(call, &options, err);
}

const struct pawl_verb pawl_verb_improve = {
    .name = "improve",
    .summary = "run an operator; a better candidate rolls forward if the gate says so",
    .positional = "",
    .example = "pawl improve --operator gepa --budget evaluations=2000,minutes=20",
    .needs_project = true,
    .needs_store = true,
    .options = improve_options,
    .options_bytes = sizeof(struct pawl_improve_options),
    .run = run_improve,
};
