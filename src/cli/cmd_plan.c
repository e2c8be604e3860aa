#include "cli/cli.h"

#include <stdlib.h>

/* What each guard lets pass of what is as good as the incumbent. */
static void print_guards(const json_t *guards, FILE *out)
{
    size_t i;
    json_t *guard;
    if (guards == NULL) return;
    fprintf(out, "A candidate equal to the incumbent passes all guards with probability %.2f:\n",
            cli_real(guards, "chance"));
    json_array_foreach(json_object_get(guards, "guards"), i, guard)
    {
        fprintf(out, "  %-8s %.2f", cli_text(guard, "metric"), cli_real(guard, "chance"));
        if (json_is_true(json_object_get(guard, "zero_tolerance")))
            fputs(", zero tolerance", out);
        else
            fprintf(out, ", margin %g", cli_real(guard, "margin"));
        if (json_is_number(json_object_get(guard, "margin_that_works")))
            fprintf(out, "; a margin of %g would work", cli_real(guard, "margin_that_works"));
        fputs("\n", out);
    }
}

/* Under the policy fresh: how many attempts the sealed cases give, and what each can certify. */
static void print_draws(const json_t *draws, FILE *out)
{
    size_t i;
    json_t *attempt;
    if (draws == NULL) return;
    fprintf(out, "Each attempt draws %lld clusters of its own; there are enough for %lld more%s\n",
            cli_int(draws, "clusters"), cli_int(draws, "left"),
            cli_int(draws, "left") > 0 ? ":" : ".");
    json_array_foreach(json_object_get(draws, "attempts"), i, attempt)
    {
        fprintf(out, "  %2zu  threshold %8.1f, ", i + 1, cli_real(attempt, "threshold"));
        if (cli_real(attempt, "smallest_certifiable_gain") > 0)
            fprintf(out, "a gain of %.1f points with 80 %% power\n",
                    100 * cli_real(attempt, "smallest_certifiable_gain"));
        else
            fputs("no gain with 80 % power\n", out);
    }
}

static void render(const json_t *result, FILE *out)
{
    const json_t *power = json_object_get(result, "power");
    const char *gain;
    json_t *chance;
    bool draws = json_object_get(result, "draws") != NULL;
    fprintf(out, "%s %lld cases in %lld clusters (look: %s).\n",
            draws ? "An attempt is asked of about" : "The gate has", cli_int(result, "gate_cases"),
            cli_int(result, "gate_clusters"), cli_text(result, "look"));
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
    print_draws(json_object_get(result, "draws"), out);
    cli_print_wear(result, out);
    print_guards(json_object_get(result, "guards"), out);
    fprintf(out, "An attempt takes %lld evaluations", cli_int(result, "evaluations"));
    if (cli_int(result, "arms") == 3) fputs(" (the anchor's included)", out);
    if (json_is_object(json_object_get(result, "traps"))) fputs(" (those of traps included)", out);
    if (cli_real(result, "minutes") >= 0)
        fprintf(out, ", about %.1f minutes", cli_real(result, "minutes"));
    if (cli_real(result, "usd") > 0) fprintf(out, ", $%.2f", cli_real(result, "usd"));
    fputs(".\n", out);
    cli_print_timing(result, out);
}

const struct pawl_command pawl_cmd_plan = {
    .name = "plan",
    .about = "Assumes that candidate and incumbent differ on a share of the cases (--discordance). "
             "Spends no\n"
             "attempt, and asks no model but for guards: incumbent and anchor on dev, once.",
    .render = render,
};
