#include "operators/trace.h"

#include <string.h>

const json_t *pawl_trace_find(const json_t *trace, const char *module)
{
    const json_t *last = NULL;
    for (size_t i = json_array_size(trace); i > 0; i--) {
        const json_t *entry = json_array_get(trace, i - 1);
        if (strcmp(pawl_json_get_text(entry, "module", ""), module) != 0) continue;
        if (json_object_get(entry, "output") != NULL) return entry;
        if (last == NULL) last = entry;
    }
    return last;
}
