/*
 * lm.h - ask a language model, and wait.
 *
 * Everybody who needs a model asks here, by role (task, reflect, judge). Which model that is, how
 * requests are batched, cached, retried and paid for lies below this header.
 *
 * Invariants
 *   1. A reply is data. The candidate's fault (an over-long prompt, a refused request) is FAILED,
 *      the world's fault after all retries (429, 5xx, timeout, dropped) is MISSING. Neither is a
 *      C error; MISSING is never cached.
 *   2. The cache key is the SHA-256 of the whole request: model identity (file hash, or provider
 *      and name), messages, choices, best_only, schema, adapters (hashes and scales), stops, sampling
 *      settings, seed and sample index. best_only counts only where it saves work
 *      (PAWL_BACKEND_BEST_ONLY).
 *   3. Money is reserved before a request is sent and settled after: spending never exceeds what
 *      was reserved. Keys come from the environment and reach no log, key, trace or error.
 *   4. Equal request, equal reply from the cache, replay and script backends.
 *
 *     struct pawl_lm_request r = {.role = PAWL_ROLE_TASK, .messages = m, .n_messages = 2,
 *                                 .max_tokens = 64};
 *     PAWL_TRY(pawl_lm_ask(lm, &arena, &r, 1, &reply, err));
 */
#ifndef PAWL_LM_LM_H
#define PAWL_LM_LM_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

#include <stdint.h>

enum pawl_role { PAWL_ROLE_TASK, PAWL_ROLE_REFLECT, PAWL_ROLE_JUDGE, PAWL_N_ROLES };
const char *pawl_role_name(enum pawl_role role);
bool pawl_role_from_name(struct pawl_str name, enum pawl_role *role);

struct pawl_message {
    const char *role; /* "system", "user", "assistant" */
    struct pawl_str content;
};

/* A LoRA adapter to answer with. It is its hash; the path says where the bytes lie now. */
struct pawl_lm_adapter {
    const char *path;
    struct pawl_hash hash;
    double scale; /* 0: as if it were not there */
};

struct pawl_lm_request {
    enum pawl_role role;
    const struct pawl_message *messages;
    size_t n_messages;
    size_t n_shared; /* hint: the first n_shared messages are common to many requests */
    const struct pawl_str *choices; /* hold the answer to one of these; none: free text */
    size_t n_choices;
    /* The best of the choices is wanted and no log-probability: a backend that finds it with less work
     * may do so, and the answer is the same. */
    bool best_only;
    /* Hold a free answer to JSON of this schema; NULL: any text. A backend that cannot ignores it (ask
     * pawl_lm_holds_schemas), and one that can fails a schema that it cannot express. */
    const json_t *schema;
    /* On top of the model's own, in this order. Not every backend can: PAWL_ECONFIG then. A file that
     * is damaged or does not fit the model fails the request with the reason. */
    const struct pawl_lm_adapter *adapters;
    size_t n_adapters;
    const struct pawl_str *stops;
    size_t n_stops;
    int max_tokens;     /* always sent */
    double temperature; /* 0: greedy */
    double top_p;       /* 0: unset */
    uint64_t seed;
    int64_t sample; /* which of several answers to the same prompt */
};

enum pawl_reply_status { PAWL_REPLY_OK, PAWL_REPLY_FAILED, PAWL_REPLY_MISSING };

struct pawl_usage {
    int64_t prompt_tokens, completion_tokens;
    int64_t cached_tokens;    /* of the prompt, in the provider's cache */
    int64_t reasoning_tokens; /* of the completion, where the provider says it */
    int64_t cost_microusd;    /* 0 where the model has no price */
    int64_t latency_us;
    int64_t n_requests; /* requests counted in this sum */
    int64_t n_cached;   /* of these, answered from our cache */
};
void pawl_usage_add(struct pawl_usage *sum, const struct pawl_usage *more);

struct pawl_lm_reply {
    enum pawl_reply_status status;
    struct pawl_str text; /* valid UTF-8, at most PAWL_REPLY_MAX bytes */
    /* One per choice, natural log, all of them; NULL when the backend has none, and, to a request with
     * best_only, when they were not all computed: then `text` is the best choice. */
    const double *choice_logprobs;
    bool truncated;        /* ended at max_tokens */
    int64_t lost_microusd; /* of the cost: for tries without an answer, already settled */
    struct pawl_usage usage;
    const char *reason; /* a sentence when not OK; never holds a key */
};
enum { PAWL_REPLY_MAX = 4 << 20, PAWL_PROMPT_MAX = 16 << 20 }; /* a longer prompt is FAILED */

/* Money. Calls come from any thread. A limit of -1 means there is none. */
struct pawl_lm_purse {
    /* Set aside; PAWL_EBUDGET refuses. Made durable by the callee before it returns. */
    enum pawl_status (*reserve)(void *context, int64_t microusd, struct pawl_error *err);
    void (*settle)(void *context, int64_t reserved_microusd, int64_t spent_microusd);
    void *context;
};

struct pawl_store;
struct pawl_lm;
struct pawl_lm_settings {
    const json_t *models;              /* {name: {backend, ...options}}, from pawl.yaml */
    const json_t *roles;               /* {task: name, ...}; a role not named uses task's model */
    const char *project_dir;           /* relative file names start here */
    struct pawl_store *cache;          /* NULL: no cache (sealed side) */
    uint64_t seed;                     /* of the scripted model's random() */
    const struct pawl_lm_purse *purse; /* NULL: unmetered */
    bool sealed;                       /* no file of any kind is written */
};

/* Check names, options and files of models and roles; nothing is loaded. err->field is a path. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_check(const struct pawl_lm_settings *settings,
                                               struct pawl_error *err);
/* Open; a model is loaded when it is first asked what the cache does not know. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_open(const struct pawl_lm_settings *settings,
                                              struct pawl_lm **lm, struct pawl_error *err);
void pawl_lm_close(struct pawl_lm *lm);
/* The roles that sealed cases are asked in and that a server on this machine answers: ["task"]. The same server
 * answers operators, who can time it; a model inside a process of ours is each process's own. Nothing is loaded.
 * New reference. */
json_t *pawl_lm_served_here(const struct pawl_lm *lm);
/* Who is sent prompts of which role: [{"provider":"api.openai.com","roles":["judge"]}], by provider;
 * empty when all stay on this machine. Nothing is loaded. New reference. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_providers(const struct pawl_lm_settings *settings,
                                                   json_t **providers, struct pawl_error *err);

/*
 * What is kept of how this machine runs the models, measured anew first if `measure` (half a minute a
 * model). `model` NULL: all. Gives {name: {"model":sha256,"cpu","llama","in_use":{threads,batch,ubatch,
 * gpu,weights,speculation}, ...what was measured}}, a new reference; a model that is asked elsewhere is
 * not among them. Fails PAWL_ECONFIG for an unknown model, PAWL_EWORLD when nothing can be kept.
 */
PAWL_MUST_CHECK enum pawl_status pawl_lm_tune(const struct pawl_lm_settings *settings,
                                              const char *model, bool measure, json_t **tuned,
                                              struct pawl_error *err);

/*
 * Ask n requests as one batch and wait for all.
 *
 * Gives   replies[0..n) in order; their text lies in `arena`.
 * Fails   PAWL_EBUDGET when the purse refuses, PAWL_EPAUSED after pawl_lm_cancel, PAWL_EWORLD when
 *         a model cannot be loaded or refuses our key, PAWL_ENOTFOUND when a recording lacks the
 *         request. Everything else is in the replies.
 * Blocks  yes. Any thread, many at a time; each with its own arena.
 */
PAWL_MUST_CHECK enum pawl_status pawl_lm_ask(struct pawl_lm *lm, struct pawl_arena *arena,
                                             const struct pawl_lm_request *requests, size_t n,
                                             struct pawl_lm_reply *replies, struct pawl_error *err);
/* Name an adapter file: paths start at the project; `path` of what is given lies in the arena. Fails
 * PAWL_ENOTFOUND or PAWL_EWORLD when it cannot be read. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_adapter_at(const struct pawl_lm *lm,
                                                    struct pawl_arena *arena, const char *path,
                                                    double scale, struct pawl_lm_adapter *adapter,
                                                    struct pawl_error *err);

/* Vectors of texts, for retrieval and novelty: what reads alike lies near, by the dot product. */
struct pawl_lm_vectors {
    size_t n, dimension;
    const float *values; /* n rows of `dimension` floats, each of length 1 */
};
/*
 * Takes   texts of any bytes; none is empty, over 16 MiB, or longer than the model reads.
 * Gives   vectors in order, in `arena`; equal texts have equal vectors, but for the last digits that
 *         an embedded model rounds otherwise in other company.
 * Fails   PAWL_ECONFIG when the role's backend has no vectors (the hint says which have),
 *         PAWL_EUSAGE for an empty text, PAWL_ETOOBIG for a long one (nothing is cut; both name it),
 *         PAWL_EWORLD and PAWL_EPAUSED as pawl_lm_ask.
 * Blocks  yes. Any thread, many at a time.
 * Costs   no money and no tokens of the meter: the backends that have vectors are local. Kept in the
 *         cache like answers where the backend's answers are.
 */
PAWL_MUST_CHECK enum pawl_status pawl_lm_embed(struct pawl_lm *lm, struct pawl_arena *arena,
                                               enum pawl_role role, const struct pawl_str *texts,
                                               size_t n, struct pawl_lm_vectors *vectors,
                                               struct pawl_error *err);
/* Add to *usage what was asked of all models so far, answers from our cache aside. Any thread. */
void pawl_lm_spent(struct pawl_lm *lm, struct pawl_usage *usage);
/* What the embedded models that are loaded did so far. To write free answers: {name: {"decodes", "tokens"
 * chosen in them, "guessed" tokens and the "right" ones of these, "saved_s" by guessing (negative: lost),
 * and in all: "batches", tokens "computed" in them, "rows" of logits wanted of these}}. New reference. Any thread. */
json_t *pawl_lm_work(const struct pawl_lm *lm);
void pawl_lm_cancel(struct pawl_lm *lm); /* async-signal-unsafe; from any thread */

/* How many asking threads the model of a role can use at once (1 for a script on one core ...). */
int pawl_lm_parallel(struct pawl_lm *lm, enum pawl_role role);
/* True if choices are answered with log-probabilities by the role's backend. */
bool pawl_lm_scores_choices(struct pawl_lm *lm, enum pawl_role role);
/* True if answers are held to a request's schema by the role's backend. */
bool pawl_lm_holds_schemas(struct pawl_lm *lm, enum pawl_role role);
/* "file:<sha256>" or "openai:<host>/<path>/<name>"; part of every cache key and certificate. Loads the
 * model where there is no cache or no cheaper way to know; without a loaded one nothing is said of
 * whether it runs, and the first request that the cache does not answer fails if it does not. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_identity(struct pawl_lm *lm, enum pawl_role role,
                                                  const char **identity, struct pawl_error *err);
/* All models scripted: such a project may run on a virtual clock and fixed secrets. */
bool pawl_lm_all_scripted(const struct pawl_lm_settings *settings);
/* Worst-case price of one request in microusd; -1 when the model has no price. */
int64_t pawl_lm_worst_cost(struct pawl_lm *lm, const struct pawl_lm_request *request);
/* The option tables of all backends as JSON {name: {summary, options}}; new reference. */
json_t *pawl_lm_describe(void);

#endif
