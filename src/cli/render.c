#include "cli/cli.h"

#include <math.h>
#include <string.h>
#include <time.h>

const char *cli_text(const json_t *object, const char *key)
{
    return pawl_json_get_text(object, key, "-");
}

double cli_real(const json_t *object, const char *key)
{
    return pawl_json_get_real(object, key, NAN);
}

long long cli_int(const json_t *object, const char *key)
{
    return (long long)pawl_json_get_int(object, key, 0);
}

const char *cli_id(const json_t *object, const char *key)
{
    static char ring[8][13];
    static unsigned next;
    char *id = ring[next++ % 8];
    snprintf(id, sizeof ring[0], "%.12s", cli_text(object, key));
    return id;
}

void cli_write_day(long long ts_ms, char out[CLI_DAY_MAX])
{
    time_t seconds = (time_t)(ts_ms / 1000);
    struct tm day;
    gmtime_r(&seconds, &day);
    strftime(out, CLI_DAY_MAX, "%Y-%m-%d %H:%M UTC", &day);
}

void cli_print_money_and_time(const json_t *result, FILE *out)
{
    const json_t *tokens = json_object_get(result, "tokens");
    fprintf(out, "  %lld evaluations", cli_int(result, "evaluations"));
    if (tokens != NULL)
        fprintf(out, ", %lld + %lld tokens", cli_int(tokens, "prompt"),
                cli_int(tokens, "completion"));
    if (cli_real(result, "usd") > 0) fprintf(out, ", $%.4f", cli_real(result, "usd"));
    fprintf(out, ", %.1f s\n", cli_real(result, "wall_s"));
}

void cli_print_timing(const json_t *result, FILE *out)
{
    if (!json_is_string(json_object_get(result, "timing_channel"))) return;
    fprintf(out, "  timing channel %s\n", cli_text(result, "timing_channel"));
}

void cli_print_wear(const json_t *result, FILE *out)
{
    const json_t *wear = json_object_get(result, "wear");
    double eps = cli_real(wear, "eps");
    fprintf(out, "wear: %lld of the attempts left can still pass, and %lld promotions; ",
            cli_int(wear, "passable_left"), cli_int(wear, "promotions_left"));
    if (eps > 0)
        fprintf(out, "no gain on this set is off by more than %.1f points\n", 100 * eps);
    else
        fputs("the set has told nothing yet\n", out);
    if (cli_int(wear, "attempts_left") == 0)
        fputs("The sealed set takes no more attempts: `pawl rotate` draws a fresh one.\n", out);
}

void cli_print_clusters(const json_t *result, FILE *out)
{
    const json_t *clusters = json_object_get(result, "clusters");
    if (clusters == NULL) return;
    long long largest = cli_int(clusters, "largest"), of_that = cli_int(clusters, "of_that_size");
    fprintf(out, "  The largest cluster has %lld cases", largest);
    if (of_that > 1) fprintf(out, " (as %lld others have)", of_that - 1);
    fprintf(out, "; every other is weighed by it, so that all weigh like %.0f of its size.\n",
            cli_real(clusters, "effective_cases"));
    if (cli_real(clusters, "gain_with_it") > 0) {
        fprintf(out,
                "! With at most %lld cases of a cluster a gain of %.1f points could be certified",
                cli_int(clusters, "max_per_cluster"), 100 * cli_real(clusters, "gain_with_it"));
        if (cli_real(result, "smallest_certifiable_gain") > 0)
            fprintf(out, " instead of %.1f", 100 * cli_real(result, "smallest_certifiable_gain"));
        fprintf(
            out,
            ".\n  Before the first attempt: remove .pawl, write `max_per_cluster: %lld` into the\n"
            "  section data of pawl.yaml, and run `pawl init` again.\n",
            cli_int(clusters, "max_per_cluster"));
    }
}

void cli_print_quarantine(const json_t *result, FILE *out)
{
    const json_t *held = json_object_get(result, "quarantine");
    if (json_is_object(held))
        fprintf(out, "! in quarantine with the lineage of %s: %s\n", cli_id(held, "artifact"),
                cli_text(held, "reason"));
}

void cli_print_incumbent(const json_t *result, const char *how, FILE *out)
{
    fprintf(out, "%s is in force%s instead of %s\n", cli_id(result, "incumbent"), how,
            cli_id(result, "previous"));
}

void cli_print_error(const struct pawl_error *error, FILE *out)
{
    fputs("pawl: ", out);
    if (error->file[0] != '\0') {
        fputs(error->file, out);
        if (error->line > 0) fprintf(out, ":%d", error->line);
        if (error->line > 0 && error->column > 0) fprintf(out, ":%d", error->column);
        fputs(": ", out);
    }
    bool names_it = strncmp(error->message, error->field, strlen(error->field)) == 0;
    if (error->field[0] != '\0' && !names_it) fprintf(out, "%s: ", error->field);
    fprintf(out, "%s\n", error->message[0] != '\0' ? error->message : "Something went wrong.");
    if (error->hint[0] != '\0') fprintf(out, "  %s\n", error->hint);
}

void cli_print_fixed(const json_t *result, FILE *out)
{
    json_t *setting;
    size_t i;
    json_array_foreach(json_object_get(result, "fixed"), i, setting)
    {
        char *sealed = pawl_json_text(json_object_get(setting, "sealed"));
        char *configured = pawl_json_text(json_object_get(setting, "configured"));
        fprintf(out, "  %s changed after the cases were sealed (from %s to %s): %s\n",
                cli_text(setting, "field"), sealed, configured, cli_text(setting, "effect"));
        free(sealed);
        free(configured);
    }
}
