#include "cli/cli.h"

static void render_work(const char *model, const json_t *work, FILE *out)
{
    if (cli_int(work, "guessed") == 0) return;
    fprintf(out, "  %s guessed %lld tokens, %lld of them right: about %.1f s saved\n", model,
            cli_int(work, "guessed"), cli_int(work, "right"), cli_real(work, "saved_s"));
}

/* The aspects that the metric names, on one line. */
static void render_named(const json_t *scores, FILE *out)
{
    const char *name, *before = "\n  of it";
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)scores, name, entry)
    {
        fprintf(out, "%s %s %.4f (n %lld)", before, name, cli_real(entry, "mean"),
                cli_int(entry, "n"));
        before = ",";
    }
}

/* How likely one of k answers is right, on one line. */
static void render_passes(const json_t *passes, FILE *out)
{
    const char *k, *before = "\n  pass@";
    json_t *mean;
    json_object_foreach((json_t *)(uintptr_t)passes, k, mean)
    {
        fprintf(out, "%s%s %.4f", before, k, json_number_value(mean));
        before = ", pass@";
    }
}

static void render(const json_t *result, FILE *out)
{
    const json_t *ci = json_object_get(result, "ci95");
    fprintf(out, "%s on %s: %.4f [%.4f, %.4f]  n %lld", cli_text(result, "metric"),
            cli_text(result, "tier"), cli_real(result, "mean"),
            json_number_value(json_array_get(ci, 0)), json_number_value(json_array_get(ci, 1)),
            cli_int(result, "n"));
    if (cli_int(result, "failed") > 0) fprintf(out, ", %lld failed", cli_int(result, "failed"));
    if (cli_int(result, "missing") > 0) fprintf(out, ", %lld missing", cli_int(result, "missing"));
    render_named(json_object_get(result, "scores"), out);
    render_passes(json_object_get(result, "pass_at"), out);
    fprintf(out, "\n  artifact %s, model %s\n", cli_id(result, "artifact"),
            cli_text(result, "model"));
    cli_print_money_and_time(result, out);
    const char *model;
    json_t *work;
    json_object_foreach(json_object_get(result, "work"), model, work) render_work(model, work, out);
    const char *reason = json_string_value(json_object_get(result, "reason"));
    if (reason != NULL) fprintf(out, "  every case failed, the first because: %s\n", reason);
    if (cli_int(result, "failed") + cli_int(result, "missing") > 0)
        fputs("  why cases failed: pawl eval --per-case FILE writes it, case by case\n", out);
}

const struct pawl_command pawl_cmd_eval = {
    .name = "eval",
    .about =
        "The interval is Wilson's when every score is 0 or 1, else a bootstrap; clusters "
        "count whole.\n"
        "--cases: a file with sealed cases in it is refused. It stops mistakes and everything that "
        "pawl\n"
        "starts; a person who rewords the cases gets by.",
    .render = render,
};
