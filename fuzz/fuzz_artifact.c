/* An artifact as another process sends it: what is accepted comes back as the same artifact, and differs
 * from itself in nothing. */
#include "fuzz.h"

#include "artifact/artifact.h"

static void check_artifact(struct pawl_arena *arena, const struct pawl_artifact *artifact)
{
    struct pawl_artifact *again;
    struct pawl_error err = {0};
    struct pawl_buf diff = PAWL_BUF(8 << 20);
    PAWL_ASSERT(artifact->n_components > 0 && artifact->n_components <= PAWL_COMPONENTS_MAX);
    for (size_t i = 0; i < artifact->n_components; i++) {
        const struct pawl_component *component = &artifact->components[i];
        PAWL_ASSERT(pawl_artifact_find(artifact, component->name) == component);
        PAWL_ASSERT(pawl_utf8_is_valid(component->text, NULL));
    }
    json_t *json = pawl_artifact_json(artifact);
    PAWL_ASSERT(pawl_artifact_from_json(arena, json, &again, &err) == PAWL_OK);
    PAWL_ASSERT(strcmp(again->hex, artifact->hex) == 0);
    pawl_artifact_diff(artifact, again, &diff);
    PAWL_ASSERT(diff.len == 0);
    pawl_buf_release(&diff);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_artifact *artifact;
    struct pawl_error err = {0};
    json_t *json;
    pawl_crypto_init();
    if (pawl_json_parse((struct pawl_str){(const char *)bytes, n_bytes}, 1 << 20, &json, NULL) ==
        PAWL_OK) {
        if (pawl_artifact_from_json(&arena, json, &artifact, &err) == PAWL_OK)
            check_artifact(&arena, artifact);
        else
            PAWL_ASSERT(err.status == PAWL_ECONFIG && err.message[0] && err.field[0]);
        json_decref(json);
    }
    pawl_arena_release(&arena);
    return 0;
}
