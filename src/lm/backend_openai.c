/*
 * backend_openai.c - any server that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama,
 * llama-server, OpenRouter, Groq ... What becomes of an answer: chat.h.
 */
#include "lm/chat_server.h"
#include "lm/openai_wire.h"
#include "lm/provider.h"

struct openai_options {
    struct pawl_chat_options chat;
    const char *reasoning;
    bool seed;
};
static const struct pawl_option openai_options[] = {
    PAWL_CHAT_OPTIONS(struct openai_options),
    PAWL_OPT_BOOL(struct openai_options, seed, "true", "send a seed"),
    PAWL_OPT_CHOICE(struct openai_options, reasoning, "auto", "auto|yes|no",
                    "send max_completion_tokens and no temperature; auto: by the model's name"),
    {0}};

/* The endpoint that a program of ours was given comes first: its calls are metered there. */
static const char *const base_variables[] = {"PAWL_LM_URL", "OPENAI_BASE_URL", NULL};
static const struct pawl_chat_wire wire = {
    .name = "openai",
    .path = "/chat/completions",
    .default_base = "https://api.openai.com/v1",
    .base_variables = base_variables,
    .default_key_variable = "OPENAI_API_KEY",
    .key_header = "Authorization: Bearer ",
    .write = pawl_openai_write,
    .read = pawl_openai_read,
};

static bool is_reasoning(const struct openai_options *options)
{
    if (strcmp(options->reasoning, "auto") != 0) return strcmp(options->reasoning, "yes") == 0;
    static const char *const starts[] = {"gpt-5", "o1", "o3", "o4"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(options->chat.model, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

static enum pawl_status openai_check(const struct pawl_lm_open *context, const void *given,
                                     struct pawl_error *err)
{
    const struct openai_options *options = given;
    return pawl_chat_check(context, &wire, &options->chat, err);
}

static enum pawl_status openai_open(const struct pawl_lm_open *context, const void *given,
                                    void **state, struct pawl_error *err)
{
    const struct openai_options *options = given;
    bool reasoning = is_reasoning(options);
    const struct pawl_openai_style style = {
        .model = options->chat.model, .reasoning = reasoning, .send_seed = options->seed};
    const char *variant = reasoning ? (options->seed ? "?reasoning" : "?seed=off?reasoning")
                                    : (options->seed ? "" : "?seed=off");
    return pawl_chat_open(context, &wire, &options->chat, &style, sizeof style, variant, state,
                          err);
}

static const char *openai_provider(const void *given, struct pawl_arena *arena)
{
    const struct openai_options *options = given;
    return pawl_provider_of_url(pawl_chat_server_given(&wire, &options->chat), arena);
}

static int openai_parallel(const void *given)
{
    const struct openai_options *options = given;
    return pawl_chat_parallel(&options->chat);
}

const struct pawl_lm_backend pawl_backend_openai = {
    .api = PAWL_LM_BACKEND_API,
    .name = "openai",
    .summary = "a server that speaks OpenAI's chat completions",
    .flags = PAWL_BACKEND_CACHED | PAWL_BACKEND_NETWORK,
    .options = openai_options,
    .options_bytes = sizeof(struct openai_options),
    .check = openai_check,
    .open = openai_open,
    .close = pawl_chat_close,
    .identity = pawl_chat_identity,
    .ask = pawl_chat_ask,
    .cancel = pawl_chat_cancel,
    .parallel = openai_parallel,
    .provider = openai_provider,
    .worst_cost = pawl_chat_worst_cost,
};
