/* init: make what is missing, keep what is there, seal the tiers. */
#include "improve/front.h"

#include "improve/protocol.h"
#include "improve/templates.h"
#include "improve/vault_user.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- template ------------------------------------------------------------------------------- */

enum { TEMPLATE_BYTES_MAX = 1 << 20 };

static enum pawl_status write_template_file(const char *path, const struct pawl_template_file *file,
                                            struct pawl_error *err)
{
    struct pawl_buf made = PAWL_BUF(TEMPLATE_BYTES_MAX);
    if (file->write != NULL)
        file->write(&made);
    else
        pawl_buf_add(&made, file->text);
    enum pawl_status status = pawl_file_write_atomic(path, pawl_buf_str(&made), 0644, err);
    pawl_buf_release(&made);
    return status;
}

static enum pawl_status find_template(const char *name, const struct pawl_template **template,
                                      struct pawl_error *err)
{
    *template = pawl_template_find(name);
    if (*template != NULL) return PAWL_OK;
    pawl_fail(err, PAWL_EUSAGE, "There is no template called \"%s\".", name);
    pawl_hint(err, "Known templates: %s.", pawl_template_names());
    return PAWL_EUSAGE;
}

/* Under the lock, so that what is swept belongs to a call that was killed. */
static enum pawl_status write_template(const char *dir, const struct pawl_template *template,
                                       struct pawl_arena *arena, struct pawl_error *err)
{
    for (const struct pawl_template_file *file = template->files; file->path != NULL; file++) {
        char *path = pawl_path_join(arena, dir, file->path);
        pawl_file_sweep(path);
        if (pawl_path_exists(path)) continue;
        char *slash = strrchr(path, '/');
        *slash = '\0';
        PAWL_TRY(pawl_dir_make(path, 0777, err));
        *slash = '/';
        PAWL_TRY(write_template_file(path, file, err));
    }
    return PAWL_OK;
}

/* --- sealing -------------------------------------------------------------------------------- */

/* Cases that an interrupted init or `data add` has stored already are passed over. */
static enum pawl_status store_tier(struct pawl_project *project, const char *tier,
                                   const json_t *cases, struct pawl_error *err)
{
    json_t *stored, *known = json_object(), *fresh = json_array(), *item;
    size_t i;
    enum pawl_status status = pawl_store_cases_get(project->store, tier, &stored, err);
    if (status == PAWL_OK) {
        json_array_foreach(stored, i, item)
            pawl_json_set(known, pawl_json_get_text(item, "id", ""), json_true());
        json_array_foreach((json_t *)cases, i, item)
        {
            if (json_object_get(known, pawl_json_get_text(item, "id", "")) == NULL)
                json_array_append(fresh, item);
        }
        json_decref(stored);
        if (json_array_size(fresh) > 0) status = pawl_store_cases_add(project->store, fresh, err);
    }
    json_decref(known);
    json_decref(fresh);
    return status;
}

enum pawl_status pawl_front_store_cases(struct pawl_project *project, const json_t *sealed,
                                        struct pawl_error *err)
{
    PAWL_TRY(store_tier(project, "train", json_object_get(sealed, "train"), err));
    return store_tier(project, "dev", json_object_get(sealed, "dev"), err);
}

static enum pawl_status put_seed(struct pawl_call *call, const json_t *shown,
                                 char hex[PAWL_HASH_HEX], struct pawl_error *err)
{
    struct pawl_artifact *seed;
    PAWL_TRY(pawl_artifact_from_json(&call->arena, shown, &seed, err));
    PAWL_TRY(pawl_artifact_put(call->project->store, seed, err));
    snprintf(hex, PAWL_HASH_HEX, "%s", seed->hex);
    return PAWL_OK;
}

enum pawl_status pawl_front_sealing(struct pawl_call *call, const char *op, json_t **request,
                                    struct pawl_error *err)
{
    json_t *done;
    PAWL_TRY(
        pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "seed"), &done, err));
    *request = json_pack("{s:s, s:O}", "op", op, "seed", json_object_get(done, "artifact"));
    json_decref(done);
    return PAWL_OK;
}

/* What the seal record says for ever; the cases themselves are not in it. */
static json_t *seal_record(struct pawl_project *project, const json_t *sealed, json_t *providers,
                           const char *seed)
{
    static const char *const kept[] = {"tiers",        "clusters", "commitment", "largest_cluster",
                                       "public_key",   "vault",    "custody",    "set_aside",
                                       "spent_before", "traps"};
    json_t *record = json_pack("{s:s, s:s, s:O}", "project", project->config.name, "seed", seed,
                               "providers", providers);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(sealed, kept[i]);
        if (value != NULL) pawl_json_set(record, kept[i], json_incref(value));
    }
    return record;
}

static enum pawl_status append_seal(struct pawl_project *project, json_t *record, const char *seed,
                                    struct pawl_error *err)
{
    struct pawl_ledger_entry entry = {.kind = "seal", .body = record};
    static const char *const names[] = {"incumbent", "anchor", "seed"};
    for (size_t i = 0; i < 3; i++) {
        entry.flips[i].pointer = names[i];
        entry.flips[i].expect = "";
        entry.flips[i].to = seed;
    }
    entry.n_flips = 3;
    return pawl_ledger_append(project, &entry, err);
}

/*
 * Order matters for a crash in between: the vault is sealed first and answers the same again, cases
 * that are stored are passed over, and `meta seal` is written last.
 */
static enum pawl_status seal_cases(struct pawl_call *call, json_t *providers, json_t *judge,
                                   bool again, struct pawl_error *err)
{
    struct pawl_project *project = call->project;
    char seed[PAWL_HASH_HEX], incumbent[PAWL_HASH_HEX];
    json_t *sealed = NULL, *request;
    PAWL_TRY(pawl_vault_user_make_room(project, err));
    PAWL_TRY(pawl_front_sealing(call, "seal", &request, err));
    pawl_json_set(request, "again", json_boolean(again));
    json_t *shown = json_incref(json_object_get(request, "seed"));
    enum pawl_status status = pawl_front_ask(call, PAWL_ROLE_VAULT_NAME, request, &sealed, err);
    if (status == PAWL_OK) status = pawl_front_store(project, true, err);
    if (status == PAWL_OK) status = put_seed(call, shown, seed, err);
    json_decref(shown);
    if (status == PAWL_OK) status = pawl_front_store_cases(project, sealed, err);
    if (status == PAWL_OK)
        status = pawl_store_pointer_get(project->store, "incumbent", incumbent, err);
    if (status == PAWL_OK) {
        json_t *record = seal_record(project, sealed, providers, seed);
        if (judge != NULL) pawl_json_set(record, "judge", json_incref(judge));
        if (incumbent[0] == '\0') status = append_seal(project, record, seed, err);
        if (status == PAWL_OK) status = pawl_store_meta_put(project->store, "seal", record, err);
        json_decref(record);
    }
    json_decref(sealed);
    return status;
}

/* A measure that does not order answers as people do is not worth sealing cases for. Gives NULL where no
 * labelled answers are there to say; else a new reference, also when it fails. */
static enum pawl_status check_judge(struct pawl_call *call, json_t **judge, struct pawl_error *err)
{
    const json_t *metric = call->project->config.metric;
    *judge = NULL;
    if (!call->project->config.judged || json_object_get(metric, "labelled") == NULL)
        return PAWL_OK;
    PAWL_TRY(
        pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "judge"), judge, err));
    double agreement = pawl_json_get_real(*judge, "agreement", 0);
    double least = pawl_json_get_real(*judge, "least", 1);
    if (agreement >= least) return PAWL_OK;
    const json_t *ci = json_object_get(*judge, "ci95");
    pawl_fail(
        err, PAWL_ECONFIG,
        "The judge orders %.0f %% of the pairs of labelled answers as people did (95 %%: %.0f "
        "to %.0f), and %.0f %% are asked for.",
        100 * agreement, 100 * json_number_value(json_array_get(ci, 0)),
        100 * json_number_value(json_array_get(ci, 1)), 100 * least);
    pawl_hint(err, "Write the rubric more plainly, take a stronger model as judge, or lower "
                   "metric.agreement; nothing was sealed.");
    return PAWL_ECONFIG;
}

struct init_options {
    const char *dir, *template, *config;
    bool allow_remote, move_cases, again;
};
static const struct pawl_option init_options[] = {
    PAWL_OPT_TEXT(struct init_options, dir, ".", "the project folder"),
    PAWL_OPT_TEXT(struct init_options, template, NULL,
                  "write a project to start from: scripted (needs no model) or sentiment"),
    PAWL_OPT_TEXT(struct init_options, config, NULL, "the configuration's name (pawl.yaml)"),
    PAWL_OPT_BOOL(struct init_options, allow_remote, "false",
                  "agree that remote providers see sealed prompts; it is recorded"),
    PAWL_OPT_BOOL(struct init_options, move_cases, "false",
                  "move files with sealed cases out of the project, beside the vault's key"),
    PAWL_OPT_BOOL(struct init_options, again, "false",
                  "seal cases once more that the gate was asked about before .pawl was removed; "
                  "certificates say so"),
    {0}};

/* Nothing is written before the configuration is in order and a person agreed to what it means. */
static enum pawl_status seal_project(struct pawl_call *call, const struct init_options *options,
                                     struct pawl_error *err)
{
    json_t *checked, *judge = NULL;
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, json_pack("{s:s}", "op", "validate"),
                            &checked, err));
    json_t *providers = json_object_get(checked, "providers");
    enum pawl_status status = pawl_front_agree(call, providers, options->allow_remote, err);
    if (status == PAWL_OK) status = check_judge(call, &judge, err);
    if (status == PAWL_OK) status = seal_cases(call, providers, judge, options->again, err);
    json_decref(judge);
    json_decref(checked);
    return status;
}

int64_t pawl_front_total(const json_t *tiers)
{
    int64_t total = 0;
    const char *tier;
    json_t *n;
    json_object_foreach((json_t *)tiers, tier, n) total += json_integer_value(n);
    return total;
}

/* The first configured case file that is not there; NULL when all are. In the call's arena. */
static const char *absent_case_file(struct pawl_call *call)
{
    json_t *files = pawl_front_case_files(call->project), *file;
    const char *absent = NULL;
    size_t i;
    json_array_foreach(files, i, file)
    {
        const char *path = json_string_value(file);
        if (absent == NULL && !pawl_path_exists(path))
            absent = pawl_arena_strdup(&call->arena, path);
    }
    json_decref(files);
    return absent;
}

/* A template without cases of its own is all that was asked for. */
static enum pawl_status unsealed_result(struct pawl_call *call, const char *absent)
{
    pawl_json_set(call->result, "project", json_string(call->project->config.name));
    pawl_json_set(call->result, "sealed", json_false());
    pawl_json_set(call->result, "absent", json_string(absent));
    return PAWL_OK;
}

static enum pawl_status init_result(struct pawl_call *call, struct pawl_error *err)
{
    json_t *seal, *vault;
    PAWL_TRY(pawl_front_seal(call->project, &seal, err));
    enum pawl_status status = pawl_front_vault_status(call, &vault, err);
    if (status == PAWL_OK) {
        json_t *tiers = json_object_get(seal, "tiers");
        pawl_json_set(call->result, "project", json_string(call->project->config.name));
        pawl_json_set(call->result, "sealed", json_true());
        pawl_json_set(call->result, "cases", json_integer(pawl_front_total(tiers)));
        pawl_json_set(call->result, "tiers", json_incref(tiers));
        pawl_json_set(call->result, "commitment", json_incref(json_object_get(seal, "commitment")));
        pawl_json_set(call->result, "custody", json_incref(json_object_get(seal, "custody")));
        json_t *judge = json_object_get(seal, "judge");
        if (judge != NULL) pawl_json_set(call->result, "judge", json_incref(judge));
        json_t *spent_before = json_object_get(seal, "spent_before");
        pawl_json_set(call->result, "spent_before",
                      spent_before != NULL ? json_incref(spent_before) : json_integer(0));
        json_t *set_aside = json_object_get(seal, "set_aside");
        pawl_json_set(call->result, "set_aside",
                      set_aside != NULL ? json_incref(set_aside) : json_integer(0));
        json_t *traps = json_object_get(seal, "traps");
        pawl_json_set(call->result, "traps", traps != NULL ? json_incref(traps) : json_null());
        struct pawl_prospect prospect;
        status = pawl_front_prospect(call, vault, 0.2, &prospect, err);
        if (status == PAWL_OK) pawl_front_certifiable(call, &prospect);
        pawl_json_set(call->result, "fixed", json_incref(json_object_get(vault, "fixed")));
        pawl_json_set(call->result, "movable", pawl_front_movable_cases(call));
        pawl_json_set(
            call->result, "small",
            json_boolean(pawl_json_get_int(vault, "gate_clusters", 0) < PAWL_FRONT_CLUSTERS_FEW));
        json_decref(vault);
    }
    json_decref(seal);
    return status;
}

/* Under the lock, so that of two calls one seals and the other finds it done. */
static enum pawl_status init_locked(struct pawl_call *call, const struct init_options *options,
                                    struct pawl_error *err)
{
    json_t *seal = NULL;
    const char *store = pawl_path_join(&call->arena, call->project->dir, ".pawl/store/pawl.db");
    if (pawl_path_exists(store)) {
        PAWL_TRY(pawl_front_store(call->project, false, err));
        PAWL_TRY(pawl_store_meta_get(call->project->store, "seal", &seal, err));
    }
    bool sealed = seal != NULL;
    json_decref(seal);
    const char *absent = options->template != NULL && !sealed ? absent_case_file(call) : NULL;
    if (absent != NULL) return unsealed_result(call, absent);
    PAWL_TRY(sealed ? pawl_front_agree_again(call, options->allow_remote, err)
                    : seal_project(call, options, err));
    PAWL_TRY(pawl_front_note_case_files(call, err));
    PAWL_TRY(pawl_front_freeze_guards(call, err));
    if (options->move_cases) PAWL_TRY(pawl_front_move_cases(call, err));
    PAWL_TRY(pawl_front_timing_channel(call, err));
    return init_result(call, err);
}

static enum pawl_status open_and_init(struct pawl_call *call, const struct init_options *options,
                                      const struct pawl_template *template, struct pawl_error *err)
{
    if (template != NULL) PAWL_TRY(write_template(options->dir, template, &call->arena, err));
    PAWL_TRY(pawl_project_open(options->dir, options->config, &call->project, err));
    enum pawl_status status = init_locked(call, options, err);
    pawl_project_close(call->project);
    call->project = NULL;
    return status;
}

static enum pawl_status run_init(struct pawl_call *call, const void *values, struct pawl_error *err)
{
    const struct init_options *options = values;
    const struct pawl_template *template = NULL;
    int lock;
    if (options->template != NULL) {
        PAWL_TRY(find_template(options->template, &template, err));
        PAWL_TRY(pawl_dir_make(options->dir, 0777, err));
    }
    PAWL_TRY(pawl_front_lock(call, options->dir, PAWL_FRONT_MAKERS, -1, &lock, err));
    enum pawl_status status = open_and_init(call, options, template, err);
    close(lock);
    return status;
}

const struct pawl_verb pawl_verb_init = {
    .name = "init",
    .summary = "make a project of a folder: split its cases into tiers and seal the gate's",
    .positional = "",
    .example = "pawl init --template scripted",
    .options = init_options,
    .options_bytes = sizeof(struct init_options),
    .run = run_init,
};
