#include "cli/cli.h"

enum { SHOWN_BYTES = 160 };

/* Enough of a passage to know it by. */
static void print_passage(const json_t *passage, FILE *out)
{
    const char *title = cli_text(passage, "title"), *text = cli_text(passage, "text");
    size_t n = strlen(text);
    bool cut = n > SHOWN_BYTES;
    if (cut) n = SHOWN_BYTES;
    while (cut && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* a whole character */
    fprintf(out, "%s%s%s\n  ", cli_text(passage, "id"), *title != '\0' ? "  " : "", title);
    for (size_t i = 0; i < n; i++) fputc(text[i] == '\n' ? ' ' : text[i], out);
    fprintf(out, "%s\n", cut ? "..." : "");
}

static void render(const json_t *result, FILE *out)
{
    const json_t *found = json_object_get(result, "found");
    size_t i;
    json_t *passage;
    json_array_foreach((json_t *)found, i, passage) print_passage(passage, out);
    if (found != NULL) {
        if (json_array_size(found) == 0) fprintf(out, "nothing found\n");
        return;
    }
    fprintf(out, "%s: %lld passages", cli_text(result, "collection"), cli_int(result, "passages"));
    if (cli_int(result, "dimension") > 0)
        fprintf(out, ", with vectors of %lld numbers", cli_int(result, "dimension"));
    fputc('\n', out);
}

const struct pawl_command pawl_cmd_index = {
    .name = "index",
    .about = "Prose is parted at blank lines and headings. The collection is made anew each time, "
             "as one SQLite file.\n"
             "Words are ranked by BM25; with --embed by meaning too, joined by reciprocal rank.\n"
             "--search WORDS shows what a program would find.",
    .render = render,
};
