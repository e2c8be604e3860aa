#include "improve/config.h"

#include "base/option.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

struct config_top {
    const char *name;
    int64_t seed, concurrency;
    json_t *program, *data, *metric, *models, *roles, *improve, *gate, *approval;
};
static const struct pawl_option top_options[] = {
    {"name", PAWL_OPTION_TEXT, offsetof(struct config_top, name), NULL, 0, 0, NULL,
     "the project's name", true},
    PAWL_OPT_INT(struct config_top, seed, "0", 0, 9e15, "seed of sampling and scripted models"),
    PAWL_OPT_INT(struct config_top, concurrency, "0", 0, 4096,
                 "requests under way at once (0: what the models can use)"),
    {"program", PAWL_OPTION_JSON, offsetof(struct config_top, program), NULL, 0, 0, NULL,
     "what is improved: a signature or a command", true},
    {"data", PAWL_OPTION_JSON, offsetof(struct config_top, data), NULL, 0, 0, NULL, "the cases",
     true},
    {"metric", PAWL_OPTION_JSON, offsetof(struct config_top, metric), NULL, 0, 0, NULL,
     "what a good answer is", true},
    PAWL_OPT_JSON(struct config_top, models, "language models by name"),
    PAWL_OPT_JSON(struct config_top, roles, "which model plays task, reflect and judge"),
    PAWL_OPT_JSON(struct config_top, improve, "operator and budget"),
    PAWL_OPT_JSON(struct config_top, gate, "how a change is decided"),
    PAWL_OPT_JSON(struct config_top, approval, "who must agree before a change takes force"),
    {0}};

static const struct pawl_option data_options[] = {
    PAWL_OPT_TEXT(struct pawl_config_data, file, NULL, "one case file, split into tiers"),
    PAWL_OPT_TEXT(struct pawl_config_data, train, NULL, "case file of the train tier"),
    PAWL_OPT_TEXT(struct pawl_config_data, dev, NULL, "case file of the dev tier"),
    PAWL_OPT_TEXT(struct pawl_config_data, gate, NULL, "case file of the gate tier"),
    PAWL_OPT_TEXT(struct pawl_config_data, vault, NULL, "case file of the vault tier"),
    PAWL_OPT_INT(struct pawl_config_data, max_per_cluster, "0", 0, 1000000,
                 "most cases of a sealed cluster; the rest is left out (0: no limit)"),
    PAWL_OPT_JSON(struct pawl_config_data, columns, "columns of a CSV file"),
    PAWL_OPT_JSON(struct pawl_config_data, tiers, "shares of train, dev, gate and vault"),
    {0}};

struct config_improve {
    const char *operator;
    bool dev_check;
    json_t *budget, *options, *texts;
};
static const struct pawl_option improve_options[] = {
    PAWL_OPT_TEXT(struct config_improve, operator, "bootstrap", "what proposes changes"),
    PAWL_OPT_BOOL(struct config_improve, dev_check, "true",
                  "choose what to offer on a hidden third of dev"),
    PAWL_OPT_JSON(struct config_improve, budget, "limits of a run"),
    PAWL_OPT_JSON(struct config_improve, options, "the operator's settings"),
    PAWL_OPT_JSON(struct config_improve, texts, "the operator's own texts, by name"),
    {0}};

static const struct pawl_option budget_options[] = {
    PAWL_OPT_INT(struct pawl_config_budget, evaluations, "2000", 1, 1e12,
                 "candidate runs on one case"),
    PAWL_OPT_REAL(struct pawl_config_budget, usd, "-1", -1, 1e9, "money (-1: no limit)"),
    PAWL_OPT_REAL(struct pawl_config_budget, minutes, "-1", -1, 1e7, "time (-1: no limit)"),
    {0}};

static const struct pawl_option gate_options[] = {
    PAWL_OPT_REAL(struct pawl_config_gate, alpha, "0.05", 1e-6, 0.5,
                  "chance of a false promotion that is accepted"),
    PAWL_OPT_CHOICE(struct pawl_config_gate, policy, "e-lond", "e-lond|strict|per-decision|fresh",
                    "how alpha is spent over the life of the sealed set"),
    PAWL_OPT_CHOICE(struct pawl_config_gate, look, "auto", "auto|sequential|fixed",
                    "look after every case, or once"),
    PAWL_OPT_INT(struct pawl_config_gate, samples, "1", 1, 100, "answers per case and arm"),
    PAWL_OPT_INT(struct pawl_config_gate, max_attempts, "50", 1, 10000,
                 "attempts over the life of the sealed set"),
    PAWL_OPT_INT(struct pawl_config_gate, max_promotions, "10", 1, 10000,
                 "promotions over the life of the sealed set"),
    PAWL_OPT_INT(
        struct pawl_config_gate, draw, "0", 0, 1000000,
        "clusters that an attempt draws under the policy fresh (0: a quarter of the gate)"),
    PAWL_OPT_BOOL(struct pawl_config_gate, confirm, "false",
                  "ask the vault tier's fresh cases after every promotion of a run"),
    PAWL_OPT_JSON(struct pawl_config_gate, guards, "what a promotion must not make worse"),
    {0}};

struct config_guard {
    const char *metric;
    double margin;
    bool zero_tolerance;
};
static const struct pawl_option guard_options[] = {
    {"metric", PAWL_OPTION_CHOICE, offsetof(struct config_guard, metric), NULL, 0, 0,
     PAWL_MEASURE_NAMES, "what must not become worse", true},
    PAWL_OPT_REAL(struct config_guard, margin, "0", 0, PAWL_GUARD_MARGIN_MAX,
                  "how much worse is too much: a share of tokens, seconds and cost, a part of 1 of "
                  "score and failed"),
    PAWL_OPT_BOOL(struct config_guard, zero_tolerance, "false", "no case may become worse"),
    {0}};

struct config_approval {
    const char *from;
    int64_t people;
    double expires_hours;
    json_t *keys;
};
static const struct pawl_option approval_options[] = {
    PAWL_OPT_CHOICE(struct config_approval, from, "L2", "L0|L1|L2|L3",
                    "the lowest layer of change that waits for people"),
    PAWL_OPT_INT(struct config_approval, people, "0", 0, PAWL_APPROVERS_MAX,
                 "how many must approve (0: one, and two from L3 on)"),
    PAWL_OPT_REAL(struct config_approval, expires_hours, "72", 0.001, 8760,
                  "hours after which silence rejects"),
    {"keys", PAWL_OPTION_JSON, offsetof(struct config_approval, keys), NULL, 0, 0, NULL,
     "who may approve: a public key by name", true},
    {0}};

/* A section that may be absent must be a map when it is there. */
static enum pawl_status section_is_map(const json_t *section, const char *name,
                                       struct pawl_error *err)
{
    if (section == NULL || json_is_object(section)) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name, "The section \"%s\" is not a map.", name);
    pawl_hint(err, "Write it as `%s: {key: value, ...}` or as indented lines.", name);
    return PAWL_ECONFIG;
}

static bool has_columns(const char *file)
{
    const char *dot = file != NULL ? strrchr(file, '.') : NULL;
    return dot != NULL && (strcmp(dot, ".csv") == 0 || strcmp(dot, ".tsv") == 0);
}

/* They map a table; where the project has none, whoever wrote them expects what will not happen. */
static enum pawl_status check_columns(const struct pawl_config_data *data, struct pawl_error *err)
{
    if (data->columns == NULL || has_columns(data->file) || has_columns(data->train) ||
        has_columns(data->dev) || has_columns(data->gate) || has_columns(data->vault))
        return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data.columns",
                 "Columns are named, and no case file of the project is .csv or .tsv.");
    pawl_hint(err, "Remove data.columns; other formats name input, target, id and cluster "
                   "themselves.");
    return PAWL_ECONFIG;
}

static enum pawl_status check_data(const struct pawl_config_data *data, struct pawl_error *err)
{
    bool tiered =
        data->train != NULL || data->dev != NULL || data->gate != NULL || data->vault != NULL;
    if (data->file != NULL && !tiered) return PAWL_OK;
    if (data->file == NULL && data->train != NULL && data->dev != NULL && data->gate != NULL) {
        if (data->tiers == NULL) return PAWL_OK;
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data.tiers",
                     "Shares of tiers make no sense when every tier has a file of its own.");
        pawl_hint(err, "Remove data.tiers.");
        return PAWL_ECONFIG;
    }
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "data",
                 "The section \"data\" names neither one file nor a file for each tier.");
    pawl_hint(err, "Write `data: {file: cases.jsonl}`, or name train, dev and gate.");
    return PAWL_ECONFIG;
}

/* --- guards ------------------------------------------------------------------------------------ */

/* What is wrong with guard i, in a field of it that err names already. */
static enum pawl_status place_in_guard(size_t i, struct pawl_error *err)
{
    char field[sizeof err->field];
    if (err == NULL) return PAWL_ECONFIG;
    snprintf(field, sizeof field, "gate.guards.%zu.%.32s", i, err->field);
    snprintf(err->field, sizeof err->field, "%s", field);
    return PAWL_ECONFIG;
}

static enum pawl_status check_single(const struct pawl_config_gate *gate, size_t i,
                                     struct pawl_error *err)
{
    enum pawl_measure measure = gate->guard_rules[i].measure;
    for (size_t k = 0; k < i; k++) {
        if (gate->guard_rules[k].measure != measure) continue;
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "metric", "There are two guards on %s.",
                     pawl_measure_name(measure));
        pawl_hint(err, "Keep the stricter one; it implies the other.");
        return place_in_guard(i, err);
    }
    return PAWL_OK;
}

static enum pawl_status read_guard(const json_t *item, size_t i, struct pawl_arena *arena,
                                   struct pawl_config_gate *gate, struct pawl_error *err)
{
    struct config_guard guard;
    char name[32];
    snprintf(name, sizeof name, "gate.guards.%zu", i);
    if (!json_is_object(item)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, name, "A guard is not a map.");
        pawl_hint(err, "Write `guards: [{metric: tokens, margin: 0.2}]`.");
        return PAWL_ECONFIG;
    }
    PAWL_TRY(pawl_options_read(guard_options, item, name, arena, &guard, err));
    struct pawl_guard_rule *rule = &gate->guard_rules[i];
    *rule = (struct pawl_guard_rule){.measure = pawl_measure_find(guard.metric),
                                     .zero_tolerance = guard.zero_tolerance,
                                     .margin = guard.margin};
    if (pawl_guard_rule_check(rule, err) != PAWL_OK) return place_in_guard(i, err);
    return check_single(gate, i, err);
}

static enum pawl_status read_guards(struct pawl_arena *arena, struct pawl_config_gate *gate,
                                    struct pawl_error *err)
{
    size_t i, n = json_array_size(gate->guards);
    json_t *item;
    if (gate->guards != NULL && !json_is_array(gate->guards)) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.guards", "The guards are not a list.");
        pawl_hint(err, "Write `guards: [{metric: tokens, margin: 0.2}]`.");
        return PAWL_ECONFIG;
    }
    if (n > PAWL_GUARDS_MAX) {
        pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "gate.guards",
                     "There are %zu guards, more than %d.", n, PAWL_GUARDS_MAX);
        pawl_hint(err, "One for each of " PAWL_MEASURE_NAMES " is the most there can be.");
        return PAWL_ECONFIG;
    }
    json_array_foreach((json_t *)gate->guards, i, item)
        PAWL_TRY(read_guard(item, i, arena, gate, err));
    gate->n_guards = n;
    return PAWL_OK;
}

/* --- approval -------------------------------------------------------------------------------------- */

static enum pawl_status fail_key(const char *name, const char *what, struct pawl_error *err)
{
    char field[sizeof err->field];
    snprintf(field, sizeof field, "approval.keys.%.64s", name);
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "The key of \"%.64s\" %s.", name, what);
    pawl_hint(err, "`pawl key show NAME` prints a public key: 64 digits of 0-9 and a-f.");
    return PAWL_ECONFIG;
}

/* Keys are compared as texts, so each has one spelling. */
static bool is_public_key(const json_t *value)
{
    unsigned char bytes[PAWL_HASH_BYTES];
    char hex[PAWL_HASH_HEX];
    struct pawl_str text = {json_string_value(value), json_string_length(value)};
    if (!json_is_string(value) || !pawl_unhex(text, bytes, sizeof bytes)) return false;
    pawl_hex(bytes, sizeof bytes, hex);
    return pawl_str_is(text, hex);
}

/* Two names for one key would let one person be two. */
static const char *other_name(const json_t *keys, const char *name, const json_t *value)
{
    const char *other;
    json_t *key;
    json_object_foreach((json_t *)(uintptr_t)keys, other, key)
    {
        if (strcmp(other, name) != 0 && json_equal(key, value)) return other;
    }
    return NULL;
}

static enum pawl_status check_approval(const struct pawl_config_approval *approval,
                                       struct pawl_error *err)
{
    const char *name;
    json_t *value;
    size_t n = json_object_size(approval->keys);
    size_t wanted = approval->people > 0 ? (size_t)approval->people : 1;
    json_object_foreach((json_t *)(uintptr_t)approval->keys, name, value)
    {
        if (!is_public_key(value)) return fail_key(name, "is no public key", err);
        if (other_name(approval->keys, name, value) != NULL)
            return fail_key(name, "is another one's, too", err);
    }
    if (n >= wanted && n <= PAWL_APPROVERS_MAX) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "approval.keys",
                 "%zu keys are named, and %zu must approve (at most %d can be named).", n, wanted,
                 PAWL_APPROVERS_MAX);
    pawl_hint(err, "Write `keys: {ann: PUBLIC_KEY}`; `pawl key make ann` prints one.");
    return PAWL_ECONFIG;
}

static enum pawl_status read_approval(const json_t *section, struct pawl_arena *arena,
                                      struct pawl_config_approval *out, struct pawl_error *err)
{
    struct config_approval read;
    PAWL_TRY(section_is_map(section, "approval", err));
    if (section == NULL) return PAWL_OK;
    PAWL_TRY(pawl_options_read(approval_options, section, "approval", arena, &read, err));
    PAWL_TRY(section_is_map(read.keys, "approval.keys", err));
    *out = (struct pawl_config_approval){.is_asked = true,
                                         .from = read.from,
                                         .people = read.people,
                                         .keys = read.keys,
                                         .expires_hours = read.expires_hours};
    return check_approval(out, err);
}

static enum pawl_status read_sections(struct pawl_arena *arena, const struct config_top *top,
                                      struct pawl_config *config, struct pawl_error *err)
{
    struct config_improve improve;
    PAWL_TRY(section_is_map(top->program, "program", err));
    PAWL_TRY(section_is_map(top->data, "data", err));
    PAWL_TRY(section_is_map(top->models, "models", err));
    PAWL_TRY(section_is_map(top->roles, "roles", err));
    PAWL_TRY(section_is_map(top->improve, "improve", err));
    PAWL_TRY(section_is_map(top->gate, "gate", err));
    PAWL_TRY(pawl_options_read(data_options, top->data, "data", arena, &config->data, err));
    PAWL_TRY(check_data(&config->data, err));
    PAWL_TRY(check_columns(&config->data, err));
    PAWL_TRY(pawl_options_read(improve_options, top->improve, "improve", arena, &improve, err));
    PAWL_TRY(section_is_map(improve.budget, "improve.budget", err));
    PAWL_TRY(section_is_map(improve.options, "improve.options", err));
    PAWL_TRY(section_is_map(improve.texts, "improve.texts", err));
    PAWL_TRY(pawl_options_read(budget_options, improve.budget, "improve.budget", arena,
                               &config->improve.budget, err));
    PAWL_TRY(pawl_options_read(gate_options, top->gate, "gate", arena, &config->gate, err));
    PAWL_TRY(read_guards(arena, &config->gate, err));
    PAWL_TRY(read_approval(top->approval, arena, &config->approval, err));
    config->improve.operator_name = improve.operator;
    config->improve.dev_check = improve.dev_check;
    config->improve.options = improve.options;
    config->improve.texts = improve.texts;
    return PAWL_OK;
}

/* A judge likes long answers, so a search that is paid in its grades buys length. */
static enum pawl_status check_judge(const struct pawl_config *config, struct pawl_error *err)
{
    bool is_free = strcmp(pawl_json_get_text(config->metric, "length", "guarded"), "free") == 0;
    if (!config->judged) return PAWL_OK;
    for (size_t i = 0; i < config->gate.n_guards; i++)
        is_free = is_free || config->gate.guard_rules[i].measure == PAWL_MEASURE_TOKENS;
    if (is_free) return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, "metric.judge",
                 "A judge likes long answers, and no guard holds their length.");
    pawl_hint(err, "Say how much longer they may become: `gate: {guards: [{metric: tokens, margin: "
                   "0.2}]}`; or, where length is welcome, `metric: {..., length: free}`.");
    return PAWL_ECONFIG;
}

enum pawl_status pawl_config_from_json(json_t *json, struct pawl_arena *arena,
                                       struct pawl_config *config, struct pawl_error *err)
{
    struct config_top top;
    *config = (struct pawl_config){0};
    if (!json_is_object(json)) {
        pawl_fail(err, PAWL_ECONFIG, "The configuration is not a map of sections.");
        pawl_hint(err, "`pawl init --template sentiment` writes one to start from.");
        return PAWL_ECONFIG;
    }
    PAWL_TRY(pawl_options_read(top_options, json, "", arena, &top, err));
    PAWL_TRY(read_sections(arena, &top, config, err));
    config->name = top.name;
    config->seed = (uint64_t)top.seed;
    config->concurrency = top.concurrency;
    config->program = top.program;
    config->metric = top.metric;
    config->models = top.models;
    config->roles = top.roles;
    config->judged = json_object_get(config->metric, "judge") != NULL;
    PAWL_TRY(check_judge(config, err));
    config->json = json_incref(json);
    return PAWL_OK;
}

enum pawl_status pawl_config_parse(struct pawl_str yaml, const char *file, struct pawl_arena *arena,
                                   struct pawl_config *config, struct pawl_yaml_places **places,
                                   struct pawl_error *err)
{
    json_t *json = NULL;
    PAWL_TRY(pawl_yaml_parse(yaml, file, &json, places, err));
    enum pawl_status status = pawl_config_from_json(json, arena, config, err);
    json_decref(json);
    if (status != PAWL_OK) {
        if (err != NULL) pawl_yaml_locate(*places, err);
        pawl_yaml_places_free(*places);
        *places = NULL;
    }
    return status;
}

void pawl_config_release(struct pawl_config *config)
{
    json_decref(config->json);
    *config = (struct pawl_config){0};
}

bool pawl_config_all_scripted(const struct pawl_config *config)
{
    const char *name;
    json_t *model;
    if (json_object_size(config->models) == 0) return false;
    json_object_foreach((json_t *)config->models, name, model)
    {
        if (!pawl_str_is(pawl_json_get_str(model, "backend"), "script")) return false;
    }
    return true;
}
