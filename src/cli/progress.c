/*
 * Progress on standard error: on a terminal one line that is redrawn, elsewhere one JSON line a tick,
 * ten a second at first and fewer the longer it takes, so that the log of a night stays short.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS_MIN = 8, BAR_CELLS = 24, COLUMNS = 80, LINE_BYTES = 512 };
/* Of the time that has passed, what goes by between two JSON lines; and at least, and at most. */
static const double LINE_SHARE = 0.02, LINE_MIN_S = 0.1, LINE_MAX_S = 60;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool wants_color(void)
{
    const char *no_color = getenv("NO_COLOR");
    return no_color == NULL || no_color[0] == '\0';
}

void cli_progress_init(struct cli_progress *progress, bool quiet)
{
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    *progress = (struct cli_progress){.quiet = quiet,
                                      .terminal = terminal,
                                      .color = terminal && wants_color(),
                                      .started_s = now_s()};
}

/* --- a line of a terminal ------------------------------------------------------------------------ */

static void write_duration(double seconds, char out[32])
{
    long long s = (long long)(seconds + 0.5);
    if (s < 60)
        snprintf(out, 32, "%lld s", s);
    else if (s < 3600)
        snprintf(out, 32, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(out, 32, "%lld h %02lld min", s / 3600, s / 60 % 60);
}

static void draw_bar(struct pawl_buf *line, int cells, double share, bool color)
{
    int filled = (int)(cells * (share < 1 ? share : 1));
    pawl_buf_printf(line, "[%s", color && filled > 0 ? "\033[32m" : "");
    for (int i = 0; i < filled; i++) pawl_buf_printf(line, "#");
    pawl_buf_printf(line, "%s", color && filled > 0 ? "\033[0m" : "");
    for (int i = filled; i < cells; i++) pawl_buf_printf(line, ".");
    pawl_buf_printf(line, "] ");
}

static double number(const json_t *tick, const char *key)
{
    return pawl_json_get_real(tick, key, -1); /* also where it is null */
}

static void draw_counts(struct pawl_buf *text, const json_t *tick)
{
    double done = number(tick, "evaluations"), total = number(tick, "budget");
    double points = number(tick, "release_points_passed");
    pawl_buf_printf(text, "%s", cli_text(tick, "phase"));
    if (total > 0)
        pawl_buf_printf(text, " %.0f/%.0f", done, total);
    else if (done > 0)
        pawl_buf_printf(text, " %.0f", done);
    if (points > 0)
        pawl_buf_printf(text, " release point %.0f of %.0f", points,
                        number(tick, "release_points"));
    if (number(tick, "tokens_per_s") >= 1)
        pawl_buf_printf(text, "  %.0f tokens/s", number(tick, "tokens_per_s"));
    if (number(tick, "usd") > 0) pawl_buf_printf(text, "  $%.4f", number(tick, "usd"));
    if (number(tick, "best_dev") >= 0)
        pawl_buf_printf(text, "  best %.3f", number(tick, "best_dev"));
    if (number(tick, "eta_s") >= 0) {
        char left[32];
        write_duration(number(tick, "eta_s"), left);
        pawl_buf_printf(text, "  %s left", left);
    }
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;
}

/* A line that wraps could not be redrawn: the words are cut, and a bar is drawn where it fits too. */
static void draw(struct cli_progress *progress, const json_t *tick)
{
    struct pawl_buf text = PAWL_BUF(LINE_BYTES), line = PAWL_BUF(2 * LINE_BYTES);
    const char *said = pawl_json_get_text(tick, "say", NULL);
    double done = number(tick, "evaluations"), total = number(tick, "budget");
    int room = columns() - 1;
    if (progress->drawn) pawl_buf_printf(&line, "\r\033[K");
    if (said != NULL) {
        pawl_buf_printf(&line, "%s\n", said);
        progress->drawn = false;
    } else {
        draw_counts(&text, tick);
        int cells = room - (int)text.len - 3;
        if (cells > BAR_CELLS) cells = BAR_CELLS;
        if (total > 0 && cells >= BAR_CELLS_MIN)
            draw_bar(&line, cells, done / total, progress->color);
        pawl_buf_printf(&line, "%.*s", room < (int)text.len ? room : (int)text.len, text.data);
        progress->drawn = true;
    }
    fwrite(line.data, 1, line.len, stderr);
    fflush(stderr);
    pawl_buf_release(&line);
    pawl_buf_release(&text);
}

/* --- lines of JSON ------------------------------------------------------------------------------- */

static bool is_due(struct cli_progress *progress)
{
    double now = now_s(), pause_s = LINE_SHARE * (now - progress->started_s);
    if (pause_s < LINE_MIN_S) pause_s = LINE_MIN_S;
    if (pause_s > LINE_MAX_S) pause_s = LINE_MAX_S;
    if (progress->told_s > 0 && now - progress->told_s < pause_s) return false;
    progress->told_s = now;
    return true;
}

/* What is said, a change of phase, and the last of a count are never left out. */
static bool is_news(struct cli_progress *progress, const json_t *tick)
{
    const char *phase = cli_text(tick, "phase");
    bool changed = strcmp(phase, progress->phase) != 0;
    snprintf(progress->phase, sizeof progress->phase, "%s", phase);
    return changed || json_object_get(tick, "say") != NULL ||
           json_object_get(tick, "release_points") != NULL ||
           (number(tick, "budget") > 0 && number(tick, "evaluations") >= number(tick, "budget"));
}

void cli_progress_show(void *context, const char *json)
{
    struct cli_progress *progress = context;
    json_t *tick = NULL;
    struct pawl_str text = pawl_str_of(json);
    if (progress->quiet || pawl_json_parse(text, text.len, &tick, NULL) != PAWL_OK) return;
    bool news = is_news(progress, tick);
    if (progress->terminal)
        draw(progress, tick);
    else if (is_due(progress) || news)
        fprintf(stderr, "%s\n", json);
    json_decref(tick);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->drawn = false;
}
