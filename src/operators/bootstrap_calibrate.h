/*
 * bootstrap_calibrate.h - take out what a model answers whatever the case.
 *
 * A model that chooses between answers leans to one of them, and each set of demonstrations leans
 * it differently. The lean shows without a single label: centre the log-probabilities of the
 * choices of each case (their mean is 0), and take the median of each choice over many cases. The
 * offset of a choice is minus that median; with two choices this moves the threshold to the median
 * margin. (After contextual calibration, Zhao et al. 2021, arXiv 2102.09690, with real cases in
 * place of empty ones.)
 *
 * It supposes that the choices are about equally frequent among the cases; where they are not, dev
 * scores say so.
 */
#ifndef PAWL_OPERATORS_BOOTSTRAP_CALIBRATE_H
#define PAWL_OPERATORS_BOOTSTRAP_CALIBRATE_H

#include "operators/bootstrap_demos.h"
#include "operators/host.h"

/* The log-probabilities of the choices in a trace: the module's last request that has them all. False
 * when there is none. */
bool pawl_calibrate_read(const json_t *trace, const char *module, size_t n_choices,
                         double *logprobs);
/* offsets[n_choices] from logprobs[n_cases][n_choices], which are centred in place. */
void pawl_calibrate_offsets(double *logprobs, size_t n_cases, size_t n_choices, double *offsets);

struct pawl_calibrated {
    const char *module;
    const struct pawl_demo_fields *fields;
    struct pawl_str text; /* filled: the component's text; ptr NULL when no case came with
                           * log-probabilities */
};
/* Step. For a candidate that has no calibration yet. All modules are calibrated on the same answers, so
 * what a calibrated module feeds another is not yet among them. Costs n_cases. */
PAWL_MUST_CHECK enum pawl_status pawl_calibrate(struct pawl_host *host, struct pawl_arena *step,
                                                uint32_t candidate, const uint32_t *cases,
                                                size_t n_cases, struct pawl_calibrated *modules,
                                                size_t n_modules, struct pawl_error *err);

#endif
