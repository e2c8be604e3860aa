/* Whatever is read has ids, inputs and targets; whatever is refused has a remedy. As JSON Lines and as
 * CSV: the first byte chooses. */
#include "fuzz.h"

#include "evaluate/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A case file comes from the disk; one name per process, because its ending says what it is. */
static void write_input(const char *path, const uint8_t *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    PAWL_ASSERT(file && fwrite(bytes, 1, n_bytes, file) == n_bytes);
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_arena arena = {0};
    struct pawl_cases cases;
    struct pawl_error err = {0};
    char path[100];
    if (n_bytes == 0) return 0;
    pawl_crypto_init();
    snprintf(path, sizeof path, "/tmp/pawl-fuzz-%d.%s", (int)getpid(),
             bytes[0] == 'c' ? "csv" : "jsonl");
    write_input(path, bytes + 1, n_bytes - 1);
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
    unlink(path);
    pawl_arena_release(&arena);
    return 0;
}
