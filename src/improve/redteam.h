/*
 * redteam.h - inside `pawl redteam`: attacks on pawl, made for real against a project made for them.
 *
 * An attack is a page, share/redteam/ID.yaml, built into the library like the cards: what a malicious
 * candidate, operator, grader or model is, the commands somebody would type with it, and what must be
 * seen of each when the attack was stopped. front_redteam_read.c knows the page's fields.
 *
 * Invariants
 *   1. Nothing of the user's is touched. A stage is a folder in TMPDIR with a project, a data home, a
 *      cache and a TMPDIR of its own; every step is the command itself, started with an environment
 *      that names no other place. The stage is removed whatever happened.
 *   2. An attack that did not bite is no success: where what `given` says does not hold, it is void.
 *   3. After every attack the incumbent is the one before it and answers, the ledger verifies, no
 *      process of the attack is left, and nothing in the stage's TMPDIR. Otherwise it has failed.
 *   4. What is not there to be attacked is skipped with the reason, and is not counted as stopped.
 *
 *     struct pawl_attack attack;
 *     PAWL_TRY(pawl_attack_read(pawl_attack_sources, page, &arena, keep, &attack, err));
 *     PAWL_TRY(pawl_stage_open(stage, attack.files, attack.cases, err));
 *     enum pawl_attack_end end = pawl_attack_play(stage, &attack, &why);
 *     pawl_stage_close(stage);
 */
#ifndef PAWL_IMPROVE_REDTEAM_H
#define PAWL_IMPROVE_REDTEAM_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"

/* The pages that this library was built with; the last has no name. Generated from share/redteam;
 * names that begin with "base_" are projects that attacks start from. */
struct pawl_attack_source {
    const char *name;
    const unsigned char *text;
    size_t len;
};
extern const struct pawl_attack_source pawl_attack_sources[];

struct pawl_attack {
    const char *id, *title;
    const char *attempts;    /* what is tried, in a sentence */
    const char *ends;        /* prevented | detected: which of them being stopped means here */
    const char *held_by;     /* what stops it; NULL for one that has no steps yet */
    const char *not_covered; /* or NULL */
    const char *control;     /* how it is known that it would succeed; NULL without steps */
    const json_t *needs;     /* words of pawl_attack_needs */
    const json_t *files;     /* {path: text} of the project, over those of its base */
    const json_t *cases;     /* {train, dev, gate}: how many */
    const json_t *steps;
    bool unsealed;  /* its own steps call init */
    bool real_time; /* the clock is not virtual */
    bool twins;     /* played twice, on sealed sets that differ in content alone; both look alike */
};

/* Read a page; its base is looked up in `sources`. Everything lives in the arena but the JSON, which
 * *keep owns. Fails PAWL_ECONFIG with file, line and field. */
PAWL_MUST_CHECK enum pawl_status pawl_attack_read(const struct pawl_attack_source *sources,
                                                  const struct pawl_attack_source *page,
                                                  struct pawl_arena *arena, json_t *keep,
                                                  struct pawl_attack *attack,
                                                  struct pawl_error *err);

/* --- the stage (front_redteam_stage.c) ----------------------------------------------------------- */

struct pawl_stage {
    struct pawl_arena arena;
    const char *top;               /* the temporary folder; "": none */
    const char *dir;               /* its project */
    const char *pawl, *python;     /* programs; python NULL: there is none */
    const char *noun;              /* what the questions of the gate are about */
    char secret[48];               /* in every sealed case, and nowhere else */
    char candidate[PAWL_HASH_HEX]; /* what was drafted last; "" */
    bool real_time;
};
/* Find the programs. Fails PAWL_EWORLD without the command. */
PAWL_MUST_CHECK enum pawl_status pawl_stage_find(struct pawl_stage *stage, struct pawl_error *err);
/* Make the folder and the project's files; `cases` NULL: none are made up. */
PAWL_MUST_CHECK enum pawl_status pawl_stage_open(struct pawl_stage *stage, const json_t *files,
                                                 const json_t *cases, struct pawl_error *err);
/* Only the project's files, in a folder that is there. */
PAWL_MUST_CHECK enum pawl_status pawl_stage_write(struct pawl_stage *stage, const char *dir,
                                                  const json_t *files, const json_t *cases,
                                                  struct pawl_error *err);
void pawl_stage_close(struct pawl_stage *stage); /* removes it; the programs stay known */
/* A text with @DIR@, @DATA@, @PYTHON@, @SECRET@ and @CANDIDATE@ replaced. In the stage's arena. */
const char *pawl_stage_fill(struct pawl_stage *stage, const char *text);
/* Run `pawl WORDS... --json -C project`. Gives its exit code (-1: it had to be killed) and its object
 * (new reference; NULL when there was none). */
PAWL_MUST_CHECK enum pawl_status pawl_stage_run(struct pawl_stage *stage, const json_t *words,
                                                int *code, json_t **result, struct pawl_error *err);
/* The seed with components replaced by these texts, put into the store as an operator's draft is. */
PAWL_MUST_CHECK enum pawl_status pawl_stage_draft(struct pawl_stage *stage, const json_t *texts,
                                                  struct pawl_error *err);
/* Replace every `find` in a file by `put`; PAWL_ENOTFOUND when there is none. */
PAWL_MUST_CHECK enum pawl_status pawl_stage_change(struct pawl_stage *stage, const char *file,
                                                   const char *find, const char *put,
                                                   struct pawl_error *err);
/* Names and sizes of what lies in .pawl, as anybody sees them (new reference). */
json_t *pawl_stage_listing(struct pawl_stage *stage);
/* What is still running of it, or lies in its TMPDIR, after a moment's grace; NULL: nothing. */
const char *pawl_stage_remains(struct pawl_stage *stage);

/* --- playing (front_redteam_play.c) -------------------------------------------------------------- */

enum pawl_attack_end {
    PAWL_ATTACK_STOPPED, /* prevented or detected, as its page says */
    PAWL_ATTACK_FAILED,  /* the defence did: the attack succeeded */
    PAWL_ATTACK_VOID     /* it could not be made, or did not bite */
};
/* On an open stage. *why: a sentence in the stage's arena. */
enum pawl_attack_end pawl_attack_play(struct pawl_stage *stage, const struct pawl_attack *attack,
                                      const char **why);
/* Whether `seen` has all that `wanted` says: objects by their members, {min,max} and {any:[...]} for
 * numbers and alternatives, anything else by being equal. *where: the member that differs. */
bool pawl_attack_fits(struct pawl_stage *stage, const json_t *wanted, const json_t *seen,
                      const char **where);

/* --- the user's own project (front_redteam_mine.c) ------------------------------------------------ */

struct pawl_call;
/* Attacks on the project's grader, in a copy that has hostile answers for a program. Appends
 * {id,title,result,why,s} for each to `rows`. */
PAWL_MUST_CHECK enum pawl_status pawl_redteam_mine(struct pawl_call *call, struct pawl_stage *stage,
                                                   const char *only, json_t *rows,
                                                   struct pawl_error *err);

#endif
