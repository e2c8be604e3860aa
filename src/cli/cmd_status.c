#include "cli/cli.h"

static void print_pending(const json_t *pending, FILE *out)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)pending, i, item)
    {
        char until[CLI_DAY_MAX];
        cli_write_day(cli_int(item, "until_ms"), until);
        fprintf(out,
                "! %s waits for approval: layer %s, %zu of %lld, until %s; `pawl approve %s`\n",
                cli_id(item, "artifact"), cli_text(item, "layer"),
                json_array_size(json_object_get(item, "approved_by")), cli_int(item, "needed"),
                until, cli_id(item, "artifact"));
    }
}

static void render(const json_t *result, FILE *out)
{
    const json_t *wear = json_object_get(result, "wear");
    const json_t *ledger = json_object_get(result, "ledger");
    fprintf(out, "incumbent %s (%s), anchor %s\n", cli_id(result, "incumbent"),
            cli_text(result, "state"), cli_id(result, "anchor"));
    print_pending(json_object_get(result, "pending_approvals"), out);
    size_t i;
    json_t *held;
    json_array_foreach(json_object_get(result, "quarantined"), i, held)
        fprintf(out, "! the lineage of %.12s is in quarantine\n", json_string_value(held));
    fprintf(out, "%lld runs, %lld attempts, %lld left; the next must reach %.1f\n",
            cli_int(result, "runs"), cli_int(result, "attempts"), cli_int(wear, "attempts_left"),
            cli_real(wear, "next_threshold"));
    cli_print_wear(result, out);
    fprintf(out, "ledger: %lld records, root %s\n", cli_int(ledger, "records"),
            cli_id(ledger, "root"));
    cli_print_fixed(result, out);
}

const struct pawl_command pawl_cmd_status = {
    .name = "status",
    .about = "An attempt is one question to the gate; they are counted over the life of the sealed "
             "set. The next one\n"
             "promotes when its evidence reaches the threshold that is shown.",
    .render = render,
};
