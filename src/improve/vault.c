/* The vault process: one request after another from the front, until the front goes away. */
#include "improve/vault.h"

#include "improve/protocol.h"

/* One answer per request: {"done":...} or {"error":...}. */
static enum pawl_status serve(struct pawl_worker *worker, const json_t *request, json_t **done,
                              struct pawl_error *err)
{
    const char *op = pawl_json_get_text(request, "op", "");
    const char *file = pawl_json_get_text(request, "file", "");
    if (strcmp(op, "seal") == 0) return pawl_vault_seal(worker, request, done, err);
    if (strcmp(op, "visible") == 0) return pawl_vault_visible(worker, done, err);
    if (strcmp(op, "check") == 0) return pawl_vault_check(worker, request, done, err);
    if (strcmp(op, "add") == 0) return pawl_vault_add(worker, file, done, err);
    if (strcmp(op, "rotate") == 0) return pawl_vault_rotate(worker, request, done, err);
    if (strcmp(op, "rotation") == 0) return pawl_vault_rotation(worker, request, done, err);
    if (strcmp(op, "opening") == 0) return pawl_vault_opening(worker, request, done, err);
    if (strcmp(op, "sizes") == 0) return pawl_vault_sizes(worker, done, err);
    if (strcmp(op, "overlap") == 0) return pawl_vault_overlap(worker, file, done, err);
    if (strcmp(op, "checkpoint") == 0) return pawl_vault_checkpoint(worker, request, done, err);
    if (strcmp(op, "attest") == 0) return pawl_vault_attest(worker, request, done, err);
    if (strcmp(op, "canaries") == 0) return pawl_vault_canaries(worker, request, done, err);
    if (strcmp(op, "burn") == 0) return pawl_vault_burn(worker, done, err);
    if (strcmp(op, "freeze") == 0) return pawl_vault_freeze(worker, request, done, err);
    if (strcmp(op, "status") == 0) return pawl_vault_status(worker, done, err);
    if (strcmp(op, "attempt") == 0) return pawl_vault_attempt(worker, request, done, err);
    if (strcmp(op, "confirm") == 0) return pawl_vault_confirm(worker, request, done, err);
    if (strcmp(op, "audit") == 0)
        return pawl_vault_audit(worker, json_object_get(request, "attempt"), done, err);
    return pawl_fail(err, PAWL_EUSAGE, "The vault does not know the request \"%.40s\".", op);
}

static enum pawl_status reply(struct pawl_worker *worker, const json_t *request,
                              struct pawl_error *err)
{
    struct pawl_error why = {0};
    json_t *done = NULL, *message;
    enum pawl_status status = serve(worker, request, &done, &why);
    if (status == PAWL_EPAUSED) return pawl_fail(err, PAWL_EPAUSED, "%s", why.message);
    if (status == PAWL_OK) {
        message = json_object();
        pawl_json_set(message, "done", done);
    } else {
        message = pawl_error_json(&why);
    }
    status = pawl_channel_send(worker->front, message, err);
    json_decref(message);
    return status;
}

int pawl_vault_main(struct pawl_worker *worker)
{
    json_t *request;
    while (pawl_channel_receive(worker->front, -1, &request, NULL) == PAWL_OK) {
        enum pawl_status status = reply(worker, request, NULL);
        json_decref(request);
        if (status != PAWL_OK) break;
    }
    return 0;
}
