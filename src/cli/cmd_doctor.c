#include "cli/cli.h"

static void render_speeds(const json_t *measured, const char *what, const char *kept, FILE *out)
{
    const char *value;
    json_t *speed;
    json_object_foreach((json_t *)measured, value, speed)
        fprintf(out, "  %-8s %-9s %10.0f %10.0f %s\n", what, value,
                json_number_value(json_object_get(speed, "prompt_tokens_per_s")),
                json_number_value(json_object_get(speed, "answer_tokens_per_s")),
                strcmp(value, kept) == 0 ? "in use" : "");
}

/* What was measured of a model on this machine, and what the engine uses of it. */
static void render_tuning(const char *name, const json_t *tuned, FILE *out)
{
    static const char *const quantities[] = {"threads", "batch", "ubatch"};
    const json_t *in_use = json_object_get(tuned, "in_use"), *weights;
    char kept[24];
    fprintf(out, "%s: %lld threads, batch %lld, micro-batch %lld, weights %s, speculation %s\n",
            name, cli_int(in_use, "threads"), cli_int(in_use, "batch"), cli_int(in_use, "ubatch"),
            cli_text(in_use, "weights"), cli_text(in_use, "speculation"));
    snprintf(kept, sizeof kept, "%lld", cli_int(in_use, "threads"));
    weights = json_object_get(json_object_get(tuned, "weights"), kept);
    if (weights == NULL) {
        fputs("  not measured yet: `pawl doctor --tune` does, or the first use of its weights\n",
              out);
        return;
    }
    fprintf(out, "  %-8s %-9s %10s %10s\n", "", "", "prompt/s", "answer/s");
    render_speeds(json_object_get(weights, "measured"), "weights", cli_text(in_use, "weights"),
                  out);
    for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) {
        snprintf(kept, sizeof kept, "%lld", cli_int(in_use, quantities[i]));
        render_speeds(json_object_get(json_object_get(tuned, "measured"), quantities[i]),
                      quantities[i], kept, out);
    }
}

/* What was done to give the vault its own user, or to take it away; or what root would have to run. */
static void render_vault_user(const json_t *done, FILE *out)
{
    size_t i;
    json_t *line;
    fprintf(out, "%s\n", cli_text(done, "say"));
    json_array_foreach(json_object_get(done, "commands"), i, line)
        fprintf(out, "  %s\n", json_string_value(line));
}

static void render(const json_t *result, FILE *out)
{
    if (json_object_get(result, "say") != NULL) {
        render_vault_user(result, out);
        return;
    }
    const char *name;
    json_t *tuned;
    const json_t *problems = json_object_get(result, "problems");
    size_t i;
    json_t *problem;
    fprintf(out, "pawl %s, %lld threads, sandbox %s\n", cli_text(result, "version"),
            cli_int(result, "threads"), cli_text(result, "sandbox_level"));
    fprintf(out, "custody: %s\n", cli_text(result, "custody"));
    fprintf(out, "vault's user: %s\n", cli_text(json_object_get(result, "vault_user"), "say"));
    fprintf(out, "models: %zu\n", json_array_size(json_object_get(result, "models")));
    json_object_foreach(json_object_get(result, "tuning"), name, tuned)
        render_tuning(name, tuned, out);
    json_array_foreach((json_t *)problems, i, problem)
        fprintf(out, "! %s\n  %s\n", cli_text(problem, "problem"), cli_text(problem, "remedy"));
    if (json_array_size(problems) == 0) fputs("No problems found.\n", out);
}

const struct pawl_command pawl_cmd_doctor = {
    .name = "doctor",
    .about = "Says how far the kernel confines operators, which models are here, and whether a "
             "copy of sealed\n"
             "cases lies where an operator could read it. Copies are found by hash: one that was "
             "changed is not.\n"
             "With --tune it measures how this machine runs the configured local models, and the "
             "engine uses\nwhat was fastest wherever pawl.yaml does not say.",
    .render = render,
};
