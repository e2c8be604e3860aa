/*
 * trace.h - what one module did in the case of a trace (host.h).
 */
#ifndef PAWL_OPERATORS_TRACE_H
#define PAWL_OPERATORS_TRACE_H

#include "base/json.h"

/* Where the module completed its answer; else its last request, which has no "output". NULL when it was
 * not asked. */
const json_t *pawl_trace_find(const json_t *trace, const char *module);

#endif
