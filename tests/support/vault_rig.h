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
 * Any further text in the instruction makes another artifact with the same answers.
 */
#ifndef PAWL_TESTS_VAULT_RIG_H
#define PAWL_TESTS_VAULT_RIG_H

#include "improve/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rig {
    char dir[64];
    char *config;         /* pawl.yaml as JSON text */
    int64_t virtual_seed; /* -1: real clock and real secrets */
    pid_t vault, sealed;
    struct pawl_channel *front;
    struct pawl_channel *peer; /* the test plays the sealed side; else NULL */
};

struct rig_cases {
    int n;
    int hard_per_cent; /* of the cases */
    int patchy_per_cent;
    int cluster_size;    /* cases per cluster */
    const char *flavour; /* text in every input: other content, same shape */
};

/* Make the folder, its cases, its model, and a configuration; `gate` is JSON of that section. */
void rig_make(struct rig *rig, const struct rig_cases *cases, const char *gate);
void rig_write_cases(const struct rig *rig, const char *name, const struct rig_cases *cases,
                     int first);
void rig_remove(struct rig *rig);
char *rig_path(const struct rig *rig, const char *name); /* in the project; free() it */
char *rig_home(const struct rig *rig, const char *name); /* in the vault's own folder; free() it */

enum rig_peer { RIG_NO_PEER, RIG_SEALED, RIG_PLAYED };
void rig_start(struct rig *rig, enum rig_peer peer);
void rig_stop(struct rig *rig);                          /* close the channel and wait for both */
void rig_kill(struct rig *rig, bool vault, bool sealed); /* SIGKILL, then wait for both */

/* Ask and wait for the answer: {"done":..} or {"error":..}, or NULL when the vault went away. Takes
 * the request. Progress messages are appended to *said (may be NULL). */
json_t *rig_ask(struct rig *rig, json_t *request, json_t **said);
/* Start, ask one thing, stop. */
json_t *rig_once(struct rig *rig, enum rig_peer peer, json_t *request);
json_t *rig_attempt(const char *candidate, const char *incumbent, const char *behaviour);
json_t *rig_op(const char *op);
/* A SHA-256 in hex that stands for dev outputs. */
const char *rig_behaviour(const char *of, char hex[65]);

json_t *rig_done(json_t *answer);                        /* the test fails unless it is there */
void rig_expect_error(json_t *answer, const char *code); /* takes the answer */
int64_t rig_size(const char *path);                      /* of a file; the test fails without it */

#endif
