#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    const json_t *runs = json_object_get(result, "runs");
    size_t i;
    json_t *run;
    if (json_array_size(runs) == 0) fputs("No runs yet: pawl improve\n", out);
    json_array_foreach((json_t *)runs, i, run)
        fprintf(out, "%s  %-10s %-9s %-8s best %s  %lld evaluations\n", cli_text(run, "run"),
                cli_text(run, "operator"), cli_text(run, "state"), cli_text(run, "verdict"),
                cli_id(run, "best"), cli_int(run, "evaluations"));
}

const struct pawl_command pawl_cmd_log = {
    .name = "log",
    .about = "The id in the first column goes with --resume, --fork and RUN/best.",
    .render = render,
};
