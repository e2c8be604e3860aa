/* The race on dev: its error under every order that chance brings, what it saves, and its podium. */
#include "operators/race.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ERROR 0.05

/* Paired differences: some wins, some losses, the rest ties. */
static double *population(size_t n, size_t n_wins, size_t n_losses, double size)
{
    double *d = calloc(n, sizeof *d);
    for (size_t i = 0; i < n_wins; i++) d[i] = size;
    for (size_t i = 0; i < n_losses; i++) d[n_wins + i] = -size;
    return d;
}

static void shuffle(struct pawl_random *random, double *d, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)pawl_random_below(random, i);
        double held = d[i - 1];
        d[i - 1] = d[k];
        d[k] = held;
    }
}

/* Cases looked at until the race is lost, or n. */
static size_t run_race(const double *d, size_t n, size_t look_every)
{
    struct pawl_race race;
    pawl_race_init(&race, n);
    for (size_t i = 0; i < n; i++) {
        pawl_race_see(&race, d[i]);
        if ((i + 1) % look_every == 0 && i + 1 < n && pawl_race_p_value(&race) <= ERROR)
            return i + 1;
    }
    return n;
}

struct races {
    double stopped, used; /* shares */
};

static struct races many_races(double *d, size_t n, size_t look_every, uint64_t seed)
{
    enum { RACES = 4000 };
    struct races races = {0};
    struct pawl_random random;
    pawl_random_init(&random, seed);
    for (int i = 0; i < RACES; i++) {
        shuffle(&random, d, n);
        size_t used = run_race(d, n, look_every);
        races.stopped += (used < n) / (double)RACES;
        races.used += (double)used / (double)n / RACES;
    }
    free(d);
    return races;
}

/* Looked at after every case, whoever comes out level is stopped in 5 of 100 orders at most; three
 * standard errors of 4,000 races are 0.0104. */
static void who_comes_out_level_is_seldom_stopped(void **state)
{
    const size_t wins_of[][2] = {{40, 5}, {100, 10}, {100, 45}, {300, 60}, {90, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof wins_of / sizeof *wins_of; i++) {
        size_t n = wins_of[i][0], wins = wins_of[i][1];
        assert_true(many_races(population(n, wins, wins, 1), n, 1, i).stopped <= ERROR + 0.0104);
        assert_true(many_races(population(n, wins, wins, 0.3), n, 1, i).stopped <= ERROR + 0.0104);
    }
}

/* Some level, others ahead by one case: still the claim. Large losses against many small gains too. */
static void neither_is_who_wins_by_little(void **state)
{
    double *d = population(100, 80, 0, 0.25);
    (void)state;
    for (size_t i = 80; i < 100; i++) d[i] = -1;
    assert_true(many_races(d, 100, 1, 7).stopped <= ERROR + 0.0104);
    assert_true(many_races(population(100, 21, 20, 1), 100, 1, 8).stopped <= ERROR + 0.0104);
}

static void who_is_far_behind_is_stopped_early(void **state)
{
    (void)state;
    struct races far = many_races(population(200, 10, 70, 1), 200, 25, 1);
    assert_true(far.stopped > 0.99 && far.used < 0.35);
    struct races behind = many_races(population(200, 20, 50, 1), 200, 25, 2);
    assert_true(behind.stopped > 0.8 && behind.used < 0.75);
}

static void what_is_certain_needs_no_test(void **state)
{
    struct pawl_race race;
    (void)state;
    pawl_race_init(&race, 10);
    for (int i = 0; i < 5; i++) pawl_race_see(&race, -1);
    assert_true(pawl_race_p_value(&race) > 0); /* five wins would make it level */
    pawl_race_see(&race, -1);
    assert_true(pawl_race_p_value(&race) == 0);
}

static void who_answers_alike_is_never_stopped(void **state)
{
    (void)state;
    double *d = population(50, 0, 0, 1);
    assert_int_equal(run_race(d, 50, 1), 50);
    free(d);
}

static void the_podium_holds_the_best_three(void **state)
{
    struct pawl_arena arena = {0};
    const double start[2] = {0.1, 0.1}, means[] = {0.5, 0.9, 0.3, 0.5, 0.7};
    struct pawl_podium podium = pawl_podium_new(start, 2, &arena);
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const double scores[2] = {(double)i, means[i]};
        if (i == 2) assert_true(pawl_podium_rival(&podium)[0] == 0.1);
        pawl_podium_add(&podium, scores, means[i]);
    }
    assert_int_equal(podium.n, 3);
    assert_true(podium.means[0] == 0.9 && podium.means[1] == 0.7 && podium.means[2] == 0.5);
    assert_true(podium.scores[0][0] == 1 && podium.scores[1][0] == 4);
    assert_true(pawl_podium_rival(&podium)[0] == 0); /* of equals the earlier one */
    pawl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_out_level_is_seldom_stopped),
        cmocka_unit_test(neither_is_who_wins_by_little),
        cmocka_unit_test(who_is_far_behind_is_stopped_early),
        cmocka_unit_test(what_is_certain_needs_no_test),
        cmocka_unit_test(who_answers_alike_is_never_stopped),
        cmocka_unit_test(the_podium_holds_the_best_three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
