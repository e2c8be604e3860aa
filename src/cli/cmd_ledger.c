#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    fprintf(out, "%lld records, %s\n  root %s\n", cli_int(result, "records"),
            pawl_json_get_bool(result, "ok", false) ? "all in order" : "damaged",
            cli_text(result, "root"));
}

const struct pawl_command pawl_cmd_ledger = {
    .name = "ledger",
    .about = NULL,
    .render = render,
};
