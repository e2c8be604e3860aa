/*
 * front_fresh.h - what labelled cases that came later say of what is in force.
 *
 *     init ──── data add ──── run ──── promotion ──── data add ──── data add ────► time
 *                                │          └──────── fresh for it ───────────┘    harm?
 *                                └─ new since a run ──────────────────────────┘    drift, failures?
 *
 * Only `data add` brings fresh cases, and of them only the visible ones are scored here: what was there before
 * the promotion may have chosen it, and a retired gate has judged it.
 *
 * Invariants
 *   1. Harm is an e-process over clusters, in the order in which they came (gate/confirm.h); of a cluster counts
 *      what came of it first, up to the size of the largest one that was sealed. So whoever looks after every
 *      `data add`, for ever, finds harm in what is not worse with probability at most alpha.
 *   2. Nothing is remembered: it follows from ledger and store.
 *
 *     struct pawl_fresh fresh;
 *     PAWL_TRY(pawl_fresh_look(call, &settings, &fresh, err));
 *     if (fresh.harm) ...
 */
#ifndef PAWL_IMPROVE_FRONT_FRESH_H
#define PAWL_IMPROVE_FRONT_FRESH_H

#include "improve/front.h"

struct pawl_fresh_settings {
    double slack,
        alarm; /* of the CUSUM (gate/trigger.h): how far below is a drift, and how much of it */
};
struct pawl_fresh {
    char incumbent[PAWL_HASH_HEX], baseline[PAWL_HASH_HEX]; /* "": nothing that it replaced */
    /* Since the newest run. */
    int64_t n_new, n_failures; /* scored; below one half */
    double mu0;                /* the incumbent's mean on the dev cases before; NAN: none */
    double cusum;              /* the highest that it came to */
    bool alarm;
    /* Since it is in force. */
    int64_t n_fresh, n_clusters; /* scored with both */
    double level, log_harm;
    bool harm;
};
/* Costs an evaluation of each new case and of dev; the model's cache knows most of them. */
PAWL_MUST_CHECK enum pawl_status pawl_fresh_look(struct pawl_call *call,
                                                 const struct pawl_fresh_settings *settings,
                                                 struct pawl_fresh *fresh, struct pawl_error *err);

#endif
