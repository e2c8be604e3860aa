/*
 * calculate.h - arithmetic as people and models write it: 1,200 * 15% + sqrt(2), 2^10, 7!, max(1, 2).
 *
 * Invariants
 *   1. Numbers are fractions of 63 bits, so 0.1 + 0.2 is 0.3, for as long as they fit; what does not, and
 *      what is no fraction (sqrt(2)), is rounded, and the answer begins with "about".
 *   2. Any text gets an answer or a sentence that says what is wrong: no crash, no more depth than
 *      PAWL_CALCULATE_DEPTH, time linear in the text.
 *   3. An answer of up to 18 bytes without a space is read again as itself.
 *
 *     char answer[PAWL_CALCULATE_BYTES];
 *     if (!pawl_calculate(PAWL_STR("2 * (3 + 4)"), answer)) say(answer);
 */
#ifndef PAWL_PROGRAM_CALCULATE_H
#define PAWL_PROGRAM_CALCULATE_H

#include "base/str.h"

enum { PAWL_CALCULATE_BYTES = 160, PAWL_CALCULATE_TEXT_MAX = 2000, PAWL_CALCULATE_DEPTH = 64 };

/* The answer; or false and what is wrong. */
bool pawl_calculate(struct pawl_str expression, char answer[PAWL_CALCULATE_BYTES]);

#endif
