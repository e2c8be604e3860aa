/* The hash that is kept beside a model file: whatever the note says, it is believed only when it names the
 * size and the time of the file. */
#include "fuzz.h"

#include "lm/model_file.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The file's time is one that a note in the corpus can name. */
static const struct timespec file_time[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_error err = {0};
    struct pawl_str note = {(const char *)bytes, n_bytes}, body = PAWL_STR("model");
    struct pawl_hash hash, own = pawl_hash_str(body);
    const char *path = pawl_fuzz_file("gguf", body);
    pawl_fuzz_file("gguf.sha256", note);
    PAWL_ASSERT(utimensat(AT_FDCWD, path, file_time, 0) == 0);
    PAWL_ASSERT(pawl_model_hash(path, false, &hash, &err) == PAWL_OK);
    char text[64] = "";
    memcpy(text, note.ptr, note.len < sizeof text ? note.len : sizeof text - 1);
    bool names_both = strchr(text, '5') && strstr(text, "1000000000000");
    PAWL_ASSERT(names_both || pawl_hash_eq(&hash, &own));
    return 0;
}
