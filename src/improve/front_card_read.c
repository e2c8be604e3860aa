/* Reading cards strictly: every field is there, none is unknown, and the risk fits the surface. */
#include "improve/card.h"

#include "base/option.h"
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the schema --------------------------------------------------------------------------------- */

/* A value of a card is read into one of these and checked, never used: the card stays JSON. */
union value {
    const char *text;
    json_t *json;
    int64_t number;
    bool flag;
};
struct section {
    union value values[8];
};
#define AT(i) offsetof(struct section, values[i])
/* clang-format off */
#define TEXT(i, name, help)          {name, PAWL_OPTION_TEXT, AT(i), NULL, 0, 0, NULL, help, true}
#define LIST(i, name, help)          {name, PAWL_OPTION_JSON, AT(i), NULL, 0, 0, NULL, help, true}
#define FLAG(i, name, help)          {name, PAWL_OPTION_BOOL, AT(i), NULL, 0, 0, NULL, help, true}
#define COUNT(i, name, max, help)    {name, PAWL_OPTION_INT, AT(i), NULL, 0, max, NULL, help, true}
#define ONE_OF(i, name, words, help) {name, PAWL_OPTION_CHOICE, AT(i), NULL, 0, 0, words, help, true}
/* clang-format on */

static const struct pawl_option top_options[] = {
    TEXT(0, "operator", "whose card this is"),
    LIST(1, "surface", "what it may touch: edits, reads, never_touches, reversible"),
    LIST(2, "signal", "what it learns from: tiers, feedback, asks"),
    LIST(3, "budget", "what it spends: round, stops"),
    LIST(4, "risk", "level, mitigations"),
    LIST(5, "gate", "how it comes before the gate: attempts, dev_check"),
    LIST(6, "fallback", "what holds when it fails: baseline, rollback, degraded"),
    {0}};
static const struct pawl_option surface_options[] = {
    LIST(0, "edits", "kinds of change: text, weights, tools, code, memory"),
    LIST(1, "reads", "what it is shown, in words"),
    LIST(2, "never_touches", "what it cannot reach or change, in words"),
    FLAG(3, "reversible", "whether taking its candidate out of force undoes all that it did"),
    {0}};
static const struct pawl_option signal_options[] = {
    LIST(0, "tiers", "tiers that it sees: train, dev"),
    ONE_OF(1, "feedback", "scores|text|traces", "the most that it is told of an answer"),
    LIST(2, "asks", "roles of models that it asks: task, reflect, judge"),
    {0}};
static const struct pawl_option budget_options[] = {
    TEXT(0, "round", "what one round costs, in words"),
    TEXT(1, "stops", "when it ends, in words"),
    {0}};
static const struct pawl_option risk_options[] = {
    ONE_OF(0, "level", "L0|L1|L2|L3|L4", "how much approval its changes ask for"),
    LIST(1, "mitigations", "what holds against its known ways to fail, in words"),
    {0}};
static const struct pawl_option gate_options[] = {
    COUNT(0, "attempts", 1000, "attempts of one run, at most"),
    ONE_OF(1, "dev_check", "needed|useful|unneeded", "choosing what to offer on a hidden third"),
    {0}};
static const struct pawl_option fallback_options[] = {
    ONE_OF(0, "baseline", "incumbent|anchor|seed", "what stays in force when it fails"),
    ONE_OF(1, "rollback", "manual|auto", "who takes back what it did"),
    TEXT(2, "degraded", "what happens where it cannot work, in words"),
    {0}};

static const struct {
    const char *name;
    const struct pawl_option *options;
} sections[] = {
    {"surface", surface_options}, {"signal", signal_options}, {"budget", budget_options},
    {"risk", risk_options},       {"gate", gate_options},     {"fallback", fallback_options},
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

/* Lists that hold words of their own; the others hold sentences. */
static const struct {
    const char *section, *name, *words;
} lists[] = {
    {"surface", "edits", "text|weights|tools|code|memory"},
    {"surface", "reads", NULL},
    {"surface", "never_touches", NULL},
    {"signal", "tiers", "train|dev"},
    {"signal", "asks", "task|reflect|judge"},
    {"risk", "mitigations", NULL},
};
enum { N_LISTS = sizeof lists / sizeof *lists, WORDS_MAX = 8, ITEMS_MAX = 64 };

/* The lowest risk level of what a change can be: L0 is automatic and for texts alone; tools, code
 * and memory want two people. */
static const struct {
    const char *edits;
    char lowest;
} surface_risks[] = {
    {"text", '0'}, {"weights", '1'}, {"tools", '3'}, {"code", '3'}, {"memory", '3'}};
enum { N_SURFACES = sizeof surface_risks / sizeof *surface_risks };

/* --- checks -------------------------------------------------------------------------------------- */

static enum pawl_status fail_word(const char *field, const char *word, const char *words,
                                  struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str rest = pawl_str_of(words), part;
    const char *known[WORDS_MAX];
    size_t n = 0;
    while (n < WORDS_MAX && pawl_str_split(&rest, '|', &part))
        known[n++] = pawl_arena_copy(&arena, part).ptr;
    const char *nearest = pawl_nearest_word(word, known, n);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "\"%.60s\" is none of %s.", word, words);
    if (nearest != NULL)
        pawl_hint(err, "Did you mean %s?", nearest);
    else
        pawl_hint(err, "Use one of %s.", words);
    pawl_arena_release(&arena);
    return PAWL_ECONFIG;
}

static bool is_one_of(const char *word, const char *words)
{
    struct pawl_str rest = pawl_str_of(words), part;
    while (pawl_str_split(&rest, '|', &part))
        if (pawl_str_is(part, word)) return true;
    return false;
}

static enum pawl_status check_list(const json_t *list, const char *path, const char *words,
                                   struct pawl_error *err)
{
    size_t i;
    json_t *item;
    char field[sizeof err->field];
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > ITEMS_MAX) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, path, "%s must be a list of 1 to %d texts.", path,
                     ITEMS_MAX);
        pawl_hint(err, "Write `[one, another]` or a line `- one` for each.");
        return PAWL_ECONFIG;
    }
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *word = json_string_value(item);
        snprintf(field, sizeof field, "%s.%zu", path, i);
        if (word == NULL || word[0] == '\0') {
            pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s must be a text.", field);
            pawl_hint(err, "Put it in quotes if it holds a colon.");
            return PAWL_ECONFIG;
        }
        if (words != NULL && !is_one_of(word, words)) return fail_word(field, word, words, err);
    }
    return PAWL_OK;
}

/* What the card takes from the operator's table. */
static enum pawl_status check_table(const json_t *table, const char *name, struct pawl_error *err)
{
    static const char *const needed[] = {"summary", "paper", "risks"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (pawl_json_get_text(table, needed[i], "")[0] != '\0') continue;
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "operator",
                     "The operator %s says nothing under %s, which its card takes from there.",
                     name, needed[i]);
        pawl_hint(err, "Fill .%s in its struct pawl_operator.", needed[i]);
        return PAWL_ECONFIG;
    }
    return PAWL_OK;
}

static enum pawl_status check_operator(const json_t *card, const json_t *operators,
                                       struct pawl_error *err)
{
    enum { NAMES_MAX = 256 };
    const char *name = pawl_json_get_text(card, "operator", ""), *names[NAMES_MAX];
    size_t i, n = 0;
    json_t *table;
    const json_t *own = pawl_card_operator(operators, name);
    if (own != NULL) return check_table(own, name, err);
    json_array_foreach((json_t *)(uintptr_t)operators, i, table) if (n < NAMES_MAX) names[n++] =
        pawl_json_get_text(table, "name", "");
    const char *nearest = pawl_nearest_word(name, names, n);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "operator", "There is no operator \"%.60s\".", name);
    if (nearest != NULL)
        pawl_hint(err, "Did you mean %s?", nearest);
    else
        pawl_hint(err, "Remove the card, or add src/operators/op_%.60s.c.", name);
    return PAWL_ECONFIG;
}

static enum pawl_status check_risk(const json_t *card, struct pawl_error *err)
{
    const json_t *edits = json_object_get(json_object_get(card, "surface"), "edits");
    const char *level = pawl_json_get_text(json_object_get(card, "risk"), "level", "L0");
    size_t i;
    json_t *edit;
    json_array_foreach((json_t *)(uintptr_t)edits, i, edit)
    {
        const char *kind = json_string_value(edit);
        for (size_t s = 0; s < N_SURFACES; s++) {
            if (strcmp(kind, surface_risks[s].edits) != 0 || level[1] >= surface_risks[s].lowest)
                continue;
            pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "risk.level",
                         "An operator that edits %s has risk level L%c at least, not %s.", kind,
                         surface_risks[s].lowest, level);
            pawl_hint(err, "Raise risk.level, or take %s out of surface.edits.", kind);
            return PAWL_ECONFIG;
        }
    }
    return PAWL_OK;
}

static enum pawl_status check_sections(const json_t *card, struct pawl_arena *arena,
                                       struct pawl_error *err)
{
    struct section values;
    PAWL_TRY(pawl_options_read(top_options, card, "", arena, &values, err));
    for (size_t i = 0; i < N_SECTIONS; i++) {
        const json_t *section = json_object_get(card, sections[i].name);
        PAWL_TRY(
            pawl_options_read(sections[i].options, section, sections[i].name, arena, &values, err));
    }
    for (size_t i = 0; i < N_LISTS; i++) {
        const json_t *section = json_object_get(card, lists[i].section);
        const char *path = pawl_arena_printf(arena, "%s.%s", lists[i].section, lists[i].name);
        PAWL_TRY(check_list(json_object_get(section, lists[i].name), path, lists[i].words, err));
    }
    return PAWL_OK;
}

/* --- reading ------------------------------------------------------------------------------------- */

enum pawl_status pawl_card_read(struct pawl_str yaml, const char *file, const json_t *operators,
                                json_t **card, struct pawl_error *err)
{
    struct pawl_yaml_places *places;
    struct pawl_arena arena = {0};
    struct pawl_error own = {0};
    *card = NULL;
    if (err == NULL) err = &own;
    PAWL_TRY(pawl_yaml_parse(yaml, file, card, &places, err));
    enum pawl_status status = check_sections(*card, &arena, err);
    if (status == PAWL_OK) status = check_operator(*card, operators, err);
    if (status == PAWL_OK) status = check_risk(*card, err);
    if (status != PAWL_OK) {
        pawl_yaml_locate(places, err);
        json_decref(*card);
        *card = NULL;
    }
    pawl_yaml_places_free(places);
    pawl_arena_release(&arena);
    return status;
}

const json_t *pawl_card_operator(const json_t *operators, const char *name)
{
    size_t i;
    json_t *table;
    json_array_foreach((json_t *)(uintptr_t)operators, i, table)
    {
        if (strcmp(pawl_json_get_text(table, "name", ""), name) == 0) return table;
    }
    return NULL;
}

/* The card stands under its operator's name. */
static enum pawl_status read_source(const struct pawl_card_source *source, const json_t *operators,
                                    json_t *by_name, struct pawl_error *err)
{
    json_t *card;
    struct pawl_str yaml = {(const char *)source->text, source->len};
    PAWL_TRY(pawl_card_read(yaml, source->file, operators, &card, err));
    const char *name = pawl_json_get_text(card, "operator", "");
    enum pawl_status status = PAWL_OK;
    if (strcmp(name, source->name) != 0)
        status = pawl_fail_at(err, PAWL_ECONFIG, source->file, 0, "operator",
                              "The card of %s stands in the file of %s.", name, source->name);
    if (status == PAWL_OK) pawl_json_set(by_name, name, json_incref(card));
    json_decref(card);
    return status;
}

enum pawl_status pawl_cards_read(const struct pawl_card_source *sources, const json_t *operators,
                                 json_t **cards, struct pawl_error *err)
{
    json_t *by_name = json_object(), *table;
    enum pawl_status status = PAWL_OK;
    size_t i;
    *cards = NULL;
    for (; sources->name != NULL && status == PAWL_OK; sources++)
        status = read_source(sources, operators, by_name, err);
    json_t *list = json_array();
    json_array_foreach((json_t *)(uintptr_t)operators, i, table)
    {
        const char *name = pawl_json_get_text(table, "name", "");
        json_t *card = json_object_get(by_name, name);
        if (status != PAWL_OK) break;
        if (card != NULL) {
            json_array_append(list, card);
            continue;
        }
        status = pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "operator",
                              "The operator %s has no card.", name);
        pawl_hint(err, "Write share/cards/%s.yaml; the other cards there are examples.", name);
    }
    if (status == PAWL_OK) *cards = json_incref(list);
    json_decref(list);
    json_decref(by_name);
    return status;
}

/* --- joining ------------------------------------------------------------------------------------- */

/* "one; another" */
static json_t *split_risks(const char *risks)
{
    json_t *out = json_array();
    struct pawl_str rest = pawl_str_of(risks), part;
    while (pawl_str_split(&rest, ';', &part)) {
        part = pawl_str_trim(part);
        if (part.len > 0) json_array_append_new(out, pawl_json_string(part));
    }
    return out;
}

json_t *pawl_card_join(const json_t *card, const json_t *operator_table)
{
    static const char *const from_table[] = {"version", "summary", "paper",
                                             "roles",   "options", "texts"};
    json_t *out = json_deep_copy(card);
    for (size_t i = 0; i < sizeof from_table / sizeof *from_table; i++)
        pawl_json_set(out, from_table[i],
                      json_incref(json_object_get(operator_table, from_table[i])));
    pawl_json_set(json_object_get(out, "risk"), "failure_modes",
                  split_risks(pawl_json_get_text(operator_table, "risks", "")));
    return out;
}

/* --- levels -------------------------------------------------------------------------------------- */

int pawl_card_lowest_level(const char *change)
{
    for (size_t s = 0; s < N_SURFACES; s++)
        if (strcmp(change, surface_risks[s].edits) == 0) return surface_risks[s].lowest - '0';
    return 4;
}

/* The cards that we came with are whole (a test reads them all), so one field may be read alone. */
int pawl_card_level(const struct pawl_card_source *sources, const char *name)
{
    struct pawl_yaml_places *places;
    json_t *card;
    while (sources->name != NULL && strcmp(sources->name, name) != 0) sources++;
    if (sources->name == NULL) return -1;
    struct pawl_str yaml = {(const char *)sources->text, sources->len};
    if (pawl_yaml_parse(yaml, sources->file, &card, &places, NULL) != PAWL_OK) return -1;
    const char *level = pawl_json_get_text(json_object_get(card, "risk"), "level", "L4");
    int n = level[1] - '0';
    json_decref(card);
    pawl_yaml_places_free(places);
    return n;
}
