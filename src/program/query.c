#include "program/query.h"

#include <string.h>

enum pawl_status pawl_query_embed(struct pawl_lm *lm, const struct pawl_collection *collection,
                                  struct pawl_str query, struct pawl_arena *arena,
                                  const float **vector, struct pawl_error *err)
{
    const char *model = pawl_collection_model(collection), *identity;
    struct pawl_lm_vectors vectors;
    *vector = NULL;
    for (int role = 0; lm && model && role < PAWL_N_ROLES; role++) {
        if (pawl_lm_identity(lm, (enum pawl_role)role, &identity, NULL) != PAWL_OK ||
            strcmp(identity, model) != 0)
            continue;
        enum pawl_status status =
            pawl_lm_embed(lm, arena, (enum pawl_role)role, &query, 1, &vectors, err);
        if (status == PAWL_EWORLD || status == PAWL_EPAUSED) return status;
        if (status == PAWL_OK && vectors.dimension == pawl_collection_dimension(collection))
            *vector = vectors.values;
        break;
    }
    return PAWL_OK;
}
