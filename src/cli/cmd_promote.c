#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    cli_print_incumbent(result, ", ungated,", out);
}

const struct pawl_command pawl_cmd_promote = {
    .name = "promote",
    .about = "The gate is not asked, and the record says so. Prefer `pawl gate`.",
    .render = render,
};
