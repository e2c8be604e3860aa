#include "cli/cli.h"

#include <string.h>

static void render(const json_t *result, FILE *out)
{
    bool promoted = strcmp(cli_text(result, "verdict"), "promote") == 0;
    const char *note = json_string_value(json_object_get(result, "note"));
    bool waits = pawl_json_get_bool(result, "pending_approval", false);
    fprintf(out, "attempt %lld: %s\n", cli_int(result, "attempt"),
            waits          ? "certified, and waits for approval"
            : note != NULL ? "answered before"
            : promoted     ? "promoted"
                           : "not promoted");
    if (note != NULL) fprintf(out, "  %s\n", note);
    fprintf(out, "  %s against %s; %lld attempts left\n", cli_id(result, "artifact"),
            cli_id(result, "incumbent"), cli_int(result, "attempts_left"));
}

const struct pawl_command pawl_cmd_gate = {
    .name = "gate",
    .about = "Costs one attempt of the sealed set's life, whatever the answer; the same text gets "
             "the same\n"
             "answer again, free.",
    .render = render,
};
