/*
 * pawl.h - the engine for self-improving AI, as a library.
 *
 * A project is a folder with a pawl.yaml. This library is the *front*: it reads the configuration,
 * keeps ledger and incumbent, and starts helper processes (pawl-worker) that run operators,
 * programs and the sealed evaluation; none of that runs inside your process.
 *
 * Invariants
 *   1. No global state. Handles may be used from several threads, one call per handle at a time
 *      (pawl_cancel excepted, which may come from any thread or signal handler).
 *   2. Every result is the JSON object that the command of the same name prints with --json.
 *   3. A failing candidate is a result, not an error. What fails is said in struct pawl_error.
 *
 *     struct pawl_project *p;
 *     struct pawl_error e = {0};
 *     char *result;
 *     if (pawl_project_open(".", NULL, &p, &e) != PAWL_OK) { fprintf(stderr, "%s\n", e.message); ... }
 *     enum pawl_status s = pawl_improve(p, "{\"operator\":\"bootstrap\"}", &watch, &result, &e);
 *     ...
 *     pawl_free(result);
 *     pawl_project_close(p);
 *
 * The ABI version is 0 until release 1.0: link statically, or pin the version.
 */
#ifndef PAWL_PAWL_H
#define PAWL_PAWL_H

#include <stddef.h>

#include "pawl/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_VERSION     "0.1.0"
#define PAWL_ABI_VERSION 0
const char *pawl_version(void);

struct pawl_project;

/*
 * Open a project folder: find and read its configuration. Nothing is written.
 *
 * Takes   dir, and the configuration's file name below it (NULL: pawl.yaml).
 * Fails   PAWL_ECONFIG with file, line, field and hint; PAWL_ENOTFOUND without a configuration.
 */
enum pawl_status pawl_project_open(const char *dir, const char *config_file,
                                   struct pawl_project **project, struct pawl_error *error);
void pawl_project_close(struct pawl_project *project);

/* Who follows a call; each slot may be NULL. Called from the thread that called pawl_*. */
struct pawl_watch {
    /* Work in progress, at most ten times a second: {"phase","evaluations","budget",...}. */
    void (*progress)(void *context, const char *json);
    void *context;
    /* A question to a person, who agrees (not 0) or does not. NULL: nobody is there, and what needs
     * consent is refused with the argument that gives it. */
    int (*ask)(void *context, const char *question);
    /* A secret from a person, written to out (with its NUL, at most `size` bytes) and shown nowhere; 0:
     * there is none. NULL: nobody is there. */
    int (*secret)(void *context, const char *question, char *out, size_t size);
};

/*
 * Run an operator and let the gate decide; see `pawl improve` for args and result.
 *
 * Gives   *result_json, to be freed with pawl_free, also when the gate said no (status
 *         PAWL_ENOTPROMOTED) and when the run paused (PAWL_EPAUSED).
 * Blocks  until the run ends or pauses.
 */
enum pawl_status pawl_improve(struct pawl_project *project, const char *args_json,
                              const struct pawl_watch *watch, char **result_json,
                              struct pawl_error *error);
/* Score an artifact on a visible tier; see `pawl eval`. */
enum pawl_status pawl_evaluate(struct pawl_project *project, const char *args_json,
                               const struct pawl_watch *watch, char **result_json,
                               struct pawl_error *error);
/*
 * Any verb by name: the one door that every command uses. args_json is an object with the long
 * options of that command (dashes as underscores) and its positional arguments by name; NULL is {}.
 * An unknown verb, argument or type fails PAWL_EUSAGE with the nearest known one.
 */
enum pawl_status pawl_call(struct pawl_project *project, const char *verb, const char *args_json,
                           const struct pawl_watch *watch, char **result_json,
                           struct pawl_error *error);
/* Verbs that need no project (init, compare, model, version) take NULL above. init's folder is in
 * args: {"dir":".", "template":"sentiment"}. */

/* Make the call that is under way pause and return PAWL_EPAUSED. Async-signal-safe. */
void pawl_cancel(struct pawl_project *project);

void pawl_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
