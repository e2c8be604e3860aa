/* A bar in real units on a terminal, one JSON line per tick elsewhere; always on standard error. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 24 };

void cli_progress_init(struct cli_progress *progress)
{
    const char *term = getenv("TERM");
    progress->terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    progress->drawn = false;
}

static void draw(struct cli_progress *progress, const json_t *tick)
{
    const char *said = pawl_json_get_text(tick, "say", NULL);
    double done = pawl_json_get_real(tick, "evaluations", 0);
    double total = pawl_json_get_real(tick, "budget", 0);
    double eta_s = pawl_json_get_real(tick, "eta_s", -1);
    if (progress->drawn) fputs("\r\033[K", stderr);
    if (said != NULL) fprintf(stderr, "%s\n", said);
    if (total > 0) {
        int filled = (int)(BAR_CELLS * (done < total ? done / total : 1));
        fputc('[', stderr);
        for (int i = 0; i < BAR_CELLS; i++) fputc(i < filled ? '#' : '.', stderr);
        fprintf(stderr, "] %.0f/%.0f %s", done, total, cli_text(tick, "phase"));
    } else {
        fprintf(stderr, "%s", cli_text(tick, "phase"));
        if (done > 0) fprintf(stderr, " %.0f evaluations", done);
    }
    if (cli_real(tick, "usd") > 0) fprintf(stderr, "  $%.4f", cli_real(tick, "usd"));
    if (cli_real(tick, "best_dev") >= 0) fprintf(stderr, "  best %.3f", cli_real(tick, "best_dev"));
    if (eta_s >= 0) fprintf(stderr, "  %.0f s left", eta_s);
    fflush(stderr);
    progress->drawn = true;
}

void cli_progress_show(void *context, const char *json)
{
    struct cli_progress *progress = context;
    json_t *tick = NULL;
    if (!progress->terminal) {
        fprintf(stderr, "%s\n", json);
        return;
    }
    struct pawl_str text = pawl_str_of(json);
    if (pawl_json_parse(text, text.len, &tick, NULL) == PAWL_OK) draw(progress, tick);
    json_decref(tick);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->drawn = false;
}
