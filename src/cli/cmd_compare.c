#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    const json_t *ci = json_object_get(result, "ci95");
    fprintf(out, "%s: %.4f against %.4f, difference %+.4f", cli_text(result, "verdict"),
            cli_real(result, "mean_b"), cli_real(result, "mean_a"), cli_real(result, "difference"));
    if (json_is_array(ci))
        fprintf(out, " [%+.4f, %+.4f]", json_number_value(json_array_get(ci, 0)),
                json_number_value(json_array_get(ci, 1)));
    fprintf(out, "\n  n %lld: %lld wins, %lld losses, %lld ties\n", cli_int(result, "n"),
            cli_int(result, "wins"), cli_int(result, "losses"), cli_int(result, "ties"));
    fprintf(out, "  p (McNemar) %.4g, p (sign flip) %.4g, e-value %.4g\n",
            cli_real(result, "p_mcnemar"), cli_real(result, "p_signflip"),
            cli_real(result, "e_value"));
    fprintf(out, "  %s\n", cli_text(result, "guarantee"));
}

const struct pawl_command pawl_cmd_compare = {
    .name = "compare",
    .about =
        "Takes the per-case files of any tool. One planned comparison: run it once, on cases "
        "that were\n"
        "not used to choose between the two. Rows of one case that differ in \"sample\" are its "
        "samples: their\n"
        "mean is its score. --cluster cluster takes the clusters that `pawl eval --per-case` "
        "writes.",
    .render = render,
};
