/*
 * fraction.h - numbers that are exact while they can be: a fraction of 63 bits, or else a double.
 */
#ifndef PAWL_PROGRAM_FRACTION_H
#define PAWL_PROGRAM_FRACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pawl_fraction {
    bool exact;
    int64_t num, den; /* of an exact one: in lowest terms, den > 0, |num| <= INT64_MAX */
    double real;      /* of any other */
};
struct pawl_fraction pawl_fraction_of(int64_t whole);
struct pawl_fraction pawl_fraction_real(double real);
double pawl_fraction_value(struct pawl_fraction a);
bool pawl_fraction_is_whole(struct pawl_fraction a); /* exact, without a fraction */

struct pawl_fraction pawl_fraction_add(struct pawl_fraction a, struct pawl_fraction b);
struct pawl_fraction pawl_fraction_negate(struct pawl_fraction a);
struct pawl_fraction pawl_fraction_multiply(struct pawl_fraction a, struct pawl_fraction b);
struct pawl_fraction pawl_fraction_invert(struct pawl_fraction a); /* 1/0 is a real infinity */
struct pawl_fraction pawl_fraction_power(struct pawl_fraction a, struct pawl_fraction b);
struct pawl_fraction pawl_fraction_floor(struct pawl_fraction a);
int pawl_fraction_compare(struct pawl_fraction a, struct pawl_fraction b);
/* 0.25; 0.333333333333333 (1/3); about 1.4142135623731. Finite ones alone. */
void pawl_fraction_write(struct pawl_fraction a, char *out, size_t room);

#endif
