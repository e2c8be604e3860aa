/* From argv to the JSON object that the library checks. The tables come from the library. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static enum pawl_status usage(struct pawl_error *err, const char *what, const char *word)
{
    pawl_fail(err, PAWL_EUSAGE, "%s \"%s\".", what, word);
    pawl_hint(err, "`pawl help` lists the commands, `pawl help COMMAND` says what one takes.");
    return PAWL_EUSAGE;
}

const json_t *cli_find(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (strcmp(pawl_json_get_text(item, "name", ""), name) == 0) return item;
    }
    return NULL;
}

/* --per-case is the option per_case. */
static void option_name(const char *flag, size_t len, char out[64])
{
    if (len > 63) len = 63;
    for (size_t i = 0; i < len; i++) out[i] = flag[i] == '-' ? '_' : flag[i];
    out[len] = '\0';
}

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

struct words {
    int argc, next;
    char **argv;
};

static enum pawl_status unknown_option(const json_t *options, const char *flag,
                                       struct pawl_error *err)
{
    const char *names[64];
    size_t n = json_array_size(options);
    if (n > 64) n = 64;
    for (size_t i = 0; i < n; i++)
        names[i] = pawl_json_get_text(json_array_get(options, i), "name", "");
    char name[64];
    option_name(flag + 2, strlen(flag + 2), name);
    const char *near = pawl_nearest_word(name, names, n);
    usage(err, "Unknown option", flag);
    if (near != NULL) {
        char dashed[64];
        snprintf(dashed, sizeof dashed, "%s", near);
        for (char *c = dashed; *c != '\0'; c++) *c = *c == '_' ? '-' : *c;
        pawl_hint(err, "Did you mean --%s?", dashed);
    }
    return PAWL_EUSAGE;
}

/* An option of any shape takes every word up to the next flag, and may be repeated. */
static enum pawl_status take_list(struct words *words, json_t *values, const char *name,
                                  const char *first, struct pawl_error *err)
{
    json_t *list = json_object_get(values, name);
    if (list == NULL) {
        list = json_array();
        pawl_json_set(values, name, list);
    }
    size_t before = json_array_size(list);
    if (first != NULL) json_array_append_new(list, pawl_json_string(pawl_str_of(first)));
    while (first == NULL && words->next < words->argc && !is_flag(words->argv[words->next]))
        json_array_append_new(list, pawl_json_string(pawl_str_of(words->argv[words->next++])));
    return json_array_size(list) > before ? PAWL_OK : usage(err, "A value is missing for", name);
}

static enum pawl_status take_option(struct words *words, const char *flag, const json_t *options,
                                    json_t *values, struct pawl_error *err)
{
    char name[64];
    const char *equals = strchr(flag, '=');
    option_name(flag + 2, equals != NULL ? (size_t)(equals - flag - 2) : strlen(flag + 2), name);
    const json_t *option = cli_find(options, name);
    if (option == NULL) return unknown_option(options, flag, err);
    const char *type = pawl_json_get_text(option, "type", "");
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (strcmp(type, "json") == 0) return take_list(words, values, name, value, err);
    if (value == NULL && strcmp(type, "bool") == 0) value = "true";
    if (value == NULL) {
        if (words->next >= words->argc) return usage(err, "A value is missing for", flag);
        value = words->argv[words->next++];
    }
    pawl_json_set(values, name, pawl_json_string(pawl_str_of(value)));
    return PAWL_OK;
}

/* "files..." takes every further word too; only the last of them is so. */
static bool takes_rest(struct pawl_str positional)
{
    return positional.len > 3 && memcmp(positional.ptr + positional.len - 3, "...", 3) == 0;
}

bool cli_positional(const json_t *table, size_t n, char out[CLI_NAME_MAX])
{
    struct pawl_str rest = pawl_str_of(cli_text(table, "positional")), word;
    while (pawl_str_split(&rest, ' ', &word)) {
        if (word.len == 0) continue;
        if (n-- > 0) continue;
        option_name(word.ptr, word.len - (takes_rest(word) ? 3 : 0), out);
        return true;
    }
    return false;
}

static json_t *read_lines(FILE *in)
{
    json_t *list = json_array();
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;
    while ((len = getline(&line, &capacity, in)) >= 0) {
        if (len > 0 && line[len - 1] == '\n') len--;
        if (len > 0)
            json_array_append_new(list, pawl_json_string((struct pawl_str){line, (size_t)len}));
    }
    free(line);
    return list;
}

static enum pawl_status take_positional(const char *word, size_t index, const json_t *table,
                                        json_t *values, struct pawl_error *err)
{
    char name[64];
    if (takes_rest(pawl_str_of(cli_text(table, "positional")))) {
        while (!cli_positional(table, index, name)) index--;
        json_t *list = json_object_get(values, name);
        if (list == NULL) pawl_json_set(values, name, list = json_array());
        json_array_append_new(list, pawl_json_string(pawl_str_of(word)));
        return PAWL_OK;
    }
    if (!cli_positional(table, index, name)) return usage(err, "Unexpected argument", word);
    bool is_input = strcmp(name, "input") == 0;
    json_t *value = is_input && strcmp(word, "-") == 0 ? read_lines(stdin)
                                                       : pawl_json_string(pawl_str_of(word));
    pawl_json_set(values, name, value);
    return PAWL_OK;
}

static bool take_global(struct words *words, const char *word, struct cli_args *args)
{
    if (strcmp(word, "--json") == 0)
        args->json = true;
    else if (strcmp(word, "--quiet") == 0)
        args->quiet = true;
    else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        args->help = true;
    else if (strcmp(word, "-C") == 0 && words->next < words->argc)
        args->dir = words->argv[words->next++];
    else if (strcmp(word, "--config") == 0 && words->next < words->argc)
        args->config = words->argv[words->next++];
    else
        return false;
    return true;
}

static enum pawl_status take_verb(const char *word, const json_t *verbs, struct cli_args *args,
                                  struct pawl_error *err)
{
    const char *names[64];
    size_t n = json_array_size(verbs);
    args->table = cli_find(verbs, word);
    args->verb = word;
    if (args->table != NULL) return PAWL_OK;
    for (size_t i = 0; i < n && i < 64; i++)
        names[i] = pawl_json_get_text(json_array_get(verbs, i), "name", "");
    const char *near = pawl_nearest_word(word, names, n < 64 ? n : 64);
    usage(err, "There is no command", word);
    if (near != NULL) pawl_hint(err, "Did you mean `pawl %s`?", near);
    return PAWL_EUSAGE;
}

/* Known before anything else, so that a mistake that stands before --json is told as JSON too. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}

/* What is called goes to the library as JSON; a name must not change on the way. */
static enum pawl_status check_words(int argc, char **argv, struct pawl_error *err)
{
    for (int i = 1; i < argc; i++)
        if (!pawl_utf8_is_valid(pawl_str_of(argv[i]), NULL))
            return usage(err, "Not UTF-8:", argv[i]);
    return PAWL_OK;
}

enum pawl_status cli_parse(int argc, char **argv, const json_t *verbs, struct cli_args *args,
                           struct pawl_error *err)
{
    struct words words = {argc, 1, argv};
    size_t n_positional = 0;
    bool only_words = false;
    *args = (struct cli_args){.dir = ".", .json = wants_json(argc, argv), .values = json_object()};
    PAWL_TRY(check_words(argc, argv, err));
    while (words.next < argc) {
        const char *word = argv[words.next++];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && take_global(&words, word, args)) {
            continue;
        } else if (!only_words && (strcmp(word, "-C") == 0 || strcmp(word, "--config") == 0)) {
            return usage(err, "A value is missing for", word);
        } else if (!only_words && is_flag(word)) {
            if (args->verb == NULL || strncmp(word, "--", 2) != 0)
                return usage(err, "Unknown option", word);
            PAWL_TRY(take_option(&words, word, json_object_get(args->table, "options"),
                                 args->values, err));
        } else if (args->verb == NULL && !args->help && strcmp(word, "help") == 0) {
            args->help = true; /* `pawl help`, `pawl help COMMAND` */
        } else if (args->verb == NULL) {
            PAWL_TRY(take_verb(word, verbs, args, err));
        } else {
            PAWL_TRY(take_positional(word, n_positional++, args->table, args->values, err));
        }
    }
    return PAWL_OK;
}
