#include "cli/cli.h"

#include <string.h>

static void render(const json_t *result, FILE *out)
{
    const char *answer = cli_text(result, "answer");
    bool harm = strcmp(answer, "harm") == 0;
    fprintf(out, "confirmation %lld: %s\n", cli_int(result, "confirmation"),
            harm                            ? "harm"
            : strcmp(answer, "stable") == 0 ? "stable"
                                            : "stable (unconfirmed)");
    fprintf(out, "  %s against %s on %lld fresh clusters of cases, at level %.3g\n",
            cli_id(result, "artifact"), cli_id(result, "baseline"), cli_int(result, "clusters"),
            cli_real(result, "level"));
    if (harm) fprintf(out, "  %s is in force\n", cli_id(result, "incumbent"));
}

const struct pawl_command pawl_cmd_confirm = {
    .name = "confirm",
    .about =
        "Where a project keeps a vault tier, what the gate promoted is tested on it: cases that "
        "chose "
        "nothing.\n"
        "Stable: the gain is there. Unconfirmed: nothing speaks against it, and too little for it. "
        "Harm: it is\n"
        "rolled back in the same moment. Each confirmation uses up the tier's fresh cases; `data "
        "add` "
        "brings more.\n"
        "`gate: {confirm: true}` in pawl.yaml asks after every promotion of a run.",
    .render = render,
};
