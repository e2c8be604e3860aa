#include "cli/cli.h"

static void render_list(const json_t *attacks, FILE *out)
{
    size_t i, k;
    json_t *attack, *need;
    json_array_foreach((json_t *)attacks, i, attack)
    {
        fprintf(out, "%-4s %-10s %s\n", cli_text(attack, "id"), cli_text(attack, "ends"),
                cli_text(attack, "title"));
        json_array_foreach(json_object_get(attack, "needs"), k, need)
            fprintf(out, "%16sneeds %s\n", "", json_string_value(need));
    }
}

static void render(const json_t *result, FILE *out)
{
    const json_t *attacks = json_object_get(result, "attacks");
    size_t i;
    json_t *attack;
    if (json_object_get(result, "prevented") == NULL) {
        render_list(attacks, out);
        return;
    }
    json_array_foreach((json_t *)attacks, i, attack)
    {
        fprintf(out, "%-4s %-10s %s\n", cli_text(attack, "id"), cli_text(attack, "result"),
                cli_text(attack, "title"));
        fprintf(out, "%16s%s\n", "", cli_text(attack, "why"));
    }
    fprintf(out, "%lld prevented, %lld detected, %lld failed, %lld void, %lld skipped\n",
            cli_int(result, "prevented"), cli_int(result, "detected"), cli_int(result, "failed"),
            cli_int(result, "void"), cli_int(result, "skipped"));
}

const struct pawl_command pawl_cmd_redteam = {
    .name = "redteam",
    .about =
        "Each attack has a project, a vault and a temporary folder of its own, and is made with "
        "this very\n"
        "command; your project, budget and attempts are not touched. With --mine hostile "
        "answers are given\n"
        "to your project's grader, in a copy; no model is asked. An attack that succeeds is exit "
        "4; one that\n"
        "could not be made is exit 6, and says nothing. What pawl lacks yet is skipped, and "
        "says so.",
    .render = render,
};
