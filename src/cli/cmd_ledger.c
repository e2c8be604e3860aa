#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    fprintf(out, "%lld records, %s\n  root %s\n", cli_int(result, "records"),
            pawl_json_get_bool(result, "ok", false) ? "all in order" : "damaged",
            cli_text(result, "root"));
    const json_t *proof = json_object_get(result, "proof");
    if (proof == NULL) proof = json_object_get(result, "consistency");
    if (proof != NULL) {
        char *text = pawl_json_text(proof);
        fprintf(out, "%s\n", text);
        pawl_free(text);
    }
    const char *note = pawl_json_get_text(result, "checkpoint", NULL);
    if (note != NULL) fprintf(out, "%s", note);
}

const struct pawl_command pawl_cmd_ledger = {
    .name = "ledger",
    .about =
        "Every seal, run, verdict, promotion and rollback is a record that names the hash of "
        "the one before.\n"
        "verify recomputes them all; export writes them with their hashes, one JSON object a line, "
        "for\n"
        "tools/pawl-verify, which shares no code with this program.\n"
        "checkpoint has the vault sign the head of the ledger: who keeps that note sees later "
        "whether\n"
        "anything before it was changed. prove shows one record to somebody who has the note; "
        "consistency N shows\n"
        "to who has the note of N records that the ledger has only grown since.",
    .render = render,
};
