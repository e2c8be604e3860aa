/*
 * endpoint.h - where a server's API begins, from what people write: with or without /v1, a slash at
 * the end, or the whole address of the chat call.
 *
 *     http://localhost:11434                       -> http://localhost:11434/v1
 *     http://localhost:8000/v1/                    -> http://localhost:8000/v1
 *     https://host/openai/v1/chat/completions      -> https://host/openai/v1
 *
 * Ollama, llama-server and vLLM all answer under /v1; a path that was written is taken as it is.
 */
#ifndef PAWL_LM_ENDPOINT_H
#define PAWL_LM_ENDPOINT_H

#include "base/arena.h"
#include "base/error.h"

/* Fails PAWL_ECONFIG with err->field "base_url"; the URL may hold a password and is not shown. */
PAWL_MUST_CHECK enum pawl_status pawl_endpoint_check(const char *url, struct pawl_error *err);
/* The base of a URL that passed the check; `path` is that of the call, e.g. "/chat/completions". */
const char *pawl_endpoint_base(struct pawl_arena *arena, const char *url, const char *path);
/* The part after "://". */
const char *pawl_endpoint_place(const char *base);

#endif
