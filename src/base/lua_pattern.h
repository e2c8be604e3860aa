/*
 * lua_pattern.h - Lua 5.4's patterns (manual, section 6.4.1) with a budget of steps.
 *
 * The matcher of the standard library backtracks without any limit, and no hook runs inside it. This
 * one counts. A pattern has no alternatives and repeats nothing but single characters, so it is a
 * row of items, each with at most one thing to take back: matching goes forward along the row and,
 * when an item fails, back to the last one that can still take fewer (or more) characters. There is
 * no recursion, and memory is a few words per item.
 *
 * Invariants
 *   1. What a match finds is what Lua 5.4 finds. A malformed item is an error when it is reached, as
 *      there; an unfinished capture always is one.
 *   2. Every item entered, taken back or passed over, and every character looked at, is a step.
 *
 *     struct pawl_pattern *pattern = pawl_pattern_init(memory, text);   memory of pawl_pattern_bytes
 *     struct pawl_match match = {.subject = subject, .steps_left = 1000000};
 *     switch (pawl_pattern_match(pattern, &match, start)) ...
 */
#ifndef PAWL_BASE_LUA_PATTERN_H
#define PAWL_BASE_LUA_PATTERN_H

#include "base/str.h"

#include <stdint.h>

enum { PAWL_PATTERN_CAPTURES_MAX = 32 };

struct pawl_pattern;
/* Room for the items of `text`; aligned as malloc aligns. */
size_t pawl_pattern_bytes(struct pawl_str text);
/* `memory` is the pattern from then on; `text` is not kept. Never fails: see invariant 1. */
struct pawl_pattern *pawl_pattern_init(void *memory, struct pawl_str text);

struct pawl_capture {
    size_t start, end; /* bytes of the subject */
    bool is_position;  /* "()": start alone counts */
};
struct pawl_match {
    struct pawl_str subject;
    int64_t steps_left; /* in and out */
    size_t end;         /* of the match */
    int n_captures;
    struct pawl_capture captures[PAWL_PATTERN_CAPTURES_MAX];
    char fault[64]; /* what is wrong with the pattern */
};
enum pawl_matched { PAWL_MATCH_NONE, PAWL_MATCH_FOUND, PAWL_MATCH_FAULT, PAWL_MATCH_OUT_OF_STEPS };
/* Match at `start` exactly (the anchor ^ is the caller's). One pattern serves one thread. */
enum pawl_matched pawl_pattern_match(struct pawl_pattern *pattern, struct pawl_match *match,
                                     size_t start);

#endif
