/*
 * collection.h - texts that a program may search: passages in one SQLite file, found by their words
 * (BM25) and, where they were given vectors, by their meaning as well.
 *
 * Invariants
 *   1. A collection is made whole and then only read. Making one again replaces the file at the end or
 *      not at all.
 *   2. A query is words and nothing else: what SQLite's own query language would understand in it is
 *      without effect.
 *   3. The order of the answers depends on the file, the query and its vector alone: rank by rank, ties
 *      by the order in which the passages were added.
 *
 * Words and vectors are joined by reciprocal rank: a passage at rank r of a list gets 1 / (60 + r), and
 * the sums are compared (Cormack, Clarke, Büttcher, SIGIR 2009). So neither score needs a scale.
 *
 *     PAWL_TRY(pawl_collection_begin("docs.db", NULL, 0, &builder, err));
 *     PAWL_TRY(pawl_collection_add(builder, &(struct pawl_passage){.id = id, .text = text}, NULL, err));
 *     PAWL_TRY(pawl_collection_finish(builder, err));
 *
 *     PAWL_TRY(pawl_collection_open("docs.db", &collection, err));
 *     PAWL_TRY(pawl_collection_search(collection, query, NULL, 5, &arena, found, &n, err));
 *     pawl_collection_close(collection);
 */
#ifndef PAWL_CODE_COLLECTION_H
#define PAWL_CODE_COLLECTION_H

#include "base/arena.h"
#include "base/error.h"

enum {
    PAWL_PASSAGE_BYTES_MAX = 1 << 20,
    PAWL_PASSAGES_MAX = 10000000,
    PAWL_FOUND_MAX = 100,
};

struct pawl_passage {
    struct pawl_str id, title, text; /* the id is unique; title may be empty */
};

struct pawl_collection_builder;
/*
 * model: which model gives the vectors, of `dimension` floats each; NULL and 0: none. Fails PAWL_EUSAGE
 * when `path` is a file that is no collection, PAWL_EWORLD.
 */
PAWL_MUST_CHECK enum pawl_status pawl_collection_begin(const char *path, const char *model,
                                                       size_t dimension,
                                                       struct pawl_collection_builder **builder,
                                                       struct pawl_error *err);
/* vector: `dimension` floats of length 1, or NULL where there are none. Fails PAWL_EUSAGE for an id that
 * is there already, an empty or an over-long text; the builder goes on. */
PAWL_MUST_CHECK enum pawl_status pawl_collection_add(struct pawl_collection_builder *builder,
                                                     const struct pawl_passage *passage,
                                                     const float *vector, struct pawl_error *err);
/* Put it in its place. Ends the builder, whatever it gives. */
PAWL_MUST_CHECK enum pawl_status pawl_collection_finish(struct pawl_collection_builder *builder,
                                                        struct pawl_error *err);
void pawl_collection_abandon(struct pawl_collection_builder *builder);

struct pawl_collection;
/* Fails PAWL_ENOTFOUND, PAWL_ECONFIG when the file is no collection (of this version). */
PAWL_MUST_CHECK enum pawl_status
pawl_collection_open(const char *path, struct pawl_collection **collection, struct pawl_error *err);
void pawl_collection_close(struct pawl_collection *collection);
size_t pawl_collection_size(const struct pawl_collection *collection);
size_t pawl_collection_dimension(const struct pawl_collection *collection);  /* 0: words alone */
const char *pawl_collection_model(const struct pawl_collection *collection); /* NULL: words alone */

/*
 * Takes   query: any text. vector: of the query, by the collection's model; NULL: words alone.
 *         k: how many at most, 1 to PAWL_FOUND_MAX.
 * Gives   found[*n], best first; texts lie in `arena`.
 * Blocks  on the disk; one search at a time in a collection, from any thread.
 * Costs   with a vector, one pass over all vectors.
 */
PAWL_MUST_CHECK enum pawl_status pawl_collection_search(struct pawl_collection *collection,
                                                        struct pawl_str query, const float *vector,
                                                        size_t k, struct pawl_arena *arena,
                                                        struct pawl_passage *found, size_t *n,
                                                        struct pawl_error *err);

#endif
