/* Approvals as a fold over the ledger's records; see approval.h for what it says. */
#include "improve/approval.h"

#include "improve/card.h"
#include "improve/statement.h"

#include <stdlib.h>
#include <string.h>

#define EACH(list, i, item) json_array_foreach((json_t *)(uintptr_t)(list), i, item)

enum { TWO_FROM_LAYER = 3, LAYER_MAX = 4, HOURS_MAX = 8760 /* a year */ };

/* --- what a change asks for ------------------------------------------------------------------------ */

/* What a component is to the program says what kind of change an edit of it is. A role that is not
 * here may be anything, so it counts as code. */
static const struct {
    const char *role, *change;
} changes_by_role[] = {
    {"instruction", "text"}, {"demos", "text"},    {"calibration", "text"}, {"source", "code"},
    {"tool", "tools"},       {"memory", "memory"}, {"adapter", "weights"},
};
enum { N_ROLES = sizeof changes_by_role / sizeof *changes_by_role };

static const char *change_of(const struct pawl_component *component)
{
    for (size_t i = 0; i < N_ROLES; i++)
        if (strcmp(component->role, changes_by_role[i].role) == 0) return changes_by_role[i].change;
    return "code";
}

static bool is_equal(const struct pawl_component *a, const struct pawl_component *b)
{
    return b != NULL && strcmp(a->role, b->role) == 0 && pawl_str_eq(a->text, b->text);
}

static void add_change(const char *change, int *layer, json_t *changes)
{
    size_t i;
    json_t *known;
    int lowest = pawl_card_lowest_level(change);
    if (lowest > *layer) *layer = lowest;
    EACH(changes, i, known) if (strcmp(json_string_value(known), change) == 0) return;
    json_array_append_new(changes, json_string(change));
}

/* Components of `a` that `b` has otherwise, or not at all. */
static void add_changes(const struct pawl_artifact *a, const struct pawl_artifact *b, int *layer,
                        json_t *changes)
{
    for (size_t i = 0; i < a->n_components; i++) {
        const struct pawl_component *component = &a->components[i];
        if (!is_equal(component, pawl_artifact_find(b, component->name)))
            add_change(change_of(component), layer, changes);
    }
}

int pawl_approval_layer(const struct pawl_artifact *from, const struct pawl_artifact *to,
                        int card_level, json_t *changes)
{
    int layer = card_level > 0 ? card_level : 0;
    add_changes(from, to, &layer, changes);
    add_changes(to, from, &layer, changes);
    return layer;
}

/* "L2" as 2; what is no layer, as none. */
static int layer_number(const char *text)
{
    bool is_layer = text[0] == 'L' && text[1] >= '0' && text[1] <= '0' + LAYER_MAX && !text[2];
    return is_layer ? text[1] - '0' : -1;
}

int64_t pawl_approval_people(const json_t *policy, int layer)
{
    int64_t people = pawl_json_get_int(policy, "people", 0);
    if (layer < layer_number(pawl_json_get_text(policy, "from", ""))) return 0;
    if (people > 0) return people;
    return layer >= TWO_FROM_LAYER ? 2 : 1;
}

json_t *pawl_approval_policy(const struct pawl_config_approval *config)
{
    return json_pack("{s:f, s:s, s:O, s:I}", "expires_hours", config->expires_hours, "from",
                     config->from, "keys", (json_t *)(uintptr_t)config->keys, "people",
                     (json_int_t)config->people);
}

/* --- one that waits -------------------------------------------------------------------------------- */

static const json_t *statement_of(const struct pawl_approval *approval)
{
    return json_object_get(approval->body, "statement");
}

static const json_t *policy_of(const json_t *body)
{
    return json_object_get(json_object_get(body, "approval"), "policy");
}

const char *pawl_approval_text(const struct pawl_approval *approval, const char *field)
{
    return pawl_json_get_text(statement_of(approval), field, "");
}

const char *pawl_approval_name(const struct pawl_approval *approval, const char *public_hex)
{
    const json_t *keys = json_object_get(policy_of(approval->body), "keys");
    const char *name;
    json_t *key;
    json_object_foreach((json_t *)(uintptr_t)keys, name, key)
    {
        const char *hex = json_string_value(key);
        if (hex != NULL && strcmp(hex, public_hex) == 0) return name;
    }
    return NULL;
}

enum pawl_approval_state pawl_approval_state_at(const struct pawl_approval *approval,
                                                int64_t now_ms)
{
    bool is_late = approval->state == PAWL_APPROVAL_WAITS && now_ms > approval->until_ms;
    return is_late ? PAWL_APPROVAL_EXPIRED : approval->state;
}

const char *pawl_approval_state_name(enum pawl_approval_state state)
{
    static const char *const names[] = {
        [PAWL_APPROVAL_WAITS] = "waits",           [PAWL_APPROVAL_GRANTED] = "granted",
        [PAWL_APPROVAL_REJECTED] = "rejected",     [PAWL_APPROVAL_EXPIRED] = "expired",
        [PAWL_APPROVAL_SUPERSEDED] = "superseded",
    };
    return names[state];
}

json_t *pawl_approval_json(const struct pawl_approval *approval)
{
    const json_t *asked = json_object_get(approval->body, "approval");
    size_t i;
    json_t *key, *names = json_array();
    EACH(approval->by, i, key)
    json_array_append_new(names, json_string(pawl_approval_name(approval, json_string_value(key))));
    return json_pack("{s:s, s:s, s:I, s:O, s:O, s:I, s:o, s:I}", "artifact",
                     pawl_approval_text(approval, "candidate"), "incumbent",
                     pawl_approval_text(approval, "incumbent"), "attempt",
                     (json_int_t)approval->attempt, "layer", json_object_get(asked, "layer"),
                     "changes", json_object_get(asked, "changes"), "needed",
                     (json_int_t)approval->needed, "approved_by", names, "until_ms",
                     (json_int_t)approval->until_ms);
}

json_t *pawl_approval_statement(const struct pawl_approval *approval, const char *kind,
                                const char *reason, const char *public_hex)
{
    json_t *out =
        json_pack("{s:i, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:I}", "schema", PAWL_STATEMENT_SCHEMA,
                  "kind", kind, "attempt", (json_int_t)approval->attempt, "candidate",
                  pawl_approval_text(approval, "candidate"), "incumbent",
                  pawl_approval_text(approval, "incumbent"), "evidence_root",
                  pawl_approval_text(approval, "evidence_root"), "policy", approval->policy,
                  "public_key", public_hex, "until_ms", (json_int_t)approval->until_ms);
    pawl_json_set(out, "reason", pawl_json_string(pawl_str_of(reason)));
    return out;
}

/* --- the fold --------------------------------------------------------------------------------------- */

static struct pawl_approval *find(const struct pawl_approvals *all, const char *candidate,
                                  int64_t attempt)
{
    for (size_t i = all->n; i > 0; i--) {
        struct pawl_approval *item = &all->items[i - 1];
        bool is_it = candidate != NULL
                         ? strcmp(pawl_approval_text(item, "candidate"), candidate) == 0
                         : item->attempt == attempt;
        if (is_it) return item;
    }
    return NULL;
}

struct pawl_approval *pawl_approvals_find(const struct pawl_approvals *all, const char *candidate)
{
    return find(all, candidate, 0);
}

struct pawl_approval *pawl_approvals_of_attempt(const struct pawl_approvals *all, int64_t attempt)
{
    return find(all, NULL, attempt);
}

/* End what waits for `candidate` (NULL: whatever waits). */
static void supersede(struct pawl_approvals *all, const char *candidate)
{
    for (size_t i = 0; i < all->n; i++) {
        struct pawl_approval *item = &all->items[i];
        bool is_meant =
            candidate == NULL || strcmp(pawl_approval_text(item, "candidate"), candidate) == 0;
        if (is_meant && item->state == PAWL_APPROVAL_WAITS) item->state = PAWL_APPROVAL_SUPERSEDED;
    }
}

/* LAYER_MAX when it is no list of kinds of change. */
static int lowest_layer(const json_t *changes)
{
    int lowest = json_is_array(changes) ? 0 : LAYER_MAX;
    size_t i;
    json_t *change;
    EACH(changes, i, change)
    {
        const char *word = json_string_value(change);
        int level = word != NULL ? pawl_card_lowest_level(word) : LAYER_MAX;
        if (level > lowest) lowest = level;
    }
    return lowest;
}

/* What a verdict asks of people must be what its policy says. */
static const char *check_asked(const json_t *body)
{
    const json_t *asked = json_object_get(body, "approval"), *policy = policy_of(body);
    int layer = layer_number(pawl_json_get_text(asked, "layer", ""));
    int64_t needed = pawl_json_get_int(asked, "needed", 0);
    double hours = pawl_json_get_real(policy, "expires_hours", 0);
    if (pawl_json_get_bool(body, "promoted", true))
        return "a promotion took force that should have waited for people";
    if (strcmp(pawl_json_get_text(json_object_get(body, "statement"), "verdict", ""), "promote") !=
        0)
        return "people are asked about a verdict that is not promote";
    if (layer < 0 || layer == LAYER_MAX ||
        layer < lowest_layer(json_object_get(asked, "changes")) || needed < 1 ||
        needed != pawl_approval_people(policy, layer) ||
        needed > (int64_t)json_object_size(json_object_get(policy, "keys")) ||
        !(hours > 0 && hours <= HOURS_MAX))
        return "a promotion asks for another number of people than its policy";
    return NULL;
}

static void add(struct pawl_approvals *all, const json_t *body, int64_t ts_ms)
{
    const json_t *asked = json_object_get(body, "approval"), *policy = policy_of(body);
    if (all->n == all->room) {
        all->room = all->room > 0 ? 2 * all->room : 8;
        all->items = pawl_xrealloc(all->items, all->room * sizeof *all->items);
    }
    struct pawl_approval *item = &all->items[all->n++];
    double wait_ms = pawl_json_get_real(policy, "expires_hours", 0) * 3600000;
    *item = (struct pawl_approval){
        .body = json_incref((json_t *)(uintptr_t)body),
        .attempt = pawl_json_get_int(json_object_get(body, "statement"), "attempt", 0),
        .needed = pawl_json_get_int(asked, "needed", 0),
        .until_ms = ts_ms + (int64_t)wait_ms,
        .by = json_array(),
        .words = json_array()};
    struct pawl_hash hash = pawl_hash_json(policy);
    pawl_hash_hex(&hash, item->policy);
}

static const char *take_verdict(struct pawl_approvals *all, const json_t *body, int64_t ts_ms)
{
    const json_t *statement = json_object_get(body, "statement");
    if (json_object_get(body, "approval") != NULL) {
        const char *why = check_asked(body);
        if (why != NULL) return why;
    }
    supersede(all, pawl_json_get_text(statement, "candidate", ""));
    if (pawl_json_get_bool(body, "promoted", false)) supersede(all, NULL);
    if (json_object_get(body, "approval") != NULL) add(all, body, ts_ms);
    return NULL;
}

/* The same question once more; whether its incumbent is in force is for whoever folds the pointer. */
static const char *take_ask(struct pawl_approvals *all, const json_t *body, int64_t ts_ms)
{
    const char *candidate = pawl_json_get_text(body, "candidate", "");
    const struct pawl_approval *over =
        pawl_approvals_of_attempt(all, pawl_json_get_int(body, "attempt", 0));
    if (over == NULL || over != pawl_approvals_find(all, candidate))
        return "people are asked again who were not asked before";
    if (strcmp(pawl_json_get_text(body, "incumbent", ""), pawl_approval_text(over, "incumbent")))
        return "people are asked again about a change of something else";
    enum pawl_approval_state state = pawl_approval_state_at(over, ts_ms);
    if (state != PAWL_APPROVAL_EXPIRED && state != PAWL_APPROVAL_SUPERSEDED)
        return "people are asked again about what waits, or what they have decided";
    supersede(all, candidate);
    add(all, over->body, ts_ms);
    return NULL;
}

static bool has_approved(const struct pawl_approval *approval, const char *public_hex)
{
    size_t i;
    json_t *key;
    EACH(approval->by, i, key) if (strcmp(json_string_value(key), public_hex) == 0) return true;
    return false;
}

/* The statement must be, to the letter, the one that this promotion asks this key for. */
static bool is_asked(const struct pawl_approval *approval, const char *kind,
                     const json_t *statement)
{
    json_t *asked =
        pawl_approval_statement(approval, kind, pawl_json_get_text(statement, "reason", ""),
                                pawl_json_get_text(statement, "public_key", ""));
    char *expected = pawl_json_text(asked), *given = pawl_json_text(statement);
    bool same = strcmp(expected, given) == 0;
    free(expected);
    free(given);
    json_decref(asked);
    return same;
}

static const char *check_word(const struct pawl_approval *approval, const char *kind,
                              const json_t *body, int64_t ts_ms)
{
    const json_t *statement = json_object_get(body, "statement");
    const char *key = pawl_json_get_text(statement, "public_key", "");
    bool approves = strcmp(kind, "approve") == 0;
    bool completes = approves && (int64_t)json_array_size(approval->by) + 1 >= approval->needed;
    struct pawl_error ignored = {0};
    if (approval->state != PAWL_APPROVAL_WAITS) return "nothing waited for this approval by then";
    if (ts_ms > approval->until_ms) return "the approval came after its time";
    if (!approves && pawl_json_get_text(statement, "reason", "")[0] == '\0')
        return "a rejection does not say why";
    if (!is_asked(approval, kind, statement)) return "the approval is of something else";
    if (pawl_approval_name(approval, key) == NULL)
        return "the approval is signed with a key that the policy does not name";
    if (approves && has_approved(approval, key)) return "one key approves twice";
    if (pawl_statement_verify(statement, pawl_json_get_text(body, "signature", ""), &ignored) !=
        PAWL_OK)
        return "the approval's signature is wrong";
    if (pawl_json_get_bool(body, "promoted", !completes) != completes)
        return completes ? "the last approval put nothing in force"
                         : "something took force without all its approvals";
    return NULL;
}

static const char *take_word(struct pawl_approvals *all, const char *kind, const json_t *body,
                             int64_t ts_ms)
{
    const json_t *statement = json_object_get(body, "statement");
    const char *key = pawl_json_get_text(statement, "public_key", "");
    struct pawl_approval *approval =
        pawl_approvals_of_attempt(all, pawl_json_get_int(statement, "attempt", 0));
    if (approval == NULL) return "the approval is of an attempt that asked nobody";
    const char *why = check_word(approval, kind, body, ts_ms);
    if (why != NULL) return why;
    json_array_append_new(approval->words, json_pack("{s:s, s:s, s:s, s:I}", "kind", kind, "name",
                                                     pawl_approval_name(approval, key), "reason",
                                                     pawl_json_get_text(statement, "reason", ""),
                                                     "ts", (json_int_t)ts_ms));
    if (strcmp(kind, "reject") == 0) {
        approval->state = PAWL_APPROVAL_REJECTED;
        return NULL;
    }
    json_array_append_new(approval->by, json_string(key));
    if (!pawl_json_get_bool(body, "promoted", false)) return NULL;
    approval->state = PAWL_APPROVAL_GRANTED;
    supersede(all, NULL);
    return NULL;
}

const char *pawl_approvals_fold(struct pawl_approvals *all, const char *kind, const json_t *body,
                                int64_t ts_ms)
{
    if (strcmp(kind, "verdict") == 0) return take_verdict(all, body, ts_ms);
    if (strcmp(kind, "ask") == 0) return take_ask(all, body, ts_ms);
    if (strcmp(kind, "approve") == 0 || strcmp(kind, "reject") == 0)
        return take_word(all, kind, body, ts_ms);
    bool moves = strcmp(kind, "promotion") == 0 || strcmp(kind, "rollback") == 0 ||
                 (strcmp(kind, "confirm") == 0 && pawl_json_get_bool(body, "rolled_back", false));
    if (moves) supersede(all, NULL);
    return NULL;
}

void pawl_approvals_release(struct pawl_approvals *all)
{
    for (size_t i = 0; i < all->n; i++) {
        json_decref(all->items[i].body);
        json_decref(all->items[i].by);
        json_decref(all->items[i].words);
    }
    free(all->items);
    *all = (struct pawl_approvals){0};
}
