#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    fprintf(out, "%lld records, %s\n  root %s\n", cli_int(result, "records"),
            pawl_json_get_bool(result, "ok", false) ? "all in order" : "damaged",
            cli_text(result, "root"));
}

const struct pawl_command pawl_cmd_ledger = {
    .name = "ledger",
    .about =
        "Every seal, run, verdict, promotion and rollback is a record that names the hash of "
        "the one before.\n"
        "verify recomputes them all; export writes them with their hashes, one JSON object a line, "
        "for\n"
        "tools/pawl-verify, which shares no code with this program.",
    .render = render,
};
