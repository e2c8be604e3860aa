/*
 * index: a person's texts as a collection that a program may search.
 *
 * Invariants
 *   1. The project's case files are not indexed: what a program may search it may also answer with.
 *   2. The collection is there whole, or what was there before is.
 */
#include "improve/front.h"

#include "improve/protocol.h"
#include "io/file.h"
#include "code/passages.h"

#include <stdlib.h>
#include <string.h>

enum { EMBEDDED_AT_ONCE = 32 };

/* --- vectors ------------------------------------------------------------------------------------- */

/* Ask the engine for the vectors of texts; gives {"model","dimension","vectors":[[...]]}. */
static enum pawl_status ask_vectors(struct pawl_call *call, struct pawl_front_worker *engine,
                                    const char *role, json_t *texts, json_t **done,
                                    struct pawl_error *err)
{
    json_t *request = json_pack("{s:s, s:s, s:o}", "op", "embed", "role", role, "texts", texts);
    return pawl_front_request(call, engine, request, NULL, NULL, done, err);
}

static float *read_vector(struct pawl_arena *arena, const json_t *numbers)
{
    size_t n = json_array_size(numbers);
    float *vector = PAWL_NEW_N(arena, float, n);
    for (size_t i = 0; i < n; i++) vector[i] = (float)json_number_value(json_array_get(numbers, i));
    return vector;
}

/* --- building ----------------------------------------------------------------------------------- */

struct indexing {
    struct pawl_call *call;
    const char *role; /* that embeds, or NULL */
    struct pawl_front_worker engine;
    struct pawl_collection_builder *builder;
    const char *into;
    struct pawl_arena batch; /* of passages that wait for their vectors */
    struct pawl_passage waiting[EMBEDDED_AT_ONCE];
    size_t n_waiting, n, dimension;
};

static enum pawl_status begin(struct indexing *indexing, const json_t *vectors,
                              struct pawl_error *err)
{
    indexing->dimension = (size_t)pawl_json_get_int(vectors, "dimension", 0);
    return pawl_collection_begin(indexing->into, pawl_json_get_text(vectors, "model", NULL),
                                 indexing->dimension, &indexing->builder, err);
}

static enum pawl_status add_with_vectors(struct indexing *indexing, const json_t *vectors,
                                         struct pawl_error *err)
{
    const json_t *rows = json_object_get(vectors, "vectors");
    if (indexing->builder == NULL) PAWL_TRY(begin(indexing, vectors, err));
    for (size_t i = 0; i < indexing->n_waiting; i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_array_size(row) != indexing->dimension)
            return pawl_fail(err, PAWL_EWORLD, "The model's vectors are of different lengths.");
        PAWL_TRY(pawl_collection_add(indexing->builder, &indexing->waiting[i],
                                     read_vector(&indexing->batch, row), err));
    }
    return PAWL_OK;
}

static enum pawl_status embed_waiting(struct indexing *indexing, struct pawl_error *err)
{
    if (indexing->n_waiting == 0) return PAWL_OK;
    json_t *texts = json_array(), *done;
    for (size_t i = 0; i < indexing->n_waiting; i++)
        json_array_append_new(texts, pawl_json_string(indexing->waiting[i].text));
    PAWL_TRY(ask_vectors(indexing->call, &indexing->engine, indexing->role, texts, &done, err));
    enum pawl_status status = add_with_vectors(indexing, done, err);
    json_decref(done);
    indexing->n_waiting = 0;
    pawl_arena_reset(&indexing->batch);
    return status;
}

static enum pawl_status take(void *context, const struct pawl_passage *passage,
                             struct pawl_error *err)
{
    struct indexing *indexing = context;
    if (indexing->call->project->canceled)
        return pawl_fail(err, PAWL_EPAUSED, "Stopped; the collection is as it was.");
    indexing->n++;
    if (indexing->role == NULL) return pawl_collection_add(indexing->builder, passage, NULL, err);
    indexing->waiting[indexing->n_waiting++] =
        (struct pawl_passage){pawl_arena_copy(&indexing->batch, passage->id),
                              pawl_arena_copy(&indexing->batch, passage->title),
                              pawl_arena_copy(&indexing->batch, passage->text)};
    return indexing->n_waiting == EMBEDDED_AT_ONCE ? embed_waiting(indexing, err) : PAWL_OK;
}

static enum pawl_status refuse_cases(struct pawl_call *call, const char *file,
                                     struct pawl_error *err)
{
    char *path;
    size_t i;
    json_t *given, *files = pawl_front_case_files(call->project);
    enum pawl_status status = pawl_front_case_path(file, &path, err);
    if (status != PAWL_OK) {
        json_decref(files);
        return status;
    }
    json_array_foreach(files, i, given)
    {
        char *real = realpath(json_string_value(given), NULL);
        if (real != NULL && strcmp(real, path) == 0 && status == PAWL_OK) {
            status = pawl_fail(err, PAWL_EUSAGE, "%s holds the project's cases.", file);
            pawl_hint(err, "A program that can search them can answer with them.");
        }
        free(real);
    }
    free(path);
    json_decref(files);
    return status;
}

static enum pawl_status index_file(struct indexing *indexing, const char *file,
                                   struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str content;
    PAWL_TRY(refuse_cases(indexing->call, file, err));
    enum pawl_status status =
        pawl_file_read(file, PAWL_PASSAGES_FILE_BYTES_MAX, &arena, &content, err);
    if (status == PAWL_OK) status = pawl_passages_read(file, content, take, indexing, err);
    pawl_arena_release(&arena);
    return status;
}

static enum pawl_status index_files(struct indexing *indexing, const json_t *files,
                                    struct pawl_error *err)
{
    size_t i;
    const json_t *file;
    if (indexing->role == NULL) PAWL_TRY(begin(indexing, NULL, err));
    json_array_foreach((json_t *)files, i, file)
        PAWL_TRY(index_file(indexing, json_string_value(file), err));
    PAWL_TRY(embed_waiting(indexing, err));
    if (indexing->n == 0) return pawl_fail(err, PAWL_EUSAGE, "There is no text in the files.");
    struct pawl_collection_builder *builder = indexing->builder;
    indexing->builder = NULL;
    return pawl_collection_finish(builder, err);
}

static enum pawl_status build(struct pawl_call *call, const char *into, const char *role,
                              const json_t *files, struct pawl_error *err)
{
    struct indexing indexing = {.call = call, .role = role, .into = into};
    PAWL_TRY(pawl_front_check_output(call->project, into, err));
    if (role != NULL)
        PAWL_TRY(pawl_front_start(call->project, PAWL_ROLE_ENGINE_NAME, (struct pawl_front_fds){0},
                                  NULL, &indexing.engine, err));
    enum pawl_status status = index_files(&indexing, files, err);
    pawl_collection_abandon(indexing.builder);
    if (role != NULL) pawl_front_end(&indexing.engine);
    pawl_arena_release(&indexing.batch);
    pawl_json_set(call->result, "collection", json_string(into));
    pawl_json_set(call->result, "passages", json_integer((json_int_t)indexing.n));
    pawl_json_set(call->result, "dimension", json_integer((json_int_t)indexing.dimension));
    return status;
}

/* --- trying a search ------------------------------------------------------------------------------- */

static enum pawl_status query_vector(struct pawl_call *call, const char *role, const char *query,
                                     const struct pawl_collection *collection, float **vector,
                                     struct pawl_error *err)
{
    json_t *done;
    *vector = NULL;
    if (role == NULL) return PAWL_OK;
    json_t *request = json_pack("{s:s, s:s, s:[s]}", "op", "embed", "role", role, "texts", query);
    PAWL_TRY(pawl_front_ask(call, PAWL_ROLE_ENGINE_NAME, request, &done, err));
    const char *model = pawl_json_get_text(done, "model", "");
    const char *made_by = pawl_collection_model(collection);
    *vector = read_vector(&call->arena, json_array_get(json_object_get(done, "vectors"), 0));
    enum pawl_status status = PAWL_OK;
    if (made_by == NULL || strcmp(model, made_by) != 0)
        status = pawl_fail(err, PAWL_EUSAGE, "The collection has %s.",
                           made_by == NULL ? "no vectors" : "vectors of another model");
    json_decref(done);
    return status;
}

static enum pawl_status search_in(struct pawl_call *call, struct pawl_collection *collection,
                                  const char *query, const char *role, size_t k,
                                  struct pawl_error *err)
{
    struct pawl_passage *found = PAWL_NEW_N(&call->arena, struct pawl_passage, k);
    float *vector;
    size_t n = 0;
    PAWL_TRY(query_vector(call, role, query, collection, &vector, err));
    PAWL_TRY(pawl_collection_search(collection, pawl_str_of(query), vector, k, &call->arena, found,
                                    &n, err));
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *passage = json_object();
        pawl_json_set(passage, "id", pawl_json_string(found[i].id));
        pawl_json_set(passage, "title", pawl_json_string(found[i].title));
        pawl_json_set(passage, "text", pawl_json_string(found[i].text));
        json_array_append_new(list, passage);
    }
    pawl_json_set(call->result, "found", list);
    return PAWL_OK;
}

static enum pawl_status search(struct pawl_call *call, const char *into, const char *query,
                               const char *role, size_t k, struct pawl_error *err)
{
    struct pawl_collection *collection;
    PAWL_TRY(pawl_collection_open(into, &collection, err));
    enum pawl_status status = search_in(call, collection, query, role, k, err);
    pawl_json_set(call->result, "collection", json_string(into));
    pawl_json_set(call->result, "passages",
                  json_integer((json_int_t)pawl_collection_size(collection)));
    pawl_collection_close(collection);
    return status;
}

/* --- the verb ---------------------------------------------------------------------------------------- */

struct index_options {
    json_t *files;
    const char *into, *embed, *search;
    int64_t k;
};
static const struct pawl_option index_options[] = {
    PAWL_OPT_JSON(struct index_options, files,
                  "texts: .jsonl with {\"text\",\"id\",\"title\"} a line, or prose"),
    {"into", PAWL_OPTION_TEXT, offsetof(struct index_options, into), NULL, 0, 0, NULL,
     "the collection: one file, made anew", true},
    PAWL_OPT_TEXT(
        struct index_options, embed, NULL,
        "the role whose model gives vectors too, so that meaning is found as well as words"),
    PAWL_OPT_TEXT(struct index_options, search, NULL, "look for this in the collection instead"),
    PAWL_OPT_INT(struct index_options, k, "5", 1, PAWL_FOUND_MAX, "passages to find"),
    {0}};

static enum pawl_status run_index(struct pawl_call *call, const void *values,
                                  struct pawl_error *err)
{
    const struct index_options *options = values;
    bool has_files = json_array_size(options->files) > 0;
    if (has_files == (options->search != NULL))
        return pawl_fail(err, PAWL_EUSAGE, "Name files to index, or --search something.");
    if (has_files) return build(call, options->into, options->embed, options->files, err);
    return search(call, options->into, options->search, options->embed, (size_t)options->k, err);
}

const struct pawl_verb pawl_verb_index = {
    .name = "index",
    .summary = "make a collection of texts that a program can search",
    .positional = "files...",
    .example = "pawl index handbook.md --into handbook.db",
    .needs_project = true,
    .options = index_options,
    .options_bytes = sizeof(struct index_options),
    .run = run_index,
};
