/*
 * tried.h - which candidates were looked at before: a text that comes up again is not paid for again.
 *
 *     struct pawl_tried tried = {.arena = pawl_host_arena(host)};
 *     if (pawl_tried_note(&tried, child)) look at it
 */
#ifndef PAWL_OPERATORS_TRIED_H
#define PAWL_OPERATORS_TRIED_H

#include "base/arena.h"

#include <stdint.h>

struct pawl_tried {
    struct pawl_arena *arena; /* as long as the run */
    bool *seen;               /* [n], by candidate number */
    size_t n;
};

/* True the first time. */
bool pawl_tried_note(struct pawl_tried *tried, uint32_t candidate);

#endif
