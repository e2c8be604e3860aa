/*
 * pawl/status.h - how every fallible function answers.
 *
 * Three kinds of bad news travel in three channels:
 *   our own bug            PAWL_BUG(): message and abort; never for input
 *   the world              a status below, and a sentence in struct pawl_error
 *   a failing candidate    data: an outcome with a status and a score of 0
 *
 * Invariants
 *   1. Zero is success, everything else is not.
 *   2. An error is written only on failure, into memory that the caller owns; reporting never
 *      allocates. A NULL error is allowed everywhere.
 *   3. The message is one sentence about what happened, the hint one about what to do next.
 */
#ifndef PAWL_STATUS_H
#define PAWL_STATUS_H

/* name, exit code of the command (see CONTRACTS), word used in JSON */
#define PAWL_STATUS_LIST(X)                                                                        \
    X(PAWL_OK, 0, "ok")                                                                            \
    X(PAWL_ENOTPROMOTED, 1, "not_promoted") /* the gate said no, or a score was under a bound */   \
    X(PAWL_EUSAGE, 2, "usage")              /* the call or the command line is wrong */            \
    X(PAWL_ECONFIG, 2, "config")            /* pawl.yaml, a case file or an option is wrong */     \
    X(PAWL_ENOTFOUND, 2, "not_found")       /* no such artifact, run, model, file */               \
    X(PAWL_ETOOBIG, 2, "too_big")           /* outside input is over its stated maximum */         \
    X(PAWL_EDIVERGED, 2, "diverged")        /* the journal no longer fits the operator */          \
    X(PAWL_EBUDGET, 3, "budget")            /* what was asked does not fit the budget */           \
    X(PAWL_EINTEGRITY, 4, "integrity")      /* a record, hash, signature or counter is wrong */    \
    X(PAWL_EUNDECIDED, 5, "undecided")      /* the world failed during a gate attempt */           \
    X(PAWL_EWORLD, 6, "world")              /* disk, network, model or child process failed */     \
    X(PAWL_EPAUSED, 130, "paused")          /* stopped on request; resumable */

enum pawl_status {
#define X(name, exit_code, word) name,
    PAWL_STATUS_LIST(X)
#undef X
};

/* What went wrong, for a person and for a script. Empty strings and line 0 mean "not known". */
struct pawl_error {
    enum pawl_status status;
    int line;          /* 1-based line of `file` */
    int column;        /* 1-based column of `file` */
    char message[512]; /* one sentence, no final newline */
    char hint[256];    /* what to do next */
    char file[256];    /* the file that is wrong */
    char field[128];   /* the field that is wrong, as a path: models.small.backend */
};

/* The JSON word of a status, e.g. "config". */
const char *pawl_status_name(enum pawl_status status);
/* The exit code of the command for a status. */
int pawl_status_exit_code(enum pawl_status status);

#endif
