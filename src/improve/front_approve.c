/*
 * approve and reject: a person's signed word on a promotion that waits (approval.h).
 *
 * Invariants
 *   1. Whether a word is the last that is needed is decided inside the transaction that records it, so
 *      two people at once cannot both be the first of two. Killed at any moment, it is recorded whole
 *      with its flip, or not at all.
 *   2. What `ledger verify` would refuse is not written: the same fold takes the record first.
 *   3. Before anything takes force, it and what it replaces are there and whole.
 */
#include "improve/approval.h"
#include "improve/front.h"
#include "improve/key.h"
#include "improve/quarantine.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EACH(list, i, item) json_array_foreach((json_t *)(uintptr_t)(list), i, item)

/* --- reading the ledger ------------------------------------------------------------------------------ */

struct walk {
    struct pawl_approvals *all;
    struct pawl_ledger_head head;
};

static enum pawl_status take(void *context, int64_t seq, const char *kind, struct pawl_str text,
                             const char *hash, struct pawl_error *err)
{
    struct walk *walk = context;
    json_t *record;
    (void)hash;
    PAWL_TRY(pawl_json_parse(text, text.len, &record, err));
    walk->head.seq = seq;
    walk->head.ts_ms = pawl_json_get_int(record, "ts", 0);
    const char *why =
        pawl_approvals_fold(walk->all, kind, json_object_get(record, "body"), walk->head.ts_ms);
    json_decref(record);
    if (why == NULL) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY, "Record %lld of the ledger is wrong: %s.", (long long)seq, why);
    pawl_hint(err, "See `pawl ledger verify`; nothing was changed.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status read_approvals(struct pawl_project *project, struct pawl_approvals *all,
                                       int64_t *now_ms, struct pawl_error *err)
{
    struct walk walk = {.all = all, .head = {.seq = -1}};
    *all = (struct pawl_approvals){0};
    enum pawl_status status = pawl_store_ledger_each(project->store, take, &walk, err);
    if (now_ms != NULL) *now_ms = pawl_front_now_ms(project, &walk.head);
    if (status != PAWL_OK) pawl_approvals_release(all);
    return status;
}

/* Chain and vault's signatures first: on a ledger that was rewritten nobody's word is taken. */
enum pawl_status pawl_approvals_read(struct pawl_project *project, struct pawl_approvals *all,
                                     int64_t *now_ms, struct pawl_error *err)
{
    struct pawl_ledger_report report;
    PAWL_TRY(pawl_ledger_verify(project->store, &report, err));
    if (report.first_bad < 0) return read_approvals(project, all, now_ms, err);
    pawl_fail(err, PAWL_EINTEGRITY, "The ledger is damaged at record %lld: %s.",
              (long long)report.first_bad, report.reason);
    pawl_hint(err, "Restore .pawl/store from a backup; nothing was changed.");
    return PAWL_EINTEGRITY;
}

enum pawl_status pawl_approvals_pending(struct pawl_project *project, json_t **pending,
                                        struct pawl_error *err)
{
    struct pawl_approvals all;
    int64_t now_ms;
    PAWL_TRY(read_approvals(project, &all, &now_ms, err));
    *pending = json_array();
    for (size_t i = 0; i < all.n; i++)
        if (pawl_approval_state_at(&all.items[i], now_ms) == PAWL_APPROVAL_WAITS)
            json_array_append_new(*pending, pawl_approval_json(&all.items[i]));
    pawl_approvals_release(&all);
    return PAWL_OK;
}

/* --- telling ------------------------------------------------------------------------------------------ */

static const char *utc(struct pawl_arena *arena, int64_t ts_ms)
{
    char text[32];
    time_t seconds = (time_t)(ts_ms / 1000);
    struct tm day;
    gmtime_r(&seconds, &day);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &day);
    return pawl_arena_strdup(arena, text);
}

/* Who ended it: the name behind its last word. */
static const char *last_name(const struct pawl_approval *approval)
{
    const json_t *last = json_array_get(approval->words, json_array_size(approval->words) - 1);
    return pawl_json_get_text(last, "name", "somebody");
}

/* A sentence on why nothing can be said on it any more; NULL: it waits. */
static const char *why_over(struct pawl_arena *arena, const struct pawl_approval *approval,
                            int64_t now_ms)
{
    const char *candidate = pawl_approval_text(approval, "candidate");
    switch (pawl_approval_state_at(approval, now_ms)) {
    case PAWL_APPROVAL_WAITS:
        return NULL;
    case PAWL_APPROVAL_GRANTED:
        return pawl_arena_printf(arena, "The promotion of %.12s has all its approvals.", candidate);
    case PAWL_APPROVAL_REJECTED:
        return pawl_arena_printf(arena, "The promotion of %.12s was rejected by %s.", candidate,
                                 last_name(approval));
    case PAWL_APPROVAL_EXPIRED:
        return pawl_arena_printf(arena,
                                 "The promotion of %.12s waited for approval until %s; silence "
                                 "rejects.",
                                 candidate, utc(arena, approval->until_ms));
    case PAWL_APPROVAL_SUPERSEDED:
        break;
    }
    return pawl_arena_printf(arena,
                             "The promotion of %.12s was certified against %.12s, which was "
                             "replaced, or the candidate was judged again since.",
                             candidate, pawl_approval_text(approval, "incumbent"));
}

/* What can be done about it now, as a sentence; "" where nothing can. */
static const char *way_on(struct pawl_arena *arena, const struct pawl_approval *approval,
                          int64_t now_ms)
{
    const char *candidate = pawl_approval_text(approval, "candidate");
    switch (pawl_approval_state_at(approval, now_ms)) {
    case PAWL_APPROVAL_WAITS:
        return pawl_arena_printf(arena, "`pawl approve %.12s` is what it waits for.", candidate);
    case PAWL_APPROVAL_EXPIRED:
        return pawl_arena_printf(arena,
                                 "`pawl gate %.12s --ask-again` asks the same people once more; "
                                 "it costs no attempt.",
                                 candidate);
    case PAWL_APPROVAL_SUPERSEDED:
        return pawl_arena_printf(arena,
                                 "`pawl gate %.12s` asks the gate about it against what is in "
                                 "force now; where that is %.12s again, add --ask-again.",
                                 candidate, pawl_approval_text(approval, "incumbent"));
    case PAWL_APPROVAL_GRANTED:
    case PAWL_APPROVAL_REJECTED:
        break;
    }
    return "";
}

static const char *waiting_note(struct pawl_arena *arena, const struct pawl_approval *approval)
{
    int64_t missing = approval->needed - (int64_t)json_array_size(approval->by);
    return pawl_arena_printf(
        arena,
        "The gate certified it, and it waits for %lld of %lld approvals until %s: `pawl approve "
        "%.12s`. Until then %.12s stays in force.",
        (long long)missing, (long long)approval->needed, utc(arena, approval->until_ms),
        pawl_approval_text(approval, "candidate"), pawl_approval_text(approval, "incumbent"));
}

enum pawl_status pawl_approval_explain(struct pawl_call *call, const json_t *statement,
                                       const char **note, struct pawl_error *err)
{
    struct pawl_approvals all;
    int64_t now_ms;
    PAWL_TRY(read_approvals(call->project, &all, &now_ms, err));
    const struct pawl_approval *approval =
        pawl_approvals_of_attempt(&all, pawl_json_get_int(statement, "attempt", 0));
    enum pawl_approval_state state =
        approval != NULL ? pawl_approval_state_at(approval, now_ms) : PAWL_APPROVAL_GRANTED;
    bool waits = state == PAWL_APPROVAL_WAITS;
    if (waits)
        *note = waiting_note(&call->arena, approval);
    else if (state != PAWL_APPROVAL_GRANTED)
        *note = pawl_arena_printf(&call->arena, "%s %s", why_over(&call->arena, approval, now_ms),
                                  way_on(&call->arena, approval, now_ms));
    pawl_json_set(call->result, "pending_approval", json_boolean(waits));
    pawl_approvals_release(&all);
    return PAWL_OK;
}

enum pawl_status pawl_approval_state_of(struct pawl_project *project, int64_t attempt, bool *asked,
                                        enum pawl_approval_state *state, struct pawl_error *err)
{
    struct pawl_approvals all;
    int64_t now_ms;
    PAWL_TRY(read_approvals(project, &all, &now_ms, err));
    const struct pawl_approval *approval = pawl_approvals_of_attempt(&all, attempt);
    *asked = approval != NULL;
    if (*asked) *state = pawl_approval_state_at(approval, now_ms);
    pawl_approvals_release(&all);
    return PAWL_OK;
}

/* --- moving by hand ------------------------------------------------------------------------------------ */

static bool was_in_force(const json_t *records, const char *hex)
{
    size_t i;
    json_t *record;
    EACH(records, i, record)
    {
        const json_t *body = json_object_get(record, "body");
        const char *to =
            pawl_json_get_text(body, "incumbent", pawl_json_get_text(body, "seed", ""));
        if (pawl_json_get_bool(body, "promoted", false))
            to = pawl_json_get_text(json_object_get(body, "statement"), "candidate", "");
        if (strcmp(to, hex) == 0) return true;
    }
    return false;
}

/* Nobody knows who made it, so the change alone says its layer. */
static enum pawl_status asks_people(struct pawl_call *call, const char *from, const char *to,
                                    bool *asks, struct pawl_error *err)
{
    struct pawl_artifact *before, *after;
    json_t *changes = json_array();
    json_t *policy = pawl_approval_policy(&call->project->config.approval);
    enum pawl_status status =
        pawl_artifact_get(call->project->store, &call->arena, to, &after, err);
    /* What is in force may be damaged, and that must not keep anybody from replacing it. */
    bool known = status == PAWL_OK && pawl_artifact_get(call->project->store, &call->arena, from,
                                                        &before, NULL) == PAWL_OK;
    int layer = known ? pawl_approval_layer(before, after, -1, changes) : 4;
    *asks = status == PAWL_OK && pawl_approval_people(policy, layer) > 0;
    json_decref(policy);
    json_decref(changes);
    return status;
}

/* The way that this candidate has left. */
static enum pawl_status hint_by_hand(struct pawl_call *call, const char *to, struct pawl_error *err)
{
    struct pawl_approvals all;
    int64_t now_ms;
    PAWL_TRY(read_approvals(call->project, &all, &now_ms, err));
    const struct pawl_approval *approval = pawl_approvals_find(&all, to);
    const char *way = approval != NULL ? way_on(&call->arena, approval, now_ms)
                                       : pawl_arena_printf(&call->arena,
                                                           "`pawl gate %.12s`, then `pawl approve "
                                                           "%.12s`.",
                                                           to, to);
    if (way[0] == '\0') way = why_over(&call->arena, approval, now_ms);
    pawl_hint(err, "%s Going back to what was in force needs no approval.", way);
    pawl_approvals_release(&all);
    return PAWL_EUSAGE;
}

enum pawl_status pawl_approval_admit_by_hand(struct pawl_call *call, const char *from,
                                             const char *to, struct pawl_error *err)
{
    json_t *records;
    bool asks;
    if (!call->project->config.approval.is_asked) return PAWL_OK;
    PAWL_TRY(asks_people(call, from, to, &asks, err));
    if (!asks) return PAWL_OK;
    PAWL_TRY(pawl_ledger_records(call->project->store, &records, err));
    bool known = was_in_force(records, to);
    json_decref(records);
    if (known) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "People must approve such a change, and %.12s was never in force.",
              to);
    return hint_by_hand(call, to, err);
}

/* --- what a person says --------------------------------------------------------------------------------- */

struct word_options {
    const char *id, *key, *passphrase_env, *reason;
    int64_t wait; /* minutes; of approve alone */
};
#define ID_OPTION                                                                                  \
    PAWL_OPT_TEXT(struct word_options, id, NULL, "the candidate; default: the only one that waits")
#define KEY_OPTION                                                                                 \
    PAWL_OPT_TEXT(struct word_options, key, NULL,                                                  \
                  "the name of your key; default: the only one that the policy names")
#define PASSPHRASE_OPTION                                                                          \
    PAWL_OPT_TEXT(struct word_options, passphrase_env, NULL,                                       \
                  "name of the environment variable that holds the key's passphrase")
static const struct pawl_option approve_options[] = {
    ID_OPTION,
    KEY_OPTION,
    PASSPHRASE_OPTION,
    PAWL_OPT_TEXT(struct word_options, reason, "", "why; it is signed and recorded"),
    PAWL_FRONT_WAIT_OPTION(struct word_options),
    {0}};
static const struct pawl_option reject_options[] = {
    ID_OPTION,
    KEY_OPTION,
    PASSPHRASE_OPTION,
    {"reason", PAWL_OPTION_TEXT, offsetof(struct word_options, reason), NULL, 0, 0, NULL,
     "why; it is signed and recorded", true},
    {0}};

struct word {
    struct pawl_call *call;
    const char *kind; /* approve | reject */
    const char *reason;
    int64_t attempt;
    char policy[PAWL_HASH_HEX]; /* of pawl.yaml now; "": it asks nobody */
    struct pawl_key key;
    struct pawl_signer signer;

    json_t *body; /* of the record, once it is made */
    char from[PAWL_HASH_HEX], to[PAWL_HASH_HEX];
};

void pawl_approval_policy_now(const struct pawl_project *project, char hex[PAWL_HASH_HEX])
{
    hex[0] = '\0';
    if (!project->config.approval.is_asked) return;
    json_t *policy = pawl_approval_policy(&project->config.approval);
    struct pawl_hash hash = pawl_hash_json(policy);
    pawl_hash_hex(&hash, hex);
    json_decref(policy);
}

/* The only one that waits. */
static enum pawl_status find_only(const struct pawl_approvals *all, int64_t now_ms,
                                  const struct pawl_approval **found, struct pawl_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (pawl_approval_state_at(&all->items[i], now_ms) != PAWL_APPROVAL_WAITS) continue;
        *found = &all->items[i];
        n++;
    }
    if (n == 1) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              n == 0 ? "No promotion waits for approval."
                     : "Several promotions wait for approval.");
    pawl_hint(err, "`pawl status` lists what waits; name one of them by its id.");
    return PAWL_EUSAGE;
}

static enum pawl_status find_meant(struct pawl_project *project, const char *id,
                                   const struct pawl_approvals *all, int64_t now_ms,
                                   const struct pawl_approval **found, struct pawl_error *err)
{
    char hex[PAWL_HASH_HEX];
    if (id == NULL) return find_only(all, now_ms, found, err);
    PAWL_TRY(pawl_front_find(project, id, hex, err));
    *found = pawl_approvals_find(all, hex);
    if (*found != NULL) return PAWL_OK;
    pawl_fail(err, PAWL_ENOTFOUND, "No promotion of %.12s asked for approval.", hex);
    pawl_hint(err, "`pawl status` lists what waits; `pawl gate %.12s` asks the gate.", hex);
    return PAWL_ENOTFOUND;
}

/* It waits still, and for this policy. */
static enum pawl_status check_waits(struct pawl_arena *arena, const struct pawl_approval *approval,
                                    const char *policy, int64_t now_ms, struct pawl_error *err)
{
    const char *why = why_over(arena, approval, now_ms);
    if (why != NULL) {
        bool granted = approval->state == PAWL_APPROVAL_GRANTED;
        enum pawl_status status = granted ? PAWL_EUSAGE : PAWL_ENOTPROMOTED;
        pawl_fail(err, status, "%s", why);
        const char *way = way_on(arena, approval, now_ms);
        pawl_hint(err, "Nothing was changed; `pawl lineage %.12s` shows who said what. %s",
                  pawl_approval_text(approval, "candidate"), way);
        return status;
    }
    if (strcmp(policy, approval->policy) == 0) return PAWL_OK;
    pawl_fail(err, PAWL_EINTEGRITY,
              "The approval policy of pawl.yaml is not the one under which the gate was asked.");
    pawl_hint(err, "Put `approval:` back as it was, or let this promotion expire; a policy is not "
                   "changed under it.");
    return PAWL_EINTEGRITY;
}

static enum pawl_status check_key(const struct pawl_approval *approval, const char *kind,
                                  const struct pawl_key *key, struct pawl_error *err)
{
    size_t i;
    json_t *by;
    if (pawl_approval_name(approval, key->public_hex) == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "The policy does not name your key \"%s\" (%.12s).", key->name,
                  key->public_hex);
        pawl_hint(err, "Who may approve stands under approval.keys in pawl.yaml.");
        return PAWL_EUSAGE;
    }
    EACH(approval->by, i, by)
    {
        if (strcmp(kind, "approve") != 0 || strcmp(json_string_value(by), key->public_hex) != 0)
            continue;
        pawl_fail(err, PAWL_EUSAGE, "Your key \"%s\" has approved this promotion already.",
                  key->name);
        pawl_hint(err, "%lld people must approve it; the next one has to be another.",
                  (long long)approval->needed);
        return PAWL_EUSAGE;
    }
    return PAWL_OK;
}

/* The key that was named, or the only one of mine that may. */
static enum pawl_status choose_key(struct pawl_call *call, const char *name,
                                   const struct pawl_approval *approval, struct pawl_key *key,
                                   struct pawl_error *err)
{
    const char *home = pawl_key_home(&call->arena);
    struct pawl_key *keys;
    size_t n, fits = 0;
    if (name != NULL) return pawl_key_read(home, name, key, err);
    PAWL_TRY(pawl_key_list(home, &call->arena, &keys, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (pawl_approval_name(approval, keys[i].public_hex) == NULL) continue;
        *key = keys[i];
        fits++;
    }
    if (fits == 1) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              fits == 0 ? "None of your keys is named by the policy of this promotion."
                        : "The policy names several of your keys.");
    pawl_hint(err, "`pawl key list` shows yours, approval.keys in pawl.yaml who may; choose with "
                   "--key NAME.");
    return PAWL_EUSAGE;
}

/* Both are whole before one may replace the other. */
static enum pawl_status check_artifacts(struct pawl_call *call,
                                        const struct pawl_approval *approval,
                                        struct pawl_error *err)
{
    static const char *const both[] = {"candidate", "incumbent"};
    for (size_t i = 0; i < 2; i++) {
        struct pawl_artifact *whole;
        PAWL_TRY(pawl_artifact_get(call->project->store, &call->arena,
                                   pawl_approval_text(approval, both[i]), &whole, err));
    }
    return PAWL_OK;
}

/* What is in quarantine is not approved; whoever rejects it may. Asked again when the word is recorded: a
 * passphrase takes its time, and the quarantine may come meanwhile. */
static enum pawl_status check_held(const struct word *word, const struct pawl_approval *approval,
                                   struct pawl_error *err)
{
    if (strcmp(word->kind, "approve") != 0) return PAWL_OK;
    return pawl_quarantine_admit(word->call->project->store,
                                 pawl_approval_text(approval, "candidate"), err);
}

/* All that can be refused before a passphrase is asked for. */
static enum pawl_status prepare(struct word *word, const struct word_options *options,
                                const struct pawl_approvals *all, int64_t now_ms,
                                struct pawl_error *err)
{
    struct pawl_call *call = word->call;
    const struct pawl_approval *approval;
    PAWL_TRY(find_meant(call->project, options->id, all, now_ms, &approval, err));
    PAWL_TRY(check_waits(&call->arena, approval, word->policy, now_ms, err));
    PAWL_TRY(choose_key(call, options->key, approval, &word->key, err));
    PAWL_TRY(check_key(approval, word->kind, &word->key, err));
    word->attempt = approval->attempt;
    PAWL_TRY(check_held(word, approval, err));
    return check_artifacts(call, approval, err);
}

/* --- saying it -------------------------------------------------------------------------------------------- */

static json_t *make_body(struct word *word, const struct pawl_approval *approval)
{
    char signature[PAWL_SIGNATURE_HEX];
    bool approves = strcmp(word->kind, "approve") == 0;
    bool completes = approves && (int64_t)json_array_size(approval->by) + 1 >= approval->needed;
    json_t *statement =
        pawl_approval_statement(approval, word->kind, word->reason, word->signer.public_hex);
    pawl_statement_sign(&word->signer, statement, signature);
    return json_pack("{s:o, s:s, s:b}", "statement", statement, "signature", signature, "promoted",
                     completes);
}

static void fill_result(struct word *word, const struct pawl_approval *approval)
{
    bool promoted = pawl_json_get_bool(word->body, "promoted", false);
    json_t *result = word->call->result, *shown = pawl_approval_json(approval);
    json_object_update(result, shown);
    json_decref(shown);
    pawl_json_set(result, "incumbent", json_string(promoted ? word->to : word->from));
    pawl_json_set(result, "previous", promoted ? json_string(word->from) : json_null());
    pawl_json_set(result, "promoted", json_boolean(promoted));
    pawl_json_set(result, "by", json_string(pawl_approval_name(approval, word->key.public_hex)));
}

/* In the transaction: nobody else can say anything meanwhile. */
static enum pawl_status decide(void *context, int64_t now_ms, struct pawl_ledger_entry *entry,
                               struct pawl_error *err)
{
    struct word *word = context;
    struct pawl_approvals all;
    PAWL_TRY(read_approvals(word->call->project, &all, NULL, err));
    struct pawl_approval *approval = pawl_approvals_of_attempt(&all, word->attempt);
    PAWL_ASSERT(approval != NULL); /* it was there before, and records do not go away */
    enum pawl_status status = check_waits(&word->call->arena, approval, word->policy, now_ms, err);
    if (status == PAWL_OK) status = check_key(approval, word->kind, &word->key, err);
    if (status == PAWL_OK) status = check_held(word, approval, err);
    if (status == PAWL_OK) {
        word->body = make_body(word, approval);
        snprintf(word->from, sizeof word->from, "%s", pawl_approval_text(approval, "incumbent"));
        snprintf(word->to, sizeof word->to, "%s", pawl_approval_text(approval, "candidate"));
        *entry = (struct pawl_ledger_entry){.kind = word->kind, .body = word->body};
        if (pawl_json_get_bool(word->body, "promoted", false)) {
            entry->flips[0].pointer = "incumbent";
            entry->flips[0].expect = word->from;
            entry->flips[0].to = word->to;
            entry->n_flips = 1;
        }
        const char *why = pawl_approvals_fold(&all, word->kind, word->body, now_ms);
        if (why != NULL) PAWL_BUG("a word that the ledger refuses: %s", why);
        fill_result(word, pawl_approvals_of_attempt(&all, word->attempt));
    }
    pawl_approvals_release(&all);
    return status;
}

static enum pawl_status unlock(struct word *word, const char *passphrase_env,
                               struct pawl_error *err)
{
    char passphrase[PAWL_PASSPHRASE_MAX];
    struct pawl_call *call = word->call;
    const char *home = pawl_key_home(&call->arena);
    const char *question =
        pawl_arena_printf(&call->arena, "Passphrase of the key %s:", word->key.name);
    if (word->key.is_locked)
        PAWL_TRY(pawl_front_passphrase(call, passphrase_env, question, passphrase, err));
    enum pawl_status status = pawl_key_unlock(
        home, word->key.name, word->key.is_locked ? passphrase : NULL, &word->signer, err);
    explicit_bzero(passphrase, sizeof passphrase);
    return status;
}

/* An approval may move the incumbent, which would waste an attempt that is under way; a rejection moves
 * nothing and waits for nobody. */
static enum pawl_status append(struct word *word, int64_t wait_ms, struct pawl_error *err)
{
    struct pawl_call *call = word->call;
    int lock = -1;
    if (strcmp(word->kind, "approve") == 0)
        PAWL_TRY(pawl_front_lock(call, pawl_front_sealed_dir(call->project, &call->arena),
                                 PAWL_FRONT_ASKERS, wait_ms, &lock, err));
    enum pawl_status status = pawl_ledger_append_decided(call->project, decide, word, err);
    if (lock >= 0) close(lock);
    return status;
}

static enum pawl_status say(struct pawl_call *call, const char *kind,
                            const struct word_options *options, struct pawl_error *err)
{
    struct word word = {.call = call, .kind = kind, .reason = options->reason};
    struct pawl_approvals all;
    int64_t now_ms;
    if (strcmp(kind, "reject") == 0 && pawl_str_trim(pawl_str_of(options->reason)).len == 0)
        return pawl_fail(err, PAWL_EUSAGE, "A rejection says why: --reason TEXT.");
    pawl_approval_policy_now(call->project, word.policy);
    PAWL_TRY(pawl_approvals_read(call->project, &all, &now_ms, err));
    enum pawl_status status = prepare(&word, options, &all, now_ms, err);
    pawl_approvals_release(&all);
    PAWL_TRY(status);
    PAWL_TRY(unlock(&word, options->passphrase_env, err));
    status = append(&word, options->wait * 60000, err);
    pawl_signer_wipe(&word.signer);
    json_decref(word.body);
    if (status != PAWL_OK) json_object_clear(call->result); /* what would have been */
    pawl_json_set(call->result, "schema", json_integer(1));
    return status;
}

static enum pawl_status run_approve(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    return say(call, "approve", values, err);
}

static enum pawl_status run_reject(struct pawl_call *call, const void *values,
                                   struct pawl_error *err)
{
    return say(call, "reject", values, err);
}

const struct pawl_verb pawl_verb_approve = {
    .name = "approve",
    .summary = "sign that a promotion which waits may take force",
    .positional = "id",
    .example = "pawl approve --key ann --reason 'read the diff'",
    .needs_project = true,
    .needs_store = true,
    .options = approve_options,
    .options_bytes = sizeof(struct word_options),
    .run = run_approve,
};

const struct pawl_verb pawl_verb_reject = {
    .name = "reject",
    .summary = "sign that a promotion which waits shall not take force",
    .positional = "id",
    .example = "pawl reject --key ann --reason 'it forgets refunds'",
    .needs_project = true,
    .needs_store = true,
    .options = reject_options,
    .options_bytes = sizeof(struct word_options),
    .run = run_reject,
};
