/*
 * backend_script.c - a model that is a Lua file: a deterministic stand-in for tests, simulations
 * and demos without weights.
 *
 *     function complete(request)            -- messages, role, model, max_tokens, temperature, ...
 *         if random(request) < 0.1 then return {error = "missing: overloaded"} end
 *         return request.messages[#request.messages].content:upper()
 *     end
 *
 * complete returns a text, or a table
 *     text               the answer
 *     prompt_tokens, completion_tokens   default: a quarter of the bytes
 *     delay_ms           the answer comes after so long (of a batch: all wait together)
 *     choice_logprobs    one number per choice
 *     truncated          true: the answer ended at max_tokens
 *     error              no answer: a text, or {kind = "missing"|"failed", text = ...}. A text that
 *                        begins with "missing" is the world's fault, any other the candidate's
 * Its vectors of texts need no line of Lua: every word and every two words in a row, letters a to z in
 * lower case, are hashed to a place and a sign among SCRIPT_DIMENSION numbers and summed. Texts that
 * share words lie near each other whatever they mean; the same text has the same vector everywhere.
 *
 * random(request) is in [0,1) and depends on the request, the model's name and the seed alone;
 * random(request, "label") gives further, independent numbers. What the script may do otherwise:
 * base/lua_state.h.
 */
#include "base/lua_state.h"
#include "base/random.h"
#include "io/file.h"
#include "lm/backend.h"
#include "lm/price.h"
#include "lm/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCRIPT_MAX = 4 << 20,
    DELAY_MAX_MS = 3600 * 1000,
    SCRIPT_DIMENSION = 256,
    EMBED_WORDS_MAX = 8192, /* as models have a context */
};

struct script_options {
    const char *file;
    int64_t concurrency;
    struct pawl_lm_price price;
};
static const struct pawl_option script_options[] = {
    {.name = "file",
     .type = PAWL_OPTION_TEXT,
     .offset = offsetof(struct script_options, file),
     .help = "the Lua file that defines complete(request)",
     .required = true},
    PAWL_OPT_INT(struct script_options, concurrency, "0", 0, 100000,
                 "requests at a time; 0: as many as come"),
    PAWL_LM_PRICE_OPTIONS(struct script_options, price),
    {0}};

struct script_model {
    struct pawl_lua *lua;
    struct pawl_lm_price price;
    const char *name, *identity;
    char *random_name; /* what random() depends on besides the request */
    atomic_bool canceled;
    struct pawl_arena arena;
};

/* One request on its way through Lua. */
struct script_ask {
    const struct script_model *model;
    const struct pawl_lm_request *request;
    struct pawl_lm_reply *reply;
    struct pawl_arena *arena;
    int64_t delay_ms;
    bool has_key;
    struct pawl_hash key; /* of the request, for random() */
};

/* --- the request as a Lua table --------------------------------------------------------------- */

static void push_str(lua_State *L, struct pawl_str text)
{
    lua_pushlstring(L, text.ptr ? text.ptr : "", text.len);
}

static void push_list(lua_State *L, const char *field, const struct pawl_str *items, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_str(L, items[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, field);
}

static void push_messages(lua_State *L, const struct pawl_lm_request *request)
{
    lua_createtable(L, (int)request->n_messages, 0);
    for (size_t i = 0; i < request->n_messages; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, request->messages[i].role);
        lua_setfield(L, -2, "role");
        push_str(L, request->messages[i].content);
        lua_setfield(L, -2, "content");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "messages");
}

static void set_integer(lua_State *L, const char *field, int64_t value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, field);
}

static void push_adapters(lua_State *L, const struct pawl_lm_request *request)
{
    lua_createtable(L, (int)request->n_adapters, 0);
    for (size_t i = 0; i < request->n_adapters; i++) {
        char hex[PAWL_HASH_HEX];
        pawl_hash_hex(&request->adapters[i].hash, hex);
        lua_createtable(L, 0, 2);
        lua_pushstring(L, hex);
        lua_setfield(L, -2, "sha256");
        lua_pushnumber(L, request->adapters[i].scale);
        lua_setfield(L, -2, "scale");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "adapters");
}

static int push_request(lua_State *L, void *context)
{
    const struct script_ask *ask = context;
    const struct pawl_lm_request *request = ask->request;
    lua_createtable(L, 0, 8);
    push_messages(L, request);
    lua_pushstring(L, pawl_role_name(request->role));
    lua_setfield(L, -2, "role");
    lua_pushstring(L, ask->model->name);
    lua_setfield(L, -2, "model");
    set_integer(L, "max_tokens", request->max_tokens);
    set_integer(L, "seed", (int64_t)request->seed);
    set_integer(L, "sample", request->sample);
    lua_pushnumber(L, request->temperature);
    lua_setfield(L, -2, "temperature");
    if (request->top_p > 0) {
        lua_pushnumber(L, request->top_p);
        lua_setfield(L, -2, "top_p");
    }
    if (request->n_adapters > 0) push_adapters(L, request);
    if (request->n_choices > 0) push_list(L, "choices", request->choices, request->n_choices);
    if (request->n_stops > 0) push_list(L, "stops", request->stops, request->n_stops);
    return 1;
}

static int script_random(lua_State *L)
{
    struct script_ask *ask = pawl_lua_context(L);
    if (!ask) return luaL_error(L, "random() belongs into complete()");
    size_t len;
    const char *label = luaL_optlstring(L, 2, "", &len);
    if (!ask->has_key) ask->key = pawl_lm_request_key(ask->model->random_name, ask->request);
    ask->has_key = true;
    struct pawl_str key = {(const char *)ask->key.bytes, sizeof ask->key.bytes};
    lua_pushnumber(L, pawl_random_of(key, (struct pawl_str){label, len}));
    return 1;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void fail_reply(struct script_ask *ask, const char *before, const char *text)
{
    ask->reply->status = PAWL_REPLY_FAILED;
    ask->reply->reason = pawl_lm_reason(ask->arena, before, pawl_str_of(text));
}

/* Leaves the field at the top for as long as its text is needed. */
static struct pawl_str get_text(lua_State *L, const char *field)
{
    struct pawl_str text = {0};
    if (lua_getfield(L, -1, field) == LUA_TSTRING || lua_isnumber(L, -1))
        text.ptr = lua_tolstring(L, -1, &text.len);
    return text;
}

static int64_t get_count(lua_State *L, const char *field, int64_t otherwise, int64_t max)
{
    lua_getfield(L, -1, field);
    lua_Number n = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : (lua_Number)otherwise;
    lua_pop(L, 1);
    return n >= 0 && n <= (lua_Number)max ? (int64_t)n : n > 0 ? max : 0;
}

static bool take_error(lua_State *L, struct script_ask *ask)
{
    struct pawl_str text = get_text(L, "error"), kind = text;
    if (lua_isnil(L, -1) || (lua_isboolean(L, -1) && !lua_toboolean(L, -1))) {
        lua_pop(L, 1);
        return false;
    }
    if (lua_istable(L, -1)) {
        kind = get_text(L, "kind");
        lua_insert(L, -2); /* the text of kind stays alive below the table */
        text = get_text(L, "text");
    }
    ask->reply->status =
        kind.ptr && pawl_str_starts(kind, "missing") ? PAWL_REPLY_MISSING : PAWL_REPLY_FAILED;
    if (!text.ptr)
        text = ask->reply->status == PAWL_REPLY_MISSING ? PAWL_STR("missing") : PAWL_STR("failed");
    ask->reply->reason = pawl_lm_reason(ask->arena, "The scripted model gave an error: ", text);
    return true;
}

/* False if the list does not fit the choices. */
static bool take_logprobs(lua_State *L, struct script_ask *ask)
{
    size_t n = ask->request->n_choices;
    bool ok = true;
    if (lua_getfield(L, -1, "choice_logprobs") != LUA_TNIL) {
        double *logprobs = PAWL_NEW_N(ask->arena, double, n + 1);
        ok = lua_istable(L, -1) && n > 0 && luaL_len(L, -1) == (lua_Integer)n;
        for (size_t i = 0; ok && i < n; i++) {
            lua_geti(L, -1, (lua_Integer)i + 1);
            ok = lua_isnumber(L, -1) && lua_tonumber(L, -1) <= 0;
            logprobs[i] = lua_tonumber(L, -1);
            lua_pop(L, 1);
        }
        ask->reply->choice_logprobs = ok ? logprobs : NULL;
    }
    lua_pop(L, 1);
    return ok;
}

static void take_text(struct script_ask *ask, struct pawl_str text)
{
    if (text.len > PAWL_REPLY_MAX)
        fail_reply(ask, "The scripted model's answer is over 4 MiB.", "");
    else
        ask->reply->text = pawl_arena_copy(ask->arena, text);
}

static void take_table(lua_State *L, struct script_ask *ask)
{
    struct pawl_usage *usage = &ask->reply->usage;
    ask->delay_ms = get_count(L, "delay_ms", 0, DELAY_MAX_MS);
    usage->prompt_tokens = get_count(L, "prompt_tokens", usage->prompt_tokens, 1000000000);
    lua_getfield(L, -1, "truncated");
    ask->reply->truncated = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (take_error(L, ask)) return;
    if (!take_logprobs(L, ask)) {
        fail_reply(ask, "choice_logprobs must hold one number <= 0 per choice.", "");
        return;
    }
    struct pawl_str text = get_text(L, "text");
    if (!text.ptr) {
        fail_reply(ask, "complete() returned a table without a text.", "");
        return;
    }
    lua_insert(L, -2); /* the text stays alive below the table */
    usage->completion_tokens =
        get_count(L, "completion_tokens", pawl_lm_token_estimate(text.len), 1000000000);
    take_text(ask, text);
}

static void take_reply(lua_State *L, void *context)
{
    struct script_ask *ask = context;
    ask->reply->usage.prompt_tokens = pawl_lm_token_estimate(pawl_lm_request_bytes(ask->request));
    if (lua_istable(L, -1)) {
        take_table(L, ask);
    } else if (lua_isstring(L, -1)) {
        struct pawl_str text;
        text.ptr = lua_tolstring(L, -1, &text.len);
        ask->reply->usage.completion_tokens = pawl_lm_token_estimate(text.len);
        take_text(ask, text);
    } else {
        fail_reply(ask, "complete() must return a text or a table, not a ", luaL_typename(L, -1));
    }
}

static int64_t ask_one(struct script_model *model, struct pawl_arena *arena,
                       const struct pawl_lm_request *request, struct pawl_lm_reply *reply)
{
    struct script_ask ask = {.model = model, .request = request, .reply = reply, .arena = arena};
    struct pawl_lua_call call = {.push = push_request, .take = take_reply, .context = &ask};
    if (!pawl_lua_call(model->lua, &call)) {
        *reply = (struct pawl_lm_reply){0};
        fail_reply(&ask, "The script failed: ", call.reason);
    }
    reply->usage.latency_us = ask.delay_ms * 1000;
    reply->usage.cost_microusd = pawl_lm_price_of(&model->price, &reply->usage, 0);
    return ask.delay_ms;
}

/* --- the backend ------------------------------------------------------------------------------ */

static void script_close(void *state)
{
    struct script_model *model = state;
    pawl_lua_close(model->lua);
    pawl_arena_release(&model->arena);
    free(model);
}

static enum pawl_status script_open(const struct pawl_lm_open *context, const void *options,
                                    void **state, struct pawl_error *err)
{
    static const luaL_Reg functions[] = {{"random", script_random}, {NULL, NULL}};
    const struct script_options *o = options;
    struct pawl_arena source_arena = {0};
    struct pawl_str source;
    const char *path = pawl_path_join(&source_arena, context->project_dir, o->file);
    enum pawl_status status = pawl_file_read(path, SCRIPT_MAX, &source_arena, &source, err);
    struct pawl_lua *lua = NULL;
    if (status == PAWL_OK) {
        struct pawl_lua_script script = {.name = o->file,
                                         .source = source,
                                         .entry = "complete",
                                         .functions = functions,
                                         .limits = PAWL_LUA_LIMITS};
        status = pawl_lua_open(&script, &lua, err);
    }
    if (status == PAWL_OK) {
        char hex[PAWL_HASH_HEX];
        struct pawl_hash hash = pawl_hash_str(source);
        pawl_hash_hex(&hash, hex);
        struct script_model *model = pawl_xcalloc(1, sizeof *model);
        model->lua = lua;
        model->price = o->price;
        model->name = context->model;
        model->random_name =
            pawl_arena_printf(&model->arena, "%s/%" PRIu64, context->model, context->seed);
        model->identity = pawl_arena_printf(&model->arena, "script:%s/%s", hex, model->random_name);
        *state = model;
    } else if (err) {
        memcpy(err->field, "file", sizeof "file");
    }
    pawl_arena_release(&source_arena);
    return status;
}

static enum pawl_status script_check(const struct pawl_lm_open *context, const void *options,
                                     struct pawl_error *err)
{
    void *state;
    PAWL_TRY(script_open(context, options, &state, err));
    script_close(state);
    return PAWL_OK;
}

static const char *script_identity(void *state)
{
    return ((struct script_model *)state)->identity;
}

static enum pawl_status script_ask(void *state, struct pawl_arena *arena,
                                   const struct pawl_lm_request *requests, size_t n,
                                   struct pawl_lm_reply *replies, struct pawl_error *err)
{
    struct script_model *model = state;
    int64_t longest_ms = 0;
    for (size_t i = 0; i < n && !atomic_load(&model->canceled); i++) {
        int64_t delay_ms = ask_one(model, arena, &requests[i], &replies[i]);
        if (delay_ms > longest_ms) longest_ms = delay_ms;
    }
    pawl_lm_sleep_ms(longest_ms, &model->canceled);
    if (atomic_load(&model->canceled))
        return pawl_fail(err, PAWL_EPAUSED, "The scripted model was stopped on request.");
    return PAWL_OK;
}

/* --- vectors ---------------------------------------------------------------------------------- */

static bool is_word_byte(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* FNV-1a: stable everywhere, and spread well enough over 512 places. */
static uint64_t hash_on(uint64_t hash, unsigned char c)
{
    if (c >= 'A' && c <= 'Z') c = (unsigned char)(c - 'A' + 'a');
    return (hash ^ c) * UINT64_C(0x100000001b3);
}
static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

static void add_gram(float *row, uint64_t hash)
{
    hash ^= hash >> 32; /* the low bits of FNV know little of the high ones */
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    size_t place = (size_t)(hash >> 40) % SCRIPT_DIMENSION;
    row[place] += hash >> 63 ? 1.0F : -1.0F;
}

/* Gives the number of words. A text without any is taken as one. */
static size_t add_words(struct pawl_str text, float *row)
{
    size_t n_words = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < text.len;) {
        if (!is_word_byte((unsigned char)text.ptr[i])) {
            i++;
            continue;
        }
        uint64_t word = hash_start, pair = hash_on(last, ' ');
        for (; i < text.len && is_word_byte((unsigned char)text.ptr[i]); i++) {
            word = hash_on(word, (unsigned char)text.ptr[i]);
            pair = hash_on(pair, (unsigned char)text.ptr[i]);
        }
        add_gram(row, word);
        if (n_words++ > 0) add_gram(row, pair);
        last = word;
    }
    if (n_words == 0) {
        uint64_t all = hash_start;
        for (size_t i = 0; i < text.len; i++) all = hash_on(all, (unsigned char)text.ptr[i]);
        add_gram(row, all);
    }
    return n_words;
}

static size_t script_dimension(void *state)
{
    (void)state;
    return SCRIPT_DIMENSION;
}

static enum pawl_status script_embed(void *state, const struct pawl_str *texts, size_t n,
                                     float *rows, struct pawl_error *err)
{
    const struct script_model *model = state;
    if (atomic_load(&model->canceled))
        return pawl_fail(err, PAWL_EPAUSED, "The scripted model was stopped on request.");
    for (size_t i = 0; i < n; i++) {
        float *row = rows + i * SCRIPT_DIMENSION;
        size_t n_words = add_words(texts[i], row);
        if (n_words > EMBED_WORDS_MAX)
            return pawl_lm_fail_long_text(texts[i], n_words, EMBED_WORDS_MAX, "words", err);
        /* Signs that met can cancel out; a text is never without a direction. */
        bool any = false;
        for (size_t k = 0; k < SCRIPT_DIMENSION; k++) any = any || row[k] != 0;
        if (!any) row[0] = 1;
    }
    return PAWL_OK;
}

static void script_cancel(void *state)
{
    atomic_store(&((struct script_model *)state)->canceled, true);
}

static int64_t script_worst_cost(void *state, const struct pawl_lm_request *request)
{
    return pawl_lm_price_worst(&((struct script_model *)state)->price, request);
}

const struct pawl_lm_backend pawl_backend_script = {
    .api = PAWL_LM_BACKEND_API,
    .name = "script",
    .summary = "a Lua file that answers: for tests, simulations and demos without weights",
    .flags = PAWL_BACKEND_SCRIPTED | PAWL_BACKEND_ADAPTERS,
    .options = script_options,
    .options_bytes = sizeof(struct script_options),
    .check = script_check,
    .open = script_open,
    .close = script_close,
    .identity = script_identity,
    .ask = script_ask,
    .dimension = script_dimension,
    .embed = script_embed,
    .cancel = script_cancel,
    .worst_cost = script_worst_cost,
};
