/* Every byte that is no white space is in a passage, once; or the file is refused with its name. */
#include "fuzz.h"

#include "code/passages.h"

#include <ctype.h>

static enum pawl_status count(void *context, const struct pawl_passage *passage,
                              struct pawl_error *err)
{
    (void)err;
    PAWL_ASSERT(passage->id.len > 0 && pawl_utf8_is_valid(passage->text, NULL));
    for (size_t i = 0; i < passage->text.len; i++)
        *(size_t *)context += !isspace((unsigned char)passage->text.ptr[i]);
    return PAWL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_str content = {(const char *)bytes, n_bytes};
    struct pawl_error err = {0};
    size_t seen = 0, there = 0;
    for (size_t i = 0; i < n_bytes; i++) there += !isspace(bytes[i]);
    if (pawl_passages_read("a.md", content, count, &seen, &err) == PAWL_OK)
        PAWL_ASSERT(seen == there);
    else
        PAWL_ASSERT(err.file[0] && err.message[0]);
    err = (struct pawl_error){0};
    if (pawl_passages_read("a.jsonl", content, count, &seen, &err) != PAWL_OK)
        PAWL_ASSERT(err.file[0] && err.message[0]);
    return 0;
}
