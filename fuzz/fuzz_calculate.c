/* Any text is an expression or a sentence about what is wrong; a short exact answer is read as itself. */
#include "fuzz.h"

#include "program/calculate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    char answer[PAWL_CALCULATE_BYTES] = "", again[PAWL_CALCULATE_BYTES] = "";
    bool good = pawl_calculate((struct pawl_str){(const char *)bytes, n_bytes}, answer);
    PAWL_ASSERT(answer[0] && memchr(answer, '\0', sizeof answer));
    if (!good || strchr(answer, ' ') || strlen(answer) > 18) return 0;
    PAWL_ASSERT(pawl_calculate(pawl_str_of(answer), again) && strcmp(answer, again) == 0);
    return 0;
}
