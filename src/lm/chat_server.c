#include "lm/chat_server.h"

#include "lm/endpoint.h"
#include "lm/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 4096, KEY_MIN = 8 /* a shorter one could be a word of an answer */ };

const char *pawl_chat_server_given(const struct pawl_chat_wire *wire,
                                   const struct pawl_chat_options *options)
{
    if (options->base_url) return options->base_url;
    for (const char *const *name = wire->base_variables; *name; name++) {
        const char *url = getenv(*name);
        if (url && *url) return url;
    }
    return wire->default_base;
}

/* --- the key ---------------------------------------------------------------------------------- */

/* A local server needs no key: one is wanted when it was named, or at the provider itself. */
static enum pawl_status read_key(struct pawl_chat_server *server, const struct pawl_chat_wire *wire,
                                 bool wanted, struct pawl_error *err)
{
    const char *key = getenv(server->key_variable);
    if (!key || !*key) {
        if (!wanted) return PAWL_OK;
        pawl_fail(err, PAWL_EWORLD, "The environment variable %s, which holds the key, is not set.",
                  server->key_variable);
        pawl_hint(err, "export %s=... in the shell that starts pawl.", server->key_variable);
        return PAWL_EWORLD;
    }
    size_t len = strlen(key), before = strlen(wire->key_header);
    bool clean = len >= KEY_MIN && len <= KEY_MAX;
    for (size_t i = 0; i < len && clean; i++) clean = key[i] > 0x20 && key[i] < 0x7f;
    if (!clean) {
        pawl_fail(err, PAWL_EWORLD, "The environment variable %s does not hold a key.",
                  server->key_variable);
        pawl_hint(err, "A key is 8 to 4096 printable characters without spaces.");
        return PAWL_EWORLD;
    }
    server->key_line = pawl_xmalloc(before + len + 1);
    memcpy(server->key_line, wire->key_header, before);
    memcpy(server->key_line + before, key, len + 1);
    server->key = server->key_line + before;
    return PAWL_OK;
}

void pawl_chat_server_scrub(const struct pawl_chat_server *server, struct pawl_str text)
{
    if (!server->key || text.len == 0) return;
    size_t len = strlen(server->key);
    char *at = (char *)(uintptr_t)text.ptr;
    for (char *end = at + text.len; (at = memmem(at, (size_t)(end - at), server->key, len));)
        memset(at, '*', len);
}

const char *pawl_chat_server_reason(const struct pawl_chat_server *server, struct pawl_arena *arena,
                                    const char *before, struct pawl_str text)
{
    struct pawl_str copy = pawl_arena_copy(arena, text);
    pawl_chat_server_scrub(server, copy); /* before it is shortened: half a key is a secret too */
    return pawl_lm_reason(arena, before, copy);
}

/* --- opening ---------------------------------------------------------------------------------- */

enum pawl_status pawl_chat_server_open(struct pawl_chat_server *server,
                                       const struct pawl_chat_wire *wire,
                                       const struct pawl_chat_options *options,
                                       struct pawl_arena *arena, struct pawl_error *err)
{
    const char *given = pawl_chat_server_given(wire, options);
    *server = (struct pawl_chat_server){.model = options->model};
    PAWL_TRY(pawl_endpoint_check(given, err));
    server->base = pawl_endpoint_base(arena, given, wire->path);
    server->url = pawl_arena_printf(arena, "%s%s", server->base, wire->path);
    server->key_variable = options->key_env ? options->key_env : wire->default_key_variable;
    bool wanted = options->key_env || strcmp(server->base, wire->default_base) == 0;
    PAWL_TRY(read_key(server, wire, wanted, err));
    size_t n = 0;
    server->headers[n++] = "Content-Type: application/json";
    if (wire->further_header) server->headers[n++] = wire->further_header;
    if (server->key_line) server->headers[n++] = server->key_line;
    return PAWL_OK;
}

void pawl_chat_server_close(struct pawl_chat_server *server)
{
    if (!server->key_line) return;
    explicit_bzero(server->key_line, strlen(server->key_line));
    free(server->key_line);
}

/* --- what is wrong ---------------------------------------------------------------------------- */

enum pawl_status pawl_chat_server_fail_key(const struct pawl_chat_server *server,
                                           const char *reason, struct pawl_error *err)
{
    pawl_fail(err, PAWL_EWORLD, "%s", reason);
    if (server->key)
        pawl_hint(err, "The key in the environment variable %s is refused: check it.",
                  server->key_variable);
    else
        pawl_hint(err, "Set the environment variable %s to the key.", server->key_variable);
    return PAWL_EWORLD;
}

/* The list of GET /models: {"data":[{"id"}]}. NULL when there is none. New reference. */
static json_t *ask_models(const struct pawl_chat_server *server, struct pawl_http *http,
                          struct pawl_arena *arena)
{
    enum { LIST_MAX = 1 << 20, TIMEOUT_MS = 10 * 1000 };
    const struct pawl_http_request request = {
        .url = pawl_arena_printf(arena, "%s/models", server->base),
        .headers = server->headers,
        .timeout_ms = TIMEOUT_MS,
        .in_flight_max = 1,
        .limit_bytes = LIST_MAX};
    struct pawl_http_reply reply;
    json_t *object = NULL;
    pawl_http_all(http, arena, &request, 1, &reply);
    if (reply.outcome != PAWL_HTTP_ANSWERED || reply.status != 200) return NULL;
    pawl_chat_server_scrub(server, reply.body);
    if (pawl_json_parse(reply.body, LIST_MAX, &object, NULL) != PAWL_OK) return NULL;
    json_t *list = json_incref(json_object_get(object, "data"));
    json_decref(object);
    return list;
}

static enum pawl_status fail_model(const struct pawl_chat_server *server, const json_t *list,
                                   struct pawl_error *err)
{
    enum { SHOWN_MAX = 200, NAMES_MAX = 256 };
    const char *names[NAMES_MAX];
    size_t n = 0, i;
    const json_t *item;
    struct pawl_buf all = PAWL_BUF(SHOWN_MAX);
    json_array_foreach(list, i, item)
    {
        const char *name = pawl_json_get_text(item, "id", NULL);
        if (!name || n == NAMES_MAX) continue;
        names[n++] = name;
        pawl_buf_printf(&all, "%s%s", all.len > 0 ? ", " : "", name);
    }
    const char *nearest = pawl_nearest_word(server->model, names, n);
    pawl_fail_at(err, PAWL_EWORLD, NULL, 0, "model", "The server at %.100s has no model \"%.80s\".",
                 server->base, server->model);
    if (nearest)
        pawl_hint(err, "Did you mean %s?", nearest);
    else
        pawl_hint(err, "It has: %s%s.", all.len > 0 ? all.data : "none",
                  all.overflowed ? ", ..." : "");
    pawl_buf_release(&all);
    return PAWL_EWORLD;
}

static bool has_model(const json_t *list, const char *name)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i,
                       item) if (strcmp(pawl_json_get_text(item, "id", ""), name) == 0) return true;
    return false;
}

enum pawl_status pawl_chat_server_fail_place(const struct pawl_chat_server *server,
                                             struct pawl_http *http, const char *reason,
                                             struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    json_t *list = ask_models(server, http, &scratch);
    enum pawl_status status = PAWL_EWORLD;
    if (json_is_array(list) && !has_model(list, server->model)) {
        status = fail_model(server, list, err);
    } else {
        pawl_fail_at(err, status, NULL, 0, "base_url", "There is no chat API at %.150s. %s",
                     server->url, reason);
        pawl_hint(err, "Set base_url to where the API begins, e.g. http://localhost:11434/v1.");
    }
    json_decref(list);
    pawl_arena_release(&scratch);
    return status;
}
