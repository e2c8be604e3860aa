#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    fprintf(out, "%s: the configuration is in order\n", cli_text(result, "project"));
    cli_print_fixed(result, out);
}

const struct pawl_command pawl_cmd_validate = {
    .name = "validate",
    .about =
        "Reads pawl.yaml and checks models, metric, operator and program; before the cases are "
        "sealed,\n"
        "also whether each fits the program's fields and labels. Asks no model, writes nothing.",
    .render = render,
};
