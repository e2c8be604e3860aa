/*
 * Before the gate: does a candidate, or what it was made of, hold what only sealed cases hold?
 *
 * Looked through are its own texts (memory is a component like others) and the journals of the runs that
 * made it: every prompt's answer, trace and result that any of its ancestors there was made from, the long ones, which
 * lie in the store's objects, included. The vault looks; we only carry.
 *
 * Invariants
 *   1. What is found holds the lineage from then on, and no attempt is spent.
 *   2. A journal of whatever size is carried in pieces of bounded size, cut between lines.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "improve/quarantine.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 8 << 20, JOURNAL_MAX = 1 << 30 };

struct search {
    struct pawl_call *call;
    struct pawl_front_worker vault;
    json_t *texts; /* of the piece that is gathered */
    size_t n_bytes;
    struct pawl_arena arena; /* the piece's results */
    bool found;
};

/* Takes the request. */
static enum pawl_status ask(struct search *search, json_t *request, struct pawl_error *err)
{
    json_t *done;
    PAWL_TRY(pawl_front_request(search->call, &search->vault, request, NULL, NULL, &done, err));
    if (pawl_json_get_bool(done, "found", false)) search->found = true;
    json_decref(done);
    return PAWL_OK;
}

static enum pawl_status send_piece(struct search *search, struct pawl_error *err)
{
    if (search->n_bytes == 0 || search->found) return PAWL_OK;
    enum pawl_status status =
        ask(search, json_pack("{s:s, s:O}", "op", "canaries", "texts", search->texts), err);
    json_array_clear(search->texts);
    search->n_bytes = 0;
    pawl_arena_reset(&search->arena);
    return status;
}

/* A text that is no UTF-8 is none of a journal's; it is left out. */
static enum pawl_status add(struct search *search, struct pawl_str text, struct pawl_error *err)
{
    json_t *value = json_stringn(text.ptr, text.len);
    if (value == NULL) return PAWL_OK;
    json_array_append_new(search->texts, value);
    search->n_bytes += text.len;
    return search->n_bytes >= PIECE_BYTES ? send_piece(search, err) : PAWL_OK;
}

/* The result that a line names by its hash ("o"), where it is there. */
static enum pawl_status add_result(struct search *search, struct pawl_str line,
                                   struct pawl_error *err)
{
    static const char mark[] = "\"o\":\"";
    struct pawl_hash hash;
    struct pawl_str text;
    const char *at = memmem(line.ptr, line.len, mark, sizeof mark - 1);
    if (at == NULL || (size_t)(line.ptr + line.len - at) < sizeof mark - 1 + PAWL_HASH_HEX)
        return PAWL_OK;
    struct pawl_str hex = {at + sizeof mark - 1, PAWL_HASH_HEX - 1};
    if (!pawl_hash_from_hex(hex, &hash) ||
        pawl_store_object_get(search->call->project->store, &search->arena, &hash, &text, NULL) !=
            PAWL_OK)
        return PAWL_OK;
    return add(search, text, err);
}

static enum pawl_status look_through(struct search *search, struct pawl_str journal,
                                     struct pawl_error *err)
{
    struct pawl_str line;
    while (!search->found && pawl_str_split(&journal, '\n', &line)) {
        PAWL_TRY(add(search, line, err));
        PAWL_TRY(add_result(search, line, err));
    }
    return send_piece(search, err);
}

/* A journal that was removed has nothing to say. */
static enum pawl_status look_in_run(struct search *search, const char *run, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str journal;
    char *path = pawl_arena_printf(&arena, "%s/runs/%s/journal",
                                   pawl_store_dir(search->call->project->store), run);
    enum pawl_status status = PAWL_OK;
    if (strchr(run, '/') == NULL && pawl_path_exists(path)) {
        status = pawl_file_read(path, JOURNAL_MAX, &arena, &journal, err);
        if (status == PAWL_OK) status = look_through(search, journal, err);
    }
    pawl_arena_release(&arena);
    return status;
}

/* Number 0 was given to its run. */
static enum pawl_status look_in_runs(struct search *search, const char *hex, struct pawl_error *err)
{
    json_t *candidates, *candidate;
    size_t i;
    enum pawl_status status =
        pawl_store_candidates_of(search->call->project->store, hex, &candidates, err);
    if (status != PAWL_OK) return status;
    json_array_foreach(candidates, i, candidate)
    {
        const char *run = pawl_json_get_text(candidate, "run", NULL);
        if (status == PAWL_OK && run != NULL && !search->found &&
            pawl_json_get_int(candidate, "number", 0) > 0)
            status = look_in_run(search, run, err);
    }
    json_decref(candidates);
    return status;
}

static enum pawl_status look(struct search *search, const char *hex, const char **where,
                             struct pawl_error *err)
{
    struct pawl_artifact *candidate;
    PAWL_TRY(pawl_artifact_get(search->call->project->store, &search->call->arena, hex, &candidate,
                               err));
    json_t *request = json_pack("{s:s}", "op", "canaries");
    pawl_json_set(request, "candidate", pawl_artifact_json(candidate));
    PAWL_TRY(ask(search, request, err));
    if (search->found) *where = "its text holds the canary of a sealed case";
    if (search->found) return PAWL_OK;
    PAWL_TRY(look_in_runs(search, hex, err));
    if (search->found) *where = "the journal of its run holds the canary of a sealed case";
    return PAWL_OK;
}

enum pawl_status pawl_front_refuse_canaries(struct pawl_call *call, const char *hex,
                                            struct pawl_error *err)
{
    struct search search = {.call = call, .texts = json_array()};
    const char *where = NULL;
    enum pawl_status status = pawl_front_start(
        call->project, PAWL_ROLE_VAULT_NAME, (struct pawl_front_fds){0}, NULL, &search.vault, err);
    if (status == PAWL_OK) {
        status = look(&search, hex, &where, err);
        pawl_front_end(&search.vault);
    }
    json_decref(search.texts);
    pawl_arena_release(&search.arena);
    PAWL_TRY(status);
    if (where == NULL) return PAWL_OK;
    PAWL_TRY(pawl_quarantine_record(call->project, hex, where, "canary", err));
    return pawl_quarantine_admit(call->project->store, hex, err);
}
