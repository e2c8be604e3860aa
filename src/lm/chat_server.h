/*
 * chat_server.h - a server of a chat model: its address, our key, and what to say when either is
 * wrong. For chat.c alone.
 */
#ifndef PAWL_LM_CHAT_SERVER_H
#define PAWL_LM_CHAT_SERVER_H

#include "io/http.h"
#include "lm/chat.h"

struct pawl_chat_server {
    const char *model, *base, *url; /* url: of the call */
    const char *key_variable;
    char *key_line;  /* the header; NULL without a key */
    const char *key; /* inside key_line */
    const char *headers[4];
};

/* base_url, else the first variable that is set, else the provider's. */
const char *pawl_chat_server_given(const struct pawl_chat_wire *wire,
                                   const struct pawl_chat_options *options);
/* Texts lie in `arena`, which outlives the server. A key that is wanted and absent is PAWL_EWORLD. */
PAWL_MUST_CHECK enum pawl_status pawl_chat_server_open(struct pawl_chat_server *server,
                                                       const struct pawl_chat_wire *wire,
                                                       const struct pawl_chat_options *options,
                                                       struct pawl_arena *arena,
                                                       struct pawl_error *err);
void pawl_chat_server_close(struct pawl_chat_server *server); /* the key is overwritten */

/* A server may echo what it was sent: the key in `text` is overwritten in place. */
void pawl_chat_server_scrub(const struct pawl_chat_server *server, struct pawl_str text);
/* `before` and a scrubbed copy of `text` as a reply's reason. */
const char *pawl_chat_server_reason(const struct pawl_chat_server *server, struct pawl_arena *arena,
                                    const char *before, struct pawl_str text);

/* What to say after 401 or 403, and after 404 (asks the server which models it has). */
enum pawl_status pawl_chat_server_fail_key(const struct pawl_chat_server *server,
                                           const char *reason, struct pawl_error *err);
enum pawl_status pawl_chat_server_fail_place(const struct pawl_chat_server *server,
                                             struct pawl_http *http, const char *reason,
                                             struct pawl_error *err);

#endif
