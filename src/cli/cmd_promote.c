#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    fprintf(out, "%s is in force instead of %s (ungated)\n", cli_id(result, "incumbent"),
            cli_id(result, "previous"));
}

const struct pawl_command pawl_cmd_promote = {
    .name = "promote",
    .about = "The gate is not asked, and the record says so. Prefer `pawl gate`.",
    .render = render,
};
