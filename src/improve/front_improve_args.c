/* What was asked of improve: its budget, its settings, and whether a recorded run can be asked so. */
#include "improve/front_improve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum pawl_status bad_pair(const char *what, const char *text, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EUSAGE, "\"%s\" is not %s.", text, what);
    pawl_hint(err, "For example: --budget evaluations=500,minutes=10 --set minibatch=3.");
    return PAWL_EUSAGE;
}

enum pawl_status pawl_improve_read_budget(const char *text, struct pawl_config_budget *budget,
                                          struct pawl_error *err)
{
    struct pawl_str rest = pawl_str_of(text), part;
    while (pawl_str_split(&rest, ',', &part)) {
        char name[32], end;
        double value;
        char item[64];
        if (part.len >= sizeof item) return bad_pair("a budget", text, err);
        memcpy(item, part.ptr, part.len);
        item[part.len] = '\0';
        if (sscanf(item, "%31[a-z]=%lf%c", name, &value, &end) != 2 || !(value >= 0) ||
            value > 1e12)
            return bad_pair("a budget", text, err);
        if (strcmp(name, "evaluations") == 0)
            budget->evaluations = (int64_t)value;
        else if (strcmp(name, "usd") == 0)
            budget->usd = value;
        else if (strcmp(name, "minutes") == 0)
            budget->minutes = value;
        else
            return bad_pair("a budget of evaluations, usd or minutes", text, err);
    }
    return PAWL_OK;
}

json_t *pawl_improve_budget_json(const struct pawl_config_budget *budget)
{
    return json_pack("{s:I, s:f, s:f}", "evaluations", (json_int_t)budget->evaluations, "usd",
                     budget->usd, "minutes", budget->minutes);
}

enum pawl_status pawl_improve_read_settings(json_t *options, const json_t *set,
                                            struct pawl_error *err)
{
    size_t i;
    json_t *item;
    if (json_is_object(set)) {
        json_object_update(options, (json_t *)set);
        return PAWL_OK;
    }
    json_array_foreach(set, i, item)
    {
        const char *text = json_string_value(item);
        const char *equals = text != NULL ? strchr(text, '=') : NULL;
        if (equals == NULL || equals == text)
            return bad_pair("a setting KEY=VALUE", text != NULL ? text : "", err);
        json_object_setn_new(options, text, (size_t)(equals - text), json_string(equals + 1));
    }
    return PAWL_OK;
}

/* --- a run that is resumed ----------------------------------------------------------------------- */

static enum pawl_status differs(const json_t *run, const char *option, const char *value,
                                struct pawl_error *err)
{
    const char *id = pawl_json_get_text(run, "id", "");
    pawl_fail(err, PAWL_EUSAGE,
              "The run %s began with another --%s than %s, and its steps depend on it.", id, option,
              value);
    pawl_hint(
        err,
        "Resume it without --%s; or `pawl improve --fork %s --%s %s` starts a new run with its "
        "candidates and paid answers.",
        option, id, option, value);
    return PAWL_EUSAGE;
}

static enum pawl_status check_budget(const char *text, const json_t *run, struct pawl_error *err)
{
    const json_t *recorded = json_object_get(run, "budget");
    const struct pawl_config_budget then = {.evaluations =
                                                pawl_json_get_int(recorded, "evaluations", -1),
                                            .usd = pawl_json_get_real(recorded, "usd", -1),
                                            .minutes = pawl_json_get_real(recorded, "minutes", -1)};
    struct pawl_config_budget now = then;
    PAWL_TRY(pawl_improve_read_budget(text, &now, err));
    bool same =
        now.evaluations == then.evaluations && now.usd == then.usd && now.minutes == then.minutes;
    return same ? PAWL_OK : differs(run, "budget", text, err);
}

/* A setting is a text on the command line and may be a number in pawl.yaml. */
static char *setting_text(const json_t *value)
{
    return json_is_string(value) ? pawl_xstrdup(json_string_value(value)) : pawl_json_text(value);
}

static enum pawl_status check_setting(const char *key, const json_t *value, const json_t *run,
                                      struct pawl_error *err)
{
    const json_t *then = json_object_get(json_object_get(run, "options"), key);
    char *given = setting_text(value), *recorded = then != NULL ? setting_text(then) : NULL;
    struct pawl_buf pair = PAWL_BUF(SIZE_MAX);
    pawl_buf_printf(&pair, "%s=%s", key, given);
    bool same = recorded != NULL && strcmp(given, recorded) == 0;
    enum pawl_status status = same ? PAWL_OK : differs(run, "set", pawl_buf_str(&pair).ptr, err);
    pawl_buf_release(&pair);
    free(given);
    free(recorded);
    return status;
}

/* Only what was given is compared; what was not is as it was recorded. */
static enum pawl_status check_settings(const json_t *set, const json_t *run, struct pawl_error *err)
{
    const char *key;
    json_t *value, *given = json_object();
    enum pawl_status status = pawl_improve_read_settings(given, set, err);
    json_object_foreach(given, key, value)
    {
        if (status == PAWL_OK) status = check_setting(key, value, run, err);
    }
    json_decref(given);
    return status;
}

enum pawl_status pawl_improve_check_resumed(const struct pawl_improve_options *options,
                                            const json_t *run, struct pawl_error *err)
{
    char seed[32];
    if (options->fork != NULL)
        return pawl_fail(err, PAWL_EUSAGE,
                         "--resume goes on with a run and --fork begins one; give one of them.");
    if (options->operator!= NULL &&
        strcmp(options->operator, pawl_json_get_text(run, "operator", "")) != 0)
        return differs(run, "operator", options->operator, err);
    snprintf(seed, sizeof seed, "%lld", (long long)options->seed);
    if (options->seed >= 0 && options->seed != pawl_json_get_int(run, "seed", 0))
        return differs(run, "seed", seed, err);
    if (options->budget != NULL) PAWL_TRY(check_budget(options->budget, run, err));
    return options->set != NULL ? check_settings(options->set, run, err) : PAWL_OK;
}
