/* Search over a collection that `pawl index` made: by words, and by meaning as well where a role's model is
 * the one that gave the vectors. */
#include "code/collection.h"
#include "program/project_file.h"
#include "program/query.h"
#include "program/tool.h"

enum { QUERY_BYTES_MAX = 2000 };

struct options {
    const char *search;
    int64_t k;
};
static const struct pawl_option options_table[] = {
    {"search", PAWL_OPTION_TEXT, offsetof(struct options, search), NULL, 0, 0, NULL,
     "the collection, made by pawl index", true},
    PAWL_OPT_INT(struct options, k, "3", 1, PAWL_FOUND_MAX, "passages that it gives"),
    {0}};
static const struct pawl_tool_argument arguments[] = {{"query", "words to look for"}, {0}};

struct search {
    struct pawl_collection *collection;
    struct pawl_lm *lm;
    const char *path;
    size_t k;
};

static enum pawl_status open_search(const void *options,
                                    const struct pawl_program_settings *settings,
                                    struct pawl_arena *arena, void **state, struct pawl_error *err)
{
    const struct options *o = options;
    struct search *s = PAWL_NEW(arena, struct search);
    struct pawl_error why = {0};
    s->path = pawl_project_path(arena, settings->project_dir, o->search);
    s->lm = settings->lm;
    s->k = (size_t)o->k;
    *state = s;
    if (pawl_collection_open(s->path, &s->collection, &why) == PAWL_OK) return PAWL_OK;
    pawl_fail(err, PAWL_ECONFIG, "The collection \"%.200s\" cannot be opened. %.300s", o->search,
              why.message);
    pawl_hint(err,
              "`pawl index FILE... --into %.200s` makes one; paths start at the project's folder.",
              o->search);
    return PAWL_ECONFIG;
}

static void close_search(void *state)
{
    pawl_collection_close(((struct search *)state)->collection);
}

static json_t *identity(const void *state)
{
    return pawl_tool_hash_file(((const struct search *)state)->path);
}

/* Each passage has the same share of the room. */
static struct pawl_str write_found(const struct pawl_passage *found, size_t n, size_t max_bytes,
                                   struct pawl_arena *arena)
{
    struct pawl_buf text = PAWL_BUF(2 * max_bytes + 4096);
    size_t share = max_bytes / n;
    for (size_t i = 0; i < n; i++) {
        struct pawl_str title = found[i].title, body = found[i].text;
        if (title.len > share / 4) title.len = 0;
        size_t room = share > title.len + 16 ? share - title.len - 16 : 16;
        bool cut = body.len > room;
        if (cut) {
            body.len = room;
            while (body.len > 0 && ((unsigned char)body.ptr[body.len] & 0xc0) == 0x80) body.len--;
        }
        pawl_buf_printf(&text, "%s[%zu] ", i ? "\n" : "", i + 1);
        pawl_buf_add_str(&text, title);
        if (title.len > 0) pawl_buf_add(&text, ": ");
        pawl_buf_add_str(&text, body);
        if (cut) pawl_buf_add(&text, " ...");
    }
    struct pawl_str copy = pawl_arena_copy(arena, pawl_buf_str(&text));
    pawl_buf_release(&text);
    return copy;
}

static enum pawl_status search(void *state, const json_t *args, size_t max_bytes,
                               struct pawl_arena *arena, struct pawl_tool_result *result,
                               struct pawl_error *err)
{
    const struct search *s = state;
    struct pawl_passage found[PAWL_FOUND_MAX];
    const float *vector = NULL;
    size_t n;
    struct pawl_str query = pawl_str_trim(pawl_json_get_str(args, arguments->name));
    if (query.len == 0 || query.len > QUERY_BYTES_MAX) {
        pawl_tool_fails(result, "The query is no text of 1 to 2000 bytes.");
        return PAWL_OK;
    }
    PAWL_TRY(pawl_query_embed(s->lm, s->collection, query, arena, &vector, err));
    PAWL_TRY(pawl_collection_search(s->collection, query, vector, s->k, arena, found, &n, err));
    if (n == 0)
        pawl_tool_gives(result, PAWL_STR("Nothing was found. Try other words."));
    else
        pawl_tool_gives(result, write_found(found, n, max_bytes, arena));
    return PAWL_OK;
}

const struct pawl_tool_kind pawl_tool_search = {
    .api = PAWL_TOOL_API,
    .name = "search",
    .summary = "finds passages in a collection of texts",
    .arguments = arguments,
    .options = options_table,
    .options_bytes = sizeof(struct options),
    .open = open_search,
    .close = close_search,
    .identity = identity,
    .call = search,
};
