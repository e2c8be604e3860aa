#include "program/calculate.h"
#include "program/fraction.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* sum: product {+|- product}. product: sign {*|/|mod sign}. sign: -|+ sign, or power. power: postfix
 * [^ sign]. postfix: primary {! | %}. primary: number, (sum), name, name(sum, ...). */
struct reader {
    const char *at, *end;
    int depth;
    int n_calls; /* that are open: a comma is theirs and parts no thousands */
    bool failed;
    char *answer; /* what is wrong */
};

static struct pawl_fraction sum(struct reader *r);
static struct pawl_fraction sign(struct reader *r);

/* The first fault is said; reading goes on to nowhere. */
static struct pawl_fraction fault(struct reader *r, const char *sentence)
{
    if (!r->failed) snprintf(r->answer, PAWL_CALCULATE_BYTES, "%s", sentence);
    r->failed = true;
    r->at = r->end;
    return pawl_fraction_of(0);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && isspace((unsigned char)*r->at)) r->at++;
}

/* Whether `sign` comes next; it is passed over. */
static bool take(struct reader *r, const char *mark)
{
    size_t n = strlen(mark);
    skip_space(r);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, mark, n) != 0) return false;
    r->at += n;
    return true;
}

static bool is_operand_next(struct reader *r)
{
    skip_space(r);
    return r->at < r->end && (isalnum((unsigned char)*r->at) || *r->at == '(' || *r->at == '.');
}

static bool has_digits(const struct reader *r, const char *at, int n)
{
    for (int i = 0; i < n; i++)
        if (at + i >= r->end || !isdigit((unsigned char)at[i])) return false;
    return true;
}

/* --- primary ------------------------------------------------------------------------------------ */

/* 12  1,234.5  .5  1e-3: its digits without commas. False when it is too long. */
static bool copy_number(struct reader *r, char *digits, size_t room)
{
    size_t n = 0;
    bool point = false, exponent = false;
    for (; r->at < r->end && n + 2 < room; r->at++) {
        char c = *r->at;
        bool thousands = c == ',' && r->n_calls == 0 && !point && !exponent &&
                         has_digits(r, r->at + 1, 3) && !has_digits(r, r->at + 1, 4);
        if (thousands) continue;
        bool signed_e = r->at + 1 < r->end && (r->at[1] == '-' || r->at[1] == '+');
        bool starts_exponent =
            (c == 'e' || c == 'E') && !exponent && has_digits(r, r->at + 1 + signed_e, 1);
        if (!isdigit((unsigned char)c) && !(c == '.' && !point && !exponent) && !starts_exponent)
            break;
        point = point || c == '.';
        digits[n++] = c;
        if (!starts_exponent) continue;
        exponent = true;
        if (signed_e) digits[n++] = *++r->at;
    }
    digits[n] = '\0';
    return n + 2 < room;
}

static struct pawl_fraction number(struct reader *r)
{
    char digits[64];
    if (!copy_number(r, digits, sizeof digits)) return fault(r, "A number has too many digits.");
    int64_t whole = 0;
    long places = 0;
    const char *c = digits;
    bool point = false;
    for (; isdigit((unsigned char)*c) || *c == '.'; c++) {
        if (*c == '.') {
            point = true;
            continue;
        }
        if (whole > (INT64_MAX - 9) / 10) return pawl_fraction_real(strtod(digits, NULL));
        whole = whole * 10 + (*c - '0');
        places += point;
    }
    long exponent = *c ? strtol(c + 1, NULL, 10) : 0;
    if (exponent > 400 || exponent < -400) return pawl_fraction_real(strtod(digits, NULL));
    struct pawl_fraction scale =
        pawl_fraction_power(pawl_fraction_of(10), pawl_fraction_of(exponent - places));
    if (!scale.exact) return pawl_fraction_real(strtod(digits, NULL));
    return pawl_fraction_multiply(pawl_fraction_of(whole), scale);
}

static struct pawl_fraction square_root(struct pawl_fraction a)
{
    if (a.exact && a.num >= 0) {
        int64_t num = llround(sqrt((double)a.num)), den = llround(sqrt((double)a.den));
        struct pawl_fraction root = pawl_fraction_multiply(
            pawl_fraction_of(num), pawl_fraction_invert(pawl_fraction_of(den)));
        struct pawl_fraction square = pawl_fraction_multiply(root, root);
        if (square.exact && pawl_fraction_compare(square, a) == 0) return root;
    }
    return pawl_fraction_real(sqrt(pawl_fraction_value(a)));
}

/* Halves go away from zero, as at school. */
static struct pawl_fraction round_to(struct pawl_fraction a, struct pawl_fraction places)
{
    struct pawl_fraction scale = pawl_fraction_power(pawl_fraction_of(10), places);
    bool negative = pawl_fraction_value(a) < 0;
    struct pawl_fraction half = pawl_fraction_invert(pawl_fraction_of(2));
    a = pawl_fraction_multiply(negative ? pawl_fraction_negate(a) : a, scale);
    a = pawl_fraction_floor(pawl_fraction_add(a, half));
    a = pawl_fraction_multiply(a, pawl_fraction_invert(scale));
    return negative ? pawl_fraction_negate(a) : a;
}

static const struct {
    const char *name;
    double (*of)(double);
} curves[] = {{"exp", exp},   {"ln", log},  {"log", log}, {"log10", log10},
              {"log2", log2}, {"sin", sin}, {"cos", cos}, {"tan", tan}};

static struct pawl_fraction apply(struct reader *r, const char *name, const struct pawl_fraction *a,
                                  size_t n)
{
    struct pawl_fraction zero = pawl_fraction_of(0);
    if (strcmp(name, "min") == 0 || strcmp(name, "max") == 0) {
        struct pawl_fraction best = a[0];
        for (size_t i = 1; i < n; i++)
            if ((pawl_fraction_compare(a[i], best) > 0) == (name[1] == 'a')) best = a[i];
        return best;
    }
    if (strcmp(name, "round") == 0 && n <= 2) return round_to(a[0], n == 2 ? a[1] : zero);
    if (strcmp(name, "log") == 0 && n == 2)
        return pawl_fraction_real(log(pawl_fraction_value(a[0])) / log(pawl_fraction_value(a[1])));
    if (n != 1) return fault(r, "A function has another number of arguments.");
    if (strcmp(name, "sqrt") == 0) return square_root(a[0]);
    if (strcmp(name, "floor") == 0) return pawl_fraction_floor(a[0]);
    if (strcmp(name, "ceil") == 0)
        return pawl_fraction_negate(pawl_fraction_floor(pawl_fraction_negate(a[0])));
    if (strcmp(name, "abs") == 0)
        return pawl_fraction_compare(a[0], zero) < 0 ? pawl_fraction_negate(a[0]) : a[0];
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (strcmp(name, curves[i].name) == 0)
            return pawl_fraction_real(curves[i].of(pawl_fraction_value(a[0])));
    return fault(r,
                 "There is no such function. Those that there are: sqrt, abs, floor, ceil, round, "
                 "min, max, exp, ln, log, log10, log2, sin, cos, tan.");
}

static struct pawl_fraction named(struct reader *r)
{
    enum { ARGUMENTS_MAX = 32 };
    struct pawl_fraction arguments[ARGUMENTS_MAX];
    char name[16];
    size_t n = 0;
    while (r->at < r->end && isalnum((unsigned char)*r->at) && n + 1 < sizeof name)
        name[n++] = (char)tolower((unsigned char)*r->at++);
    name[n] = '\0';
    if (!take(r, "(")) {
        if (strcmp(name, "pi") == 0) return pawl_fraction_real(acos(-1));
        if (strcmp(name, "e") == 0) return pawl_fraction_real(exp(1));
        return fault(r, "The calculator takes numbers and no words, e.g. 12 * (3 + 4).");
    }
    r->n_calls++;
    for (n = 0; n < ARGUMENTS_MAX;) {
        arguments[n++] = sum(r);
        if (!take(r, ",")) break;
    }
    r->n_calls--;
    if (!take(r, ")")) return fault(r, "A parenthesis is not closed.");
    return apply(r, name, arguments, n);
}

static struct pawl_fraction primary(struct reader *r)
{
    if (take(r, "(")) {
        int n_calls = r->n_calls;
        r->n_calls = 0;
        struct pawl_fraction inside = sum(r);
        r->n_calls = n_calls;
        return take(r, ")") ? inside : fault(r, "A parenthesis is not closed.");
    }
    if (!is_operand_next(r)) return fault(r, "A number is missing.");
    if (isalpha((unsigned char)*r->at)) return named(r);
    if (*r->at == '.' && !has_digits(r, r->at + 1, 1)) return fault(r, "A point stands alone.");
    return number(r);
}

/* --- operators ------------------------------------------------------------------------------------ */

static struct pawl_fraction factorial(struct reader *r, struct pawl_fraction a)
{
    if (!pawl_fraction_is_whole(a) || a.num < 0 || a.num > 170)
        return fault(r, "A factorial is of a whole number from 0 to 170.");
    struct pawl_fraction product = pawl_fraction_of(1);
    for (int64_t i = 2; i <= a.num; i++)
        product = pawl_fraction_multiply(product, pawl_fraction_of(i));
    return product;
}

/* 15% is 0.15, and 17 % 5 is a remainder: by whether a number follows. */
static bool take_percent(struct reader *r)
{
    const char *before = r->at;
    if (!take(r, "%")) return false;
    if (!is_operand_next(r)) return true;
    r->at = before;
    return false;
}

static struct pawl_fraction postfix(struct reader *r)
{
    struct pawl_fraction a = primary(r);
    while (!r->failed) {
        if (take_percent(r))
            a = pawl_fraction_multiply(a, pawl_fraction_invert(pawl_fraction_of(100)));
        else if (take(r, "!"))
            a = factorial(r, a);
        else
            break;
    }
    return a;
}

static struct pawl_fraction power(struct reader *r)
{
    struct pawl_fraction a = postfix(r);
    if (take(r, "^") || take(r, "**")) return pawl_fraction_power(a, sign(r));
    return a;
}

/* All recursion comes by here. */
static struct pawl_fraction sign(struct reader *r)
{
    if (r->depth >= PAWL_CALCULATE_DEPTH) return fault(r, "The expression is nested too deeply.");
    r->depth++;
    bool negative = take(r, "-") || take(r, "\xe2\x88\x92");
    struct pawl_fraction a = negative || take(r, "+") ? sign(r) : power(r);
    r->depth--;
    return negative ? pawl_fraction_negate(a) : a;
}

static struct pawl_fraction product(struct reader *r)
{
    struct pawl_fraction a = sign(r);
    while (!r->failed) {
        if (take(r, "*") || take(r, "\xc3\x97")) {
            a = pawl_fraction_multiply(a, sign(r));
        } else if (take(r, "/") || take(r, "\xc3\xb7")) {
            struct pawl_fraction b = sign(r);
            if (pawl_fraction_value(b) == 0) return fault(r, "That divides by zero.");
            a = pawl_fraction_multiply(a, pawl_fraction_invert(b));
        } else if (take(r, "%")) {
            struct pawl_fraction b = sign(r);
            if (pawl_fraction_value(b) == 0) return fault(r, "That divides by zero.");
            struct pawl_fraction times =
                pawl_fraction_floor(pawl_fraction_multiply(a, pawl_fraction_invert(b)));
            a = pawl_fraction_add(a, pawl_fraction_negate(pawl_fraction_multiply(b, times)));
        } else {
            break;
        }
    }
    return a;
}

static struct pawl_fraction sum(struct reader *r)
{
    struct pawl_fraction a = product(r);
    while (!r->failed) {
        if (take(r, "+"))
            a = pawl_fraction_add(a, product(r));
        else if (take(r, "-") || take(r, "\xe2\x88\x92"))
            a = pawl_fraction_add(a, pawl_fraction_negate(product(r)));
        else
            break;
    }
    return a;
}

bool pawl_calculate(struct pawl_str expression, char answer[PAWL_CALCULATE_BYTES])
{
    struct reader r = {
        .at = expression.ptr, .end = expression.ptr + expression.len, .answer = answer};
    if (expression.len > PAWL_CALCULATE_TEXT_MAX) {
        fault(&r, "The expression is longer than 2000 bytes.");
        return false;
    }
    struct pawl_fraction a = sum(&r);
    if (!r.failed) (void)take(&r, "="); /* "2 + 2 =" */
    skip_space(&r);
    if (!r.failed && r.at < r.end)
        fault(&r, "After a number comes an operator: + - * / % ^, and nothing else.");
    if (!r.failed && !isfinite(pawl_fraction_value(a)))
        fault(&r, "The result is no number, or too large for one.");
    if (!r.failed) pawl_fraction_write(a, answer, PAWL_CALCULATE_BYTES);
    return !r.failed;
}
