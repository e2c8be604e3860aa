/* Whatever is accepted has one canonical form: reading that form gives the form again. */
#include "fuzz.h"

#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    json_t *value, *again;
    struct pawl_error err;
    struct pawl_str text = {(const char *)bytes, n_bytes};
    if (pawl_json_parse(text, 1 << 20, &value, &err) != PAWL_OK) {
        PAWL_ASSERT(!value && err.message[0] && err.hint[0]);
        return 0;
    }
    char *canonical = pawl_json_text(value);
    if (pawl_json_parse(pawl_str_of(canonical), 8 << 20, &again, &err) != PAWL_OK)
        PAWL_BUG("the canonical form is refused: %s", err.message);
    char *twice = pawl_json_text(again);
    PAWL_ASSERT(strcmp(canonical, twice) == 0);
    free(canonical);
    free(twice);
    json_decref(value);
    json_decref(again);
    return 0;
}
