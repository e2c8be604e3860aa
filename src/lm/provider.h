/*
 * provider.h - who is sent the prompts of a model behind a URL.
 *
 *     https://api.openai.com/v1      -> api.openai.com
 *     http://10.0.0.7:8000/v1        -> 10.0.0.7:8000
 *     http://localhost:11434         -> NULL: they stay on this machine
 *
 * A server on this machine may hand prompts on; that is beyond what we can know.
 */
#ifndef PAWL_LM_PROVIDER_H
#define PAWL_LM_PROVIDER_H

#include "base/arena.h"

/* Host and port, in lower case, in the arena; NULL for this machine. */
const char *pawl_provider_of_url(const char *url, struct pawl_arena *arena);

#endif
