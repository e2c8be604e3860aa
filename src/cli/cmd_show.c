#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    size_t i;
    json_t *component;
    fprintf(out, "artifact %s (%s)\n", cli_text(result, "artifact"), cli_text(result, "state"));
    cli_print_quarantine(result, out);
    json_array_foreach(json_object_get(result, "components"), i, component) fprintf(
        out, "\n--- %s (%s, %s)\n%s\n", cli_text(component, "name"), cli_text(component, "role"),
        cli_id(component, "hash"), cli_text(component, "text"));
}

const struct pawl_command pawl_cmd_show = {
    .name = "show",
    .about =
        "Prints every component with its text. Ids are hash prefixes of at least 6 characters.",
    .render = render,
};
