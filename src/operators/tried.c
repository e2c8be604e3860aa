#include "operators/tried.h"

#include <string.h>

bool pawl_tried_note(struct pawl_tried *tried, uint32_t candidate)
{
    if (candidate >= tried->n) {
        size_t n = 2 * ((size_t)candidate + 32);
        bool *seen = PAWL_NEW_N(tried->arena, bool, n);
        if (tried->n > 0) memcpy(seen, tried->seen, tried->n * sizeof *seen);
        tried->seen = seen;
        tried->n = n;
    }
    bool is_first = !tried->seen[candidate];
    tried->seen[candidate] = true;
    return is_first;
}
