#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    size_t n = json_array_size(json_object_get(result, "approved_by"));
    if (json_object_get(result, "promoted") == NULL)
        return; /* it was refused; the error says why */
    if (pawl_json_get_bool(result, "promoted", false)) {
        cli_print_incumbent(result, ", approved,", out);
        fputs("  see: pawl lineage; undo: pawl rollback --reason WHY\n", out);
        return;
    }
    fprintf(out, "%s has %zu of %lld approvals; %s stays in force until it has all\n",
            cli_id(result, "artifact"), n, cli_int(result, "needed"), cli_id(result, "incumbent"));
}

const struct pawl_command pawl_cmd_approve = {
    .name = "approve",
    .about =
        "Where pawl.yaml has a section `approval`, what the gate promotes waits for people. An "
        "approval is\n"
        "signed for one attempt, incumbent, policy and evidence; the last one that is needed "
        "puts it in\n"
        "force. Silence rejects. `pawl status` lists what waits, `pawl key` makes keys.",
    .render = render,
};
