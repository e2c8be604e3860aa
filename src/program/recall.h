/*
 * recall.h - what a candidate remembers of other cases: its lessons, a component of role memory.
 *
 *     lessons: on                       # in pawl.yaml: the component `lessons`, empty in the seed
 *
 *     [{"text":"Dates are day first.","from":"train-17","tried":2,"helped":1,"ttl":3}]
 *
 * An item is a text and what is known of it: the train case that it was learned from, how often it was left out
 * to see what it is worth, how often it was worth something, how many more runs it may live. The program shows
 * the texts, below the instruction; the rest is the operator's (operators/op_reflexion.c).
 *
 * Invariants
 *   1. At most PAWL_RECALL_ITEMS_MAX items are read, each with a text of at most PAWL_RECALL_TEXT_MAX bytes;
 *      what is more, or no list, is a fault of the candidate.
 *   2. No item is of a case that is being answered in this run: it was written before.
 */
#ifndef PAWL_PROGRAM_RECALL_H
#define PAWL_PROGRAM_RECALL_H

#include "base/arena.h"
#include "base/json.h"

enum { PAWL_RECALL_ITEMS_MAX = 64, PAWL_RECALL_TEXT_MAX = 2000 };
#define PAWL_ROLE_MEMORY "memory"

/* The instruction with the lessons below it, in `arena`; as it is where there are none. NULL, or why the
 * component's text cannot be used: then *told is the instruction. */
const char *pawl_recall_tell(struct pawl_str instruction, struct pawl_str component,
                             struct pawl_arena *arena, struct pawl_str *told);

#endif
