#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    if (json_object_get(result, "promoted") == NULL)
        return; /* it was refused; the error says why */
    fprintf(out, "%s is rejected; %s stays in force\n", cli_id(result, "artifact"),
            cli_id(result, "incumbent"));
}

const struct pawl_command pawl_cmd_reject = {
    .name = "reject",
    .about = "One rejection ends a promotion that waits, however many approved it; it is signed as "
             "an approval is.",
    .render = render,
};
