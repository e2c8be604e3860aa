/* Guesses of what comes next, and whether they pay on a machine that is made up. No model. */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "base/random.h"
#include "lm/llama_gain.h"
#include "lm/llama_lookup.h"

/* ---- Looking up --------------------------------------------------------------------------------- */

/* Letters stand for tokens. Gives the guess as text. */
static const char *guess_after(const char *text, size_t room)
{
    size_t n = strlen(text);
    llama_token tokens[256], guess[PAWL_LLAMA_GUESS_MAX];
    assert_true(n <= 256 && room <= PAWL_LLAMA_GUESS_MAX);
    for (size_t i = 0; i < n; i++) tokens[i] = (unsigned char)text[i];
    size_t n_guess = pawl_llama_lookup_find(tokens, n, guess, room);
    char *found = pawl_arena_alloc(&arena, 1, n_guess + 1);
    for (size_t i = 0; i < n_guess; i++) found[i] = (char)guess[i];
    return found;
}

static void test_what_followed_the_longest_end_is_the_guess(void **unused)
{
    (void)unused;
    assert_string_equal(guess_after("abcdef-abc", 3), "def");
    assert_string_equal(guess_after("abcdef-abc", 2), "de");
    assert_string_equal(guess_after("xbcd1,abcd2,ybcd3;abcd", 1), "2"); /* longer before later */
    assert_string_equal(guess_after("abc1,abc2,abc3;abc", 2), "3;");    /* the latest of equals */
    assert_string_equal(guess_after("abcdef-abc", 0), "");
}

static void test_a_short_likeness_is_none(void **unused)
{
    (void)unused;
    assert_string_equal(guess_after("abcdef-bxc", 3), "");
    assert_string_equal(guess_after("abcdef-xbc", 3), "");
    assert_string_equal(guess_after("abc", 3), "");
    assert_string_equal(guess_after("", 3), "");
    assert_string_equal(guess_after("abcabc", 4), "abca"); /* the first place there can be one */
}

static void test_a_guess_goes_on_with_itself(void **unused)
{
    (void)unused;
    assert_string_equal(guess_after("xyxyxyxy", 5), "xyxyx");
    assert_string_equal(guess_after("....", 6), "......");
}

/* What the header says, word for word, and slowly. */
static size_t find_slowly(const llama_token *text, size_t n)
{
    size_t from = 0;
    for (size_t length = PAWL_LLAMA_MATCH_MAX; length >= PAWL_LLAMA_MATCH_MIN && !from; length--)
        for (size_t end = length; end < n; end++)
            if (memcmp(text + end - length, text + n - length, length * sizeof *text) == 0)
                from = end;
    return from;
}

static void test_it_agrees_with_its_definition(void **unused)
{
    (void)unused;
    struct pawl_random random;
    pawl_random_init(&random, 17);
    size_t n_found = 0, n_missed = 0;
    for (int round = 0; round < 2000; round++) {
        llama_token text[120], guess[8];
        size_t n = (size_t)pawl_random_below(&random, 120);
        uint64_t n_letters = 1 + pawl_random_below(&random, 6);
        for (size_t i = 0; i < n; i++) text[i] = (llama_token)pawl_random_below(&random, n_letters);
        size_t from = find_slowly(text, n);
        size_t n_guess = pawl_llama_lookup_find(text, n, guess, 8);
        assert_int_equal(n_guess, from ? 8 : 0);
        for (size_t i = 0; i < n_guess; i++)
            assert_int_equal(guess[i], from + i < n ? text[from + i] : guess[from + i - n]);
        n_found += from > 0;
        n_missed += from == 0;
    }
    assert_true(n_found > 300 && n_missed > 300);
}

static void test_a_guess_reaches_further_where_the_last_was_right(void **unused)
{
    (void)unused;
    struct pawl_llama_lookup lookup = {0};
    llama_token prompt[64];
    for (size_t i = 0; i < 64; i++) prompt[i] = (llama_token)(i % 32);
    for (int answer = 0; answer < 2; answer++) {      /* and the next answer begins anew */
        pawl_llama_lookup_begin(&lookup, prompt, 35); /* 0 .. 31, 0, 1, 2 */
        assert_int_equal(pawl_llama_lookup_guess(&lookup, 16), 4);
        pawl_llama_lookup_settle(&lookup, 4);
        for (llama_token t = 3; t <= 7; t++) pawl_llama_lookup_add(&lookup, t);
        assert_int_equal(pawl_llama_lookup_guess(&lookup, 16), 8);
        assert_int_equal(lookup.guess[0], 8);
        assert_int_equal(pawl_llama_lookup_guess(&lookup, 5), 5);
        pawl_llama_lookup_settle(&lookup, 16);
        assert_int_equal(pawl_llama_lookup_guess(&lookup, 100), PAWL_LLAMA_GUESS_MAX);
        pawl_llama_lookup_settle(&lookup, 0);
        assert_int_equal(pawl_llama_lookup_guess(&lookup, 16), 2);
    }
    pawl_llama_lookup_release(&lookup);
}

/* ---- Whether it pays ---------------------------------------------------------------------------- */

/* A decode of m tokens takes a + b m. */
struct machine {
    double a_us, b_us;
    struct pawl_llama_gain gain;
    double spent_us;
    size_t n_guessed;
};

static struct machine machine_of(double a_us, double b_us)
{
    struct machine machine = {.a_us = a_us, .b_us = b_us};
    pawl_llama_gain_init(&machine.gain);
    return machine;
}

/* n answers of a role write so many tokens each; every guess is of 4, of which n_right are. */
static void write_answers(struct machine *machine, enum pawl_role role, size_t n, size_t n_tokens,
                          size_t n_right)
{
    enum { GUESS = 4 };
    for (size_t written = 0; written < n_tokens;) {
        bool guesses = written > 0 && n * (1 + GUESS) < PAWL_LLAMA_GAIN_TOKENS_MAX &&
                       pawl_llama_gain_is_worth(&machine->gain, role, n);
        size_t m = guesses ? n * (1 + GUESS) : n;
        double time_us = machine->a_us + machine->b_us * (double)m;
        pawl_llama_gain_decoded(&machine->gain, m, (int64_t)time_us);
        machine->spent_us += time_us;
        machine->n_guessed += m - n;
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k <= (guesses ? n_right : 0); k++)
                pawl_llama_gain_wrote(&machine->gain, role, n);
            if (guesses) pawl_llama_gain_guessed(&machine->gain, role, n, GUESS, n_right);
        }
        written += 1 + (guesses ? n_right : 0);
    }
}

static double plain_us(const struct machine *machine, size_t n, size_t n_tokens)
{
    return (machine->a_us + machine->b_us * (double)n) * (double)n_tokens;
}

static void test_the_line_is_that_of_the_machine(void **unused)
{
    (void)unused;
    struct machine m = machine_of(44000, 9300);
    double a, b;
    assert_false(pawl_llama_gain_line(&m.gain, &a, &b));
    pawl_llama_gain_decoded(&m.gain, 3, 44000 + 3 * 9300);
    assert_false(pawl_llama_gain_line(&m.gain, &a, &b));
    pawl_llama_gain_decoded(&m.gain, 10, 44000 + 10 * 9300);
    pawl_llama_gain_decoded(&m.gain, 40, 44000 + 40 * 9300);
    pawl_llama_gain_decoded(&m.gain, 0, 1);
    pawl_llama_gain_decoded(&m.gain, 512, 1);
    assert_true(pawl_llama_gain_line(&m.gain, &a, &b));
    assert_true(a > 43990 && a < 44010 && b > 9299 && b < 9301);
    /* What went before is forgotten. */
    for (int i = 0; i < 200; i++)
        for (size_t n = 3; n < 41; n++)
            pawl_llama_gain_decoded(&m.gain, n, 1000 + 100 * (int64_t)n);
    assert_true(pawl_llama_gain_line(&m.gain, &a, &b));
    assert_true(a > 990 && a < 1010 && b > 99 && b < 101);
    /* Noise bends it no further than sense allows. */
    struct machine noisy = machine_of(0, 0);
    pawl_llama_gain_decoded(&noisy.gain, 1, 50000);
    pawl_llama_gain_decoded(&noisy.gain, 2, 40000);
    assert_true(pawl_llama_gain_line(&noisy.gain, &a, &b));
    assert_true(b < 1e-9 && a > 40000);
    noisy = machine_of(0, 0);
    pawl_llama_gain_decoded(&noisy.gain, 1, 1000);
    pawl_llama_gain_decoded(&noisy.gain, 2, 40000);
    assert_true(pawl_llama_gain_line(&noisy.gain, &a, &b));
    assert_true(a < 1e-6 && b > 0);
}

static void test_copies_pay_where_few_answers_are_written(void **unused)
{
    (void)unused;
    struct machine m = machine_of(44000, 9300);
    write_answers(&m, PAWL_ROLE_TASK, 1, 1000, 4);
    assert_true(m.spent_us < 0.45 * plain_us(&m, 1, 1000));
    double saved_us = plain_us(&m, 1, 1000) - m.spent_us; /* what the engine thinks is what it is */
    assert_true(m.gain.saved_us > 0.9 * saved_us && m.gain.saved_us < 1.1 * saved_us);
    assert_true(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 10));
    assert_false(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 60));
    assert_true(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 1)); /* nothing was forgotten */
}

static void test_the_break_even_share_is_that_of_the_rule(void **unused)
{
    (void)unused;
    /* One of four right: (a + b) / 4 against 1.25 b. */
    for (int k = -1; k <= 1; k += 2) {
        struct machine m = machine_of(4000 + 100 * k, 1000);
        write_answers(&m, PAWL_ROLE_TASK, 1, 100, 1);
        assert_int_equal(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 1), k > 0);
    }
}

static void test_guesses_that_are_wrong_are_given_up(void **unused)
{
    (void)unused;
    struct machine m = machine_of(44000, 9300);
    write_answers(&m, PAWL_ROLE_TASK, 1, PAWL_LLAMA_PAUSE_MIN, 0);
    assert_int_equal(m.n_guessed, 4 * PAWL_LLAMA_TRIAL);
    assert_true(m.gain.saved_us < 0);
    write_answers(&m, PAWL_ROLE_TASK, 1, 200000, 0);
    /* Pauses double up to their maximum: 7 + 200000 / 16384 trials. */
    assert_true(m.n_guessed <= 4 * PAWL_LLAMA_TRIAL * (8 + 200000 / PAWL_LLAMA_PAUSE_MAX));
    assert_true(m.n_guessed > 4 * PAWL_LLAMA_TRIAL * 8); /* and they go on */
    assert_true(m.spent_us < 1.002 * plain_us(&m, 1, 200000 + PAWL_LLAMA_PAUSE_MIN));
}

static void test_a_role_is_judged_alone_and_again(void **unused)
{
    (void)unused;
    struct machine m = machine_of(44000, 9300);
    write_answers(&m, PAWL_ROLE_TASK, 1, 5000, 0);
    write_answers(&m, PAWL_ROLE_REFLECT, 1, 100, 4);
    assert_false(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 1));
    assert_true(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_REFLECT, 1));
    write_answers(&m, PAWL_ROLE_TASK, 1, 10000,
                  4); /* begins to copy: seen when the pause is over */
    assert_true(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 1));
    write_answers(&m, PAWL_ROLE_TASK, 1, 100, 0); /* and ends to */
    assert_false(pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 1));
}

static void test_where_a_decode_costs_its_tokens_alone_nothing_is_guessed(void **unused)
{
    (void)unused;
    struct machine m = machine_of(1, 9300);
    write_answers(&m, PAWL_ROLE_TASK, 1, 1000, 4); /* even though all of them would be right */
    assert_int_equal(m.n_guessed, 4);              /* the one by which that was found out */
    m = machine_of(44000, 9300);
    write_answers(&m, PAWL_ROLE_TASK, 2, 10, 0);
    m.gain.roles[PAWL_ROLE_TASK].trial = PAWL_LLAMA_TRIAL;
    assert_false(
        pawl_llama_gain_is_worth(&m.gain, PAWL_ROLE_TASK, 40)); /* no trial there, either */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_followed_the_longest_end_is_the_guess),
        cmocka_unit_test(test_a_short_likeness_is_none),
        cmocka_unit_test(test_a_guess_goes_on_with_itself),
        cmocka_unit_test(test_it_agrees_with_its_definition),
        cmocka_unit_test(test_a_guess_reaches_further_where_the_last_was_right),
        cmocka_unit_test(test_the_line_is_that_of_the_machine),
        cmocka_unit_test(test_copies_pay_where_few_answers_are_written),
        cmocka_unit_test(test_the_break_even_share_is_that_of_the_rule),
        cmocka_unit_test(test_guesses_that_are_wrong_are_given_up),
        cmocka_unit_test(test_a_role_is_judged_alone_and_again),
        cmocka_unit_test(test_where_a_decode_costs_its_tokens_alone_nothing_is_guessed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pawl_arena_release(&arena);
    return failed;
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
