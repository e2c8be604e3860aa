#include "cli/cli.h"

#include <string.h>

static void render(const json_t *result, FILE *out)
{
    const char *file = pawl_json_get_text(result, "file", NULL);
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
    .about = "intoto is an in-toto test result (test-result/v0.1), slsa a verification summary "
             "(VSA, v1), each "
             "in a\n"
             "DSSE envelope that the vault signs. Subject is the artifact by its hash; PASSED is a "
             "promotion. "
             "What it\n"
             "says follows from the verdict in the ledger: tools/pawl-verify LEDGER FILE makes it "
             "again and\n"
             "compares. It claims no level of SLSA.",
    .render = render,
};
