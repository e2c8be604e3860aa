/*
 * trigger.h - when to act on live traffic: a drift alarm, and who meets a canary.
 *
 *     double s = 0;
 *     s = pawl_cusum_step(s, score, 0.8, 0.1);        alarm when s >= h
 *     if (pawl_canary_fraction(salt, user) < percent / 100) ...serve the canary
 */
#ifndef PAWL_GATE_TRIGGER_H
#define PAWL_GATE_TRIGGER_H

#include "base/str.h"

/* One-sided CUSUM (Page 1954): max(0, s + (mu0 - x) - slack) rises while x stays below mu0. */
double pawl_cusum_step(double s, double x, double mu0, double slack);

/* A number in [0, 1) that depends on salt and unit alone: the first 8 bytes, big-endian, of
 * SHA-256(salt "|" unit), over 2^64. A new salt draws a new group. */
double pawl_canary_fraction(struct pawl_str salt, struct pawl_str unit);

#endif
