/*
 * yaml.h - a YAML file as a JSON value, with the place of every field.
 *
 * A strict subset: one document, maps with plain string keys, no anchors, aliases, tags or
 * duplicate keys; scalars follow the YAML 1.2 core schema (so `no` is a string). Everything above
 * works on JSON and names a wrong field by its path; pawl_yaml_locate turns the path into a line.
 *
 *     PAWL_TRY(pawl_yaml_parse(text, "pawl.yaml", &json, &places, err));
 *     if (check(json, err) != PAWL_OK) pawl_yaml_locate(places, err);
 */
#ifndef PAWL_BASE_YAML_H
#define PAWL_BASE_YAML_H

#include "base/error.h"
#include "base/json.h"

struct pawl_yaml_places; /* where each field stands */

/* Gives *out (new reference) and *places (pawl_yaml_places_free). Fails PAWL_ECONFIG with
 * file, line, column and a hint. At most 1 MiB, depth 64. */
PAWL_MUST_CHECK enum pawl_status pawl_yaml_parse(struct pawl_str text, const char *file,
                                                 json_t **out, struct pawl_yaml_places **places,
                                                 struct pawl_error *err);
/* Fill file, line and column of err from err->field (path a.b.0.c; the nearest known parent). */
void pawl_yaml_locate(const struct pawl_yaml_places *places, struct pawl_error *err);
void pawl_yaml_places_free(struct pawl_yaml_places *places);

#endif
