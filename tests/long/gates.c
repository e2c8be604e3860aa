/*
 * gates - what the gate promises, held against simulation through its production path.
 *
 *     gates [--lives N] [--runs N] [--attempts N] [--only power|calibration|attack]
 *                                              default 2000, 1000, 200 and all; exit 1 when a promise breaks
 *
 * calibration   Lives of a sealed set: six attempts each, promotions move the incumbent, all attempts see
 *               the same cases (under `fresh` each has its own). Per policy and setting the exact 99 %
 *               lower limit of how often its promise was broken is at most alpha.
 * power         On 20 settings the share of promotions is within five points of the planner's figure.
 * attackers     An optimiser of zero skill (every answer a coin flip) learns from the bits; at last it
 *               offers what it has learned, which on new cases is a coin flip again. One steers its
 *               chance of promotion to a half with real gain that it holds back, and rolls back. One
 *               reads all that is shown of an answer: the bit, and at which of four release points
 *               a promotion came. Under `strict` the last offer passes as seldom as promised, and
 *               under `fresh` there is nothing to learn, whatever is leaked. The
 *               controls show that the attack is real: it succeeds with wins - losses, or only
 *               their sign, leaked on purpose, or it tests nothing.
 *
 * Prints one JSON line per row. Deterministic. Minutes.
 */
#include "gate/decide.h"
#include "gate/intervals.h"
#include "gate/levels.h"
#include "gate/plan.h"
#include "gate/plan_clusters.h"

#include "base/hash.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 300, DEV = 50, ATTEMPTS = 6, ATTEMPTS_MAX = 1000 };
#define ALPHA 0.05

static bool broken; /* a promise */

static struct pawl_random stream(const char *what, uint64_t n)
{
    struct pawl_random random, split;
    pawl_random_init(&random, n);
    split = pawl_random_split(&random, pawl_str_of(what));
    return split;
}

static double lower_99(size_t k, size_t n)
{
    return pawl_clopper_pearson(k, n, 0.98).lo; /* one side of it: .01 */
}

static void report(const char *what, const char *name, const char *policy, size_t k, size_t n,
                   double limit, bool holds)
{
    printf("{\"gates\":\"%s\",\"setting\":\"%s\",\"policy\":\"%s\",\"count\":%zu,\"of\":%zu,"
           "\"rate\":%.4f,\"lower_99\":%.4f,\"limit\":%.4f,\"holds\":%s}\n",
           what, name, policy, k, n, (double)k / (double)n, lower_99(k, n), limit,
           holds ? "true" : "false");
    fflush(stdout);
    broken |= !holds;
}

/* ---- a sealed set, and systems answering it ----------------------------------------------------- */

struct set {
    const char *name;
    size_t cluster, /* cases of a cluster; 0: of every other one SMALL, of the rest LARGE */
        samples;    /* answers per case, of which a score is the mean */
    double icc;     /* chance that a cluster's cases are answered alike */
    double agree;   /* chance that a candidate answers a cluster as its parent does */
    size_t best_of; /* offered is the best of so many on dev; one of them may be better */
};

enum { SMALL = 1, LARGE = 5, N_UNEQUAL = 2 * (CASES / (SMALL + LARGE)) };

static size_t cluster_size(const struct set *set, size_t g)
{
    if (set->cluster > 0) return set->cluster;
    return g % 2 == 0 ? SMALL : LARGE;
}

/* How much better than the mean of all cases an answer is in a cluster of this size, where sizes differ: what
 * shines in small clusters and pays for it in large ones is no better, though most clusters say it is. */
static double tilt(const struct set *set, size_t size)
{
    if (set->cluster > 0) return 0;
    return size == SMALL ? 0.25 : -0.25 * SMALL / LARGE;
}

/* The mean of K answers to a case that is harder or easier than others; in the mean, `quality`. */
static double answer(struct pawl_random *random, const struct set *set, double u, double quality)
{
    if (set->samples == 1) return u < quality;
    double ease = quality + (u < 0.5 ? 0.3 : -0.3), sum = 0;
    for (size_t k = 0; k < set->samples; k++) sum += pawl_random_unit(random) < ease;
    return sum / (double)set->samples;
}

/* score[CASES] of a system that answers as `parent` does where they agree (NULL: nowhere). */
static void draw(struct pawl_random *random, const struct set *set, const double *parent,
                 double quality, double *score)
{
    for (size_t first = 0, g = 0; first < CASES; g++) {
        size_t end = first + cluster_size(set, g);
        double here = quality + (parent ? tilt(set, end - first) : 0);
        bool as_parent = parent && pawl_random_unit(random) < set->agree;
        bool alike = pawl_random_unit(random) < set->icc;
        double u = pawl_random_unit(random);
        for (; first < end; first++) {
            if (!alike) u = pawl_random_unit(random);
            score[first] = as_parent ? parent[first] : answer(random, set, u, here);
        }
    }
}

static bool ask(const struct set *set, enum pawl_gate_look look, double level,
                const double *candidate, const double *incumbent, struct pawl_arena *arena,
                size_t *n_seen)
{
    struct pawl_gate gate;
    struct pawl_gate_plan plan = {.look = look,
                                  .level = level,
                                  .pass_fail = true,
                                  .samples = set->samples,
                                  .largest_cluster = set->cluster > 0 ? set->cluster : LARGE,
                                  .n_planned = set->cluster > 0 ? CASES / set->cluster : N_UNEQUAL};
    struct pawl_error err = {0};
    if (pawl_gate_init(&gate, &plan, arena, &err) != PAWL_OK) PAWL_BUG("%s", err.message);
    for (size_t i = 0, g = 0; i < CASES && gate.state == PAWL_GATE_OPEN; g++) {
        size_t n = cluster_size(set, g);
        if (pawl_gate_observe(&gate, candidate + i, incumbent + i, n, &err) != PAWL_OK)
            PAWL_BUG("%s", err.message);
        i += n;
    }
    if (n_seen) *n_seen = gate.n_clusters;
    return pawl_gate_promotes(&gate);
}

/* ---- calibration -------------------------------------------------------------------------------- */

#define QUALITY 0.6
#define GAIN    0.15

/* Of best_of candidates the one that is best on dev; true when that is the better one. */
static bool best_on_dev_is_better(struct pawl_random *random, const struct set *set)
{
    double best = -1;
    bool better = false;
    for (size_t c = 0; c < set->best_of; c++) {
        double right = pawl_random_unit(random); /* breaks ties */
        for (size_t i = 0; i < DEV; i++)
            right += pawl_random_unit(random) < QUALITY + (c == 0 ? GAIN : 0);
        if (right <= best) continue;
        best = right;
        better = c == 0;
    }
    return better;
}

/* What became of one sealed set. */
struct life {
    bool any_false, first_false; /* a false promotion; before or as the first promotion */
    bool false_at_once;          /* the first attempt was one */
    bool drawn_false; /* one of its promotions, drawn at random: how often so is the share */
};

static bool asks_fresh(const struct pawl_policy *policy)
{
    return strcmp(policy->name, PAWL_POLICY_FRESH) == 0;
}

static struct life live(struct pawl_random *random, const struct set *set,
                        const struct pawl_policy *policy, enum pawl_gate_look look)
{
    static double incumbent[CASES], candidate[CASES];
    bool bits[ATTEMPTS];
    bool found = set->best_of == 0; /* is the better one in force (or is there none)? */
    struct pawl_history history = {bits, 0};
    struct life life = {0};
    struct pawl_arena arena = {0};
    size_t n_false = 0;
    draw(random, set, NULL, QUALITY, incumbent);
    while (history.n < ATTEMPTS) {
        if (asks_fresh(policy)) /* what is in force, on cases of their own */
            draw(random, set, NULL, QUALITY + (found && set->best_of > 0 ? GAIN : 0), incumbent);
        bool better = !found && best_on_dev_is_better(random, set);
        double fresh = QUALITY + (better ? GAIN / (1 - set->agree) : 0);
        draw(random, set, incumbent, fmin(1, fresh), candidate);
        double level = pawl_policy_level(policy, &pawl_series_front, ALPHA, &history);
        bool promoted = ask(set, look, level, candidate, incumbent, &arena, NULL);
        bool is_false = promoted && !better;
        if (is_false && history.n == 0) life.false_at_once = true;
        if (is_false && pawl_history_promotions(&history) == 0) life.first_false = true;
        life.any_false |= is_false;
        n_false += is_false;
        bits[history.n++] = promoted;
        if (promoted) memcpy(incumbent, candidate, sizeof incumbent);
        found |= promoted && better;
    }
    size_t promotions = pawl_history_promotions(&history);
    life.drawn_false = pawl_random_unit(random) * (double)promotions < (double)n_false;
    pawl_arena_release(&arena);
    return life;
}

/* What each policy promises of a life. */
static bool breaks(const struct pawl_policy *policy, const struct life *life)
{
    if (strcmp(policy->name, "per-decision") == 0) return life->false_at_once;
    if (strcmp(policy->name, "e-lond") == 0) return life->first_false;
    if (asks_fresh(policy)) return life->drawn_false;
    return life->any_false;
}

static const struct set sets[] = {
    {"single cases", 1, 1, 0, 0.5, 0},
    {"clusters of 5, ICC .5", 5, 1, 0.5, 0.5, 0},
    {"clusters of 1 and 5, ICC .5", 0, 1, 0.5, 0.5, 0},
    {"K = 5", 1, 5, 0, 0.5, 0},
    {"best of 64 on dev, one true gain", 1, 1, 0, 0.5, 64},
    {"clusters of 5, ICC .5, K = 5, best of 64, one true gain", 5, 5, 0.5, 0.5, 64},
};

static void calibrate(size_t n_lives)
{
    const struct pawl_policy *policy;
    for (size_t p = 0; (policy = pawl_policy_at(p)) != NULL; p++)
        for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
            bool planned = strcmp(policy->name, "spending") == 0;
            struct pawl_random random = stream(policy->name, s);
            size_t n_broken = 0;
            for (size_t i = 0; i < n_lives; i++) {
                struct life life = live(&random, &sets[s], policy,
                                        planned ? PAWL_LOOK_FIXED : PAWL_LOOK_SEQUENTIAL);
                n_broken += breaks(policy, &life);
            }
            report("calibration", sets[s].name, policy->name, n_broken, n_lives, ALPHA,
                   lower_99(n_broken, n_lives) <= ALPHA);
        }
}

/* ---- power -------------------------------------------------------------------------------------- */

static bool promotes_by_chance(struct pawl_random *random, const struct pawl_plan *plan,
                               size_t cluster, double gain)
{
    struct pawl_gate gate;
    struct pawl_gate_plan how = {.level = plan->level,
                                 .pass_fail = true,
                                 .samples = 1,
                                 .largest_cluster = cluster,
                                 .n_planned = plan->n};
    double candidate[8], incumbent[8];
    if (pawl_gate_init(&gate, &how, NULL, NULL) != PAWL_OK) PAWL_BUG("an impossible plan");
    for (size_t g = 0; g < plan->n && gate.state == PAWL_GATE_OPEN; g++) {
        for (size_t i = 0; i < cluster; i++) {
            double u = pawl_random_unit(random);
            candidate[i] = u < (plan->discordance + gain) / 2;
            incumbent[i] = !candidate[i] && u < plan->discordance;
        }
        if (pawl_gate_observe(&gate, candidate, incumbent, cluster, NULL) != PAWL_OK)
            PAWL_BUG("a score that cannot be");
    }
    return pawl_gate_promotes(&gate);
}

static void compare_with_plan(size_t n_runs)
{
    static const struct {
        size_t n, cluster; /* clusters, and cases in each */
        double discordance, gain, level;
    } settings[] = {
        {65, 1, 0.2, 0.18, 0.04},   {65, 1, 0.3, 0.22, 0.04},    {130, 1, 0.2, 0.10, 0.04},
        {130, 1, 0.2, 0.15, 0.04},  {130, 1, 0.3, 0.15, 0.006},  {300, 1, 0.1, 0.05, 0.04},
        {300, 1, 0.2, 0.08, 0.04},  {300, 1, 0.2, 0.10, 0.04},   {300, 1, 0.25, 0.15, 0.04},
        {300, 1, 0.45, 0.15, 0.04}, {300, 1, 0.2, 0.10, 0.006},  {300, 1, 0.2, 0.10, 0.0005},
        {700, 1, 0.2, 0.05, 0.04},  {700, 1, 0.25, 0.08, 0.006}, {1000, 1, 0.25, 0.05, 0.04},
        {100, 3, 0.2, 0.10, 0.04},  {100, 5, 0.2, 0.08, 0.04},   {60, 5, 0.3, 0.15, 0.04},
        {127, 5, 0.2, 0.08, 0.006}, {40, 8, 0.2, 0.15, 0.04},
    };
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
        struct pawl_plan plan = {PAWL_LOOK_SEQUENTIAL, settings[s].level, settings[s].n,
                                 settings[s].discordance};
        struct pawl_random random = stream("power", s);
        struct pawl_arena arena = {0};
        size_t cluster = settings[s].cluster, sizes[1000], promoted = 0;
        for (size_t g = 0; g < plan.n; g++) sizes[g] = cluster;
        double planned = cluster == 1
                             ? pawl_plan_power(&plan, settings[s].gain, &arena)
                             : pawl_plan_clusters_power(&plan, sizes, settings[s].gain, &arena);
        for (size_t i = 0; i < n_runs; i++)
            promoted += promotes_by_chance(&random, &plan, cluster, settings[s].gain);
        char name[96];
        snprintf(name, sizeof name, "%zu x %zu cases, psi %.2f, gain %.2f, level %.4f", plan.n,
                 cluster, plan.discordance, settings[s].gain, plan.level);
        report("power", name, "", promoted, n_runs, planned,
               fabs((double)promoted / (double)n_runs - planned) <= 0.05);
        pawl_arena_release(&arena);
    }
}

/* ---- attackers ---------------------------------------------------------------------------------- */

static const struct set coins = {"", 1, 1, 0, 0, 0};

/* What an attacker is told of an answer; the last two are leaks, for the controls. */
enum told { TOLD_BIT, TOLD_ALL_SHOWN, TOLD_CLASS, TOLD_MARGIN };

struct attack {
    const char *name;
    bool steers; /* its chance of promotion to a half, by real gain that it holds back */
    enum told told;
};

/* As a number that is the larger the better the offer did. */
static double told_as(enum told told, bool promoted, size_t n_seen, double margin)
{
    size_t point = (4 * n_seen + CASES - 1) / CASES; /* 1..4: as if time were cases */
    switch (told) {
    case TOLD_BIT:
        return promoted;
    case TOLD_ALL_SHOWN:
        return promoted ? (double)(5 - point) : 0;
    case TOLD_CLASS:
        return (margin > 0) - (margin < 0);
    case TOLD_MARGIN:
        return margin;
    }
    PAWL_BUG("told %d", told);
}

/* The gain, as a chance that a wrong answer becomes right, which is promoted with chance one half. */
static double steering_gain(double level, struct pawl_arena *arena)
{
    struct pawl_plan plan = {PAWL_LOOK_SEQUENTIAL, level, CASES, 0.5};
    double gain = pawl_plan_smallest_gain(&plan, 0.5, arena);
    return isnan(gain) ? 1 : fmin(1, 2 * gain);
}

/* One run of n attempts; true when its last offer, a coin flip on new cases, is promoted. */
static bool attack_succeeds(struct pawl_random *random, const struct attack *attack,
                            const struct pawl_policy *policy, size_t n)
{
    static double incumbent[CASES], answers[CASES], offer[CASES];
    double learned[CASES] = {0}, told_sum = 0, seen[CASES] = {0};
    bool bits[ATTEMPTS_MAX];
    struct pawl_history history = {bits, 0};
    struct pawl_arena arena = {0};
    draw(random, &coins, NULL, 0.5, incumbent);
    while (history.n < n) {
        if (asks_fresh(policy)) draw(random, &coins, NULL, 0.5, incumbent);
        double level = pawl_policy_level(policy, &pawl_series_front, ALPHA, &history);
        double gain = attack->steers ? steering_gain(level, &arena) : 0, margin = 0;
        draw(random, &coins, NULL, 0.5, answers);
        for (size_t i = 0; i < CASES; i++) {
            offer[i] = answers[i] > 0 || pawl_random_unit(random) < gain;
            margin += offer[i] - incumbent[i];
        }
        size_t n_seen;
        bool promoted = ask(&coins, PAWL_LOOK_SEQUENTIAL, level, offer, incumbent, &arena, &n_seen);
        double told = told_as(attack->told, promoted, n_seen, margin);
        told_sum += told;
        for (size_t i = 0; i < CASES; i++) {
            learned[i] += told * (2 * answers[i] - 1);
            seen[i] += 2 * answers[i] - 1;
        }
        bits[history.n++] = promoted; /* and rolled back: the incumbent stays */
        pawl_arena_reset(&arena);
    }
    /* Follow the coin flips that were told good, against those that were not: the weights sum to 0. */
    for (size_t i = 0; i < CASES; i++) {
        double vote = learned[i] - told_sum / (double)n * seen[i];
        offer[i] = vote != 0 ? vote > 0 : pawl_random_unit(random) < 0.5;
    }
    if (asks_fresh(policy)) { /* what was learned is of other cases */
        draw(random, &coins, NULL, 0.5, incumbent);
        draw(random, &coins, NULL, 0.5, offer);
    }
    double level = pawl_policy_level(policy, &pawl_series_front, ALPHA, &history);
    bool promoted = ask(&coins, PAWL_LOOK_SEQUENTIAL, level, offer, incumbent, &arena, NULL);
    pawl_arena_release(&arena);
    return promoted;
}

static void attack_all(size_t n_runs, size_t n_attempts)
{
    static const struct attack attacks[] = {
        {"zero skill", false, TOLD_BIT},
        {"steers, then rolls back", true, TOLD_BIT},
        {"zero skill, reads all that is shown", false, TOLD_ALL_SHOWN},
        {"control: classes leaked", false, TOLD_CLASS},
        {"control: wins - losses leaked", false, TOLD_MARGIN},
    };
    static const char *const policies[] = {"strict", "e-lond", PAWL_POLICY_FRESH};
    for (size_t p = 0; p < sizeof policies / sizeof *policies; p++)
        for (size_t a = 0; a < sizeof attacks / sizeof *attacks; a++) {
            const struct pawl_policy *policy = pawl_policy_find(policies[p]);
            struct pawl_random random = stream("attack", 10 * p + a);
            size_t n = 0;
            for (size_t i = 0; i < n_runs; i++)
                n += attack_succeeds(&random, &attacks[a], policy, n_attempts);
            double lower = lower_99(n, n_runs);
            /* e-lond promises nothing against one who steers: its row is a control, too. */
            bool control = attacks[a].told >= TOLD_CLASS || (p == 1 && attacks[a].steers);
            if (asks_fresh(policy)) control = false;
            report("attack", attacks[a].name, policies[p], n, n_runs, ALPHA,
                   control ? lower > ALPHA : lower <= ALPHA);
        }
}

int main(int argc, char **argv)
{
    size_t lives = 2000, runs = 1000, attempts = 200;
    const char *only = "";
    for (int i = 1; i + 1 < argc; i += 2) {
        size_t n = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--lives") == 0) lives = n;
        if (strcmp(argv[i], "--runs") == 0) runs = n;
        if (strcmp(argv[i], "--only") == 0) only = argv[i + 1];
        if (strcmp(argv[i], "--attempts") == 0) attempts = n < ATTEMPTS_MAX ? n : ATTEMPTS_MAX;
    }
    pawl_crypto_init();
    bool all = only[0] == '\0';
    if (all || strcmp(only, "power") == 0) compare_with_plan(5 * lives);
    if (all || strcmp(only, "calibration") == 0) calibrate(lives);
    if (all || strcmp(only, "attack") == 0) attack_all(runs, attempts);
    return broken;
}
