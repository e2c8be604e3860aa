#include "cli/cli.h"

#include <string.h>

/* Why nothing was put before the gate. */
static void render_none(const json_t *result, FILE *out)
{
    const char *ended = cli_text(result, "ended");
    const char *short_of = json_string_value(json_object_get(result, "short_of"));
    long long n = cli_int(result, "candidates");
    fputs("nothing was worth an attempt\n", out);
    if (strcmp(ended, "no_candidate") == 0)
        fputs("  no candidate was tried: the operator proposed none\n", out);
    else if (strcmp(ended, "no_better") == 0)
        fputs("  what was better on dev did not beat the one in force on the cases kept back\n",
              out);
    else
        fprintf(out, "  no candidate beat the one in force on dev (%lld tried)\n",
                n > 0 ? n - 1 : 0);
    if (short_of != NULL)
        fprintf(out, "  the budget of %s ended the search; --budget %s=N gives more\n", short_of,
                short_of);
}

/* What each operator of a chain came to. */
static void render_links(const json_t *links, FILE *out)
{
    size_t i;
    json_t *link;
    json_array_foreach((json_t *)(uintptr_t)links, i, link)
    {
        const char *verdict = cli_text(link, "verdict");
        fprintf(out, "  %s: %s (%lld evaluations)\n", cli_text(link, "operator"),
                strcmp(verdict, "promote") == 0 ? "promoted"
                : strcmp(verdict, "no") == 0    ? "not promoted"
                                                : "nothing was worth an attempt",
                cli_int(link, "evaluations"));
    }
}

static void render(const json_t *result, FILE *out)
{
    const char *verdict = cli_text(result, "verdict");
    const char *note = json_string_value(json_object_get(result, "note"));
    fprintf(out, "run %s (%s, seed %lld): ", cli_text(result, "run"), cli_text(result, "operator"),
            cli_int(result, "seed"));
    if (pawl_json_get_bool(result, "pending_approval", false)) {
        fprintf(out, "certified, and waits for approval\n  %s\n", note);
    } else if (note != NULL) {
        fprintf(out, "answered before\n  %s\n", note);
    } else if (strcmp(verdict, "promote") == 0) {
        fprintf(out, "promoted\n  %s is in force instead of %s\n", cli_id(result, "best"),
                cli_id(result, "started_from"));
        fputs("  see: pawl diff, pawl certificate; undo: pawl rollback --reason WHY\n", out);
    } else if (strcmp(verdict, "no") == 0) {
        fprintf(out, "not promoted\n  the gate did not certify %s; %s stays in force\n",
                cli_id(result, "best"), cli_id(result, "started_from"));
    } else {
        render_none(result, out);
    }
    if (json_object_get(result, "links") != NULL)
        render_links(json_object_get(result, "links"), out);
    const json_t *confirmation = json_object_get(result, "confirmation");
    const char *unconfirmed = json_string_value(json_object_get(result, "unconfirmed_because"));
    if (confirmation != NULL)
        fprintf(out, "  on %lld fresh cases: %s%s\n", cli_int(confirmation, "n_planned"),
                cli_text(confirmation, "answer"),
                pawl_json_get_bool(confirmation, "rolled_back", false) ? ", and it was rolled back"
                                                                       : "");
    if (unconfirmed != NULL) fprintf(out, "  not confirmed: %s\n", unconfirmed);
    const char *because = json_string_value(json_object_get(result, "because"));
    if (because != NULL)
        fprintf(out, "  %s was chosen: %s\n", cli_text(result, "operator"), because);
    cli_print_money_and_time(result, out);
}

const struct pawl_command pawl_cmd_improve = {
    .name = "improve",
    .about = "An operator proposes changes and sees train and dev; the winner is put before the "
             "gate, which\n"
             "answers with one bit. Ctrl-C pauses; --resume goes on exactly where the run was.",
    .render = render,
};
