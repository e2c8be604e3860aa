#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    if (json_object_get(result, "state") != NULL)
        fprintf(out, "%s, which is in force, is %s\n", cli_id(result, "incumbent"),
                cli_text(result, "state"));
    else
        cli_print_incumbent(result, ", ungated,", out);
}

const struct pawl_command pawl_cmd_promote = {
    .name = "promote",
    .about = "The gate is not asked, and the record says so. Prefer `pawl gate`. Where people must "
             "approve such a\n"
             "change, only what was in force before can be put back so. With --to shadow, canary, "
             "stable, in this\n"
             "order, nothing moves: it is recorded how far your own rollout has come; pawl serves "
             "nobody itself.",
    .render = render,
};
