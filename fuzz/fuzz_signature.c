/* Whatever is accepted has named, different fields; whatever is refused says where and what to do. */
#include "fuzz.h"

#include "program/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_signature s;
    struct pawl_error err = {0};
    struct pawl_str text = {(const char *)bytes, n_bytes};
    if (pawl_signature_parse(text, &arena, &s, &err) == PAWL_OK) {
        PAWL_ASSERT(s.n_inputs > 0 && s.n_outputs > 0);
        for (size_t i = 0; i < s.n_outputs; i++) {
            PAWL_ASSERT(s.outputs[i].name[0]);
            PAWL_ASSERT((s.outputs[i].type == PAWL_FIELD_CHOICES) == (s.outputs[i].n_choices > 0));
        }
    } else {
        PAWL_ASSERT(strstr(err.message, "column") && err.hint[0]);
    }
    pawl_arena_release(&arena);
    return 0;
}
