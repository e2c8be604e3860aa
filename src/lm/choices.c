#include "lm/choices.h"

#include <math.h>

void pawl_choice_probabilities(const double *logprobs, const double *prior, size_t n,
                               double *probabilities)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double usual = prior && isfinite(prior[i]) ? prior[i] : 0;
        probabilities[i] = logprobs[i] - usual;
        if (probabilities[i] > top) top = probabilities[i];
    }
    for (size_t i = 0; i < n; i++) {
        probabilities[i] = isfinite(top) ? exp(probabilities[i] - top) : 1;
        sum += probabilities[i];
    }
    for (size_t i = 0; i < n; i++) probabilities[i] /= sum;
}
