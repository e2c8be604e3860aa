/*
 * card.h - what an operator may touch, sees, spends and risks, on one page.
 *
 * A card is share/cards/NAME.yaml, built into the library and installed beside it. It says only what
 * the operator's own table (operators/operator.h) does not: name, version, summary, paper, roles,
 * options and known ways to fail come from the table alone, and the card that is printed joins both,
 * so that they cannot disagree. What an operator has done is in neither: that is computed from the
 * ledger (track.h).
 *
 * Invariants
 *   1. A card that is accepted has every field, no other, and names an operator that is there.
 *   2. No card lets an operator see a sealed tier: there is no word for it.
 *   3. The risk level is at least what the surface asks for (card_read.c has the table).
 *
 *     PAWL_TRY(pawl_card_read(yaml, "gepa.yaml", operators, &card, err));
 *     json_t *whole = pawl_card_join(card, pawl_card_operator(operators, "gepa"));
 */
#ifndef PAWL_IMPROVE_CARD_H
#define PAWL_IMPROVE_CARD_H

#include "base/error.h"
#include "base/json.h"

/* The cards that this library was built with; the last has no name. Generated from share/cards. */
struct pawl_card_source {
    const char *name, *file;
    const unsigned char *text;
    size_t len;
};
extern const struct pawl_card_source pawl_card_sources[];

/*
 * Takes   yaml: the card's text. file: its name, for errors. operators: the tables as the request
 *         "describe" gives them (protocol.h).
 * Gives   *card: the card as it was read (new reference).
 * Fails   PAWL_ECONFIG with file, line, column, field and, where there is one, the nearest known word.
 */
PAWL_MUST_CHECK enum pawl_status pawl_card_read(struct pawl_str yaml, const char *file,
                                                const json_t *operators, json_t **card,
                                                struct pawl_error *err);
/* Read all: *cards is a list in the order of `operators`, of which each has exactly one (new
 * reference). Fails as pawl_card_read; PAWL_ECONFIG too when one has none. */
PAWL_MUST_CHECK enum pawl_status pawl_cards_read(const struct pawl_card_source *sources,
                                                 const json_t *operators, json_t **cards,
                                                 struct pawl_error *err);
/* The lowest risk level, 0 to 4, of a kind of change (text, weights, tools, code, memory); 4 for a word
 * that is none of them. */
int pawl_card_lowest_level(const char *change);
/* The risk level, 0 to 4, that the card of this operator states; -1 when there is no such card. */
int pawl_card_level(const struct pawl_card_source *sources, const char *name);
/* The operator's table in the list; NULL: not there. Borrowed. */
const json_t *pawl_card_operator(const json_t *operators, const char *name);
/* Card and table as one object (new reference); risk.failure_modes is the table's `risks`, as a list. */
json_t *pawl_card_join(const json_t *card, const json_t *operator_table);

#endif
