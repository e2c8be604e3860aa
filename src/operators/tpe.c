#include "operators/tpe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GOOD_MAX = 25, FRESH = 25, UNIFORM_TRIES = 64, WALK_MAX = 1 << 16 };

/* --- observations -------------------------------------------------------------------------------- */

struct pawl_tpe pawl_tpe_new(const size_t *n_choices, size_t n_dims, struct pawl_arena *arena)
{
    for (size_t d = 0; d < n_dims; d++) PAWL_ASSERT(n_choices[d] > 0);
    return (struct pawl_tpe){.n_dims = n_dims, .n_choices = n_choices, .arena = arena};
}

static void grow(struct pawl_tpe *tpe)
{
    size_t capacity = tpe->capacity == 0 ? 64 : 2 * tpe->capacity;
    uint32_t *points = PAWL_NEW_N(tpe->arena, uint32_t, capacity * tpe->n_dims + 1);
    double *values = PAWL_NEW_N(tpe->arena, double, capacity);
    if (tpe->n > 0) {
        memcpy(points, tpe->points, tpe->n * tpe->n_dims * sizeof *points);
        memcpy(values, tpe->values, tpe->n * sizeof *values);
    }
    tpe->points = points;
    tpe->values = values;
    tpe->capacity = capacity;
}

void pawl_tpe_add(struct pawl_tpe *tpe, const uint32_t *x, double value)
{
    PAWL_ASSERT(!isnan(value));
    for (size_t d = 0; d < tpe->n_dims; d++) PAWL_ASSERT(x[d] < tpe->n_choices[d]);
    if (tpe->n == tpe->capacity) grow(tpe);
    memcpy(tpe->points + tpe->n * tpe->n_dims, x, tpe->n_dims * sizeof *x);
    tpe->values[tpe->n++] = value;
}

size_t pawl_tpe_n_good(size_t n)
{
    size_t tenth = (n + 9) / 10;
    return tenth < GOOD_MAX ? tenth : GOOD_MAX;
}

/* The ramp of the old ones goes from 1/n to 1, both ends included. */
void pawl_tpe_weights(size_t n, double *weights)
{
    size_t n_old = n > FRESH ? n - FRESH : 0;
    double first = 1 / (double)n;
    for (size_t i = 0; i < n; i++) {
        double step = n_old > 1 ? (double)i / (double)(n_old - 1) : 0;
        weights[i] = i < n_old ? first + (1 - first) * step : 1;
    }
}

/* --- mixtures -------------------------------------------------------------------------------------- */

struct mixture {
    const uint32_t **members; /* [n], the oldest first */
    double *weights;          /* [n + 1], the last of the prior; they sum to 1 */
    size_t n;
    /* In logarithms, because a product over many dimensions is small. */
    double *log_weights;        /* [n + 1] */
    double *hit;                /* [n_dims] what an observed choice adds to one that was not */
    double log_miss, log_prior; /* of a point: nothing in it was observed; by the prior */
};
struct model {
    struct mixture good, rest;
};

struct ranked {
    double value;
    size_t index;
};

/* The best first; of equals the older one. */
static int by_value(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The probability that a component gives to one choice: 1/(n + 1) to each, and 1 more to the one that
 * was observed, normalised. */
static double mass(size_t n_observations, size_t n_choices, bool is_observed)
{
    double each = 1 / ((double)n_observations + 1), k = (double)n_choices;
    return (each + (is_observed ? 1 : 0)) / (each * k + 1);
}

static void mixture_init(struct mixture *mixture, size_t capacity, size_t n_dims)
{
    *mixture =
        (struct mixture){.members = pawl_xcalloc(capacity + 1, sizeof *mixture->members),
                         .weights = pawl_xcalloc(capacity + 1, sizeof *mixture->weights),
                         .log_weights = pawl_xcalloc(capacity + 1, sizeof *mixture->log_weights),
                         .hit = pawl_xcalloc(n_dims + 1, sizeof *mixture->hit)};
}

/* Its members are known: all that does not depend on a point is reckoned once. */
static void mixture_close(struct mixture *mixture, const struct pawl_tpe *tpe)
{
    double sum = 1;
    size_t n = mixture->n;
    pawl_tpe_weights(n, mixture->weights);
    mixture->weights[n] = 1;
    for (size_t i = 0; i < n; i++) sum += mixture->weights[i];
    for (size_t i = 0; i <= n; i++) {
        mixture->weights[i] /= sum;
        mixture->log_weights[i] = log(mixture->weights[i]);
    }
    for (size_t d = 0; d < tpe->n_dims; d++) {
        double miss = log(mass(n, tpe->n_choices[d], false));
        mixture->hit[d] = log(mass(n, tpe->n_choices[d], true)) - miss;
        mixture->log_miss += miss;
        mixture->log_prior -= log((double)tpe->n_choices[d]);
    }
}

static void mixture_release(struct mixture *mixture)
{
    free(mixture->members);
    free(mixture->weights);
    free(mixture->log_weights);
    free(mixture->hit);
}

static void model_init(struct model *model, const struct pawl_tpe *tpe)
{
    size_t n_good = pawl_tpe_n_good(tpe->n);
    struct ranked *ranked = pawl_xcalloc(tpe->n + 1, sizeof *ranked);
    bool *is_good = pawl_xcalloc(tpe->n + 1, sizeof *is_good);
    for (size_t i = 0; i < tpe->n; i++) ranked[i] = (struct ranked){tpe->values[i], i};
    qsort(ranked, tpe->n, sizeof *ranked, by_value);
    for (size_t i = 0; i < n_good; i++) is_good[ranked[i].index] = true;
    mixture_init(&model->good, n_good, tpe->n_dims);
    mixture_init(&model->rest, tpe->n - n_good, tpe->n_dims);
    for (size_t i = 0; i < tpe->n; i++) {
        struct mixture *side = is_good[i] ? &model->good : &model->rest;
        side->members[side->n++] = tpe->points + i * tpe->n_dims;
    }
    mixture_close(&model->good, tpe);
    mixture_close(&model->rest, tpe);
    free(ranked);
    free(is_good);
}

static void model_release(struct model *model)
{
    mixture_release(&model->good);
    mixture_release(&model->rest);
}

/* Component n is the prior. */
static double log_component(const struct pawl_tpe *tpe, const struct mixture *mixture, size_t i,
                            const uint32_t *x)
{
    const uint32_t *member = mixture->members[i];
    if (i == mixture->n) return mixture->log_weights[i] + mixture->log_prior;
    double sum = mixture->log_weights[i] + mixture->log_miss;
    for (size_t d = 0; d < tpe->n_dims; d++)
        if (member[d] == x[d]) sum += mixture->hit[d];
    return sum;
}

static double log_density(const struct pawl_tpe *tpe, const struct mixture *mixture,
                          const uint32_t *x)
{
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i <= mixture->n; i++)
        largest = fmax(largest, log_component(tpe, mixture, i, x));
    for (size_t i = 0; i <= mixture->n; i++)
        sum += exp(log_component(tpe, mixture, i, x) - largest);
    return largest + log(sum);
}

static double log_ratio(const struct pawl_tpe *tpe, const struct model *model, const uint32_t *x)
{
    return log_density(tpe, &model->good, x) - log_density(tpe, &model->rest, x);
}

double pawl_tpe_log_ratio(const struct pawl_tpe *tpe, const uint32_t *x)
{
    struct model model;
    model_init(&model, tpe);
    double ratio = log_ratio(tpe, &model, x);
    model_release(&model);
    return ratio;
}

/* --- drawing ----------------------------------------------------------------------------------------- */

/* A component by its weight. */
static size_t draw_component(const struct mixture *mixture, struct pawl_random *random)
{
    double u = pawl_random_unit(random);
    size_t i = 0;
    for (; i < mixture->n && u >= mixture->weights[i]; i++) u -= mixture->weights[i];
    return i;
}

/* A choice by its mass: the observed one in excess, else any. */
static uint32_t draw_choice(size_t n_observations, size_t n_choices, const uint32_t *observed,
                            struct pawl_random *random)
{
    double each = 1 / ((double)n_observations + 1), k = (double)n_choices;
    bool excess = observed != NULL && pawl_random_unit(random) * (each * k + 1) < 1;
    return excess ? *observed : (uint32_t)pawl_random_below(random, n_choices);
}

static void draw_from(const struct pawl_tpe *tpe, const struct mixture *mixture,
                      struct pawl_random *random, uint32_t *x)
{
    const uint32_t *member = mixture->members[draw_component(mixture, random)];
    for (size_t d = 0; d < tpe->n_dims; d++)
        x[d] =
            draw_choice(mixture->n, tpe->n_choices[d], member != NULL ? &member[d] : NULL, random);
}

/* The next point in the order of an odometer; after the last comes the first. */
static void step_on(const struct pawl_tpe *tpe, uint32_t *x)
{
    for (size_t d = 0; d < tpe->n_dims; d++) {
        if (++x[d] < tpe->n_choices[d]) return;
        x[d] = 0;
    }
}

static size_t n_points(const struct pawl_tpe *tpe)
{
    size_t n = 1;
    for (size_t d = 0; d < tpe->n_dims && n < WALK_MAX; d++) n *= tpe->n_choices[d];
    return n < WALK_MAX ? n : WALK_MAX;
}

/* Where chance keeps meeting what is refused, nearly all is: so walk on from the last one. */
bool pawl_tpe_draw_uniform(const struct pawl_tpe *tpe, struct pawl_random *random,
                           pawl_tpe_accepts accepts, void *context, uint32_t *x)
{
    for (int i = 0; i < UNIFORM_TRIES; i++) {
        for (size_t d = 0; d < tpe->n_dims; d++)
            x[d] = (uint32_t)pawl_random_below(random, tpe->n_choices[d]);
        if (accepts(context, x)) return true;
    }
    for (size_t i = n_points(tpe); i > 0; i--) {
        step_on(tpe, x);
        if (accepts(context, x)) return true;
    }
    return false;
}

bool pawl_tpe_draw(const struct pawl_tpe *tpe, struct pawl_random *random, pawl_tpe_accepts accepts,
                   void *context, uint32_t *x)
{
    struct model model;
    double best = -INFINITY;
    bool found = false;
    uint32_t *drawn = pawl_xcalloc(tpe->n_dims + 1, sizeof *drawn);
    model_init(&model, tpe);
    for (int i = 0; i < PAWL_TPE_DRAWS; i++) {
        draw_from(tpe, &model.good, random, drawn);
        if (!accepts(context, drawn)) continue;
        double ratio = log_ratio(tpe, &model, drawn);
        if (found && ratio <= best) continue;
        found = true;
        best = ratio;
        memcpy(x, drawn, tpe->n_dims * sizeof *x);
    }
    model_release(&model);
    free(drawn);
    return found || pawl_tpe_draw_uniform(tpe, random, accepts, context, x);
}
