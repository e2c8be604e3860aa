#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    const json_t *tiers = json_object_get(result, "tiers");
    fprintf(out, "%lld cases added, %lld refused; train %lld, dev %lld, gate %lld\n",
            cli_int(result, "added"), cli_int(result, "refused"), cli_int(tiers, "train"),
            cli_int(tiers, "dev"), cli_int(tiers, "gate"));
}

const struct pawl_command pawl_cmd_data = {
    .name = "data",
    .about =
        "FILE is JSON Lines or CSV like the one that was sealed. New clusters are placed in "
        "train, dev and gate\n"
        "by the same keyed hash. Refused and counted: cases that are known already, and those that "
        "would make a\n"
        "sealed cluster larger than the largest of the seal.",
    .render = render,
};
