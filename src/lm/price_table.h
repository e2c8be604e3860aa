/*
 * price_table.h - what models cost, from a file that its user keeps. Two forms:
 *
 *     NAME.yaml   gpt-x: {prompt: 0.25, completion: 2.00, cached: 0.025, as_of: 2026-11-22}
 *                 usd per million tokens; also cache_write and source. share/prices.yaml is one.
 *     NAME.json   LiteLLM's model_prices: {"gpt-x": {"input_cost_per_token": 2.5e-7, ...}}
 *
 * A model is looked for as NAME, then as BACKEND/NAME. One that is not there has no price, and that
 * is an error: who names a table wants to know what is spent.
 */
#ifndef PAWL_LM_PRICE_TABLE_H
#define PAWL_LM_PRICE_TABLE_H

#include "lm/price.h"

/* Fill the prices that are -1. Fails PAWL_ECONFIG with file and, in err->field, "prices". */
PAWL_MUST_CHECK enum pawl_status pawl_price_table_read(const char *path, const char *backend,
                                                       const char *model,
                                                       struct pawl_lm_price *price,
                                                       struct pawl_error *err);

#endif
