#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    if (json_is_true(json_object_get(result, "completed")))
        fputs("A rotation that was cut short is complete now; no other one was made.\n", out);
    fprintf(out, "epoch %lld: %lld cases in the gate; %lld retired, dev has %lld now\n",
            cli_int(result, "epoch"), cli_int(result, "gate"), cli_int(result, "retired"),
            cli_int(result, "dev"));
    if (cli_int(result, "refused") > 0)
        fprintf(out, "%lld cases were refused: they, or others of their clusters, had been seen\n",
                cli_int(result, "refused"));
    if (cli_real(result, "smallest_certifiable_gain") > 0)
        fprintf(out, "Smallest gain certified with 80 %% power: %.1f points\n",
                100 * cli_real(result, "smallest_certifiable_gain"));
    cli_print_clusters(result, out);
}

const struct pawl_command pawl_cmd_rotate = {
    .name = "rotate",
    .about =
        "After an audit or when its attempts are spent, a sealed set ends. Fresh cases come from "
        "--data FILE, of\n"
        "which only whole new clusters are taken, or else from the vault tier, a reserve that "
        "`data.tiers` keeps.\n"
        "Levels, attempts and wear begin anew for them. The retired cases go to dev; certificates "
        "of the old set\n"
        "show their evidence from now on. It is recorded, signed by the vault, and cannot be "
        "undone.",
    .render = render,
};
