/*
 * backend_anthropic.c - Anthropic's messages API, or a server that speaks it. What becomes of an
 * answer: chat.h; 529 (overloaded) is asked again like every 5xx.
 */
#include "lm/anthropic_wire.h"
#include "lm/chat_server.h"
#include "lm/provider.h"

struct anthropic_options {
    struct pawl_chat_options chat;
    bool sampling;
};
static const struct pawl_option anthropic_options[] = {
    PAWL_CHAT_OPTIONS(struct anthropic_options),
    PAWL_OPT_BOOL(struct anthropic_options, sampling, "true",
                  "send temperature and top_p; no for models that refuse them"),
    {0}};

static const char *const base_variables[] = {"ANTHROPIC_BASE_URL", NULL};
static const struct pawl_chat_wire wire = {
    .name = "anthropic",
    .path = "/messages",
    .default_base = "https://api.anthropic.com/v1",
    .base_variables = base_variables,
    .default_key_variable = "ANTHROPIC_API_KEY",
    .key_header = "x-api-key: ",
    .further_header = "anthropic-version: 2023-06-01",
    .write = pawl_anthropic_write,
    .read = pawl_anthropic_read,
};

static enum pawl_status anthropic_check(const struct pawl_lm_open *context, const void *given,
                                        struct pawl_error *err)
{
    const struct anthropic_options *options = given;
    return pawl_chat_check(context, &wire, &options->chat, err);
}

static enum pawl_status anthropic_open(const struct pawl_lm_open *context, const void *given,
                                       void **state, struct pawl_error *err)
{
    const struct anthropic_options *options = given;
    const struct pawl_anthropic_style style = {.model = options->chat.model,
                                               .send_sampling = options->sampling};
    return pawl_chat_open(context, &wire, &options->chat, &style, sizeof style,
                          options->sampling ? "" : "?sampling=off", state, err);
}

static const char *anthropic_provider(const void *given, struct pawl_arena *arena)
{
    const struct anthropic_options *options = given;
    return pawl_provider_of_url(pawl_chat_server_given(&wire, &options->chat), arena);
}

static int anthropic_parallel(const void *given)
{
    const struct anthropic_options *options = given;
    return pawl_chat_parallel(&options->chat);
}

const struct pawl_lm_backend pawl_backend_anthropic = {
    .api = PAWL_LM_BACKEND_API,
    .name = "anthropic",
    .summary = "a server that speaks Anthropic's messages",
    .flags = PAWL_BACKEND_CACHED | PAWL_BACKEND_NETWORK,
    .options = anthropic_options,
    .options_bytes = sizeof(struct anthropic_options),
    .check = anthropic_check,
    .open = anthropic_open,
    .close = pawl_chat_close,
    .identity = pawl_chat_identity,
    .ask = pawl_chat_ask,
    .cancel = pawl_chat_cancel,
    .parallel = anthropic_parallel,
    .provider = anthropic_provider,
    .worst_cost = pawl_chat_worst_cost,
};
