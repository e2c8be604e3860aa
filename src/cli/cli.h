/*
 * cli.h - the command `pawl`, written on the public header alone (and on base, for text and JSON).
 *
 * What a command accepts comes from the library's own tables (pawl_call "verbs"); a file
 * cmd_NAME.c only says how its result reads on a terminal. With --json nothing of it is used.
 *
 * Adding a command: add the verb to the library, then cmd_NAME.c with
 * `const struct pawl_command pawl_cmd_NAME`.
 */
#ifndef PAWL_CLI_CLI_H
#define PAWL_CLI_CLI_H

#include "base/arena.h"
#include "base/json.h"
#include "pawl/pawl.h"

#include <stdbool.h>
#include <stdio.h>

struct pawl_command {
    const char *name;
    const char *about; /* a paragraph for --help; may be NULL */
    void (*render)(const json_t *result, FILE *out);
};
extern const struct pawl_command *const pawl_commands[]; /* NULL-terminated, generated */

/* --- arguments (args.c) ------------------------------------------------------------------------ */

struct cli_args {
    const char *dir, *config; /* -C, --config */
    bool json, quiet, help;
    const char *verb;    /* NULL: none was named */
    const json_t *table; /* the verb's entry; borrowed */
    json_t *values;      /* its arguments as a JSON object */
};
/* Fails PAWL_EUSAGE with a hint. `verbs` is the list that pawl_call("verbs") gives. */
enum pawl_status cli_parse(int argc, char **argv, const json_t *verbs, struct cli_args *args,
                           struct pawl_error *err);
enum { CLI_NAME_MAX = 64 };
/* The name of a verb's n-th positional argument; false when it has no more. */
bool cli_positional(const json_t *table, size_t n, char out[CLI_NAME_MAX]);
/* The object of a list with this "name", or NULL. */
const json_t *cli_find(const json_t *list, const char *name);

/* --- help (help.c) ------------------------------------------------------------------------------- */

void cli_print_help(const json_t *verbs, const struct cli_args *args, FILE *out);

/* --- progress (progress.c) ----------------------------------------------------------------------- */

struct cli_progress {
    bool quiet;    /* nothing */
    bool terminal; /* a bar that is redrawn; else one JSON line per tick */
    bool color, drawn;
    double started_s, told_s;
    char phase[32]; /* of the last tick */
};
void cli_progress_init(struct cli_progress *progress, bool quiet);
void cli_progress_show(void *progress, const char *json); /* fits struct pawl_watch */
void cli_progress_end(struct cli_progress *progress);

/* --- questions (ask.c) ----------------------------------------------------------------------------- */

/* A person is at the terminal, and did not ask for JSON. */
bool cli_can_ask(const struct cli_args *args);
int cli_ask(void *progress, const char *question); /* fits struct pawl_watch */
/* Typed unseen; fits struct pawl_watch. */
int cli_ask_secret(void *progress, const char *question, char *out, size_t size);

/* --- words and numbers (render.c) ------------------------------------------------------------------ */

const char *cli_text(const json_t *object, const char *key); /* "-" when absent */
double cli_real(const json_t *object, const char *key);
long long cli_int(const json_t *object, const char *key);
/* The first 12 digits of a hash, in a static ring of 8 texts. */
const char *cli_id(const json_t *object, const char *key);
/* Milliseconds since 1970 as "2026-11-30 14:05 UTC". */
enum { CLI_DAY_MAX = 32 };
void cli_write_day(long long ts_ms, char out[CLI_DAY_MAX]);
void cli_print_money_and_time(const json_t *result, FILE *out);
/* Whether operators can time the models that sealed cases are asked of; nothing where they cannot. */
void cli_print_timing(const json_t *result, FILE *out);
/* How worn the sealed set is. */
void cli_print_wear(const json_t *result, FILE *out);
/* What one large cluster costs; nothing where there are no clusters. */
void cli_print_clusters(const json_t *result, FILE *out);
/* What pawl.yaml says otherwise than when the cases were sealed, and that it changes nothing. */
void cli_print_fixed(const json_t *result, FILE *out);
/* What holds the artifact back, where anything does. */
void cli_print_quarantine(const json_t *result, FILE *out);
/* "A is in force<how> instead of B". */
void cli_print_incumbent(const json_t *result, const char *how, FILE *out);
void cli_print_error(const struct pawl_error *error, FILE *out);

#endif
