/* A folder, a scripted model and a program; the tests of program and evaluate start here. */
#ifndef PAWL_TESTS_PROGRAM_FIXTURE_H
#define PAWL_TESTS_PROGRAM_FIXTURE_H

#include "program/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

struct bench {
    char folder[64];
    struct pawl_arena arena;
    json_t *models, *roles, *section;
    struct pawl_lm *lm;
    struct pawl_program *program;
    struct pawl_artifact *seed;
    struct pawl_instance *instance; /* of the seed */
};

static inline void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* JSON with ' for ", to be readable in C. */
static inline json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    struct pawl_error err = {0};
    json_t *value = NULL;
    for (char *c = copy; *c; c++)
        if (*c == '\'') *c = '"';
    if (pawl_json_parse(pawl_str_of(copy), 1 << 20, &value, &err) != PAWL_OK)
        fail_msg("%s: %s", copy, err.message);
    free(copy);
    return value;
}

static inline void expect_json(const json_t *value, const char *want)
{
    json_t *wanted = json_of(want);
    char *a = pawl_json_text(value), *b = pawl_json_text(wanted);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(wanted);
}

/* The folder, without a program. */
static inline void bench_folder(struct bench *b)
{
    *b = (struct bench){.folder = "/tmp/pawl-program-XXXXXX"};
    assert_non_null(mkdtemp(b->folder));
    chmod(b->folder, 0755);
}

static inline void bench_model(struct bench *b, const char *script)
{
    struct pawl_error err = {0};
    write_file(b->folder, "model.lua", script);
    b->models = json_of("{'m': {'backend': 'script', 'file': 'model.lua'}}");
    b->roles = json_of("{'task': 'm'}");
    const struct pawl_lm_settings settings = {
        .models = b->models, .roles = b->roles, .project_dir = b->folder};
    if (pawl_lm_open(&settings, &b->lm, &err) != PAWL_OK) fail_msg("%s", err.message);
}

static inline void bench_program(struct bench *b, const char *section, bool sealed)
{
    struct pawl_error err = {0};
    b->section = json_of(section);
    const struct pawl_program_settings settings = {
        .program = b->section, .project_dir = b->folder, .lm = b->lm, .seed = 7, .sealed = sealed};
    if (pawl_program_open(&settings, &b->program, &err) != PAWL_OK ||
        pawl_program_seed(b->program, &b->arena, &b->seed, &err) != PAWL_OK ||
        pawl_program_prepare(b->program, b->seed, 0, &b->instance, &err) != PAWL_OK)
        fail_msg("%s", err.message);
}

static inline void bench_open(struct bench *b, const char *section, const char *script)
{
    bench_folder(b);
    bench_model(b, script);
    bench_program(b, section, false);
}

static inline void bench_close(struct bench *b)
{
    char command[128];
    pawl_program_release(b->instance);
    pawl_program_close(b->program);
    if (b->lm) pawl_lm_close(b->lm);
    json_decref(b->section);
    json_decref(b->models);
    json_decref(b->roles);
    pawl_arena_release(&b->arena);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    assert_int_equal(system(command), 0);
}

/* Another candidate: the seed with one component replaced. */
static inline struct pawl_instance *prepare_edit(struct bench *b, const char *component,
                                                 const char *text)
{
    struct pawl_error err = {0};
    struct pawl_artifact *artifact;
    struct pawl_instance *instance = NULL;
    const struct pawl_edit edit = {component, pawl_str_of(text)};
    if (pawl_artifact_apply(&b->arena, b->seed, &edit, 1, &artifact, &err) != PAWL_OK ||
        pawl_program_prepare(b->program, artifact, 0, &instance, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return instance;
}

static inline struct pawl_outcome run_one(struct bench *b, struct pawl_instance *instance,
                                          const char *input, struct pawl_run_options how)
{
    struct pawl_error err = {0};
    struct pawl_outcome outcome;
    json_t *value = json_of(input);
    const struct pawl_program_case item = {"case-1", value};
    if (pawl_program_run(instance ? instance : b->instance, &b->arena, &item, &how, &outcome,
                         &err) != PAWL_OK)
        fail_msg("%s", err.message);
    json_decref(value);
    return outcome;
}

/* Run and expect this output, or this part of the reason when it starts with "!". */
static inline void expect_run(struct bench *b, struct pawl_instance *instance, const char *input,
                              const char *want)
{
    struct pawl_outcome outcome = run_one(b, instance, input, (struct pawl_run_options){0});
    if (want[0] == '!') {
        assert_int_equal(outcome.status, PAWL_OUTCOME_FAILED);
        if (!strstr(outcome.reason, want + 1)) fail_msg("reason: %s", outcome.reason);
    } else {
        if (outcome.status != PAWL_OUTCOME_DONE) fail_msg("reason: %s", outcome.reason);
        expect_json(outcome.output, want);
    }
    pawl_outcome_release(&outcome);
}

/* The parts of a strategy that asked, in order, as one text: "answer" is the module's own. */
static inline void expect_order(const json_t *trace, const char *want)
{
    char got[600] = "";
    for (size_t i = 0; i < json_array_size(trace); i++) {
        const char *part = json_string_value(json_object_get(json_array_get(trace, i), "module"));
        strcat(got, i ? " " : "");
        strcat(got, part[0] ? part : "answer");
    }
    assert_string_equal(got, want);
}

/* What the nth request of a trace ended in. */
static inline const char *last_turn(const json_t *trace, size_t nth)
{
    const json_t *messages = json_object_get(json_array_get(trace, nth), "messages");
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    return json_string_value(json_object_get(last, "content"));
}

#endif
