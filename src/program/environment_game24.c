/*
 * The Game of 24: four numbers, each to be used once, with + - * / to make 24.
 *
 * An action is an expression over the numbers that are left, such as "10 - 4" or "(10 - 4) * (13 - 9)", with or
 * without "= 6" behind it: the numbers in it are used up, and what it gives is left in their place. A fraction that is
 * left is written as it is shown, 8/3. All numbers are exact; the game is over with one left, and won if that is 24.
 */
#include "program/environment.h"
#include "program/fraction.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS_MAX = 8, NUMBER_BYTES = 48, DEPTH_MAX = 32, WANTED = 24, WHOLE_MAX = 1000000 };

struct game {
    struct pawl_fraction left[NUMBERS_MAX];
    size_t n;
};

/* --- numbers ---------------------------------------------------------------------------------------- */

/* 7, -7, or 8/3. */
static void write_number(struct pawl_fraction a, char out[NUMBER_BYTES])
{
    if (a.den == 1)
        snprintf(out, NUMBER_BYTES, "%lld", (long long)a.num);
    else
        snprintf(out, NUMBER_BYTES, "%lld/%lld", (long long)a.num, (long long)a.den);
}

static struct pawl_fraction fraction_of(int64_t num, int64_t den)
{
    return pawl_fraction_multiply(pawl_fraction_of(num),
                                  pawl_fraction_invert(pawl_fraction_of(den)));
}

static bool read_digits(const char **at, const char *end, int64_t *value)
{
    int64_t n = 0;
    const char *p = *at;
    for (; p < end && isdigit((unsigned char)*p); p++) {
        n = n * 10 + (*p - '0');
        if (n > WHOLE_MAX) return false;
    }
    if (p == *at) return false;
    *value = n;
    *at = p;
    return true;
}

/* --- an expression ---------------------------------------------------------------------------------- */

/* sum: product {+|- product}. product: part {*|/ part}. part: - part, (sum), or a number that is left. */
struct reader {
    const char *at, *end;
    const struct game *game;
    bool used[NUMBERS_MAX];
    size_t n_used;
    int depth;
    const char *fault; /* the first; NULL: none */
};

static struct pawl_fraction sum(struct reader *r);

static struct pawl_fraction fail(struct reader *r, const char *why)
{
    if (!r->fault) r->fault = why;
    r->at = r->end;
    return pawl_fraction_of(0);
}

static char next_sign(struct reader *r)
{
    while (r->at < r->end && isspace((unsigned char)*r->at)) r->at++;
    return r->at < r->end ? *r->at : '\0';
}

static bool use(struct reader *r, struct pawl_fraction number)
{
    for (size_t i = 0; i < r->game->n; i++) {
        if (r->used[i] || pawl_fraction_compare(r->game->left[i], number) != 0) continue;
        r->used[i] = true;
        r->n_used++;
        return true;
    }
    return false;
}

/* 8/3 is one number where it is left, and a quotient of two where it is not. */
static struct pawl_fraction number(struct reader *r)
{
    int64_t num, den;
    if (!read_digits(&r->at, r->end, &num)) return fail(r, "A number is too large.");
    const char *behind = r->at + 1;
    if (r->at < r->end && *r->at == '/' && read_digits(&behind, r->end, &den) && den > 1) {
        struct pawl_fraction quotient = fraction_of(num, den);
        if (quotient.exact && !pawl_fraction_is_whole(quotient) && use(r, quotient)) {
            r->at = behind;
            return quotient;
        }
    }
    struct pawl_fraction whole = pawl_fraction_of(num);
    return use(r, whole) ? whole
                         : fail(r, "It uses a number that is not left, or more often than it is.");
}

static struct pawl_fraction part(struct reader *r)
{
    struct pawl_fraction value;
    char sign = next_sign(r);
    if (++r->depth > DEPTH_MAX) return fail(r, "It is nested too deeply.");
    if (sign == '-') {
        r->at++;
        value = pawl_fraction_negate(part(r));
    } else if (sign == '(') {
        r->at++;
        value = sum(r);
        if (next_sign(r) == ')')
            r->at++;
        else
            value = fail(r, "A bracket is not closed.");
    } else if (isdigit((unsigned char)sign)) {
        value = number(r);
    } else {
        value = fail(r, "It is no expression of numbers, + - * / and brackets.");
    }
    r->depth--;
    return value;
}

static struct pawl_fraction product(struct reader *r)
{
    struct pawl_fraction value = part(r);
    for (char sign; (sign = next_sign(r)) == '*' || sign == '/';) {
        r->at++;
        struct pawl_fraction other = part(r);
        if (sign == '/' && pawl_fraction_compare(other, pawl_fraction_of(0)) == 0)
            return fail(r, "It divides by zero.");
        value = pawl_fraction_multiply(value, sign == '/' ? pawl_fraction_invert(other) : other);
    }
    return value;
}

static struct pawl_fraction sum(struct reader *r)
{
    struct pawl_fraction value = product(r);
    for (char sign; (sign = next_sign(r)) == '+' || sign == '-';) {
        r->at++;
        struct pawl_fraction other = product(r);
        value = pawl_fraction_add(value, sign == '-' ? pawl_fraction_negate(other) : other);
    }
    return value;
}

/* --- the game ----------------------------------------------------------------------------------------- */

static const char *reset(const json_t *input, struct pawl_arena *arena, void **episode)
{
    static const char fault[] = "The input is not 2 to 8 whole numbers with spaces between them.";
    struct game *game = PAWL_NEW(arena, struct game);
    struct pawl_str text = pawl_environment_text(input);
    const char *at = text.ptr, *end = text.ptr ? text.ptr + text.len : NULL;
    while (at && at < end) {
        int64_t value;
        if (isspace((unsigned char)*at) || *at == ',') {
            at++;
            continue;
        }
        if (game->n == NUMBERS_MAX || !read_digits(&at, end, &value)) return fault;
        game->left[game->n++] = pawl_fraction_of(value);
    }
    *episode = game;
    return game->n >= 2 ? NULL : fault;
}

static struct pawl_str observe(const void *episode, struct pawl_arena *arena)
{
    const struct game *game = episode;
    struct pawl_buf text = PAWL_BUF(1024);
    pawl_buf_add(&text, "Numbers left:");
    for (size_t i = 0; i < game->n; i++) {
        char number_text[NUMBER_BYTES];
        write_number(game->left[i], number_text);
        pawl_buf_printf(&text, " %s", number_text);
    }
    if (game->n == 1)
        pawl_buf_add(&text, pawl_fraction_compare(game->left[0], pawl_fraction_of(WANTED)) == 0
                                ? ". It is 24."
                                : ". It is not 24.");
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

/* The numbers that were used make room for what they gave. */
static void replace(struct game *game, const struct reader *r, struct pawl_fraction value)
{
    size_t n = 0;
    for (size_t i = 0; i < game->n; i++)
        if (!r->used[i]) game->left[n++] = game->left[i];
    game->left[n++] = value;
    game->n = n;
}

static struct pawl_str act(void *episode, struct pawl_str action, struct pawl_arena *arena)
{
    struct game *game = episode;
    struct pawl_str rest = action, expression = action;
    if (game->n == 1) return PAWL_STR("The game is over.");
    if (action.len > PAWL_ACTION_BYTES_MAX) return PAWL_STR("It is longer than 500 bytes.");
    (void)pawl_str_split(&rest, '=', &expression);
    struct reader r = {.at = expression.ptr, .end = expression.ptr + expression.len, .game = game};
    struct pawl_fraction value = sum(&r);
    if (!r.fault && next_sign(&r) != '\0')
        r.fault = "It is no expression of numbers, + - * / and brackets.";
    if (!r.fault && r.n_used < 2) r.fault = "It has to use two numbers at least.";
    if (!r.fault && !value.exact) r.fault = "It gives a number that is too large.";
    if (r.fault) {
        struct pawl_str left = observe(game, arena);
        return pawl_str_of(
            pawl_arena_printf(arena, "%s " PAWL_STR_FMT, r.fault, PAWL_STR_ARG(left)));
    }
    replace(game, &r, value);
    return observe(game, arena);
}

static bool score(const void *episode, double *value)
{
    const struct game *game = episode;
    *value = game->n == 1 && pawl_fraction_compare(game->left[0], pawl_fraction_of(WANTED)) == 0;
    return game->n == 1;
}

const struct pawl_environment_kind pawl_environment_game24 = {
    .api = PAWL_ENVIRONMENT_API,
    .name = "game24",
    .summary = "numbers that are to make 24 with + - * /, each used once",
    .reset = reset,
    .observe = observe,
    .act = act,
    .score = score,
};
