#include "lm/llama_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 512, NUMBER_BYTES = 2 }; /* of the largest batch; of a key's number in the cache */

uint64_t pawl_llama_room_left(void)
{
    uint64_t kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) return UINT64_MAX;
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1;
    fclose(file);
    return found ? kib * 1024 : UINT64_MAX;
}

/* A number of the model's architecture, e.g. llama.attention.key_length. */
static uint64_t read_number(const struct llama_model *model, const char *name, uint64_t otherwise)
{
    char architecture[64], key[128], value[32];
    if (llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture) <
        0)
        return otherwise;
    snprintf(key, sizeof key, "%s.%s", architecture, name);
    if (llama_model_meta_val_str(model, key, value, sizeof value) < 0) return otherwise;
    char *end;
    uint64_t number = strtoull(value, &end, 10);
    return number > 0 && *end == 0 ? number : otherwise;
}

uint64_t pawl_llama_room_of(const struct llama_model *model, size_t context_tokens)
{
    uint64_t n_heads = (uint64_t)llama_model_n_head(model);
    uint64_t head = (uint64_t)llama_model_n_embd(model) / (n_heads ? n_heads : 1);
    uint64_t key = read_number(model, "attention.key_length", head);
    uint64_t value = read_number(model, "attention.value_length", head);
    uint64_t token_bytes = (uint64_t)llama_model_n_layer(model) *
                           (uint64_t)llama_model_n_head_kv(model) * (key + value) * NUMBER_BYTES;
    uint64_t n_vocab = (uint64_t)llama_vocab_n_tokens(llama_model_get_vocab(model));
    return token_bytes * (context_tokens + ROWS) + ROWS * n_vocab * sizeof(float);
}

enum pawl_status pawl_llama_room_check(const struct llama_model *model, size_t context_tokens,
                                       uint64_t left_bytes, struct pawl_error *err)
{
    uint64_t wanted = pawl_llama_room_of(model, context_tokens);
    if (wanted <= left_bytes) return PAWL_OK;
    pawl_fail(err, PAWL_EWORLD,
              "A context of %zu tokens takes %.1f GB, and beside what is open this machine has "
              "%.1f GB left.",
              context_tokens, (double)wanted / 1e9, (double)left_bytes / 1e9);
    pawl_hint(err, "Set a smaller `context` for this model, or for the others, in pawl.yaml.");
    return PAWL_EWORLD;
}
