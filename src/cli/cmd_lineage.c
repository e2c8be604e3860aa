#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    size_t i;
    json_t *item;
    fprintf(out, "artifact %s (%s)\n", cli_text(result, "artifact"), cli_text(result, "state"));
    cli_print_quarantine(result, out);
    json_array_foreach(json_object_get(result, "candidates"), i, item)
    {
        char *parents = pawl_json_text(json_object_get(item, "parents"));
        fprintf(out, "  candidate %lld of run %s by %s, parents %s\n", cli_int(item, "number"),
                cli_text(item, "run"), cli_text(item, "operator"), parents);
        pawl_free(parents);
    }
    json_array_foreach(json_object_get(result, "verdicts"), i, item)
        fprintf(out, "  attempt %lld against %s: %s\n", cli_int(item, "attempt"),
                cli_id(item, "incumbent"), cli_text(item, "verdict"));
    json_array_foreach(json_object_get(result, "approvals"), i, item)
    {
        char day[CLI_DAY_MAX];
        cli_write_day(cli_int(item, "ts"), day);
        fprintf(out, "  attempt %lld: %s by %s, %s%s%s\n", cli_int(item, "attempt"),
                cli_text(item, "kind"), cli_text(item, "name"), day,
                cli_text(item, "reason")[0] != '\0' ? ": " : "", cli_text(item, "reason"));
    }
}

const struct pawl_command pawl_cmd_lineage = {
    .name = "lineage",
    .about =
        "Runs and parents that made the artifact, and every attempt at the gate; who approved it.",
    .render = render,
};
