#include "cli/cli.h"

#include <string.h>

/* A prompt; what it lacks is said where it does not get into the document. */
static void render_prompt(const json_t *result, const char *file, FILE *out)
{
    const json_t *left_out = json_object_get(result, "left_out");
    FILE *note = file != NULL ? out : stderr;
    if (file == NULL) fputs(cli_text(result, "document"), out);
    if (file != NULL) fprintf(out, "%s written to %s\n", cli_id(result, "artifact"), file);
    for (size_t i = 0; i < json_array_size(left_out); i++)
        fprintf(note, "left out, because there is no place for it: %s\n",
                json_string_value(json_array_get(left_out, i)));
}

static void render(const json_t *result, FILE *out)
{
    const char *file = pawl_json_get_text(result, "file", NULL);
    if (json_object_get(result, "verdict") == NULL) {
        render_prompt(result, file, out);
        return;
    }
    if (file != NULL) {
        bool passed = strcmp(cli_text(result, "verdict"), "promote") == 0;
        fprintf(out, "%s: %s in attempt %lld; written to %s\n", cli_id(result, "artifact"),
                passed ? "PASSED" : "FAILED", cli_int(result, "attempt"), file);
        return;
    }
    char *text = pawl_json_text(json_object_get(result, "envelope"));
    fprintf(out, "%s\n", text);
    pawl_free(text);
}

const struct pawl_command pawl_cmd_export = {
    .name = "export",
    .about =
        "text, openai and dspy: the artifact's prompt, {{field}} standing for an input; openai is "
        "the body of\n"
        "a chat request, dspy what program.load() reads. A calibration has no place in them and is "
        "named.\n"
        "intoto is an in-toto test result (test-result/v0.1), slsa a verification summary (VSA, "
        "v1), each in\n"
        "a DSSE envelope that the vault signs; PASSED is a promotion. It follows from the ledger's "
        "verdict:\n"
        "tools/pawl-verify LEDGER FILE makes it again and compares. It claims no level of SLSA.",
    .render = render,
};
