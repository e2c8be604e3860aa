#include "program/fraction.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 wide;
enum { DECIMALS_MAX = 18, SHOWN_MAX = 1000000000 };

static wide magnitude(wide a)
{
    return a < 0 ? -a : a;
}

/* num / den in lowest terms, or rounded where it does not fit. den is not 0. */
static struct pawl_fraction reduce(wide num, wide den)
{
    wide a = magnitude(num), b = magnitude(den);
    while (b != 0) {
        wide rest = a % b;
        a = b;
        b = rest;
    }
    num /= a;
    den /= a;
    if (den < 0) {
        num = -num;
        den = -den;
    }
    if (magnitude(num) > INT64_MAX || den > INT64_MAX)
        return pawl_fraction_real((double)num / (double)den);
    return (struct pawl_fraction){true, (int64_t)num, (int64_t)den, 0};
}

struct pawl_fraction pawl_fraction_of(int64_t whole)
{
    return reduce(whole, 1);
}

struct pawl_fraction pawl_fraction_real(double real)
{
    return (struct pawl_fraction){.real = real};
}

double pawl_fraction_value(struct pawl_fraction a)
{
    return a.exact ? (double)a.num / (double)a.den : a.real;
}

bool pawl_fraction_is_whole(struct pawl_fraction a)
{
    return a.exact && a.den == 1;
}

struct pawl_fraction pawl_fraction_add(struct pawl_fraction a, struct pawl_fraction b)
{
    if (!a.exact || !b.exact)
        return pawl_fraction_real(pawl_fraction_value(a) + pawl_fraction_value(b));
    return reduce((wide)a.num * b.den + (wide)b.num * a.den, (wide)a.den * b.den);
}

struct pawl_fraction pawl_fraction_negate(struct pawl_fraction a)
{
    a.num = -a.num;
    a.real = -a.real;
    return a;
}

struct pawl_fraction pawl_fraction_multiply(struct pawl_fraction a, struct pawl_fraction b)
{
    if (!a.exact || !b.exact)
        return pawl_fraction_real(pawl_fraction_value(a) * pawl_fraction_value(b));
    return reduce((wide)a.num * b.num, (wide)a.den * b.den);
}

struct pawl_fraction pawl_fraction_invert(struct pawl_fraction a)
{
    if (!a.exact || a.num == 0) return pawl_fraction_real(1 / pawl_fraction_value(a));
    return reduce(a.den, a.num);
}

/* A whole exponent by squaring; any other is rounded. */
struct pawl_fraction pawl_fraction_power(struct pawl_fraction a, struct pawl_fraction b)
{
    if (!a.exact || !pawl_fraction_is_whole(b))
        return pawl_fraction_real(pow(pawl_fraction_value(a), pawl_fraction_value(b)));
    struct pawl_fraction result = pawl_fraction_of(1), square = a;
    if (b.num < 0) square = pawl_fraction_invert(a);
    for (uint64_t left = (uint64_t)(b.num < 0 ? -b.num : b.num); left > 0; left >>= 1) {
        if (left & 1) result = pawl_fraction_multiply(result, square);
        if (left > 1) square = pawl_fraction_multiply(square, square);
    }
    if (result.exact) return result;
    return pawl_fraction_real(pow(pawl_fraction_value(a), pawl_fraction_value(b)));
}

struct pawl_fraction pawl_fraction_floor(struct pawl_fraction a)
{
    if (!a.exact) return pawl_fraction_real(floor(a.real));
    int64_t whole = a.num / a.den;
    return pawl_fraction_of(whole - (a.num % a.den < 0));
}

int pawl_fraction_compare(struct pawl_fraction a, struct pawl_fraction b)
{
    if (a.exact && b.exact) {
        wide left = (wide)a.num * b.den, right = (wide)b.num * a.den;
        return (left > right) - (left < right);
    }
    double left = pawl_fraction_value(a), right = pawl_fraction_value(b);
    return (left > right) - (left < right);
}

/* --- writing ------------------------------------------------------------------------------------ */

/* How many digits after the point write a / den; -1: no number of them, or too many. */
static int decimals_of(int64_t den)
{
    int twos = 0, fives = 0;
    for (; den % 2 == 0; den /= 2) twos++;
    for (; den % 5 == 0; den /= 5) fives++;
    int n = twos > fives ? twos : fives;
    return den == 1 && n <= DECIMALS_MAX ? n : -1;
}

static void write_decimal(struct pawl_fraction a, int n_decimals, char *out, size_t room)
{
    char digits[64];
    wide scaled = magnitude(a.num);
    size_t at = sizeof digits;
    for (int i = 0; i < n_decimals; i++) scaled *= 10;
    scaled /= a.den;
    digits[--at] = '\0';
    for (int n = 0; n <= n_decimals || scaled > 0; n++) {
        if (n > 0 && n == n_decimals) digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(scaled % 10));
        scaled /= 10;
    }
    snprintf(out, room, "%s%s", a.num < 0 ? "-" : "", digits + at);
}

void pawl_fraction_write(struct pawl_fraction a, char *out, size_t room)
{
    PAWL_ASSERT(a.exact || isfinite(a.real));
    int n_decimals = a.exact ? decimals_of(a.den) : -1;
    if (n_decimals >= 0)
        write_decimal(a, n_decimals, out, room);
    else if (a.exact && a.den < SHOWN_MAX)
        snprintf(out, room, "%.15g (%lld/%lld)", pawl_fraction_value(a), (long long)a.num,
                 (long long)a.den);
    else
        snprintf(out, room, "about %.15g", pawl_fraction_value(a));
}
