/*
 * number.h - the last number in a text, as people and models write numbers: 1,234.5 or -3e4 or 12 %.
 */
#ifndef PAWL_PROGRAM_NUMBER_H
#define PAWL_PROGRAM_NUMBER_H

#include "base/str.h"

/* NAN when there is none. The 3 of "x3" is none; a comma between digits is left out. */
double pawl_last_number(struct pawl_str text);

#endif
