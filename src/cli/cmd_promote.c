#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    cli_print_incumbent(result, ", ungated,", out);
}

const struct pawl_command pawl_cmd_promote = {
    .name = "promote",
    .about = "The gate is not asked, and the record says so. Prefer `pawl gate`. Where people must "
             "approve such a\n"
             "change, only what was in force before can be put back so.",
    .render = render,
};
