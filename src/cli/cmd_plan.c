#include "cli/cli.h"

#include <stdlib.h>

static void render(const json_t *result, FILE *out)
{
    const json_t *power = json_object_get(result, "power");
    const char *gain;
    json_t *chance;
    fprintf(out, "The gate has %lld cases in %lld clusters (look: %s).\n",
            cli_int(result, "gate_cases"), cli_int(result, "gate_clusters"),
            cli_text(result, "look"));
    if (cli_real(result, "smallest_certifiable_gain") > 0)
        fprintf(
            out,
            "Smallest gain certified with 80 %% power: %.1f points, if answers differ on %.0f %%\n"
            "of the cases.\n",
            100 * cli_real(result, "smallest_certifiable_gain"),
            100 * cli_real(result, "discordance"));
    else
        fputs("No gain can be certified with 80 % power: more cases are needed.\n", out);
    cli_print_clusters(result, out);
    json_object_foreach((json_t *)power, gain, chance)
        fprintf(out, "  a true gain of %2.0f points is certified with probability %.2f\n",
                100 * strtod(gain, NULL), json_number_value(chance));
    fprintf(out, "The next attempt needs e.g. %s (threshold %.1f); %lld attempts are left.\n",
            cli_text(result, "next_attempt_needs"), cli_real(result, "next_threshold"),
            cli_int(result, "attempts_left"));
    cli_print_wear(result, out);
    fprintf(out, "An attempt takes %lld evaluations", cli_int(result, "evaluations"));
    if (cli_real(result, "minutes") >= 0)
        fprintf(out, ", about %.1f minutes", cli_real(result, "minutes"));
    if (cli_real(result, "usd") > 0) fprintf(out, ", $%.2f", cli_real(result, "usd"));
    fputs(".\n", out);
}

const struct pawl_command pawl_cmd_plan = {
    .name = "plan",
    .about = "Assumes that candidate and incumbent differ on a share of the cases (--discordance). "
             "Asks no model and\n"
             "spends no attempt.",
    .render = render,
};
