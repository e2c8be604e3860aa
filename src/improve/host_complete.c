/* Steps that ask a language model on the operator's behalf: {"texts":[text|null...]}. */
#include "improve/host_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void hash_prompts(struct pawl_hasher *args, const struct pawl_host_prompt *prompts, size_t n)
{
    pawl_args_begin(args, "complete");
    for (size_t i = 0; i < n; i++) {
        pawl_args_text(args, pawl_str_of(prompts[i].role));
        pawl_args_text(args, prompts[i].system);
        pawl_args_text(args, prompts[i].user);
        pawl_args_int(args, (uint64_t)prompts[i].max_tokens);
        pawl_args_int(args, (uint64_t)llround(prompts[i].temperature * 1e6));
        pawl_args_int(args, prompts[i].sample);
    }
}

static struct pawl_lm_request request_of(struct pawl_run *run, struct pawl_arena *arena,
                                         const struct pawl_host_prompt *prompt)
{
    enum pawl_role role;
    if (!pawl_role_from_name(pawl_str_of(prompt->role), &role))
        PAWL_BUG("the operator asked a role %s that does not exist", prompt->role);
    struct pawl_message *messages = PAWL_NEW_N(arena, struct pawl_message, 2);
    size_t n = 0;
    if (prompt->system.len > 0) messages[n++] = (struct pawl_message){"system", prompt->system};
    messages[n++] = (struct pawl_message){"user", prompt->user};
    return (struct pawl_lm_request){.role = role,
                                    .messages = messages,
                                    .n_messages = n,
                                    .max_tokens = prompt->max_tokens,
                                    .temperature = prompt->temperature,
                                    .seed = run->settings.lm_seed,
                                    .sample = prompt->sample};
}

/* A missing reply is the world's fault. Few of many are told as failed; more pause the run, and the
 * step is asked again on resume. */
static enum pawl_status check_missing(const struct pawl_lm_reply *replies, size_t n,
                                      struct pawl_error *err)
{
    size_t n_missing = 0;
    const char *reason = "no reason was given";
    for (size_t i = 0; i < n; i++) {
        if (replies[i].status != PAWL_REPLY_MISSING) continue;
        if (replies[i].reason != NULL) reason = replies[i].reason;
        n_missing++;
    }
    if (n_missing * 50 <= n) return PAWL_OK;
    pawl_fail(err, PAWL_EPAUSED, "Paused, because %zu of %zu prompts got no answer: %s", n_missing,
              n, reason);
    pawl_hint(err, "See whether the model is up, and its rate limit.");
    return PAWL_EPAUSED;
}

static json_t *texts_json(const struct pawl_lm_reply *replies, size_t n)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(texts, replies[i].status == PAWL_REPLY_OK
                                         ? pawl_json_string(replies[i].text)
                                         : json_null());
    return json_pack("{s:o}", "texts", texts);
}

static enum pawl_status complete_now(struct pawl_host *host, struct pawl_host_step *step,
                                     const struct pawl_host_prompt *prompts, size_t n,
                                     struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_arena arena = {0};
    if (pawl_host_is_late(host, step)) return pawl_host_refuse(host, step, "minutes", err);
    struct pawl_lm_request *requests = PAWL_NEW_N(&arena, struct pawl_lm_request, n);
    struct pawl_lm_reply *replies = PAWL_NEW_N(&arena, struct pawl_lm_reply, n);
    for (size_t i = 0; i < n; i++) requests[i] = request_of(run, &arena, &prompts[i]);
    enum pawl_status status = pawl_lm_ask(run->settings.lm, &arena, requests, n, replies, err);
    for (size_t i = 0; status == PAWL_OK && i < n; i++)
        pawl_host_note_usage(step, &replies[i].usage);
    if (status == PAWL_OK) status = check_missing(replies, n, err);
    if (status == PAWL_OK) {
        step->result = texts_json(replies, n);
        status = pawl_host_record(host, step, err);
    }
    pawl_arena_release(&arena);
    if (status == PAWL_EBUDGET) return pawl_host_refuse(host, step, "usd", err);
    return status;
}

enum pawl_status pawl_host_complete(struct pawl_host *host, struct pawl_arena *arena,
                                    const struct pawl_host_prompt *prompts, size_t n,
                                    struct pawl_host_reply *replies, struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_hasher args;
    struct pawl_host_step step;
    if (n == 0) return PAWL_OK;
    hash_prompts(&args, prompts, n);
    PAWL_TRY(pawl_host_begin(host, "complete", &args, &step, err));
    enum pawl_status status = PAWL_OK;
    if (!step.is_recorded) status = complete_now(host, &step, prompts, n, err);
    const json_t *texts = json_object_get(step.result, "texts");
    if (status == PAWL_OK && json_array_size(texts) != n) status = pawl_host_bad_record(&step, err);
    for (size_t i = 0; status == PAWL_OK && i < n; i++) {
        const json_t *text = json_array_get(texts, i);
        struct pawl_str view = {json_string_value(text), json_string_length(text)};
        replies[i] = (struct pawl_host_reply){.failed = !json_is_string(text)};
        replies[i].text = replies[i].failed ? PAWL_STR("") : pawl_arena_copy(arena, view);
    }
    pawl_host_end(&step);
    pawl_run_tell(run);
    return pawl_run_fail(run, status, err);
}
