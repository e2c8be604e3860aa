/* Several operators in a row: which link comes next, with which share of the budget, and what they did together. */
#include "improve/front_improve.h"

#include "improve/protocol.h"
#include "store/store.h"

#include <string.h>

/* --- the record ------------------------------------------------------------------------------------ */

/* The names between the commas. New reference. */
static json_t *names_of(const char *text)
{
    json_t *names = json_array();
    struct pawl_str rest = pawl_str_of(text), part;
    while (pawl_str_split(&rest, ',', &part))
        json_array_append_new(names, pawl_json_string(pawl_str_trim(part)));
    return names;
}

static json_t *new_chain(const char *operators, const struct pawl_config_budget *budget,
                         int64_t seed)
{
    return json_pack("{s:o, s:I, s:i, s:o, s:{s:i, s:f, s:f}, s:[]}", "operators",
                     names_of(operators), "seed", (json_int_t)seed, "at", 0, "budget",
                     pawl_improve_budget_json(budget), "spent", "evaluations", 0, "usd", 0.0,
                     "minutes", 0.0, "links");
}

const json_t *pawl_improve_chain_of(const json_t *row)
{
    bool has_next = json_object_get(row, "next") != NULL;
    return has_next ? NULL : json_object_get(json_object_get(row, "run"), "chain");
}

static size_t n_operators(const json_t *chain)
{
    return json_array_size(json_object_get(chain, "operators"));
}

/* --- the next link --------------------------------------------------------------------------------- */

/* An equal share of what is left; -1 stays no limit. */
static double share(const json_t *chain, const char *unit)
{
    double all = pawl_json_get_real(json_object_get(chain, "budget"), unit, -1);
    double left = all - pawl_json_get_real(json_object_get(chain, "spent"), unit, 0);
    double n_left = (double)n_operators(chain) - (double)pawl_json_get_int(chain, "at", 0);
    if (all < 0) return -1;
    return left > 0 ? left / n_left : 0;
}

static struct pawl_improve_link next_link(const json_t *chain)
{
    size_t at = (size_t)pawl_json_get_int(chain, "at", 0);
    const char *name = json_string_value(json_array_get(json_object_get(chain, "operators"), at));
    return (struct pawl_improve_link){
        .operator= name != NULL ? name : "",
        .budget = {.evaluations = (int64_t)share(chain, "evaluations"),
                   .usd = share(chain, "usd"),
                   .minutes = share(chain, "minutes")},
        .chain = chain};
}

/* --- what a link did -------------------------------------------------------------------------------- */

static void add_to(json_t *sums, const char *name, double more)
{
    pawl_json_set(sums, name, json_real(pawl_json_get_real(sums, name, 0) + more));
}

/* A link that could not even begin, its share being too small, has no run. */
static void note_link(json_t *chain, const char *operator, const json_t * result)
{
    static const char *const kept[] = {"run",    "started_from", "best",     "certificate",
                                       "tokens", "wall_s",       "attempts", "because"};
    json_t *spent = json_object_get(chain, "spent");
    int64_t evaluations = pawl_json_get_int(result, "evaluations", 0);
    double usd = pawl_json_get_real(result, "usd", 0);
    json_t *link = json_pack("{s:s, s:s, s:I, s:f}", "operator",
                             pawl_json_get_text(result, "operator", operator), "verdict",
                             pawl_json_get_text(result, "verdict", "none"), "evaluations",
                             (json_int_t)evaluations, "usd", usd);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(result, kept[i]);
        if (value != NULL) pawl_json_set(link, kept[i], json_incref(value));
    }
    pawl_json_set(spent, "evaluations",
                  json_integer(pawl_json_get_int(spent, "evaluations", 0) + evaluations));
    add_to(spent, "usd", usd);
    add_to(spent, "minutes", pawl_json_get_real(result, "wall_s", 0) / 60);
    json_array_append_new(json_object_get(chain, "links"), link);
    pawl_json_set(chain, "at", json_integer(pawl_json_get_int(chain, "at", 0) + 1));
}

static bool is_promoted(const json_t *link)
{
    return strcmp(pawl_json_get_text(link, "verdict", ""), "promote") == 0;
}

static json_t *joined(const json_t *names)
{
    struct pawl_buf text = PAWL_BUF(1 << 12);
    for (size_t i = 0; i < json_array_size(names); i++)
        pawl_buf_printf(&text, "%s%s", i > 0 ? "," : "",
                        json_string_value(json_array_get(names, i)));
    json_t *out = pawl_json_string(pawl_buf_str(&text));
    pawl_buf_release(&text);
    return out;
}

/* The last link's result, with what all did. Gives whether any was promoted. */
static bool fill_result(json_t *result, const json_t *chain)
{
    static const char *const parts[] = {"cached", "completion", "prompt"};
    const json_t *links = json_object_get(chain, "links"), *spent = json_object_get(chain, "spent");
    json_t *tokens = json_object();
    double wall_s = 0;
    int64_t attempts = 0;
    bool promoted = false;
    for (size_t i = 0; i < json_array_size(links); i++) {
        const json_t *link = json_array_get(links, i), *part = json_object_get(link, "tokens");
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            pawl_json_set(tokens, parts[k],
                          json_integer(pawl_json_get_int(tokens, parts[k], 0) +
                                       pawl_json_get_int(part, parts[k], 0)));
        wall_s += pawl_json_get_real(link, "wall_s", 0);
        attempts += pawl_json_get_int(link, "attempts", 0);
        if (!is_promoted(link)) continue;
        promoted = true;
        pawl_json_set(result, "best", json_incref(json_object_get(link, "best")));
        pawl_json_set(result, "certificate", json_incref(json_object_get(link, "certificate")));
    }
    json_t *from = json_object_get(json_array_get(links, 0), "started_from");
    if (from != NULL) pawl_json_set(result, "started_from", json_incref(from));
    if (promoted) pawl_json_set(result, "verdict", json_string("promote"));
    pawl_json_set(result, "operator", joined(json_object_get(chain, "operators")));
    pawl_json_set(result, "evaluations", json_incref(json_object_get(spent, "evaluations")));
    pawl_json_set(result, "usd", json_incref(json_object_get(spent, "usd")));
    pawl_json_set(result, "wall_s", json_real(wall_s));
    pawl_json_set(result, "attempts", json_integer(attempts));
    pawl_json_set(result, "tokens", tokens);
    pawl_json_set(result, "links", json_deep_copy(links));
    return promoted;
}

/* --- the links in turn -------------------------------------------------------------------------------- */

/* It came to its end, whatever that was. */
static bool is_answered(enum pawl_status status)
{
    return status == PAWL_OK || status == PAWL_ENOTPROMOTED || status == PAWL_EBUDGET;
}

static enum pawl_status run_links(struct pawl_call *call, struct pawl_improve_options *options,
                                  json_t *chain, struct pawl_error *err)
{
    json_t *before = json_copy(call->result);
    enum pawl_status status = PAWL_OK;
    while ((size_t)pawl_json_get_int(chain, "at", 0) < n_operators(chain)) {
        struct pawl_improve_link link = next_link(chain);
        json_object_clear(call->result);
        json_object_update(call->result, before);
        status = pawl_improve_one(call, options, &link, err);
        if (!is_answered(status)) break;
        note_link(chain, link.operator, call->result);
        /* The others begin, as they would have when the chain did. */
        options->resume = NULL;
        options->seed = pawl_json_get_int(chain, "seed", -1);
    }
    json_decref(before);
    if (!is_answered(status)) return status;
    return fill_result(call->result, chain) ? PAWL_OK : status;
}

static enum pawl_status read_chain(struct pawl_call *call, const char *run, json_t **chain,
                                   struct pawl_error *err)
{
    char id[PAWL_HASH_HEX];
    json_t *row;
    PAWL_TRY(pawl_store_run_find(call->project->store, run, id, err));
    PAWL_TRY(pawl_store_run_get(call->project->store, id, &row, err));
    const json_t *recorded = pawl_improve_chain_of(row);
    *chain = recorded != NULL ? json_deep_copy(recorded) : NULL;
    json_decref(row);
    return PAWL_OK;
}

static enum pawl_status check_options(const struct pawl_improve_options *options,
                                      struct pawl_error *err)
{
    if (options->set == NULL && options->fork == NULL) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE,
              "A setting, or a run to fork, is one operator's; a chain has several.");
    pawl_hint(err, "Leave --set and --fork out, or name one operator with --operator.");
    return PAWL_EUSAGE;
}

static bool is_listed(const json_t *operators, const char *name)
{
    size_t i;
    json_t *operator;
    json_array_foreach((json_t *)(uintptr_t)operators, i, operator)
    {
        if (strcmp(pawl_json_get_text(operator, "name", ""), name) == 0) return true;
    }
    return strcmp(name, PAWL_OPERATOR_AUTO) == 0;
}

/* Before anything is spent: the last link's name, too. */
static enum pawl_status check_names(struct pawl_call *call, const json_t *chain,
                                    struct pawl_error *err)
{
    size_t i;
    json_t *described, *name;
    enum pawl_status status = PAWL_OK;
    if (n_operators(chain) > PAWL_CHAIN_MAX)
        return pawl_fail(err, PAWL_EUSAGE, "A chain has %d operators at most; these are %zu.",
                         PAWL_CHAIN_MAX, n_operators(chain));
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_TABLES_NAME, json_pack("{s:s}", "op", "describe"),
                            &described, err));
    json_array_foreach(json_object_get(chain, "operators"), i, name)
    {
        const char *text = json_string_value(name);
        if (status != PAWL_OK || is_listed(json_object_get(described, "operators"), text)) continue;
        status = pawl_fail(err, PAWL_ENOTFOUND, "There is no operator \"%s\".", text);
        pawl_hint(err, "`pawl improve --help` lists the operators.");
    }
    json_decref(described);
    return status;
}

enum pawl_status pawl_improve_chain(struct pawl_call *call, struct pawl_improve_options *options,
                                    struct pawl_error *err)
{
    const struct pawl_config_improve *config = &call->project->config.improve;
    struct pawl_improve_link single = {.operator= options->operator!= NULL
                                       ? options->operator: config->operator_name,
                                       .budget = config->budget };
    json_t *chain = NULL;
    if (options->resume != NULL) {
        PAWL_TRY(read_chain(call, options->resume, &chain, err));
    } else {
        if (options->budget != NULL)
            PAWL_TRY(pawl_improve_read_budget(options->budget, &single.budget, err));
        if (strchr(single.operator, ',') != NULL) {
            PAWL_TRY(check_options(options, err));
            chain = new_chain(single.operator, & single.budget, options->seed);
            enum pawl_status status = check_names(call, chain, err);
            if (status != PAWL_OK) {
                json_decref(chain);
                return status;
            }
        }
    }
    if (chain == NULL) return pawl_improve_one(call, options, &single, err);
    enum pawl_status status = run_links(call, options, chain, err);
    json_decref(chain);
    return status;
}
