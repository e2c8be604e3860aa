/* What the tests of this room share: a project folder, an lm from JSON, one-message requests. */
#ifndef TESTS_LM_FIXTURE_H
#define TESTS_LM_FIXTURE_H

#include "base/hash.h"
#include "lm/lm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct pawl_arena arena; /* of the test under way */
static char dir[512];           /* its project folder */

static inline int set_up(void **unused)
{
    (void)unused;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/pawl-lm-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

static inline int tear_down(void **unused)
{
    (void)unused;
    pawl_arena_release(&arena);
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command);
}

static inline const char *path_of(const char *name)
{
    return pawl_arena_printf(&arena, "%s/%s", dir, name);
}

static inline void write_text(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline const char *read_text(const char *name)
{
    FILE *file = fopen(path_of(name), "r");
    assert_non_null(file);
    char *text = pawl_arena_alloc(&arena, 1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

static inline json_t *json_of(const char *text)
{
    json_t *value;
    struct pawl_error err = {0};
    if (pawl_json_parse(pawl_str_of(text), 1 << 20, &value, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    return value;
}

/* `settings` with its models and roles from text; roles may be NULL. */
static inline enum pawl_status open_lm(struct pawl_lm_settings settings, const char *models,
                                       const char *roles, struct pawl_lm **lm,
                                       struct pawl_error *err)
{
    json_t *models_json = json_of(models), *roles_json = roles ? json_of(roles) : NULL;
    settings.models = models_json;
    settings.roles = roles_json;
    settings.project_dir = dir;
    enum pawl_status status = pawl_lm_open(&settings, lm, err);
    json_decref(models_json);
    json_decref(roles_json);
    return status;
}

static inline struct pawl_lm *must_open(struct pawl_lm_settings settings, const char *models)
{
    struct pawl_lm *lm;
    struct pawl_error err = {0};
    if (open_lm(settings, models, NULL, &lm, &err) != PAWL_OK)
        fail_msg("%s (%s)", err.message, err.field);
    return lm;
}

/* An lm whose one model is the script. */
static inline struct pawl_lm *open_script(const char *source)
{
    write_text("m.lua", source);
    return must_open((struct pawl_lm_settings){.seed = 7},
                     "{\"m\":{\"backend\":\"script\",\"file\":\"m.lua\"}}");
}

static inline struct pawl_lm_request request_of(const char *prompt)
{
    struct pawl_message *message = PAWL_NEW(&arena, struct pawl_message);
    *message = (struct pawl_message){.role = "user", .content = pawl_str_of(prompt)};
    return (struct pawl_lm_request){.messages = message, .n_messages = 1, .max_tokens = 64};
}

static inline struct pawl_lm_reply must_ask(struct pawl_lm *lm, struct pawl_lm_request request)
{
    struct pawl_lm_reply reply;
    struct pawl_error err = {0};
    if (pawl_lm_ask(lm, &arena, &request, 1, &reply, &err) != PAWL_OK) fail_msg("%s", err.message);
    return reply;
}

static inline void assert_text(const struct pawl_lm_reply *reply, const char *text)
{
    if (reply->status != PAWL_REPLY_OK) fail_msg("no answer: %s", reply->reason);
    assert_int_equal(reply->text.len, strlen(text));
    assert_memory_equal(reply->text.ptr, text, reply->text.len);
}

/* Not an answer, for a reason that says `part`. */
static inline void assert_reason(const struct pawl_lm_reply *reply, enum pawl_reply_status status,
                                 const char *part)
{
    assert_int_equal(reply->status, status);
    if (!reply->reason || !strstr(reply->reason, part))
        fail_msg("\"%s\" lacks \"%s\"", reply->reason ? reply->reason : "", part);
}

#endif
