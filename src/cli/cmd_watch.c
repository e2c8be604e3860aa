#include "cli/cli.h"

#include <string.h>

static void render(const json_t *result, FILE *out)
{
    const json_t *improve = json_object_get(result, "improve");
    size_t i;
    json_t *reason;
    if (json_object_get(result, "decision") == NULL) return;
    fprintf(out, "%s\n", cli_text(result, "decision"));
    json_array_foreach(json_object_get(result, "reasons"), i, reason)
        fprintf(out, "  %s\n", json_string_value(reason));
    if (improve != NULL)
        fprintf(out, "  run %s: %s\n", cli_text(improve, "run"), cli_text(improve, "verdict"));
    if (strcmp(cli_text(result, "decision"), "rollback") == 0)
        fprintf(out, "  %s is in force\n", cli_id(result, "incumbent"));
}

const struct pawl_command pawl_cmd_watch = {
    .name = "watch",
    .about = "Looks at the cases that `data add` brought. Where they say that what is in force is "
             "worse than "
             "what it\n"
             "replaced, that is in force again. An operator runs when there is drift or there are "
             "failures "
             "enough, the\n"
             "gate can certify a plausible gain, its set is not worn, and the budget lasts; the "
             "ledger says "
             "why if not.\n"
             "--once looks once; else it looks every 10 minutes until Ctrl-C.",
    .render = render,
};
