#include "cli/cli.h"

static void print_files(const json_t *result, FILE *out)
{
    size_t i;
    json_t *file;
    json_array_foreach(json_object_get(result, "moved"), i, file)
        fprintf(out, "  moved %s\n     to %s (pawl.yaml names it there)\n", cli_text(file, "from"),
                cli_text(file, "to"));
    json_array_foreach(json_object_get(result, "movable"), i, file)
        fprintf(out,
                "  %s lies in the project, where an agent could read it; move it out with:\n"
                "    pawl init --move-cases\n",
                json_string_value(file));
}

static void render(const json_t *result, FILE *out)
{
    if (!pawl_json_get_bool(result, "sealed", true)) {
        fprintf(out, "%s: written; put your cases there, then `pawl init`:\n  %s\n",
                cli_text(result, "project"), cli_text(result, "absent"));
        return;
    }
    const json_t *tiers = json_object_get(result, "tiers");
    double gain = cli_real(result, "smallest_certifiable_gain");
    fprintf(out, "%s: %lld cases sealed\n", cli_text(result, "project"), cli_int(result, "cases"));
    fprintf(out,
            "  train %lld (operators see everything), dev %lld (scores only), gate %lld (one bit)",
            cli_int(tiers, "train"), cli_int(tiers, "dev"), cli_int(tiers, "gate"));
    if (cli_int(tiers, "vault") > 0) fprintf(out, ", vault %lld", cli_int(tiers, "vault"));
    fprintf(out, "\n  commitment %s\n", cli_id(json_object_get(result, "commitment"), "root"));
    if (gain > 0)
        fprintf(out, "  smallest gain that the gate can certify with 80 %% power: %.1f points\n",
                100 * gain);
    const json_t *judge = json_object_get(result, "judge");
    if (judge != NULL)
        fprintf(out,
                "  the judge orders %.0f %% of the pairs of %lld labelled answers as people did\n",
                100 * cli_real(judge, "agreement"), cli_int(judge, "n"));
    if (cli_int(result, "set_aside") > 0)
        fprintf(out, "  %lld cases of large clusters left out (max_per_cluster)\n",
                cli_int(result, "set_aside"));
    if (cli_int(result, "spent_before") > 0)
        fprintf(out, "  these cases were sealed before; %lld attempts were spent on them\n",
                cli_int(result, "spent_before"));
    const json_t *traps = json_object_get(result, "traps");
    if (json_is_object(traps))
        fprintf(out, "  traps: %lld impossible cases, %lld pairs of twins; no score has them\n",
                cli_int(traps, "impossible"), cli_int(traps, "pairs"));
    cli_print_clusters(result, out);
    fprintf(out, "  %s\n", cli_text(result, "custody"));
    cli_print_timing(result, out);
    print_files(result, out);
    cli_print_fixed(result, out);
    if (pawl_json_get_bool(result, "small", false))
        fputs("  The gate is small; improve will ask for --force. More cases certify smaller "
              "gains.\n",
              out);
    fputs("Next: pawl plan, pawl eval, pawl improve\n", out);
}

const struct pawl_command pawl_cmd_init = {
    .name = "init",
    .about = "Keeps what is there: a second run changes nothing. Cases are placed in train, dev "
             "and gate by a\n"
             "keyed hash of their cluster; the gate tier is encrypted and never shown again.",
    .render = render,
};
