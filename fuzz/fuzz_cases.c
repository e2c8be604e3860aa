/* Whatever is read has ids, inputs and targets; whatever is refused has a remedy. As JSON Lines and as
 * CSV: the first byte chooses. */
#include "fuzz.h"

#include "evaluate/cases.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_cases cases;
    struct pawl_error err = {0};
    if (n_bytes == 0) return 0;
    pawl_crypto_init();
    struct pawl_str text = {(const char *)bytes + 1, n_bytes - 1};
    const char *path = pawl_fuzz_file(bytes[0] == 'c' ? "csv" : "jsonl", text);
    if (pawl_cases_read(path, NULL, &arena, &cases, &err) == PAWL_OK) {
        PAWL_ASSERT(cases.n > 0);
        for (size_t i = 0; i < cases.n; i++) {
            PAWL_ASSERT(cases.items[i].id[0] && cases.items[i].cluster[0]);
            PAWL_ASSERT(cases.items[i].input && cases.items[i].target);
        }
        pawl_cases_release(&cases);
    } else {
        PAWL_ASSERT(err.message[0] && err.hint[0]);
    }
    pawl_arena_release(&arena);
    return 0;
}
