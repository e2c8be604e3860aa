#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    cli_print_incumbent(result, " again", out);
}

const struct pawl_command pawl_cmd_rollback = {
    .name = "rollback",
    .about = "Level, attempts and wear of the sealed set stay as they are.",
    .render = render,
};
