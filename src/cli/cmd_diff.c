#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    if (pawl_json_get_bool(result, "equal", false))
        fputs("The two are the same artifact.\n", out);
    else
        fputs(cli_text(result, "diff"), out);
}

const struct pawl_command pawl_cmd_diff = {
    .name = "diff",
    .about =
        "The first is before, the second after; without ids, the seed against what is in force.",
    .render = render,
};
