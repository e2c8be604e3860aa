/*
 * One attempt at the gate: vault and sealed side are started, the vault decides, the front checks
 * the signature and records the verdict together with the change of the incumbent.
 *
 * Invariants
 *   1. A verdict is in the ledger before anybody hears of it.
 *   2. One attempt at a time: from reading the incumbent to the record of the verdict, this project's
 *      sealed folder is locked. Nothing is written down, and no clock of an attempt runs, before.
 */
#include "improve/front.h"

#include "improve/approval.h"
#include "improve/card.h"
#include "improve/protocol.h"
#include "improve/quarantine.h"
#include "improve/statement.h"
#include "io/process.h"

#include <string.h>
#include <unistd.h>

struct asked {
    const char *candidate, *incumbent, *run;
    struct pawl_ledger_epoch epoch;
    json_t *around; /* what the front saw before it asked: {"providers","case_copies","made_by"} */
    json_t *approval; /* what a promotion would ask of people (approval.h); NULL: nothing */
};

/* Keeps the highest number of an attempt; wants every record. */
static bool count_attempts(void *context, const json_t *body)
{
    int64_t attempt = pawl_json_get_int(json_object_get(body, "statement"), "attempt", 0);
    int64_t *recorded = context;
    if (attempt > *recorded) *recorded = attempt;
    return false;
}

/* The same question was answered before by this sealed set, or this run's offer was recorded just before a crash. */
static bool answers(void *context, const json_t *body)
{
    const struct asked *asked = context;
    const json_t *statement = json_object_get(body, "statement");
    if (strcmp(pawl_json_get_text(statement, "candidate", ""), asked->candidate) != 0) return false;
    const char *run = pawl_json_get_text(statement, "run", NULL);
    if (asked->run != NULL && run != NULL && strcmp(run, asked->run) == 0) return true;
    if (pawl_json_get_int(statement, "attempt", 0) <= asked->epoch.since) return false;
    return strcmp(pawl_json_get_text(statement, "incumbent", ""), asked->incumbent) == 0;
}

/* What was asked about is in force since this call looked: the gate let it, or a person did. */
static bool promoted(void *context, const json_t *body)
{
    const struct asked *asked = context;
    const json_t *statement = json_object_get(body, "statement");
    return strcmp(pawl_json_get_text(statement, "candidate", ""), asked->candidate) == 0 &&
           strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
}

/* This sealed set has certified it, against whatever. */
static bool concerns(void *context, const json_t *body)
{
    const struct asked *asked = context;
    int64_t attempt = pawl_json_get_int(json_object_get(body, "statement"), "attempt", 0);
    return attempt > asked->epoch.since && promoted(context, body);
}

/* The ends that the sealed sides get, and those that the vault gets. */
struct ends {
    int sealed[2], judge[2];
};

static void close_ends(struct ends *ends)
{
    int *all[] = {&ends->sealed[0], &ends->sealed[1], &ends->judge[0], &ends->judge[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (*all[i] > 0) close(*all[i]);
}

static enum pawl_status start_all(struct pawl_project *project, struct ends *ends,
                                  struct pawl_front_sealed *side, struct pawl_error *err)
{
    PAWL_TRY(pawl_socket_pair(ends->sealed, err));
    if (project->config.judged) PAWL_TRY(pawl_socket_pair(ends->judge, err));
    struct pawl_front_fds vault = {ends->sealed[0], ends->judge[0]}, sealed = {ends->sealed[1], 0};
    PAWL_TRY(pawl_front_start(project, PAWL_ROLE_VAULT_NAME, vault, NULL, &side->vault, err));
    PAWL_TRY(pawl_front_start(project, PAWL_ROLE_SEALED_NAME, sealed, NULL, &side->sealed, err));
    if (!project->config.judged) return PAWL_OK;
    struct pawl_front_fds judge = {ends->judge[1], 0};
    return pawl_front_start(project, PAWL_ROLE_SEALED_NAME, judge, NULL, &side->judge, err);
}

enum pawl_status pawl_front_start_sealed(struct pawl_project *project,
                                         struct pawl_front_sealed *side, struct pawl_error *err)
{
    struct ends ends = {0};
    side->vault = side->sealed = side->judge = (struct pawl_front_worker){.pid = -1};
    enum pawl_status status = start_all(project, &ends, side, err);
    close_ends(&ends);
    if (status != PAWL_OK) pawl_front_end_sealed(side);
    return status;
}

void pawl_front_end_sealed(struct pawl_front_sealed *side)
{
    pawl_front_end(&side->vault);
    pawl_front_end(&side->sealed);
    pawl_front_end(&side->judge);
}

/* Guards compare with the anchor, too. */
static enum pawl_status add_anchor(struct pawl_call *call, json_t *request, struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    struct pawl_artifact *anchor;
    if (call->project->config.gate.n_guards == 0) return PAWL_OK;
    PAWL_TRY(pawl_front_pointer(call->project, "anchor", hex, err));
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, hex, &anchor, err));
    pawl_json_set(request, "anchor", pawl_artifact_json(anchor));
    return PAWL_OK;
}

static json_t *attempt_request(const struct pawl_offer *offer,
                               const struct pawl_artifact *candidate,
                               const struct pawl_artifact *incumbent, int64_t recorded,
                               int64_t epoch)
{
    json_t *request = json_pack("{s:s, s:s, s:I, s:I, s:I}", "op", "attempt", "behaviour",
                                offer->behaviour, "pace_us", (json_int_t)offer->pace_us, "recorded",
                                (json_int_t)recorded, "epoch", (json_int_t)epoch);
    pawl_json_set(request, "candidate", pawl_artifact_json(candidate));
    pawl_json_set(request, "incumbent", pawl_artifact_json(incumbent));
    pawl_json_set(request, "run", offer->run != NULL ? json_string(offer->run) : json_null());
    return request;
}

static enum pawl_status ask_vault(struct pawl_call *call, json_t *request, json_t **done,
                                  struct pawl_error *err)
{
    struct pawl_front_sealed side;
    enum pawl_status status = add_anchor(call, request, err);
    if (status == PAWL_OK) status = pawl_front_start_sealed(call->project, &side, err);
    if (status != PAWL_OK) {
        json_decref(request);
        return status;
    }
    json_t *begins = json_pack("{s:s, s:i}", "phase", "gate", "release_points_passed", 0);
    pawl_front_progress(call, begins);
    json_decref(begins);
    status = pawl_front_request(call, &side.vault, request, NULL, NULL, done, err);
    pawl_front_end_sealed(&side);
    return status;
}

/* The vault's answer must be signed by the vault that sealed this project. */
static enum pawl_status check_answer(struct pawl_project *project, const json_t *done,
                                     const struct asked *asked, struct pawl_error *err)
{
    const json_t *statement = json_object_get(done, "statement");
    PAWL_TRY(pawl_front_check_signed(project, done, "verdict", err));
    if (strcmp(pawl_json_get_text(statement, "incumbent", ""), asked->incumbent) != 0)
        return pawl_fail(err, PAWL_EINTEGRITY, "The verdict answers another question.");
    return PAWL_OK;
}

/* A stored answer for a text with the same dev outputs names the candidate that was tested; it
 * does not promote another text. What waits for people moves no pointer yet. */
static enum pawl_status record_verdict(struct pawl_project *project, const json_t *done,
                                       const struct asked *asked, struct pawl_error *err)
{
    json_t *statement = json_object_get(done, "statement");
    bool same_text = strcmp(pawl_json_get_text(statement, "candidate", ""), asked->candidate) == 0;
    bool promotes = strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
    if (!same_text) return PAWL_OK;
    bool waits = promotes && asked->approval != NULL;
    json_t *body =
        json_pack("{s:O, s:s, s:b}", "statement", statement, "signature",
                  pawl_json_get_text(done, "signature", ""), "promoted", promotes && !waits);
    json_object_update(body, asked->around);
    if (waits) pawl_json_set(body, "approval", json_incref(asked->approval));
    struct pawl_ledger_entry entry = {.kind = "verdict", .body = body};
    if (promotes) { /* what waits holds the pointer where it was when it was judged */
        entry.flips[0].pointer = "incumbent";
        entry.flips[0].expect = asked->incumbent;
        entry.flips[0].to = waits ? asked->incumbent : asked->candidate;
        entry.n_flips = 1;
    }
    enum pawl_status status = pawl_ledger_append(project, &entry, err);
    json_decref(body);
    return status;
}

/* An attempt that no run makes is put down to the run that made the candidate first. */
static enum pawl_status find_maker(struct pawl_project *project, const struct asked *asked,
                                   struct pawl_error *err)
{
    json_t *candidates, *candidate;
    size_t i;
    if (asked->run != NULL) return PAWL_OK;
    PAWL_TRY(pawl_store_candidates_of(project->store, asked->candidate, &candidates, err));
    json_array_foreach(candidates, i, candidate) /* newest first; number 0 was given to its run */
    {
        json_t *run = json_object_get(candidate, "run");
        if (pawl_json_get_int(candidate, "number", 0) > 0 && json_is_string(run))
            pawl_json_set(asked->around, "made_by", json_incref(run));
    }
    json_decref(candidates);
    return PAWL_OK;
}

/* Who is sent sealed prompts (a stranger is refused here, before the attempt is counted), and
 * whether an operator could have read a copy of the cases. Certificates show both. */
static enum pawl_status look_around(struct pawl_call *call, json_t **around, struct pawl_error *err)
{
    json_t *providers, *copies;
    PAWL_TRY(pawl_front_check_providers(call, &providers, err));
    enum pawl_status status = pawl_front_case_copies(call, &copies, err);
    if (status == PAWL_OK)
        *around = json_pack("{s:O, s:o}", "providers", providers, "case_copies", copies);
    json_decref(providers);
    return status;
}

/* The operator of the run that asks, or that made the candidate. NULL: nobody is known. In the call's arena. */
static const char *maker_of(struct pawl_call *call, const struct asked *asked)
{
    json_t *row = NULL;
    const char *run =
        asked->run != NULL ? asked->run : pawl_json_get_text(asked->around, "made_by", NULL);
    if (run == NULL || pawl_store_run_get(call->project->store, run, &row, NULL) != PAWL_OK)
        return NULL;
    const char *name = pawl_json_get_text(json_object_get(row, "run"), "operator", NULL);
    if (name != NULL) name = pawl_arena_strdup(&call->arena, name);
    json_decref(row);
    return name;
}

/* A promotion that could never take force is refused before the attempt is counted. */
static enum pawl_status refuse_hopeless(int layer, int64_t needed, int64_t n_keys,
                                        struct pawl_error *err)
{
    if (layer >= 4) {
        pawl_fail(err, PAWL_EUSAGE, "This change has risk level L4, which is never put in force.");
        pawl_hint(err, "`pawl card` shows what operators may change; no attempt was spent.");
        return PAWL_EUSAGE;
    }
    if (needed <= n_keys) return PAWL_OK;
    pawl_fail_at(err, PAWL_EUSAGE, NULL, 0, "approval.keys",
                 "A change of layer L%d needs %lld people, and the policy names %lld.", layer,
                 (long long)needed, (long long)n_keys);
    pawl_hint(err, "Name more keys under approval.keys in pawl.yaml; no attempt was spent.");
    return PAWL_EUSAGE;
}

/* Before the answer is known, so that it cannot depend on it. */
static enum pawl_status ask_people(struct pawl_call *call, const struct pawl_artifact *candidate,
                                   const struct pawl_artifact *incumbent, struct asked *asked,
                                   struct pawl_error *err)
{
    const struct pawl_config_approval *config = &call->project->config.approval;
    const char *maker = maker_of(call, asked);
    json_t *changes = json_array();
    int layer = pawl_approval_layer(incumbent, candidate,
                                    maker != NULL ? pawl_card_level(pawl_card_sources, maker) : -1,
                                    changes);
    json_t *policy = config->is_asked ? pawl_approval_policy(config) : NULL;
    int64_t needed = policy != NULL ? pawl_approval_people(policy, layer) : 0;
    enum pawl_status status =
        refuse_hopeless(layer, needed, (int64_t)json_object_size(config->keys), err);
    if (status == PAWL_OK && needed > 0)
        asked->approval = json_pack("{s:O, s:s, s:I, s:O}", "changes", changes, "layer",
                                    pawl_arena_printf(&call->arena, "L%d", layer), "needed",
                                    (json_int_t)needed, "policy", policy);
    json_decref(policy);
    json_decref(changes);
    return status;
}

static enum pawl_status refuse_incumbent(const struct asked *asked, struct pawl_error *err)
{
    if (strcmp(asked->candidate, asked->incumbent) != 0) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "This artifact is the incumbent already.");
    pawl_hint(err, "`pawl log` lists the candidates of earlier runs.");
    return PAWL_EUSAGE;
}

static enum pawl_status new_attempt(struct pawl_call *call, const struct pawl_offer *offer,
                                    struct asked *asked, json_t **statement, struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    struct pawl_artifact *candidate, *incumbent;
    json_t *done = NULL, *none;
    int64_t recorded = 0;
    PAWL_TRY(pawl_artifact_get(project->store, &call->arena, asked->candidate, &candidate, err));
    PAWL_TRY(pawl_artifact_get(project->store, &call->arena, asked->incumbent, &incumbent, err));
    PAWL_TRY(pawl_ledger_find_verdict(project->store, count_attempts, &recorded, &none, err));
    PAWL_TRY(look_around(call, &asked->around, err));
    enum pawl_status status = find_maker(project, asked, err);
    if (status == PAWL_OK) status = ask_people(call, candidate, incumbent, asked, err);
    if (status == PAWL_OK)
        status = ask_vault(
            call, attempt_request(offer, candidate, incumbent, recorded, asked->epoch.number),
            &done, err);
    if (status == PAWL_OK) status = check_answer(project, done, asked, err);
    if (status == PAWL_OK) status = pawl_front_catch_up_locked(call, err); /* a draw that retired */
    if (status == PAWL_OK) status = record_verdict(project, done, asked, err);
    if (status == PAWL_OK) *statement = json_incref(json_object_get(done, "statement"));
    json_decref(asked->around);
    json_decref(asked->approval);
    json_decref(done);
    return status;
}

/* Evidence is about the text that was tested, not about one that answers as it does. */
static enum pawl_status heed_traps(struct pawl_call *call, const struct asked *asked,
                                   json_t **statement, struct pawl_error *err)
{
    if (strcmp(pawl_json_get_text(*statement, "candidate", ""), asked->candidate) != 0)
        return PAWL_OK;
    enum pawl_status status = pawl_quarantine_heed(call->project, *statement, err);
    if (status == PAWL_OK) return PAWL_OK;
    json_decref(*statement);
    *statement = NULL;
    return status;
}

/* Our turn: whoever was before us may have changed the incumbent, or answered this very question. */
static enum pawl_status attempt_now(struct pawl_call *call, const struct pawl_offer *offer,
                                    json_t **statement, struct pawl_error *err)
{
    char incumbent[PAWL_HASH_HEX];
    json_t *body;
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    struct asked asked = {.candidate = offer->candidate, .incumbent = incumbent, .run = offer->run};
    PAWL_TRY(pawl_front_catch_up_locked(call, err));
    PAWL_TRY(pawl_quarantine_admit(call->project->store, asked.candidate, err));
    PAWL_TRY(pawl_ledger_epoch(call->project->store, &asked.epoch, err));
    bool in_force = strcmp(asked.candidate, incumbent) == 0;
    PAWL_TRY(pawl_ledger_find_verdict(call->project->store, in_force ? promoted : answers, &asked,
                                      &body, err));
    if (body == NULL) {
        PAWL_TRY(refuse_incumbent(&asked, err));
        PAWL_TRY(pawl_front_refuse_canaries(call, asked.candidate, err));
        PAWL_TRY(new_attempt(call, offer, &asked, statement, err));
    } else {
        *statement = json_incref(json_object_get(body, "statement"));
        json_decref(body);
    }
    return heed_traps(call, &asked, statement, err);
}

enum pawl_status pawl_front_attempt(struct pawl_call *call, const struct pawl_offer *offer,
                                    json_t **statement, struct pawl_error *err)
{
    int lock;
    *statement = NULL;
    const char *sealed = pawl_front_sealed_dir(call->project, &call->arena);
    PAWL_TRY(pawl_front_lock(call, sealed, PAWL_FRONT_ASKERS, offer->wait_ms, &lock, err));
    enum pawl_status status = attempt_now(call, offer, statement, err);
    close(lock);
    return status;
}

/* What can be done with the certified text is what may be done with it: people may have to agree first. */
static const char *note_on_another(struct pawl_call *call, const json_t *statement,
                                   const char *incumbent)
{
    struct pawl_arena *arena = &call->arena;
    struct pawl_error ignored = {0};
    const char *judged = pawl_json_get_text(statement, "candidate", "");
    const char *verdict = pawl_json_get_text(statement, "verdict", "no");
    const char *said = pawl_arena_printf(
        arena,
        "This text answers dev exactly as %.12s does and gets the stored verdict on that one "
        "(attempt %lld: %s); no attempt was spent and no pointer was moved. ",
        judged, (long long)pawl_json_get_int(statement, "attempt", 0), verdict);
    if (strcmp(verdict, "promote") == 0 &&
        pawl_approval_admit_by_hand(call, incumbent, judged, &ignored) != PAWL_OK)
        return pawl_arena_printf(arena,
                                 "%sPeople approve such a change here: `pawl gate %.12s` says what "
                                 "the certified text waits for.",
                                 said, judged);
    if (strcmp(verdict, "promote") == 0)
        return pawl_arena_printf(arena,
                                 "%s`pawl promote %.12s --reason TEXT` puts the certified "
                                 "text in force.",
                                 said, judged);
    return pawl_arena_printf(arena, "%sOnly a text that answers otherwise is a new question.",
                             said);
}

enum pawl_status pawl_front_explain(struct pawl_call *call, const json_t *statement,
                                    const char *candidate, bool *certified, const char **note,
                                    struct pawl_error *err)
{
    char incumbent[PAWL_HASH_HEX];
    bool is_own = strcmp(pawl_json_get_text(statement, "candidate", ""), candidate) == 0;
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    *certified = is_own && strcmp(pawl_json_get_text(statement, "verdict", ""), "promote") == 0;
    *note = is_own ? NULL : note_on_another(call, statement, incumbent);
    if (*certified) PAWL_TRY(pawl_approval_explain(call, statement, note, err));
    if (*certified && *note == NULL && strcmp(incumbent, candidate) != 0)
        *note = pawl_arena_printf(
            &call->arena,
            "This text was certified in attempt %lld and has been taken out of force since; the "
            "stored verdict moves no pointer. `pawl promote %.12s --reason TEXT` puts it back.",
            (long long)pawl_json_get_int(statement, "attempt", 0), candidate);
    return PAWL_OK;
}

enum pawl_status pawl_front_vault_status(struct pawl_call *call, json_t **status,
                                         struct pawl_error *err)
{
    return pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, json_pack("{s:s}", "op", "status"), status,
                          err);
}

/* --- the verb ---------------------------------------------------------------------------------- */

struct gate_options {
    const char *artifact;
    int64_t wait; /* minutes */
    bool ask_again;
};
static const struct pawl_option gate_options[] = {
    {"artifact", PAWL_OPTION_TEXT, offsetof(struct gate_options, artifact), NULL, 0, 0, NULL,
     "the candidate: an id, or RUN/best (last/best: of the newest run)", true},
    PAWL_FRONT_WAIT_OPTION(struct gate_options),
    PAWL_OPT_BOOL(
        struct gate_options, ask_again, "false",
        "ask people once more about a promotion that expired or was superseded; no attempt"),
    {0}};

/* The dev outputs name the candidate's behaviour; their pace sets the attempt's deadline. */
static enum pawl_status measure_on_dev(struct pawl_call *call, const char *hex, json_t **measured,
                                       struct pawl_error *err)
{
    struct pawl_artifact *artifact;
    PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena, hex, &artifact, err));
    json_t *request = json_pack("{s:s, s:s}", "op", "evaluate", "tier", "dev");
    pawl_json_set(request, "artifact", pawl_artifact_json(artifact));
    return pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, request, measured, err);
}

/* What the vault would refuse is refused before dev is scored for it; the vault looks again. An attempt
 * that it has and the ledger has not was cut short, and may be measured once more. */
static enum pawl_status refuse_closed(struct pawl_call *call, struct pawl_error *err)
{
    json_t *vault, *none;
    int64_t recorded = 0;
    PAWL_TRY(pawl_ledger_find_verdict(call->project->store, count_attempts, &recorded, &none, err));
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    bool closed = !pawl_json_get_bool(vault, "epoch_open", true);
    bool worn = pawl_json_get_int(vault, "attempts_left", 1) <= 0 &&
                pawl_json_get_int(vault, "attempts_ever", 0) <= recorded;
    json_decref(vault);
    if (!closed && !worn) return PAWL_OK;
    enum pawl_status status =
        closed
            ? pawl_fail(err, PAWL_EUSAGE,
                        "The audit view was opened, or sealed cases were scored with --burn: the "
                        "gate takes no more attempts.")
            : pawl_fail(err, PAWL_EBUDGET, "All attempts of the sealed set are spent.");
    pawl_hint(err, "`pawl rotate` starts a new set with fresh cases; nothing was scored.");
    return status;
}

/* Nothing is measured for a question that has its answer, or will get none. */
static enum pawl_status measure(struct pawl_call *call, const struct asked *asked,
                                json_t **measured, struct pawl_error *err)
{
    json_t *body;
    PAWL_TRY(pawl_ledger_find_verdict(call->project->store, answers, (void *)asked, &body, err));
    if (body != NULL) {
        json_decref(body);
        *measured = json_object();
        return PAWL_OK;
    }
    PAWL_TRY(refuse_incumbent(asked, err));
    PAWL_TRY(pawl_quarantine_admit(call->project->store, asked->candidate, err));
    PAWL_TRY(refuse_closed(call, err));
    PAWL_TRY(pawl_front_freeze_guards(call, err));
    return measure_on_dev(call, asked->candidate, measured, err);
}

static enum pawl_status fill_gate_result(struct pawl_call *call, const json_t *statement,
                                         const char *candidate, const char *incumbent,
                                         struct pawl_error *err)
{
    json_t *vault, *result = call->result;
    bool certified;
    const char *note;
    PAWL_TRY(pawl_front_explain(call, statement, candidate, &certified, &note, err));
    PAWL_TRY(pawl_front_vault_status(call, &vault, err));
    pawl_json_set(result, "artifact", json_string(candidate));
    pawl_json_set(result, "incumbent", json_string(incumbent));
    pawl_json_set(result, "verdict", json_string(pawl_json_get_text(statement, "verdict", "no")));
    pawl_json_set(result, "judged", json_string(pawl_json_get_text(statement, "candidate", "")));
    pawl_json_set(result, "note", note != NULL ? json_string(note) : json_null());
    pawl_json_set(result, "attempt", json_integer(pawl_json_get_int(statement, "attempt", 0)));
    pawl_json_set(result, "attempts_left",
                  json_integer(pawl_json_get_int(vault, "attempts_left", 0)));
    pawl_json_set(result, "certificate", certified ? json_string(candidate) : json_null());
    json_decref(vault);
    return certified ? PAWL_OK : PAWL_ENOTPROMOTED;
}

/* Of the stored verdict against what is in force: nothing is measured, and nothing spent. */
static enum pawl_status ask_again(struct pawl_call *call, struct asked *asked,
                                  struct pawl_error *err)
{
    json_t *body;
    PAWL_TRY(pawl_ledger_find_verdict(call->project->store, concerns, asked, &body, err));
    if (body == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "This sealed set has not certified %.12s.", asked->candidate);
        pawl_hint(err, "`pawl gate %.12s` asks it, for one attempt.", asked->candidate);
        return PAWL_EUSAGE;
    }
    const json_t *statement = json_object_get(body, "statement");
    enum pawl_status status = pawl_approval_ask_again(call, statement, err);
    if (status == PAWL_OK)
        status = fill_gate_result(call, statement, asked->candidate, asked->incumbent, err);
    json_decref(body);
    return status;
}

static enum pawl_status run_gate(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct gate_options *options = values;
    char candidate[PAWL_HASH_HEX], incumbent[PAWL_HASH_HEX];
    json_t *measured, *statement;
    PAWL_TRY(pawl_front_find(call->project, options->artifact, candidate, err));
    PAWL_TRY(pawl_front_pointer(call->project, "incumbent", incumbent, err));
    struct asked asked = {.candidate = candidate, .incumbent = incumbent};
    PAWL_TRY(pawl_front_catch_up_locked(call, err));
    PAWL_TRY(pawl_ledger_epoch(call->project->store, &asked.epoch, err));
    if (options->ask_again) return ask_again(call, &asked, err);
    PAWL_TRY(measure(call, &asked, &measured, err));
    struct pawl_offer offer = {.candidate = candidate,
                               .behaviour = pawl_json_get_text(measured, "behaviour", ""),
                               .pace_us = pawl_json_get_int(measured, "pace_us", 1000),
                               .wait_ms = options->wait * 60000};
    enum pawl_status status = pawl_front_attempt(call, &offer, &statement, err);
    json_decref(measured);
    PAWL_TRY(status);
    status = fill_gate_result(call, statement, candidate,
                              pawl_json_get_text(statement, "incumbent", incumbent), err);
    json_decref(statement);
    return status;
}

const struct pawl_verb pawl_verb_gate = {
    .name = "gate",
    .summary = "put an artifact before the gate: one attempt, one bit",
    .positional = "artifact",
    .example = "pawl gate last/best",
    .needs_project = true,
    .needs_store = true,
    .options = gate_options,
    .options_bytes = sizeof(struct gate_options),
    .run = run_gate,
};
