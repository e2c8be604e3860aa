/*
 * front_confirm.h - confirmations, for the verbs that ask for one or show it (front_confirm.c).
 *
 *     json_t *body;
 *     PAWL_TRY(pawl_front_confirm(call, hex, wait_ms, &body, err));
 *     json_t *said = pawl_front_confirmation_json(body);        {"answer":"stable",...}
 */
#ifndef PAWL_IMPROVE_FRONT_CONFIRM_H
#define PAWL_IMPROVE_FRONT_CONFIRM_H

#include "improve/front.h"

/*
 * Ask for the confirmation of what the gate promoted, record it, and on harm put back what it replaced.
 *
 * Gives   *body: of the record (new reference), also of one that was recorded before.
 * Fails   PAWL_EUSAGE when the gate did not promote it, it is not in force, or no fresh cases are left;
 *         PAWL_EUNDECIDED when the world failed, PAWL_EWORLD when its turn does not come in time.
 */
PAWL_MUST_CHECK enum pawl_status pawl_front_confirm(struct pawl_call *call, const char *hex,
                                                    int64_t wait_ms, json_t **body,
                                                    struct pawl_error *err);
/* {confirmation,attempt,candidate,incumbent,answer,level,clusters,n_planned,rolled_back}. New reference. */
json_t *pawl_front_confirmation_json(const json_t *body);
/* The newest record's body about this attempt (new reference); NULL: it was not confirmed. */
PAWL_MUST_CHECK enum pawl_status pawl_front_confirmation_of(struct pawl_project *project,
                                                            int64_t attempt, json_t **body,
                                                            struct pawl_error *err);

#endif
