/*
 * redteam: every attack that pawl knows, made for real, each against a project of its own; or those that
 * fit the user's grader, against a copy of his project (--mine).
 */
#include "improve/redteam.h"

#include "base/clock.h"
#include "improve/front.h"
#include "improve/protocol.h"
#include "io/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redteam_options {
    const char *only, *write;
    bool list, mine, spend;
};
static const struct pawl_option redteam_options[] = {
    PAWL_OPT_TEXT(struct redteam_options, only, NULL, "one attack, e.g. A7"),
    PAWL_OPT_BOOL(struct redteam_options, list, "false", "say what there is, and attack nothing"),
    PAWL_OPT_BOOL(struct redteam_options, mine, "false",
                  "attack the grader of this project, in a copy of it"),
    PAWL_OPT_BOOL(struct redteam_options, spend, "false",
                  "with --mine: agree that a grader with a network may spend money"),
    PAWL_OPT_TEXT(struct redteam_options, write, NULL,
                  "with --only: write the attack's files into this folder, and attack nothing"),
    {0}};

/* --- what an attack needs ------------------------------------------------------------------------- */

/* What may be absent here, and what pawl has not got yet: such an attack has nothing to attack. */
static const struct need {
    const char *word, *absent;
    bool never;
} needs[] = {
    {"python", "no python3 in /usr/bin or /usr/local/bin", false},
    {"sandbox", "this kernel confines no command (Landlock)", false},
    {"code sandbox", "the sandbox for tests and builds does not exist yet", true},
    {"strata", "no suite is kept of every case ever fixed, by stratum", true},
};
enum { N_NEEDS = sizeof needs / sizeof *needs };

struct redteam {
    struct pawl_call *call;
    const struct redteam_options *options;
    struct pawl_stage stage;
    bool confined; /* a command's reach is limited by the kernel */
    json_t *rows;
    int n[5]; /* by result */
};
enum { PREVENTED, DETECTED, FAILED, VOID, SKIPPED };
static const char *const results[] = {"prevented", "detected", "failed", "void", "skipped"};

static bool is_there(const struct redteam *team, const struct need *need)
{
    if (strcmp(need->word, "python") == 0) return team->stage.python != NULL;
    if (strcmp(need->word, "sandbox") == 0) return team->confined;
    return !need->never;
}

/* Gives *why, or NULL when all is there. */
static enum pawl_status find_absent(struct redteam *team, const struct pawl_attack *attack,
                                    const char **why, struct pawl_error *err)
{
    *why = NULL;
    for (size_t i = 0; i < json_array_size(attack->needs); i++) {
        const char *word = json_string_value(json_array_get(attack->needs, i));
        size_t k = 0;
        while (k < N_NEEDS && strcmp(needs[k].word, word != NULL ? word : "") != 0) k++;
        if (k == N_NEEDS)
            return pawl_fail(err, PAWL_ECONFIG, "The attack %s needs what nobody knows: %s.",
                             attack->id, word != NULL ? word : "(no text)");
        if (*why == NULL && !is_there(team, &needs[k]))
            *why = pawl_arena_printf(&team->call->arena, "needs %s: %s", word, needs[k].absent);
    }
    return PAWL_OK;
}

static enum pawl_status ask_sandbox(struct redteam *team, struct pawl_error *err)
{
    json_t *described;
    PAWL_TRY(pawl_front_ask(team->call, PAWL_ROLE_TABLES_NAME, json_pack("{s:s}", "op", "describe"),
                            &described, err));
    const json_t *sandbox = json_object_get(described, "sandbox");
    team->confined = strcmp(pawl_json_get_text(sandbox, "level", "S0"), "S0") != 0;
    json_decref(described);
    return PAWL_OK;
}

/* --- one attack ------------------------------------------------------------------------------------ */

static void tell(struct redteam *team, const char *id, const char *result, const char *why)
{
    json_t *message = json_pack("{s:s}", "phase", "redteam");
    const char *said = pawl_arena_printf(&team->call->arena, "%s %s: %s", id, result, why);
    pawl_json_set(message, "say", pawl_json_string(pawl_str_of(said)));
    pawl_front_progress(team->call, message);
    json_decref(message);
}

static void add_row(struct redteam *team, const struct pawl_attack *attack, int result,
                    const char *why, double seconds)
{
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:f}", "id", attack->id, "title", attack->title, "attempts",
                  attack->attempts, "result", results[result], "s", pawl_front_rounded(seconds));
    pawl_json_set(row, "why", pawl_json_string(pawl_str_of(why)));
    pawl_json_set(row, "not_covered",
                  attack->not_covered != NULL ? json_string(attack->not_covered) : json_null());
    json_array_append_new(team->rows, row);
    team->n[result]++;
    if (result >= FAILED) tell(team, attack->id, results[result], why);
}

static void play(struct redteam *team, const struct pawl_attack *attack)
{
    struct pawl_error error = {0};
    const char *why = error.message;
    int64_t started_us = pawl_clock_monotonic_us();
    enum pawl_attack_end end = PAWL_ATTACK_VOID;
    if (pawl_stage_open(&team->stage, attack->files, attack->cases, &error) == PAWL_OK)
        end = pawl_attack_play(&team->stage, attack, &why);
    why = pawl_arena_strdup(&team->call->arena, why);
    pawl_stage_close(&team->stage);
    int result = end == PAWL_ATTACK_FAILED                      ? FAILED
                 : end == PAWL_ATTACK_VOID                      ? VOID
                 : strcmp(attack->ends, results[DETECTED]) == 0 ? DETECTED
                                                                : PREVENTED;
    add_row(team, attack, result, why, (double)(pawl_clock_monotonic_us() - started_us) / 1e6);
}

static void list(struct redteam *team, const struct pawl_attack *attack)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "id", attack->id, "title", attack->title,
                            "attempts", attack->attempts, "ends", attack->ends);
    pawl_json_set(row, "needs",
                  attack->needs != NULL ? json_incref((json_t *)attack->needs) : json_array());
    pawl_json_set(row, "held_by",
                  attack->held_by != NULL ? json_string(attack->held_by) : json_null());
    pawl_json_set(row, "control",
                  attack->control != NULL ? json_string(attack->control) : json_null());
    json_array_append_new(team->rows, row);
}

static bool is_empty_folder(const char *path)
{
    size_t n = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) return false;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return n == 0;
}

/* Into a folder of its own: an attack's pawl.yaml may replace nobody's. */
static enum pawl_status write_files(struct redteam *team, const struct pawl_attack *attack,
                                    struct pawl_error *err)
{
    PAWL_TRY(pawl_dir_make(team->options->write, 0777, err));
    if (!is_empty_folder(team->options->write)) {
        pawl_fail(err, PAWL_EUSAGE, "%s is not an empty folder.", team->options->write);
        pawl_hint(err, "Name one that is not there yet.");
        return PAWL_EUSAGE;
    }
    char *dir = realpath(team->options->write, NULL);
    if (dir == NULL)
        return pawl_fail(err, PAWL_EWORLD, "The folder %s cannot be opened.", team->options->write);
    team->stage.top = team->stage.dir = dir;
    enum pawl_status status =
        pawl_stage_write(&team->stage, dir, attack->files, attack->cases, err);
    team->stage.top = team->stage.dir = "";
    free(dir);
    return status;
}

static enum pawl_status take(struct redteam *team, const struct pawl_attack *attack,
                             struct pawl_error *err)
{
    const char *absent;
    PAWL_TRY(find_absent(team, attack, &absent, err));
    if (team->options->list) {
        list(team, attack);
    } else if (team->options->write != NULL) {
        return write_files(team, attack, err);
    } else if (absent != NULL || attack->steps == NULL) {
        add_row(team, attack, SKIPPED, absent != NULL ? absent : "it has no steps yet", 0);
    } else {
        play(team, attack);
    }
    return PAWL_OK;
}

/* --- all of them ------------------------------------------------------------------------------------ */

/* A7 and A07 are one attack; pages are named so that they sort. */
static bool is_named(const char *id, const char *wanted)
{
    return wanted == NULL || strcmp(id, wanted) == 0 ||
           (id[0] == wanted[0] && atoi(id + 1) > 0 && atoi(id + 1) == atoi(wanted + 1));
}

static void tell_count(struct redteam *team, size_t n_done, size_t n_all)
{
    json_t *message = json_pack("{s:s, s:I, s:I}", "phase", "redteam", "evaluations",
                                (json_int_t)n_done, "budget", (json_int_t)n_all);
    pawl_front_progress(team->call, message);
    json_decref(message);
}

/* Between attacks, so that every stage is removed. */
static bool is_canceled(const struct pawl_call *call)
{
    return call->project != NULL && call->project->canceled;
}

static bool is_page(const struct pawl_attack_source *source, const char *only)
{
    return strncmp(source->name, "base_", 5) != 0 && is_named(source->name, only);
}

static enum pawl_status take_all(struct redteam *team, json_t *keep, struct pawl_error *err)
{
    size_t n = 0, n_done = 0;
    const struct pawl_attack_source *source;
    for (source = pawl_attack_sources; source->name != NULL; source++)
        n += is_page(source, team->options->only);
    for (source = pawl_attack_sources; source->name != NULL; source++) {
        struct pawl_attack attack;
        if (!is_page(source, team->options->only)) continue;
        if (is_canceled(team->call)) return pawl_fail(err, PAWL_EPAUSED, "Stopped on request.");
        tell_count(team, n_done++, n);
        PAWL_TRY(
            pawl_attack_read(pawl_attack_sources, source, &team->call->arena, keep, &attack, err));
        PAWL_TRY(take(team, &attack, err));
    }
    if (n > 0) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "There is no attack %s.", team->options->only);
    pawl_hint(err, "`pawl redteam --list` names them.");
    return PAWL_EUSAGE;
}

static enum pawl_status take_mine(struct redteam *team, struct pawl_error *err)
{
    size_t i;
    json_t *row;
    PAWL_TRY(pawl_redteam_mine(team->call, &team->stage, team->options->only, team->rows, err));
    json_array_foreach(team->rows, i, row)
    {
        const char *result = pawl_json_get_text(row, "result", "");
        int k = PREVENTED;
        while (k < SKIPPED && strcmp(results[k], result) != 0) k++;
        team->n[k]++;
        if (k >= FAILED)
            tell(team, pawl_json_get_text(row, "id", ""), result,
                 pawl_json_get_text(row, "why", ""));
    }
    return PAWL_OK;
}

/* The ids of those with this result, as a text. */
static const char *ids_of(struct redteam *team, int result)
{
    struct pawl_buf ids = PAWL_BUF(256);
    size_t i;
    json_t *row;
    json_array_foreach(team->rows, i, row)
    {
        if (strcmp(pawl_json_get_text(row, "result", ""), results[result]) != 0) continue;
        pawl_buf_printf(&ids, "%s%s", ids.len > 0 ? ", " : "", pawl_json_get_text(row, "id", ""));
    }
    const char *text = pawl_arena_copy(&team->call->arena, pawl_buf_str(&ids)).ptr;
    pawl_buf_release(&ids);
    return text;
}

static enum pawl_status judge(struct redteam *team, struct pawl_error *err)
{
    for (int k = PREVENTED; k <= SKIPPED; k++)
        pawl_json_set(team->call->result, results[k], json_integer(team->n[k]));
    if (team->n[FAILED] > 0) {
        pawl_fail(err, PAWL_EINTEGRITY, "%d attacks succeeded: %s.", team->n[FAILED],
                  ids_of(team, FAILED));
        pawl_hint(err,
                  "`why` says what was seen (--json). Do not trust a verdict of this %s "
                  "before they fail.",
                  team->options->mine ? "project's grader" : "installation");
        return PAWL_EINTEGRITY;
    }
    if (team->n[VOID] == 0) return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD, "%d attacks could not be made: %s.", team->n[VOID],
              ids_of(team, VOID));
    pawl_hint(err, "`why` says what was in the way (--json); nothing is known about them.");
    return PAWL_EWORLD;
}

static enum pawl_status check_options(const struct redteam *team, struct pawl_error *err)
{
    const struct redteam_options *options = team->options;
    if (options->mine && team->call->project == NULL) {
        pawl_fail(err, PAWL_EUSAGE, "--mine attacks the grader of a project, and there is none.");
        pawl_hint(err, "Run it in the project's folder, or name that with -C.");
        return PAWL_EUSAGE;
    }
    if (options->mine && (options->list || options->write != NULL))
        return pawl_fail(err, PAWL_EUSAGE,
                         "--mine attacks; it goes neither with --list nor --write.");
    if (options->write != NULL && options->only == NULL)
        return pawl_fail(err, PAWL_EUSAGE, "--write wants --only: the files of which attack?");
    if (!options->mine || options->spend ||
        !pawl_json_get_bool(team->call->project->config.metric, "network", false))
        return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "The grader of this project uses the network, which may cost.");
    pawl_hint(err, "Agree with --spend; it judges a few hundred answers.");
    return PAWL_EUSAGE;
}

static enum pawl_status run_redteam(struct pawl_call *call, const void *values,
                                    struct pawl_error *err)
{
    struct redteam team = {.call = call, .options = values, .rows = json_array()};
    json_t *keep = json_array();
    pawl_json_set(call->result, "attacks", team.rows);
    enum pawl_status status = check_options(&team, err);
    if (status == PAWL_OK) status = pawl_stage_find(&team.stage, err);
    if (status == PAWL_OK) status = ask_sandbox(&team, err);
    if (status == PAWL_OK)
        status = team.options->mine ? take_mine(&team, err) : take_all(&team, keep, err);
    bool attacked = !team.options->list && team.options->write == NULL;
    if (status == PAWL_OK && attacked) status = judge(&team, err);
    free((char *)team.stage.pawl);
    pawl_arena_release(&team.stage.arena);
    json_decref(keep);
    return status;
}

const struct pawl_verb pawl_verb_redteam = {
    .name = "redteam",
    .summary = "attack pawl itself, or your grader, in a throw-away project",
    .positional = "",
    .example = "pawl redteam --list",
    .takes_project = true,
    .options = redteam_options,
    .options_bytes = sizeof(struct redteam_options),
    .run = run_redteam,
};
