#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    const json_t *problems = json_object_get(result, "problems");
    size_t i;
    json_t *problem;
    fprintf(out, "pawl %s, %lld threads, sandbox %s\n", cli_text(result, "version"),
            cli_int(result, "threads"), cli_text(result, "sandbox_level"));
    fprintf(out, "custody: %s\n", cli_text(result, "custody"));
    fprintf(out, "models: %zu\n", json_array_size(json_object_get(result, "models")));
    json_array_foreach((json_t *)problems, i, problem)
        fprintf(out, "! %s\n  %s\n", cli_text(problem, "problem"), cli_text(problem, "remedy"));
    if (json_array_size(problems) == 0) fputs("No problems found.\n", out);
}

const struct pawl_command pawl_cmd_doctor = {
    .name = "doctor",
    .about = "Says how far the kernel confines operators, which models are here, and whether a "
             "copy of sealed\n"
             "cases lies where an operator could read it. Copies are found by hash: one that was "
             "changed is not.",
    .render = render,
};
