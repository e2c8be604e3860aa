/* pawl.yaml as a configuration: what is accepted is accepted again by a worker; what is refused has a
 * line. */
#include "fuzz.h"

#include "improve/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_config config, again;
    struct pawl_yaml_places *places;
    struct pawl_error err = {0};
    struct pawl_str text = {(const char *)bytes, n_bytes};
    if (pawl_config_parse(text, "pawl.yaml", &arena, &config, &places, &err) == PAWL_OK) {
        PAWL_ASSERT(config.name && json_is_object(config.program));
        PAWL_ASSERT(config.data.file || (config.data.train && config.data.dev && config.data.gate));
        PAWL_ASSERT(config.gate.alpha > 0 && config.gate.alpha < 1 && config.gate.samples > 0);
        PAWL_ASSERT(config.improve.budget.evaluations != 0);
        (void)pawl_config_all_scripted(&config);
        PAWL_ASSERT(pawl_config_from_json(config.json, &arena, &again, &err) == PAWL_OK);
        pawl_config_release(&again);
        pawl_config_release(&config);
        pawl_yaml_places_free(places);
    } else {
        PAWL_ASSERT(err.message[0]);
        PAWL_ASSERT(err.status == PAWL_ETOOBIG || (err.line > 0 && err.hint[0]));
    }
    pawl_arena_release(&arena);
    return 0;
}
