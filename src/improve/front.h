/*
 * front.h - inside libpawl: the project handle, its workers, its ledger, and the verbs.
 *
 * The front is trusted and unrestricted, and therefore does little: it reads the configuration,
 * starts workers, relays an offer from the engine to the vault, checks the vault's signature, and
 * is the only one that writes ledger and pointers.
 *
 * Adding a verb: write `const struct pawl_verb pawl_verb_NAME` in a front_*.c and name it in the
 * table in front_call.c; the command, its help and its arguments follow from the table.
 */
#ifndef PAWL_IMPROVE_FRONT_H
#define PAWL_IMPROVE_FRONT_H

#include "artifact/artifact.h"
#include "base/option.h"
#include "gate/plan.h"
#include "improve/approval.h"
#include "improve/config.h"
#include "improve/ledger.h"
#include "io/channel.h"
#include "pawl/pawl.h"
#include "store/store.h"

#include <signal.h>
#include <sys/types.h>

/* Gate clusters; below this init warns, and improve wants --force. */
enum { PAWL_FRONT_CLUSTERS_FEW = 40 };

struct pawl_project {
    struct pawl_arena arena; /* process: as long as the handle */
    const char *dir;         /* absolute */
    const char *config_path;
    struct pawl_config config;
    struct pawl_yaml_places *places;
    struct pawl_store *store; /* opened by the first verb that needs it */
    bool test_mode;
    uint64_t test_seed;
    volatile sig_atomic_t canceled;
};

/* One call of a verb. */
struct pawl_call {
    struct pawl_project *project; /* NULL for verbs that need none */
    struct pawl_arena arena;
    const struct pawl_watch *watch;
    json_t *result; /* an object with "schema":1, to be filled */
};
struct pawl_verb {
    const char *name, *summary;
    const char *positional; /* names of positional arguments: "a b", "artifact", "" */
    const char *example;
    bool needs_project, needs_store;
    bool takes_project; /* one that is there is opened, but it does without */
    const struct pawl_option *options;
    size_t options_bytes;
    enum pawl_status (*run)(struct pawl_call *call, const void *options, struct pawl_error *err);
};
extern const struct pawl_verb *const pawl_verbs[]; /* NULL-terminated; front_call.c */

PAWL_MUST_CHECK enum pawl_status pawl_front_store(struct pawl_project *project, bool create,
                                                  struct pawl_error *err);
/*
 * Be the only one at work in the folder `dir`; wait for another, who is called `who`, and say so after a
 * second. The lock is on the folder itself, so that a call which is refused has written nothing. Gives
 * *fd, to be closed. Fails PAWL_EPAUSED when canceled, PAWL_EWORLD after `limit_ms` (-1: none).
 */
PAWL_MUST_CHECK enum pawl_status pawl_front_lock(struct pawl_call *call, const char *dir,
                                                 const char *who, int64_t limit_ms, int *fd,
                                                 struct pawl_error *err);
#define PAWL_FRONT_MAKERS "init, data add or rotate is at work in this project"
#define PAWL_FRONT_ASKERS "pawl is asking the gate"
void pawl_front_progress(const struct pawl_call *call, const json_t *message);
/* Resolve an id as users write it: a hash prefix, incumbent, anchor, seed, RUN/best. */
PAWL_MUST_CHECK enum pawl_status pawl_front_find(struct pawl_project *project, const char *id,
                                                 char hex[PAWL_HASH_HEX], struct pawl_error *err);
/* Record that what is in force has come to shadow, canary or stable (front_deploy.c). Fails PAWL_EUSAGE where the
 * table of states has no such step. */
PAWL_MUST_CHECK enum pawl_status pawl_front_deploy(struct pawl_call *call, const char *hex,
                                                   const char *to, const char *reason,
                                                   struct pawl_error *err);
/* For who uses the program: find and load; where "incumbent" is missing or damaged, what was in force
 * before it and can be trusted still, said as progress and as the result "fallback" (front_baseline.c). */
PAWL_MUST_CHECK enum pawl_status pawl_front_load_in_force(struct pawl_call *call, const char *id,
                                                          char hex[PAWL_HASH_HEX],
                                                          struct pawl_artifact **artifact,
                                                          struct pawl_error *err);

/* A program of ours that is not on the PATH (pawl-worker, fetch-model): in PAWL_EXEC_PATH, beside the
 * running program (a build tree), where an installation has it from there, or where this library's
 * own has it. Fails PAWL_EWORLD with the remedy. */
PAWL_MUST_CHECK enum pawl_status pawl_front_helper(struct pawl_arena *arena, const char *name,
                                                   const char **path, struct pawl_error *err);
/* The models folder, as a list (front_model.c). New reference. */
json_t *pawl_front_models(struct pawl_arena *arena);

/* --- workers (front_worker.c) ---------------------------------------------------------------- */

struct pawl_front_worker {
    pid_t pid;
    struct pawl_channel *channel;
    bool pausing;
};
/* What a worker gets besides its channel to us, as PAWL_FD_PEER and PAWL_FD_JUDGE; 0: nothing. */
struct pawl_front_fds {
    int peer, judge;
};
/* Start a worker. `read` may be NULL; `project` too, for the role "tables". */
PAWL_MUST_CHECK enum pawl_status pawl_front_start(struct pawl_project *project, const char *role,
                                                  struct pawl_front_fds fds, json_t *read,
                                                  struct pawl_front_worker *worker,
                                                  struct pawl_error *err);
/* What to do with a message that is not the answer; borrowed. */
typedef enum pawl_status (*pawl_front_handler)(void *context, struct pawl_front_worker *worker,
                                               const json_t *message, struct pawl_error *err);
/* Send a request (taken) and wait for its answer, *done (new reference). Progress goes to the
 * watch; on cancel the engine is asked to pause, other workers are given up with PAWL_EPAUSED. */
PAWL_MUST_CHECK enum pawl_status pawl_front_request(struct pawl_call *call,
                                                    struct pawl_front_worker *worker,
                                                    json_t *request, pawl_front_handler handler,
                                                    void *context, json_t **done,
                                                    struct pawl_error *err);
void pawl_front_end(struct pawl_front_worker *worker);
/* Start, ask once, end. */
PAWL_MUST_CHECK enum pawl_status pawl_front_ask(struct pawl_call *call, const char *role,
                                                json_t *request, json_t **done,
                                                struct pawl_error *err);
/* Ask the vault `op` about a file; it may open nothing but the project and this. */
PAWL_MUST_CHECK enum pawl_status pawl_front_ask_about(struct pawl_call *call, const char *op,
                                                      const char *path, json_t **done,
                                                      struct pawl_error *err);

/* Ask the vault; it may open nothing but the project and this file (NULL: none). Takes the request. */
PAWL_MUST_CHECK enum pawl_status pawl_front_ask_reading(struct pawl_call *call, const char *path,
                                                        json_t *request, json_t **done,
                                                        struct pawl_error *err);

/* --- growing and rotating (front_data.c, front_rotate.c) -------------------------------------- */

/* The real path of a case file that a person named; free() it. */
PAWL_MUST_CHECK enum pawl_status pawl_front_case_path(const char *file, char **path,
                                                      struct pawl_error *err);
/* Store, ledger and `meta seal` follow the vault, which has placed the cases of `done`. */
PAWL_MUST_CHECK enum pawl_status pawl_front_follow_data(struct pawl_call *call, const json_t *done,
                                                        struct pawl_error *err);
/* The same for a rotation that was cut short: *found. Under pawl_front_lock; the second one locks. Fails
 * PAWL_EINTEGRITY when the ledger knows a later epoch than the vault. */
PAWL_MUST_CHECK enum pawl_status pawl_front_catch_up(struct pawl_call *call, bool *found,
                                                     struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_front_catch_up_locked(struct pawl_call *call,
                                                            struct pawl_error *err);

/* --- power (front_power.c) ------------------------------------------------------------------------- */

/* The next attempt, from the vault's status. */
struct pawl_prospect {
    struct pawl_plan plan;
    size_t
        *sizes; /* [plan.n] of the clusters, in the call's arena; NULL: every cluster weighs one */
};
PAWL_MUST_CHECK enum pawl_status pawl_front_prospect(struct pawl_call *call, const json_t *vault,
                                                     double discordance,
                                                     struct pawl_prospect *prospect,
                                                     struct pawl_error *err);
/* Cases of the n largest clusters of the gate, in the call's arena. */
PAWL_MUST_CHECK enum pawl_status pawl_front_sizes(struct pawl_call *call, size_t n, size_t **sizes,
                                                  struct pawl_error *err);
double pawl_front_power(struct pawl_call *call, const struct pawl_prospect *prospect, double gain);
/* The least gain with power .8; NAN: none. */
double pawl_front_smallest_gain(struct pawl_call *call, const struct pawl_prospect *prospect);
/* result: "smallest_certifiable_gain" (power .8), and where clusters cost power "clusters":
 * {largest, of_that_size, effective_cases, max_per_cluster, gain_with_it}; the last two are null
 * when a limit would not help much. */
void pawl_front_certifiable(struct pawl_call *call, const struct pawl_prospect *prospect);
double pawl_front_rounded(double value); /* to four digits */

/* --- guards (front_guards.c) ---------------------------------------------------------------------- */

/* Without guards, or once it is done, nothing. Else the incumbent is measured on dev, and the caps of
 * costs are frozen with the sealed set. Fails PAWL_ECONFIG on a guard whose cost is nothing. */
PAWL_MUST_CHECK enum pawl_status pawl_front_freeze_guards(struct pawl_call *call,
                                                          struct pawl_error *err);
/* result: "arms", and where there are guards "guards": {level, chance, discordance, guards:[{metric,
 * margin | zero_tolerance, cap, chance, margin_that_works}]}: the chance that an equal candidate
 * passes. Fails PAWL_ECONFIG on a guard below .8 unless `force`. */
PAWL_MUST_CHECK enum pawl_status pawl_front_plan_guards(struct pawl_call *call, const json_t *vault,
                                                        double discordance, bool force,
                                                        struct pawl_error *err);

/* --- files with sealed cases (front_case_files.c) ------------------------------------------------ */

/* Remember what was sealed, by hash, to find copies of it; a file that is not there is passed over. */
PAWL_MUST_CHECK enum pawl_status pawl_front_note_case_file(struct pawl_call *call, const char *path,
                                                           struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_front_note_case_files(struct pawl_call *call,
                                                            struct pawl_error *err);
/* Readable copies, {"found":[path],"complete":bool}: paths in the project are relative to it. Reads
 * at most 50,000 folder entries and 1 GiB. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_front_case_copies(struct pawl_call *call, json_t **copies,
                                                        struct pawl_error *err);
/* The configured files with sealed cases that lie in the project. New reference. */
json_t *pawl_front_movable_cases(struct pawl_call *call);
/* Move them beside the vault's key and write the new paths into pawl.yaml; result: "moved". */
PAWL_MUST_CHECK enum pawl_status pawl_front_move_cases(struct pawl_call *call,
                                                       struct pawl_error *err);

/* --- somebody's own cases (front_overlap.c) -------------------------------------------------------- */

/* PAWL_EUSAGE when the file holds sealed cases, unless `burn`: then the sealed set's life ends first,
 * which is recorded; result: "burned". */
PAWL_MUST_CHECK enum pawl_status pawl_front_admit_cases(struct pawl_call *call, const char *path,
                                                        bool burn, struct pawl_error *err);

/* --- who is sent sealed prompts (front_providers.c) ---------------------------------------------- */

/* Agree to these providers, by the argument or by asking; PAWL_EUSAGE naming them when not. */
PAWL_MUST_CHECK enum pawl_status pawl_front_agree(struct pawl_call *call, const json_t *providers,
                                                  bool allowed, struct pawl_error *err);
/* The same for those that a sealed project has come to use since; recorded in the ledger. */
PAWL_MUST_CHECK enum pawl_status pawl_front_agree_again(struct pawl_call *call, bool allowed,
                                                        struct pawl_error *err);
/* PAWL_EUSAGE when a provider was not agreed to. Gives *providers, as they are now (new reference). */
PAWL_MUST_CHECK enum pawl_status
pawl_front_check_providers(struct pawl_call *call, json_t **providers, struct pawl_error *err);
/* Say in the result, as `timing_channel`, whether the models of sealed cases answer operators, too; or null. */
PAWL_MUST_CHECK enum pawl_status pawl_front_timing_channel(struct pawl_call *call,
                                                           struct pawl_error *err);

/* --- the gate (front_gate.c) ------------------------------------------------------------------- */

struct pawl_offer {
    const char *candidate; /* hex */
    const char *behaviour; /* hex of the dev outputs' hash */
    int64_t pace_us;       /* wall time of one visible evaluation, for the deadline */
    const char *run;       /* or NULL */
    int64_t wait_ms;       /* for its turn, at most */
};
/* The option of a verb that may have to wait for its turn at the gate. */
#define PAWL_FRONT_WAIT_OPTION(type)                                                               \
    PAWL_OPT_INT(type, wait, "120", 0, 1000000,                                                    \
                 "minutes to wait while another pawl asks this project's gate")

/* Hold the candidate's lineage, and fail as quarantine.h says, if it or a run that made it has a sealed case's
 * canary (front_canaries.c). Under the lock of those who ask the gate. */
PAWL_MUST_CHECK enum pawl_status pawl_front_refuse_canaries(struct pawl_call *call, const char *hex,
                                                            struct pawl_error *err);

/*
 * Put a candidate before the gate and record the verdict; flips the incumbent on a promotion.
 *
 * Invariant: one call at a time is between reading the incumbent and recording the verdict on who shall
 * replace it. Whoever waits for that has written nothing down, and its attempt's clock stands still.
 *
 * Gives   *statement: the vault's signed statement (new reference).
 * Fails   PAWL_EUNDECIDED when the world failed, PAWL_EINTEGRITY on a wrong signature or counter,
 *         PAWL_EWORLD when its turn does not come in time,
 *         PAWL_EPAUSED when canceled (the attempt is spent or resumes, never refunded).
 */
PAWL_MUST_CHECK enum pawl_status pawl_front_attempt(struct pawl_call *call,
                                                    const struct pawl_offer *offer,
                                                    json_t **statement, struct pawl_error *err);
/*
 * What a verdict means for `candidate`, which may have been answered with the stored verdict on a text
 * that answers dev alike, or with its own that is no longer in force.
 *
 * Gives   *certified: this very text was promoted by the gate. *note: why no pointer was moved and
 *         what can be done, in the call's arena; NULL where the verdict says it all. result
 *         "pending_approval": true where it waits for people.
 */
PAWL_MUST_CHECK enum pawl_status pawl_front_explain(struct pawl_call *call, const json_t *statement,
                                                    const char *candidate, bool *certified,
                                                    const char **note, struct pawl_error *err);
/* A vault and the sealed sides that it hears: one runs artifacts, the other grades, where a model judges. */
struct pawl_front_sealed {
    struct pawl_front_worker vault, sealed, judge;
};
PAWL_MUST_CHECK enum pawl_status pawl_front_start_sealed(struct pawl_project *project,
                                                         struct pawl_front_sealed *side,
                                                         struct pawl_error *err);
void pawl_front_end_sealed(struct pawl_front_sealed *side);
/* What the vault tells anybody: attempts, thresholds, sizes. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_front_vault_status(struct pawl_call *call, json_t **status,
                                                         struct pawl_error *err);

/* --- the certificate as a page (front_page.c) ----------------------------------------------------- */

/*
 * Write one self-contained HTML page of the certificate that call->result holds, whose statement this is;
 * result: "html". The page checks itself in the reader's browser and says `committed`, `recomputed` or
 * what is wrong. Nothing in it can become markup or script, whatever candidates and cases say.
 */
PAWL_MUST_CHECK enum pawl_status pawl_certificate_page(struct pawl_call *call,
                                                       const json_t *statement, const char *file,
                                                       struct pawl_error *err);

/* --- approvals (front_approve.c; the fold is in approval.h) ------------------------------------------ */

/* The fold over the ledger, to be released. Fails PAWL_EINTEGRITY when the ledger does not verify. */
PAWL_MUST_CHECK enum pawl_status pawl_approvals_read(struct pawl_project *project,
                                                     struct pawl_approvals *all, int64_t *now_ms,
                                                     struct pawl_error *err);
/* What became of a promotion that people were asked about: *note, in the call's arena, untouched where it
 * asked nobody or took force; result "pending_approval". */
PAWL_MUST_CHECK enum pawl_status pawl_approval_explain(struct pawl_call *call,
                                                       const json_t *statement, const char **note,
                                                       struct pawl_error *err);
/* What became of the question to people about this attempt; *asked is false where there was none. */
PAWL_MUST_CHECK enum pawl_status pawl_approval_state_of(struct pawl_project *project,
                                                        int64_t attempt, bool *asked,
                                                        enum pawl_approval_state *state,
                                                        struct pawl_error *err);
/*
 * Ask people once more about the promotion of this verdict, which expired or was superseded: recorded, with
 * no attempt and no change of what the gate promised (front_ask.c).
 *
 * Fails   PAWL_EUSAGE where nobody was asked, it waits still, was granted or rejected; PAWL_ENOTPROMOTED
 *         when the incumbent that it was certified against is not in force; PAWL_EINTEGRITY when pawl.yaml
 *         has another policy by now.
 */
PAWL_MUST_CHECK enum pawl_status
pawl_approval_ask_again(struct pawl_call *call, const json_t *statement, struct pawl_error *err);
/* The hash of the policy of pawl.yaml; "": it asks nobody. */
void pawl_approval_policy_now(const struct pawl_project *project, char hex[PAWL_HASH_HEX]);
/* What waits now, for status: [pawl_approval_json]. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_approvals_pending(struct pawl_project *project,
                                                        json_t **pending, struct pawl_error *err);
/* Whether a person may put `to` in force by hand: where the policy has people approve such a change, only
 * what was in force before. Fails PAWL_EUSAGE. */
PAWL_MUST_CHECK enum pawl_status pawl_approval_admit_by_hand(struct pawl_call *call,
                                                             const char *from, const char *to,
                                                             struct pawl_error *err);

/* --- keys (front_key.c) --------------------------------------------------------------------------- */

/*
 * A passphrase from the environment variable called `env_name`, or (NULL) typed at the terminal; into
 * out, PAWL_PASSPHRASE_MAX bytes (key.h), to be wiped.
 *
 * Fails   PAWL_EUSAGE when there is none; the message does not repeat `env_name`, which may be the
 *         passphrase by mistake. PAWL_EPAUSED when it was given up.
 */
PAWL_MUST_CHECK enum pawl_status pawl_front_passphrase(struct pawl_call *call, const char *env_name,
                                                       const char *question, char *out,
                                                       struct pawl_error *err);

/* --- helpers shared by verbs (front_project.c) --------------------------------------------------- */

/* After pawl.yaml was changed. */
PAWL_MUST_CHECK enum pawl_status pawl_project_reread(struct pawl_project *project,
                                                     struct pawl_error *err);
char *pawl_front_sealed_dir(struct pawl_project *project, struct pawl_arena *arena);
/* Where the project's vault keeps its key: with the vault's own user, where there is one (vault_user.h). */
char *pawl_front_vault_home(const struct pawl_project *project, struct pawl_arena *arena);
/* The seal record of the project; PAWL_ENOTFOUND with the hint to run init. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_front_seal(struct pawl_project *project, json_t **seal,
                                                 struct pawl_error *err);
/* What the vault answered, {"statement","signature"}, is signed by the vault that sealed this project.
 * Fails PAWL_EINTEGRITY, naming `what` it is ("verdict"). */
PAWL_MUST_CHECK enum pawl_status pawl_front_check_signed(struct pawl_project *project,
                                                         const json_t *done, const char *what,
                                                         struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_front_pointer(struct pawl_project *project, const char *name,
                                                    char hex[PAWL_HASH_HEX],
                                                    struct pawl_error *err);
/* Store the visible cases of the vault's answer; those that are there already are passed over. */
PAWL_MUST_CHECK enum pawl_status
pawl_front_store_cases(struct pawl_project *project, const json_t *sealed, struct pawl_error *err);
/* What the vault is asked with before anything is sealed: "seal" or "check", and the seed's texts. */
PAWL_MUST_CHECK enum pawl_status pawl_front_sealing(struct pawl_call *call, const char *op,
                                                    json_t **request, struct pawl_error *err);
int64_t pawl_front_total(const json_t *tiers); /* cases in all tiers */
/* Absolute paths of the configured case files, as a JSON list. New reference. */
json_t *pawl_front_case_files(struct pawl_project *project);
/* May a person have this file written? Fails PAWL_EUSAGE when it is pawl's own, the configuration or a
 * case file. (front_output.c) */
PAWL_MUST_CHECK enum pawl_status pawl_front_check_output(struct pawl_project *project,
                                                         const char *path, struct pawl_error *err);
/* Point an error about a field of pawl.yaml at its line. */
enum pawl_status pawl_front_locate(struct pawl_project *project, enum pawl_status status,
                                   struct pawl_error *err);
/* Now, or in test mode the instant after the ledger's last record. */
int64_t pawl_front_now_ms(struct pawl_project *project, const struct pawl_ledger_head *head);

#endif
