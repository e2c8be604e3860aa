/* A journal file. A line that starts with a brace gets the checksum that fits it; every other one is
 * taken as it is. What opens can be walked, searched, gone on with, and opened again. */
#include "fuzz.h"

#include "improve/journal.h"

#include <inttypes.h>

static void write_lines(struct pawl_str text, struct pawl_buf *out)
{
    struct pawl_str line;
    while (pawl_str_split(&text, '\n', &line)) {
        bool is_torn = text.len == 0 && line.ptr[line.len] != '\n';
        if (pawl_str_starts(line, "{"))
            pawl_buf_printf(out, "%08" PRIx32 " ", pawl_crc32(line.ptr, line.len));
        pawl_buf_add_str(out, line);
        if (!is_torn) pawl_buf_add(out, "\n");
    }
}

struct walk {
    struct pawl_journal *journal;
    size_t n_steps;
};

static void visit(void *context, struct pawl_str path, const struct pawl_recorded *step)
{
    struct walk *walk = context;
    struct pawl_recorded found;
    struct pawl_error err = {0};
    json_t *result;
    char *name = pawl_xmalloc(path.len + 1);
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    PAWL_ASSERT(pawl_journal_find(walk->journal, name, &found));
    free(name);
    if (pawl_journal_result(walk->journal, step, &result, &err) == PAWL_OK)
        json_decref(result);
    else
        PAWL_ASSERT(err.message[0]);
    walk->n_steps++;
}

/* Gives the number of its steps, or -1 when it is refused. */
static int64_t walk_journal(const char *path, bool append)
{
    struct pawl_error err = {0};
    struct walk walk = {0};
    if (pawl_journal_open(path, NULL, &walk.journal, &err) != PAWL_OK) {
        PAWL_ASSERT(err.message[0] && err.status == PAWL_EINTEGRITY);
        return -1;
    }
    PAWL_ASSERT(json_is_object(pawl_journal_header(walk.journal)));
    pawl_journal_each(walk.journal, visit, &walk);
    PAWL_ASSERT(walk.n_steps == pawl_journal_totals(walk.journal).n_steps);
    if (append) {
        struct pawl_step step = {
            .path = "fuzz", .kind = "random", .args = "0123456789abcdef", .elapsed_ms = -1};
        PAWL_ASSERT(pawl_journal_append(walk.journal, &step, &err) == PAWL_OK);
    }
    pawl_journal_close(walk.journal);
    return (int64_t)walk.n_steps;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pawl_buf file = PAWL_BUF(8 << 20);
    char *text = pawl_xmalloc(n_bytes + 1); /* so that the byte after the last line can be read */
    if (n_bytes > 0) memcpy(text, bytes, n_bytes);
    text[n_bytes] = '\0';
    write_lines((struct pawl_str){text, n_bytes}, &file);
    const char *path = pawl_fuzz_file("journal", pawl_buf_str(&file));
    int64_t n_steps = walk_journal(path, true);
    if (n_steps >= 0) PAWL_ASSERT(walk_journal(path, false) == n_steps + 1);
    pawl_buf_release(&file);
    free(text);
    return 0;
}
