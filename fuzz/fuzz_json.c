/* Whatever is accepted has one canonical form: reading that form gives the form again, and no other text
 * passes for it. */
#include "fuzz.h"

#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    json_t *value, *again;
    struct pawl_error err;
    struct pawl_str text = {(const char *)bytes, n_bytes};
    struct pawl_buf scratch = PAWL_BUF(64);
    bool is_canonical = pawl_json_is_canonical(text, &scratch);
    if (pawl_json_parse(text, 1 << 20, &value, &err) != PAWL_OK) {
        PAWL_ASSERT(!value && err.message[0] && err.hint[0]);
        PAWL_ASSERT(!is_canonical || n_bytes > 1 << 20);
        pawl_buf_release(&scratch);
        return 0;
    }
    char *canonical = pawl_json_text(value);
    PAWL_ASSERT(is_canonical == pawl_str_is(text, canonical));
    PAWL_ASSERT(pawl_json_is_canonical(pawl_str_of(canonical), &scratch));
    pawl_buf_release(&scratch);
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
