/*
 * command_program.c - the kind of program that is any external command (CONTRACTS).
 *
 * A candidate is a set of files. They are written to a private folder, the command is started there
 * in the sandbox, told what it is with one `load` line, and then given cases. It may ask models.
 *
 *     in   {"load":{"components":{...},"dir":"..."}}      out  {"ready":true,"parallel":N}
 *     in   {"id":"c1","input":...}                        out  {"id":"c1","output":...} | "error"
 *     out  {"id":"c1","ask":{"call":"a","role":"task","messages":[...]}}
 *     in   {"id":"c1","call":"a","reply":{"text":"..."}}
 */
#include "program/command_line.h"
#include "program/command_wire.h"
#include "program/folder.h"
#include "program/kind.h"
#include "program/project_file.h"
#include "program/session.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    READ_MAX = 64,
    ASKS_MAX = 1000, /* of one case */
    LOADS_MAX = 3,   /* a candidate that cannot be loaded so often never will be */
};

struct section {
    json_t *command, *components, *read;
    bool network;
    int64_t timeout_ms, memory_mb;
};
static const struct pawl_option section_options[] = {
    PAWL_OPT_JSON(struct section, command,
                  "the program and its arguments; it may read the files and folders they name"),
    PAWL_OPT_JSON(struct section, components, "files that may be improved: {name: path}"),
    PAWL_OPT_JSON(struct section, read, "further paths of the project that it may read"),
    PAWL_OPT_BOOL(struct section, network, "false", "let it use the network"),
    PAWL_OPT_INT(struct section, timeout_ms, "60000", 10, 86400000, "time for one case"),
    PAWL_OPT_INT(struct section, memory_mb, "2048", 16, 1048576, "memory of each process"),
    {0}};

struct command_program {
    struct pawl_arena *arena;
    struct pawl_lm *lm;
    const char *project_dir;
    struct pawl_command_line line;
    const json_t *components; /* {name: path}, or NULL */
    bool network, sealed;
    int64_t timeout_ms, memory_bytes;
    uint64_t seed;
};
struct command_instance {
    const struct command_program *program;
    struct pawl_arena arena;
    const struct pawl_artifact *artifact;
    pthread_mutex_t lock;
    struct pawl_session *session; /* NULL: to be started */
    int n_failed_loads;
    char fault[640]; /* why it was not loaded the last time */
};

/* --- opening ------------------------------------------------------------------------------------------ */

static enum pawl_status refuse(struct pawl_error *err, const char *field, const char *what,
                               const char *hint)
{
    pawl_fail_at(err, PAWL_ECONFIG, NULL, 0, field, "%s", what);
    pawl_hint(err, "%s", hint);
    return PAWL_ECONFIG;
}

static enum pawl_status check_components(struct command_program *p, struct pawl_error *err)
{
    static const char hint[] = "Write `components: {planner: agent/planner.py}`, paths below the "
                               "project's folder.";
    const char *name;
    json_t *value;
    if (p->components && !json_is_object(p->components))
        return refuse(err, "program.components", "The components are no map of names to files.",
                      hint);
    json_object_foreach((json_t *)(uintptr_t)p->components, name, value)
    {
        if (json_is_string(value) && pawl_folder_name_is_safe(json_string_value(value))) continue;
        return refuse(err, pawl_arena_printf(p->arena, "program.components.%s", name),
                      "A component is not a file below the project's folder.", hint);
    }
    return PAWL_OK;
}

static enum pawl_status add_read_paths(struct command_program *p, const json_t *list,
                                       struct pawl_error *err)
{
    static const char hint[] = "Write `read: [agent/lib, data/words.txt]`.";
    if (list && (!json_is_array(list) || json_array_size(list) > READ_MAX))
        return refuse(err, "program.read", "The paths to read are not a list of up to 64.", hint);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *path = json_string_value(json_array_get(list, i));
        if (!path || !pawl_folder_name_is_safe(path))
            return refuse(err, "program.read", "A path to read is not below the project's folder.",
                          hint);
        p->line.read[p->line.n_read++] = pawl_project_path(p->arena, p->project_dir, path);
    }
    return PAWL_OK;
}

static enum pawl_status open_program(const struct pawl_program_settings *settings,
                                     struct pawl_arena *arena, void **out, struct pawl_error *err)
{
    struct section section;
    struct command_program *p = PAWL_NEW(arena, struct command_program);
    PAWL_TRY(
        pawl_options_read(section_options, settings->program, "program", arena, &section, err));
    p->arena = arena;
    p->lm = settings->lm;
    p->project_dir = settings->project_dir;
    p->components = section.components;
    p->network = section.network;
    p->sealed = settings->sealed;
    p->timeout_ms = section.timeout_ms;
    p->memory_bytes = section.memory_mb << 20;
    p->seed = settings->seed;
    PAWL_TRY(check_components(p, err));
    PAWL_TRY(pawl_command_line_read(section.command, p->project_dir, p->components,
                                    "program.command", arena, &p->line, err));
    PAWL_TRY(add_read_paths(p, section.read, err));
    if (json_object_size(p->components) == 0)
        return refuse(err, "program.components",
                      "The program has no components: there is nothing that could be improved.",
                      "Name its files that may be changed: `components: {planner: "
                      "agent/planner.py}`.");
    *out = p;
    return PAWL_OK;
}

static void close_program(void *program)
{
    (void)program; /* all of it lies in the program's arena */
}

static enum pawl_status make_seed(void *program, struct pawl_arena *arena,
                                  struct pawl_artifact **seed, struct pawl_error *err)
{
    const struct command_program *p = program;
    size_t n = 0;
    struct pawl_component *components =
        PAWL_NEW_N(arena, struct pawl_component, json_object_size(p->components) + 1);
    const char *name;
    json_t *path;
    json_object_foreach((json_t *)(uintptr_t)p->components, name, path)
    {
        struct pawl_str text;
        PAWL_TRY(pawl_project_file(p->project_dir, json_string_value(path),
                                   pawl_arena_printf(arena, "program.components.%s", name),
                                   PAWL_COMPONENT_MAX, arena, &text, err));
        components[n++] = (struct pawl_component){name, "text", "source", text};
    }
    return pawl_artifact_make(arena, components, n, seed, err);
}

static json_t *describe_fields(const void *program)
{
    (void)program;
    json_t *object = json_object();
    pawl_json_set(object, "inputs", json_array());
    pawl_json_set(object, "outputs", json_array());
    pawl_json_set(object, "extra", json_array());
    pawl_json_set(object, "modules", json_array());
    return object;
}

static json_t *input_object(const void *program, const json_t *input)
{
    (void)program;
    return pawl_command_as_object(input, "input");
}

static json_t *target_object(const void *program, const json_t *target)
{
    (void)program;
    return pawl_command_as_object(target, "answer");
}

static unsigned roles(const void *program)
{
    (void)program;
    return 1u << PAWL_ROLE_TASK; /* whatever else it may ask, this it is known by */
}

static int parallel(const void *program)
{
    (void)program;
    return 16; /* a child says how many it takes; the others wait for it */
}

/* --- a candidate --------------------------------------------------------------------------------------- */

static enum pawl_status prepare(void *program, const struct pawl_artifact *artifact, void **out,
                                struct pawl_error *err)
{
    struct command_instance *instance = pawl_xcalloc(1, sizeof *instance);
    struct pawl_artifact *copy;
    enum pawl_status status = pawl_artifact_apply(&instance->arena, artifact, NULL, 0, &copy, err);
    if (status != PAWL_OK) {
        pawl_arena_release(&instance->arena);
        free(instance);
        return status;
    }
    instance->program = program;
    instance->artifact = copy;
    pthread_mutex_init(&instance->lock, NULL);
    *out = instance;
    return PAWL_OK;
}

static void release(void *state)
{
    struct command_instance *instance = state;
    pawl_session_drop(instance->session);
    pthread_mutex_destroy(&instance->lock);
    pawl_arena_release(&instance->arena);
    free(instance);
}

static enum pawl_status write_components(const struct command_instance *instance,
                                         const char *folder, struct pawl_error *err)
{
    for (size_t i = 0; i < instance->artifact->n_components; i++) {
        const struct pawl_component *component = &instance->artifact->components[i];
        const char *path =
            json_string_value(json_object_get(instance->program->components, component->name));
        if (path) PAWL_TRY(pawl_folder_write(folder, path, component->text, err));
    }
    return PAWL_OK;
}

/* Tell the child what it is and wait for its `ready`. False with a sentence in `fault`. */
static bool load_child(const struct command_instance *instance, struct pawl_child *child,
                       const char *folder, int *n_parallel, char *fault, size_t room)
{
    json_t *components = json_object(), *load = json_object(), *line = json_object();
    for (size_t i = 0; i < instance->artifact->n_components; i++) {
        const struct pawl_component *component = &instance->artifact->components[i];
        pawl_json_set(components, component->name, pawl_json_string(component->text));
    }
    pawl_json_set(load, "components", components);
    pawl_json_set(load, "dir", json_string(folder));
    pawl_json_set(line, "load", load);
    char *text = pawl_json_text(line);
    struct pawl_str reply;
    int64_t timeout_ms = instance->program->timeout_ms;
    const char *wrong = NULL;
    if (!pawl_child_write(child, pawl_str_of(text), timeout_ms)) {
        wrong = "The command did not read what it was to load.";
    } else {
        switch (pawl_child_read(child, timeout_ms, &reply)) {
        case PAWL_CHILD_LINE:
            if (!pawl_command_read_ready(reply, n_parallel))
                wrong = "The command did not answer `load` with {\"ready\":true}.";
            break;
        case PAWL_CHILD_LATE:
            wrong = "The command was not ready in time.";
            break;
        case PAWL_CHILD_ENDED:
            wrong = "The command ended before it was ready.";
            break;
        case PAWL_CHILD_TOO_LONG:
            wrong = "The command wrote an over-long line.";
            break;
        }
    }
    if (wrong) snprintf(fault, room, "%s %s", wrong, pawl_child_complaint(child));
    free(text);
    json_decref(line);
    return !wrong;
}

/* Gives *session, or NULL and a sentence in `fault` when the candidate cannot be loaded. */
static enum pawl_status start_session(const struct command_instance *instance, char *fault,
                                      size_t room, struct pawl_session **session,
                                      struct pawl_error *err)
{
    const struct command_program *p = instance->program;
    char *folder;
    struct pawl_child *child = NULL;
    int n_parallel = 1;
    *session = NULL;
    PAWL_TRY(pawl_folder_make(&folder, err));
    enum pawl_status status = write_components(instance, folder, err);
    if (status == PAWL_OK)
        status =
            pawl_command_line_start(&p->line, folder, p->network, p->memory_bytes, &child, err);
    if (status == PAWL_OK && load_child(instance, child, folder, &n_parallel, fault, room)) {
        *session = pawl_session_new(child, folder, n_parallel);
        return PAWL_OK;
    }
    pawl_child_stop(child);
    pawl_folder_remove(folder);
    return status == PAWL_ENOTFOUND ? PAWL_EWORLD : status;
}

/* A session that takes cases, with a reference for the caller; NULL and the fault otherwise. */
static enum pawl_status get_session(struct command_instance *instance, struct pawl_arena *arena,
                                    struct pawl_session **session, const char **fault,
                                    struct pawl_error *err)
{
    enum pawl_status status = PAWL_OK;
    pthread_mutex_lock(&instance->lock);
    bool own = instance->program->sealed; /* a fresh process for every case */
    if (instance->session && !pawl_session_is_open(instance->session)) {
        pawl_session_drop(instance->session);
        instance->session = NULL;
    }
    if (!instance->session && instance->n_failed_loads < LOADS_MAX) {
        struct pawl_session *fresh;
        status = start_session(instance, instance->fault, sizeof instance->fault, &fresh, err);
        instance->n_failed_loads = fresh ? 0 : instance->n_failed_loads + 1;
        instance->session = fresh;
    }
    *session = instance->session;
    if (*session && own) instance->session = NULL; /* the caller's alone */
    if (*session && !own) pawl_session_keep(*session);
    if (!*session) *fault = pawl_arena_strdup(arena, instance->fault);
    pthread_mutex_unlock(&instance->lock);
    return status;
}

/* --- a case ----------------------------------------------------------------------------------------------- */

struct command_call {
    const struct command_program *program;
    struct pawl_session *session;
    struct pawl_session_waiter waiter;
    struct pawl_arena *arena;
    const struct pawl_run_options *how;
    struct pawl_outcome *outcome;
    uint64_t seed;
    int n_asks;
    const char *missing; /* an ask that the world did not answer, or NULL */
};

/* Gives what is wrong with the ask, or NULL. */
static const char *read_ask(struct command_call *call, const json_t *ask,
                            struct pawl_lm_request *request)
{
    const char *fault = pawl_command_read_ask(ask, call->arena, request);
    if (fault) return fault;
    if (++call->n_asks > ASKS_MAX) return "The case asked more than 1000 times.";
    request->sample = call->how->sample;
    if (call->how->temperature > 0) request->temperature = call->how->temperature;
    if (request->temperature > 0) request->seed = call->seed;
    return NULL;
}

/* Gives *fault when the ask is nonsense. */
static enum pawl_status answer_ask(struct command_call *call, const json_t *line,
                                   const char **fault, struct pawl_error *err)
{
    struct pawl_lm_request request;
    struct pawl_lm_reply reply = {0};
    const json_t *ask = json_object_get(line, "ask");
    *fault = read_ask(call, ask, &request);
    if (*fault) return PAWL_OK;
    PAWL_TRY(pawl_lm_ask(call->program->lm, call->arena, &request, 1, &reply, err));
    pawl_usage_add(&call->outcome->usage, &reply.usage);
    if (reply.status == PAWL_REPLY_MISSING)
        call->missing = reply.reason ? reply.reason : "A model did not answer.";
    if (call->outcome->trace) {
        json_t *step = json_object();
        pawl_json_set(step, "messages", json_incref(json_object_get(ask, "messages")));
        pawl_json_set(step, "reply", pawl_json_string(reply.text.ptr ? reply.text : PAWL_STR("")));
        json_array_append_new(call->outcome->trace, step);
    }
    json_t *answer = pawl_command_reply_line(call->waiter.id, ask, &reply);
    if (!pawl_session_write(call->session, answer, call->program->timeout_ms))
        *fault = pawl_arena_strdup(call->arena, call->session->why);
    json_decref(answer);
    return PAWL_OK;
}

/* Gives *done when the line was the last one of this case. */
static enum pawl_status take_line(struct command_call *call, const json_t *line, bool *done,
                                  struct pawl_error *err)
{
    struct pawl_outcome *outcome = call->outcome;
    const char *fault = NULL;
    *done = false;
    if (json_object_get(line, "ask")) {
        PAWL_TRY(answer_ask(call, line, &fault, err));
        if (!fault) return PAWL_OK;
    }
    *done = true;
    if (call->missing) return pawl_outcome_fail(outcome, PAWL_OUTCOME_MISSING, call->missing);
    if (!fault) outcome->output = pawl_command_read_output(line, call->arena, &fault);
    if (!outcome->output) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    outcome->status = PAWL_OUTCOME_DONE;
    outcome->behaviour = pawl_hash_json(outcome->output);
    return PAWL_OK;
}

static enum pawl_status converse(struct command_call *call, const json_t *input,
                                 struct pawl_error *err)
{
    int64_t timeout_ms = call->program->timeout_ms;
    json_t *line = json_object();
    pawl_json_set(line, "id", json_string(call->waiter.id));
    pawl_json_set(line, "input", json_incref((json_t *)(uintptr_t)input));
    bool ok = pawl_session_write(call->session, line, timeout_ms), late = false, done = false;
    json_decref(line);
    while (ok && !done) {
        line = pawl_session_read(call->session, &call->waiter, timeout_ms, &late);
        if (!line) break;
        enum pawl_status status = take_line(call, line, &done, err);
        json_decref(line);
        if (status != PAWL_OK) {
            pawl_session_close(call->session); /* this case is still under way over there */
            return status;
        }
    }
    if (done) return PAWL_OK;
    if (late) pawl_session_close(call->session);
    return pawl_outcome_fail(
        call->outcome, PAWL_OUTCOME_FAILED,
        late ? pawl_arena_printf(call->arena,
                                 "The command said nothing about this case for %lld "
                                 "ms.",
                                 (long long)timeout_ms)
             : pawl_arena_strdup(call->arena, call->session->why));
}

static enum pawl_status run(void *state, struct pawl_arena *arena,
                            const struct pawl_program_case *item,
                            const struct pawl_run_options *how, struct pawl_outcome *outcome,
                            struct pawl_error *err)
{
    struct command_instance *instance = state;
    struct command_call call = {
        .program = instance->program,
        .arena = arena,
        .how = how,
        .outcome = outcome,
        .seed = pawl_sampling_seed(instance->program->seed, item->id, how->sample)};
    const char *fault = NULL;
    const char *id =
        how->sample == 0 ? item->id : pawl_arena_printf(arena, "%s#%u", item->id, how->sample);
    do {
        pawl_session_drop(call.session);
        call.session = NULL;
        PAWL_TRY(get_session(instance, arena, &call.session, &fault, err));
        if (!call.session) return pawl_outcome_fail(outcome, PAWL_OUTCOME_FAILED, fault);
    } while (!pawl_session_enter(call.session, &call.waiter, id));
    if (how->flags & PAWL_RUN_TRACE) outcome->trace = json_array();
    enum pawl_status status = converse(&call, item->input, err);
    pawl_session_leave(call.session, &call.waiter);
    pawl_session_drop(call.session);
    return status;
}

const struct pawl_program_kind pawl_program_command = {
    open_program, close_program, make_seed, describe_fields, input_object, target_object, roles,
    parallel,     prepare,       run,       release,         NULL,         NULL,
};
