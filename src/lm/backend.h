/*
 * backend.h - what a language-model backend is. One file backend_NAME.c per backend, ending in
 * `const struct pawl_lm_backend pawl_backend_NAME`; the registry is made from the file names.
 *
 * How to add one: write backend_NAME.c, fill the table, run the contract tests (they run over every
 * registered backend). Only lm.c calls the slots.
 */
#ifndef PAWL_LM_BACKEND_H
#define PAWL_LM_BACKEND_H

#include "base/option.h"
#include "lm/lm.h"

enum pawl_lm_backend_flags {
    PAWL_BACKEND_CACHED = 1u << 0,   /* answers are worth keeping in the cache */
    PAWL_BACKEND_SCRIPTED = 1u << 1, /* deterministic stand-in: allows the virtual clock */
    PAWL_BACKEND_CHOICES = 1u << 2,  /* scores choices by log-probability */
    PAWL_BACKEND_NETWORK = 1u << 3,  /* prompts may leave this machine: see provider */
    PAWL_BACKEND_SCHEMAS = 1u << 4,  /* holds free answers to a request's schema */
    /* Saves work when best_only is set; all others never see it set, so that it parts neither their
     * cached answers nor a recording's. */
    PAWL_BACKEND_BEST_ONLY = 1u << 5,
    PAWL_BACKEND_ADAPTERS = 1u << 6, /* takes requests with adapters */
};

struct pawl_lm_open {
    const char *model; /* the name in pawl.yaml */
    const char *project_dir;
    uint64_t seed;
    bool sealed;        /* write nothing */
    struct pawl_lm *lm; /* for a backend that stands in front of another model; outlives it */
};

struct pawl_lm_backend {
    int api; /* PAWL_LM_BACKEND_API */
    const char *name, *summary;
    unsigned flags;
    const struct pawl_option *options;
    size_t options_bytes; /* size of the option struct */

    /* Check options and files without loading anything heavy. (optional) */
    enum pawl_status (*check)(const struct pawl_lm_open *context, const void *options,
                              struct pawl_error *err);
    /* Load. *model is the backend's own state; `options` outlives it. */
    enum pawl_status (*open)(const struct pawl_lm_open *context, const void *options, void **model,
                             struct pawl_error *err);
    void (*close)(void *model);
    /* A text that changes when answers may change. Lives as long as the model. */
    const char *(*identity)(void *model);
    /* The same text, where it can be said without loading; in the arena; NULL: load to know. A model
     * that turns out to be another when it is loaded answers nothing. (optional) */
    const char *(*identify)(const struct pawl_lm_open *context, const void *options,
                            struct pawl_arena *arena);
    /* Answer all; blocks; many threads at once. Reply text lies in `arena`, used by this thread
     * alone. Fails only as pawl_lm_ask does. */
    enum pawl_status (*ask)(void *model, struct pawl_arena *arena,
                            const struct pawl_lm_request *requests, size_t n,
                            struct pawl_lm_reply *replies, struct pawl_error *err);
    /* Vectors of texts. (both or none; without them pawl_lm_embed says who has some)
     * dimension: floats of each. embed: a row for each text, of any length but 0 (rows begin as 0); texts are whole
     * UTF-8 and not empty. Blocks; many threads at once. Fails only as pawl_lm_embed does. */
    size_t (*dimension)(void *model);
    enum pawl_status (*embed)(void *model, const struct pawl_str *texts, size_t n, float *rows,
                              struct pawl_error *err);
    /* Make waiting and later asks fail with PAWL_EPAUSED. (optional; default: nothing) */
    void (*cancel)(void *model);
    /* What the model did so far to write free answers, as a JSON object; see pawl_lm_work. Any thread.
     * (optional) */
    json_t *(*work)(void *model);
    /* Useful number of asking threads. (optional; default: number of cores)
     * An option called `concurrency`, when not 0, bounds the requests that are here at a time. */
    int (*parallel)(const void *options);
    /* Who is sent the prompts, e.g. "api.openai.com", in the arena; NULL: they stay on this machine.
     * Nothing is loaded and no key is needed. (optional; default with PAWL_BACKEND_NETWORK: the
     * backend's name, otherwise NULL) */
    const char *(*provider)(const void *options, struct pawl_arena *arena);
    /* What is kept of how this machine runs the model, as a JSON object; measured anew first if
     * `measure`. Nothing is loaded in this process. (optional) */
    enum pawl_status (*tune)(const struct pawl_lm_open *context, const void *options, bool measure,
                             json_t **kept, struct pawl_error *err);
    /* Upper bound of the price in microusd. (optional; default: no price, -1) */
    int64_t (*worst_cost)(void *model, const struct pawl_lm_request *request);
};
enum { PAWL_LM_BACKEND_API = 1 };

extern const struct pawl_lm_backend *const pawl_lm_backends[]; /* NULL-terminated, generated */

/* PAWL_ETOOBIG for a text of so many words or tokens, named by its beginning. */
enum pawl_status pawl_lm_fail_long_text(struct pawl_str text, size_t n, size_t limit,
                                        const char *unit, struct pawl_error *err);

/* For a backend that asks over HTTP: the engine that all models of an lm share, opened when it is
 * first wanted; the lm closes it after its models. */
struct pawl_http;
PAWL_MUST_CHECK enum pawl_status pawl_lm_http(struct pawl_lm *lm, struct pawl_http **http,
                                              struct pawl_error *err);
/* Charge a try that gave no answer and may have been billed, so that the reservation of its request
 * is there for a further one. Fails PAWL_EBUDGET when the purse does not have that much more. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_pay_lost(struct pawl_lm *lm, int64_t microusd);

/* For a backend that stands in front of another model. find gives NULL for an unknown name. */
const struct pawl_lm_backend *pawl_lm_find_backend(const struct pawl_lm *lm, const char *model);
/* pawl_lm_ask of one model by name, whatever the requests' roles. */
PAWL_MUST_CHECK enum pawl_status pawl_lm_ask_model(struct pawl_lm *lm, const char *model,
                                                   struct pawl_arena *arena,
                                                   const struct pawl_lm_request *requests, size_t n,
                                                   struct pawl_lm_reply *replies,
                                                   struct pawl_error *err);
PAWL_MUST_CHECK enum pawl_status pawl_lm_model_identity(struct pawl_lm *lm, const char *model,
                                                        const char **identity,
                                                        struct pawl_error *err);

#endif
