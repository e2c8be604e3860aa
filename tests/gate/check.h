/* check.h - what every test of the gate needs: cmocka, arenas, and numbers that must agree. */
#ifndef TESTS_GATE_CHECK_H
#define TESTS_GATE_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* |got - want| <= tolerance, relative to the size of want when that is above 1. */
static inline void check_near_at(double got, double want, double tolerance, const char *what,
                                 const char *file, int line)
{
    if (fabs(got - want) <= tolerance * fmax(1, fabs(want))) return;
    if (isinf(want) && got == want) return;
    print_error("%s: got %.17g, want %.17g, tolerance %g\n", what, got, want, tolerance);
    _fail(file, line);
}
#define check_near(got, want, tolerance)                                                           \
    check_near_at((got), (want), (tolerance), #got, __FILE__, __LINE__)

#endif
