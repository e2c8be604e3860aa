/*
 * vault_rig.h - a project folder with sealed cases, and the vault and the sealed side as child
 * processes on socket pairs, as the front would start them.
 *
 * The project asks a scripted model to answer "yes". An input says how hard it is; the artifact's
 * instruction says how good it is:
 *     PLAIN    right on easy cases                    (the incumbent)
 *     GOOD     right on all
 *     WORSE    wrong on all
 *     BROKEN   the model is down                      PATCHY  it is down on the cases marked patchy
 *     TOKENS n it takes n tokens on every case
 * Any further text in the instruction makes another artifact with the same answers.
 */
#ifndef PAWL_TESTS_VAULT_RIG_H
#define PAWL_TESTS_VAULT_RIG_H

#include "improve/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct vault_rig {
    char dir[64];
    char *config;         /* pawl.yaml as JSON text */
    int64_t virtual_seed; /* -1: real clock and real secrets */
    pid_t vault, sealed;
    struct pawl_channel *front;
    struct pawl_channel *peer; /* the test plays the sealed side; else NULL */
};

struct vault_rig_cases {
    int n;
    int hard_per_cent; /* of the cases */
    int patchy_per_cent;
    int cluster_size;    /* cases per cluster */
    const char *flavour; /* text in every input: other content, same shape */
};

/* Make the folder, its cases, its model, and a configuration; `gate` is JSON of that section. */
void vault_rig_make(struct vault_rig *rig, const struct vault_rig_cases *cases, const char *gate);
void vault_rig_write_cases(const struct vault_rig *rig, const char *name,
                           const struct vault_rig_cases *cases, int first);
/* Make it and have the vault seal it. */
void vault_rig_seal(struct vault_rig *rig, const struct vault_rig_cases *cases, const char *gate);
void vault_rig_remove(struct vault_rig *rig);
char *vault_rig_path(const struct vault_rig *rig, const char *name); /* in the project; free() it */
char *vault_rig_home(const struct vault_rig *rig,
                     const char *name); /* in the vault's own folder; free() it */

enum vault_rig_peer { RIG_NO_PEER, RIG_SEALED, RIG_PLAYED };
void vault_rig_start(struct vault_rig *rig, enum vault_rig_peer peer);
void vault_rig_stop(struct vault_rig *rig); /* close the channel and wait for both */
void vault_rig_kill(struct vault_rig *rig, bool vault,
                    bool sealed); /* SIGKILL, then wait for both */

/* Ask and wait for the answer: {"done":..} or {"error":..}, or NULL when the vault went away. Takes
 * the request. Progress messages are appended to *said (may be NULL). */
json_t *vault_rig_ask(struct vault_rig *rig, json_t *request, json_t **said);
/* Start, ask one thing, stop. */
json_t *vault_rig_once(struct vault_rig *rig, enum vault_rig_peer peer, json_t *request);
json_t *vault_rig_attempt(const char *candidate, const char *incumbent, const char *behaviour);
json_t *vault_rig_op(const char *op);
/* Where the test plays the sealed side: what comes for it, or NULL when the front has been answered
 * (*answer, else NULL) or, with quiet_ms > 0, after so long a silence. Progress messages are counted
 * (n_progress may be NULL). However slow the machine is, it is waited for. */
json_t *vault_rig_listen(struct vault_rig *rig, int quiet_ms, json_t **answer, int *n_progress);
void vault_rig_tell(struct pawl_channel *to, json_t *message); /* takes the message */
/* A SHA-256 in hex that stands for dev outputs. */
const char *vault_rig_behaviour(const char *of, char hex[65]);

json_t *vault_rig_done(json_t *answer); /* the test fails unless it is there */
void vault_rig_expect_error(json_t *answer, const char *code); /* takes the answer */
int64_t vault_rig_size(const char *path); /* of a file; the test fails without it */
int64_t vault_rig_int(const json_t *object, const char *key);      /* -1: absent */
const char *vault_rig_text(const json_t *object, const char *key); /* "": absent */
double vault_rig_seconds(void);                                    /* of a real clock */

#endif
