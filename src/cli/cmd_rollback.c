#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    fprintf(out, "%s is in force again instead of %s\n", cli_id(result, "incumbent"),
            cli_id(result, "previous"));
}

const struct pawl_command pawl_cmd_rollback = {
    .name = "rollback",
    .about = "Level, attempts and wear of the sealed set stay as they are.",
    .render = render,
};
