/* Whatever is accepted is also JSON that our own reader accepts; whatever is refused has a place. */
#include "fuzz.h"

#include "base/yaml.h"

#include <stdlib.h>

/* Every member of the root must be found again by its name. */
static void locate_members(const json_t *value, const struct pawl_yaml_places *places)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        struct pawl_error err;
        pawl_fail_at(&err, PAWL_ECONFIG, NULL, 0, key, "x");
        pawl_yaml_locate(places, &err);
        PAWL_ASSERT(err.line > 0 && err.column > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    json_t *value, *again;
    struct pawl_yaml_places *places;
    struct pawl_error err;
    struct pawl_str text = {(const char *)bytes, n_bytes};
    if (pawl_yaml_parse(text, "fuzz.yaml", &value, &places, &err) != PAWL_OK) {
        PAWL_ASSERT(!value && !places && err.message[0]);
        PAWL_ASSERT(err.status == PAWL_ETOOBIG || (err.line > 0 && err.column > 0));
        return 0;
    }
    locate_members(value, places);
    char *canonical = pawl_json_text(value);
    if (pawl_json_parse(pawl_str_of(canonical), 8 << 20, &again, &err) != PAWL_OK)
        PAWL_BUG("YAML became JSON that is refused: %s", err.message);
    free(canonical);
    json_decref(value);
    json_decref(again);
    pawl_yaml_places_free(places);
    return 0;
}
