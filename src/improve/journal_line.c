#include "improve/journal_line.h"

#include <inttypes.h>

/* --- writing --------------------------------------------------------------------------------- */

static void crc_hex(const char *json, size_t n_bytes, char out[8])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t sum = pawl_crc32(json, n_bytes);
    for (int i = 0; i < 8; i++) out[i] = digits[(sum >> (28 - 4 * i)) & 15];
}

/* A line is written behind room for its crc, which is filled in at the end. */
static size_t begin_line(struct pawl_buf *out)
{
    size_t start = out->len;
    pawl_buf_add(out, "00000000 ");
    return start;
}

static void end_line(struct pawl_buf *out, size_t start)
{
    if (out->overflowed) return;
    char *crc = out->data + start;
    crc_hex(crc + PAWL_LINE_PREFIX, out->len - start - PAWL_LINE_PREFIX, crc);
    pawl_buf_add(out, "\n");
}

void pawl_line_write_header(struct pawl_buf *out, const json_t *header)
{
    size_t start = begin_line(out);
    pawl_buf_add(out, "{\"header\":");
    pawl_json_write(header, out);
    pawl_buf_add(out, "}");
    end_line(out, start);
}

void pawl_line_write_money(struct pawl_buf *out, int64_t reserved_microusd, int64_t spent_microusd)
{
    size_t start = begin_line(out);
    pawl_buf_printf(out, "{\"m\":%" PRId64 ",\"s\":%" PRId64 "}", reserved_microusd,
                    spent_microusd);
    end_line(out, start);
}

void pawl_line_write_step(struct pawl_buf *out, const struct pawl_step *step,
                          struct pawl_str result, const struct pawl_hash *object)
{
    char hex[PAWL_HASH_HEX];
    size_t start = begin_line(out);
    pawl_buf_printf(out, "{\"a\":\"%s\"", step->args);
    if (step->cost != 0) pawl_buf_printf(out, ",\"c\":%" PRId64, step->cost);
    if (step->elapsed_ms >= 0) pawl_buf_printf(out, ",\"d\":%" PRId64, step->elapsed_ms);
    pawl_buf_printf(out, ",\"k\":\"%s\"", step->kind);
    if (step->number >= 0) pawl_buf_printf(out, ",\"n\":%" PRId64, step->number);
    if (object != NULL) {
        pawl_hash_hex(object, hex);
        pawl_buf_printf(out, ",\"o\":\"%s\"", hex);
    }
    pawl_buf_printf(out, ",\"p\":\"%s\"", step->path);
    const struct pawl_step_tokens *tokens = &step->tokens;
    if (tokens->prompt != 0 || tokens->completion != 0 || tokens->cached != 0)
        pawl_buf_printf(out, ",\"q\":[%" PRId64 ",%" PRId64 ",%" PRId64 "]", tokens->prompt,
                        tokens->completion, tokens->cached);
    if (object == NULL && result.len > 0) {
        pawl_buf_add(out, ",\"r\":");
        pawl_buf_add_str(out, result);
    }
    pawl_buf_add(out, "}");
    end_line(out, start);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool read_char(struct pawl_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c) return false;
    rest->ptr++;
    rest->len--;
    return true;
}

static bool read_integer(struct pawl_str *rest, int64_t *value)
{
    bool negative = read_char(rest, '-');
    uint64_t sum = 0;
    size_t n_digits = 0;
    while (rest->len > 0 && rest->ptr[0] >= '0' && rest->ptr[0] <= '9' && n_digits < 18) {
        sum = sum * 10 + (uint64_t)(rest->ptr[0] - '0');
        rest->ptr++;
        rest->len--;
        n_digits++;
    }
    *value = negative ? -(int64_t)sum : (int64_t)sum;
    return n_digits > 0;
}

/* A string of [a-z0-9_/]: what paths, kinds and hashes are made of. */
static bool read_word(struct pawl_str *rest, struct pawl_str *word)
{
    if (!read_char(rest, '"')) return false;
    *word = (struct pawl_str){rest->ptr, 0};
    while (word->len < rest->len) {
        char c = rest->ptr[word->len];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '/';
        if (!plain) break;
        word->len++;
    }
    rest->ptr += word->len;
    rest->len -= word->len;
    return read_char(rest, '"');
}

/* `"x":` of a member that may be absent. */
static bool read_key(struct pawl_str *rest, char key, bool first)
{
    const char text[] = {',', '"', key, '"', ':', '\0'};
    const char *wanted = first ? text + 1 : text;
    if (!pawl_str_starts(*rest, wanted)) return false;
    size_t n = strlen(wanted);
    rest->ptr += n;
    rest->len -= n;
    return true;
}

static bool read_tokens(struct pawl_str *rest, struct pawl_step_tokens *tokens)
{
    return read_char(rest, '[') && read_integer(rest, &tokens->prompt) && read_char(rest, ',') &&
           read_integer(rest, &tokens->completion) && read_char(rest, ',') &&
           read_integer(rest, &tokens->cached) && read_char(rest, ']') && tokens->prompt >= 0 &&
           tokens->completion >= 0 && tokens->cached >= 0;
}

static bool read_step(struct pawl_str rest, struct pawl_line *line)
{
    struct pawl_recorded *step = &line->step;
    struct pawl_str hex;
    *step = (struct pawl_recorded){.elapsed_ms = -1, .number = -1};
    if (!read_key(&rest, 'a', true) || !read_word(&rest, &step->args)) return false;
    if (step->args.len != PAWL_JOURNAL_ARGS_HEX - 1) return false;
    if (read_key(&rest, 'c', false) && !(read_integer(&rest, &step->cost) && step->cost >= 0))
        return false;
    if (read_key(&rest, 'd', false) && !read_integer(&rest, &step->elapsed_ms)) return false;
    if (!read_key(&rest, 'k', false) || !read_word(&rest, &step->kind)) return false;
    if (read_key(&rest, 'n', false) && !read_integer(&rest, &step->number)) return false;
    if (read_key(&rest, 'o', false)) {
        if (!read_word(&rest, &hex) || !pawl_hash_from_hex(hex, &step->object)) return false;
        step->in_store = true;
    }
    if (!read_key(&rest, 'p', false) || !read_word(&rest, &line->path)) return false;
    if (read_key(&rest, 'q', false) && !read_tokens(&rest, &step->tokens)) return false;
    if (read_key(&rest, 'r', false)) {
        if (rest.len < 2) return false;
        step->result = (struct pawl_str){rest.ptr, rest.len - 1};
        rest = (struct pawl_str){rest.ptr + rest.len - 1, 1};
    }
    return rest.len == 1 && rest.ptr[0] == '}';
}

static bool read_money(struct pawl_str rest, struct pawl_line *line)
{
    if (!read_key(&rest, 'm', true) || !read_integer(&rest, &line->reserved_microusd)) return false;
    if (!read_key(&rest, 's', false) || !read_integer(&rest, &line->spent_microusd)) return false;
    return line->reserved_microusd >= 0 && rest.len == 1 && rest.ptr[0] == '}';
}

static bool crc_fits(struct pawl_str text)
{
    char crc[8];
    crc_hex(text.ptr + PAWL_LINE_PREFIX, text.len - PAWL_LINE_PREFIX, crc);
    return memcmp(text.ptr, crc, sizeof crc) == 0;
}

static enum pawl_line_kind read_body(struct pawl_line *line)
{
    struct pawl_str rest = line->json;
    if (!read_char(&rest, '{')) return PAWL_LINE_BAD;
    if (pawl_str_starts(rest, "\"header\":")) return PAWL_LINE_HEADER;
    if (pawl_str_starts(rest, "\"m\":"))
        return read_money(rest, line) ? PAWL_LINE_MONEY : PAWL_LINE_BAD;
    return read_step(rest, line) ? PAWL_LINE_STEP : PAWL_LINE_BAD;
}

struct pawl_line pawl_line_read(struct pawl_str text)
{
    struct pawl_line line = {.kind = PAWL_LINE_BAD, .n_bytes = text.len};
    const char *end = memchr(text.ptr, '\n', text.len);
    if (end == NULL) return line;
    size_t len = (size_t)(end - text.ptr);
    line.n_bytes = len + 1;
    if (len <= PAWL_LINE_PREFIX || text.ptr[PAWL_LINE_PREFIX - 1] != ' ') return line;
    if (!crc_fits((struct pawl_str){text.ptr, len})) return line;
    line.json = (struct pawl_str){text.ptr + PAWL_LINE_PREFIX, len - PAWL_LINE_PREFIX};
    line.kind = read_body(&line);
    return line;
}
