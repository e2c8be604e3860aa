/*
 * query.h - what is looked for in a collection, as a vector: of the role whose model made the collection's own.
 * Words are searched in any case; vectors only where the same model is at hand.
 */
#ifndef PAWL_PROGRAM_QUERY_H
#define PAWL_PROGRAM_QUERY_H

#include "code/collection.h"
#include "lm/lm.h"

/* Gives *vector in `arena`; NULL where no role's model made the collection, or it cannot read the query. Fails
 * PAWL_EWORLD or PAWL_EPAUSED when asking again later may help. `lm` may be NULL. */
PAWL_MUST_CHECK enum pawl_status pawl_query_embed(struct pawl_lm *lm,
                                                  const struct pawl_collection *collection,
                                                  struct pawl_str query, struct pawl_arena *arena,
                                                  const float **vector, struct pawl_error *err);

#endif
