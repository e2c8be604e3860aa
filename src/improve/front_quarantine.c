/* Quarantine: what the ledger holds back, whom that reaches, and the verb by which a person decides. */
#include "improve/quarantine.h"

#include <string.h>
#include <unistd.h>

/* --- what the ledger says ------------------------------------------------------------------------ */

struct book {
    json_t *in_force;  /* {artifact: true}: whatever was, at any time */
    json_t *held;      /* [body of a quarantine that was not lifted] */
    json_t *incumbent; /* its text: what is in force now */
};

static void release(struct book *book)
{
    json_decref(book->in_force);
    json_decref(book->held);
    json_decref(book->incumbent);
}

static void lift(json_t *held, const char *artifact)
{
    for (size_t i = json_array_size(held); i-- > 0;)
        if (strcmp(pawl_json_get_text(json_array_get(held, i), "artifact", ""), artifact) == 0)
            json_array_remove(held, i);
}

static const char *put_in_force(const char *kind, const json_t *body)
{
    if (strcmp(kind, "seal") == 0) return pawl_json_get_text(body, "seed", NULL);
    if (strcmp(kind, "promotion") == 0 || strcmp(kind, "rollback") == 0)
        return pawl_json_get_text(body, "incumbent", NULL);
    if (!pawl_json_get_bool(body, "promoted", false)) return NULL;
    return pawl_json_get_text(json_object_get(body, "statement"), "candidate", NULL);
}

static enum pawl_status read_book(struct pawl_store *store, struct book *book,
                                  struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    PAWL_TRY(pawl_ledger_records(store, &records, err));
    *book = (struct book){
        .in_force = json_object(), .held = json_array(), .incumbent = json_string("")};
    json_array_foreach(records, i, record)
    {
        const char *kind = pawl_json_get_text(record, "kind", "");
        json_t *body = json_object_get(record, "body");
        const char *artifact = put_in_force(kind, body);
        if (artifact != NULL) {
            pawl_json_set(book->in_force, artifact, json_true());
            json_string_set(book->incumbent, artifact);
        }
        if (strcmp(kind, "quarantine") == 0) json_array_append(book->held, body);
        if (strcmp(kind, "lift") == 0) lift(book->held, pawl_json_get_text(body, "artifact", ""));
    }
    json_decref(records);
    return PAWL_OK;
}

/* --- ancestors ---------------------------------------------------------------------------------- */

static void add_once(json_t *list, json_t *seen, const char *hex)
{
    if (json_object_get(seen, hex) != NULL) return;
    pawl_json_set(seen, hex, json_true());
    json_array_append_new(list, json_string(hex));
}

/* The same text may have been made more than once: by all of its makers. */
static enum pawl_status add_parents(struct pawl_store *store, json_t *list, json_t *seen,
                                    const char *hex, struct pawl_error *err)
{
    json_t *candidates, *candidate, *parent;
    size_t i, k;
    PAWL_TRY(pawl_store_candidates_of(store, hex, &candidates, err));
    json_array_foreach(candidates, i, candidate) json_array_foreach(
        json_object_get(candidate, "parents"), k, parent) if (json_is_string(parent))
        add_once(list, seen, json_string_value(parent));
    json_decref(candidates);
    return PAWL_OK;
}

/* The artifact, then its ancestors; what is in `ends` ends a line and is the last of it. */
static enum pawl_status ancestry(struct pawl_store *store, const json_t *ends, const char *hex,
                                 json_t **list, struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    json_t *seen = json_object();
    *list = json_array();
    add_once(*list, seen, hex);
    for (size_t i = 0; i < json_array_size(*list) && status == PAWL_OK; i++) {
        const char *one = json_string_value(json_array_get(*list, i));
        if (i == 0 || json_object_get(ends, one) == NULL)
            status = add_parents(store, *list, seen, one, err);
    }
    json_decref(seen);
    if (status != PAWL_OK) json_decref(*list);
    return status;
}

static bool lists(const json_t *lineage, const char *hex)
{
    for (size_t i = 0; i < json_array_size(lineage); i++) {
        const char *one = json_string_value(json_array_get(lineage, i));
        if (one != NULL && strcmp(one, hex) == 0) return true;
    }
    return false;
}

static json_t *holder_of(const struct book *book, const json_t *line)
{
    for (size_t i = 0; i < json_array_size(book->held); i++) {
        json_t *body = json_array_get(book->held, i);
        for (size_t k = 0; k < json_array_size(line); k++)
            if (lists(json_object_get(body, "lineage"), json_string_value(json_array_get(line, k))))
                return body;
    }
    return NULL;
}

enum pawl_status pawl_quarantine_find(struct pawl_store *store, const char *hex, json_t **body,
                                      struct pawl_error *err)
{
    struct book book;
    json_t *line;
    *body = NULL;
    PAWL_TRY(read_book(store, &book, err));
    enum pawl_status status = PAWL_OK;
    const char *incumbent = json_string_value(book.incumbent);
    if (json_array_size(book.held) > 0 && strcmp(incumbent, hex) != 0) {
        json_t *ends = json_pack("{s:b}", incumbent, 1);
        status = ancestry(store, ends, hex, &line, err);
        json_decref(ends);
        if (status == PAWL_OK) {
            *body = json_incref(holder_of(&book, line));
            json_decref(line);
        }
    }
    release(&book);
    return status;
}

enum pawl_status pawl_quarantine_admit(struct pawl_store *store, const char *hex,
                                       struct pawl_error *err)
{
    json_t *body;
    PAWL_TRY(pawl_quarantine_find(store, hex, &body, err));
    if (body == NULL) return PAWL_OK;
    const char *named = pawl_json_get_text(body, "artifact", "");
    pawl_fail(err, PAWL_EINTEGRITY,
              "The artifact %.12s is in quarantine with the lineage of %.12s: %.200s", hex, named,
              pawl_json_get_text(body, "reason", ""));
    pawl_hint(err, "`pawl quarantine %.12s --lift --reason TEXT` ends it, if a person is sure.",
              named);
    json_decref(body);
    return PAWL_EINTEGRITY;
}

enum pawl_status pawl_quarantine_list(struct pawl_store *store, json_t **list,
                                      struct pawl_error *err)
{
    struct book book;
    PAWL_TRY(read_book(store, &book, err));
    *list = json_array();
    for (size_t i = 0; i < json_array_size(book.held); i++)
        json_array_append(*list, json_object_get(json_array_get(book.held, i), "artifact"));
    release(&book);
    return PAWL_OK;
}

/* --- the records -------------------------------------------------------------------------------- */

static enum pawl_status append(struct pawl_project *project, const char *kind, json_t *body,
                               const char *incumbent, struct pawl_error *err)
{
    struct pawl_ledger_entry entry = {.kind = kind, .body = body};
    if (incumbent != NULL) { /* what is in force stays so while this is written */
        entry.flips[0].pointer = "incumbent";
        entry.flips[0].expect = entry.flips[0].to = incumbent;
        entry.n_flips = 1;
    }
    enum pawl_status status = pawl_ledger_append(project, &entry, err);
    json_decref(body);
    return status;
}

/* Without what was in force, the artifact itself apart: it may have been, and was rolled back. */
static json_t *lineage_of(const struct book *book, const json_t *line, const char *hex)
{
    json_t *lineage = json_array();
    for (size_t i = 0; i < json_array_size(line); i++) {
        const char *one = json_string_value(json_array_get(line, i));
        if (strcmp(one, hex) == 0 || json_object_get(book->in_force, one) == NULL)
            json_array_append_new(lineage, json_string(one));
    }
    return lineage;
}

enum pawl_status pawl_quarantine_record(struct pawl_project *project, const char *hex,
                                        const char *reason, const char *evidence,
                                        struct pawl_error *err)
{
    char incumbent[PAWL_HASH_HEX];
    struct book book;
    json_t *line;
    PAWL_TRY(pawl_front_pointer(project, "incumbent", incumbent, err));
    if (strcmp(incumbent, hex) == 0) {
        pawl_fail(err, PAWL_EUSAGE, "The artifact %.12s is in force.", hex);
        pawl_hint(err, "Take it out of force first: `pawl rollback --reason TEXT`.");
        return PAWL_EUSAGE;
    }
    PAWL_TRY(read_book(project->store, &book, err));
    enum pawl_status status = ancestry(project->store, book.in_force, hex, &line, err);
    if (status == PAWL_OK) {
        json_t *body =
            json_pack("{s:s, s:o, s:s, s:s?}", "artifact", hex, "lineage",
                      lineage_of(&book, line, hex), "reason", reason, "evidence", evidence);
        status = append(project, "quarantine", body, incumbent, err);
        json_decref(line);
    }
    release(&book);
    return status;
}

/* Whether this evidence was held against the artifact before, lifted or not. */
static enum pawl_status was_recorded(struct pawl_store *store, const char *hex,
                                     const char *evidence, bool *found, struct pawl_error *err)
{
    json_t *records, *record;
    size_t i;
    *found = false;
    PAWL_TRY(pawl_ledger_records(store, &records, err));
    json_array_foreach(records, i, record)
    {
        const json_t *body = json_object_get(record, "body");
        if (strcmp(pawl_json_get_text(record, "kind", ""), "quarantine") == 0 &&
            strcmp(pawl_json_get_text(body, "artifact", ""), hex) == 0 &&
            strcmp(pawl_json_get_text(body, "evidence", ""), evidence) == 0)
            *found = true;
    }
    json_decref(records);
    return PAWL_OK;
}

enum pawl_status pawl_quarantine_heed(struct pawl_project *project, const json_t *statement,
                                      struct pawl_error *err)
{
    const char *hex = pawl_json_get_text(statement, "candidate", "");
    const char *evidence =
        pawl_json_get_text(json_object_get(statement, "traps"), "evidence", NULL);
    bool found;
    if (evidence == NULL) return PAWL_OK;
    PAWL_TRY(was_recorded(project->store, hex, evidence, &found, err));
    if (!found)
        PAWL_TRY(pawl_quarantine_record(project, hex,
                                        strcmp(evidence, "twins") == 0
                                            ? "it is better on watched cases than on their "
                                              "unwatched twins"
                                            : "it is right on a case that no honest answer gets "
                                              "right",
                                        evidence, err));
    return pawl_quarantine_admit(project->store, hex, err);
}

static enum pawl_status record_lift(struct pawl_project *project, const char *hex,
                                    const char *reason, struct pawl_error *err)
{
    json_t *held;
    PAWL_TRY(pawl_quarantine_list(project->store, &held, err));
    bool is_named = lists(held, hex);
    json_decref(held);
    if (!is_named) {
        pawl_fail(err, PAWL_EUSAGE, "No quarantine names the artifact %.12s.", hex);
        pawl_hint(err, "`pawl status` lists what is in quarantine.");
        return PAWL_EUSAGE;
    }
    return append(project, "lift", json_pack("{s:s, s:s}", "artifact", hex, "reason", reason), NULL,
                  err);
}

/* --- the verb ----------------------------------------------------------------------------------- */

struct quarantine_options {
    const char *id, *reason;
    bool lift;
};
static const struct pawl_option quarantine_options[] = {
    {"id", PAWL_OPTION_TEXT, offsetof(struct quarantine_options, id), NULL, 0, 0, NULL,
     "whose lineage: an id, or RUN/best", true},
    {"reason", PAWL_OPTION_TEXT, offsetof(struct quarantine_options, reason), NULL, 0, 0, NULL,
     "why; it is recorded", true},
    PAWL_OPT_BOOL(struct quarantine_options, lift, "false", "end the quarantine that names it"),
    {0}};

/* After whoever asks the gate now, whose answer must not put in force what is held. */
static enum pawl_status run_quarantine(struct pawl_call *call, const void *values,
                                       struct pawl_error *err)
{
    const struct quarantine_options *options = values;
    char hex[PAWL_HASH_HEX];
    int lock;
    PAWL_TRY(pawl_front_find(call->project, options->id, hex, err));
    const char *sealed = pawl_front_sealed_dir(call->project, &call->arena);
    PAWL_TRY(pawl_front_lock(call, sealed, PAWL_FRONT_ASKERS, -1, &lock, err));
    enum pawl_status status =
        options->lift ? record_lift(call->project, hex, options->reason, err)
                      : pawl_quarantine_record(call->project, hex, options->reason, NULL, err);
    close(lock);
    PAWL_TRY(status);
    pawl_json_set(call->result, "artifact", json_string(hex));
    pawl_json_set(call->result, "lifted", json_boolean(options->lift));
    return PAWL_OK;
}

const struct pawl_verb pawl_verb_quarantine = {
    .name = "quarantine",
    .summary = "hold an artifact's whole lineage back from the gate, or end that",
    .positional = "id",
    .example = "pawl quarantine last/best --reason 'it prints the answer key'",
    .needs_project = true,
    .needs_store = true,
    .options = quarantine_options,
    .options_bytes = sizeof(struct quarantine_options),
    .run = run_quarantine,
};
