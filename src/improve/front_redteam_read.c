/* Reading a page of share/redteam: strictly, and on top of the base project that it names. */
#include "improve/redteam.h"

#include "base/option.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

struct page {
    const char *id, *title, *attempts, *ends, *held_by, *not_covered, *control, *base;
    json_t *needs, *files, *cases, *steps;
    bool unsealed, real_time, twins;
};
#define NEEDED(field, help)                                                                        \
    {                                                                                              \
#field, PAWL_OPTION_TEXT, offsetof(struct page, field), NULL, 0, 0, NULL, help, true       \
    }
static const struct pawl_option page_options[] = {
    NEEDED(id, "its number in the list of attacks"),
    NEEDED(title, "a few words"),
    NEEDED(attempts, "what is tried"),
    {"ends", PAWL_OPTION_CHOICE, offsetof(struct page, ends), NULL, 0, 0, "prevented|detected",
     "what being stopped means here", true},
    PAWL_OPT_TEXT(struct page, held_by, NULL, "what stops it"),
    PAWL_OPT_TEXT(struct page, not_covered, NULL, "what of it is not stopped, or not tried"),
    PAWL_OPT_TEXT(struct page, control, NULL, "how it is known that the attack would succeed"),
    PAWL_OPT_TEXT(struct page, base, NULL, "the project that it starts from"),
    PAWL_OPT_JSON(struct page, needs, "what must be there to be attacked"),
    PAWL_OPT_JSON(struct page, files, "files of the project, over those of its base"),
    PAWL_OPT_JSON(struct page, cases, "how many in train, dev and gate"),
    PAWL_OPT_JSON(struct page, steps, "what is done, and what must be seen"),
    PAWL_OPT_BOOL(struct page, unsealed, "false", "the steps call init themselves"),
    PAWL_OPT_BOOL(struct page, real_time, "false", "the clock is not virtual"),
    PAWL_OPT_BOOL(struct page, twins, "false", "played on two sealed sets that must look alike"),
    {0}};
static const struct pawl_option base_options[] = {
    PAWL_OPT_JSON(struct page, files, "files of the project"),
    PAWL_OPT_JSON(struct page, cases, "how many in train, dev and gate"),
    {0}};

/* A page as JSON, kept; its values in *page. */
static enum pawl_status read_yaml(const struct pawl_attack_source *source,
                                  const struct pawl_option *options, struct pawl_arena *arena,
                                  json_t *keep, struct page *page, struct pawl_error *err)
{
    struct pawl_yaml_places *places;
    json_t *json;
    const char *file = pawl_arena_printf(arena, "share/redteam/%s.yaml", source->name);
    struct pawl_str text = {(const char *)source->text, source->len};
    PAWL_TRY(pawl_yaml_parse(text, file, &json, &places, err));
    enum pawl_status status = pawl_options_read(options, json, "", arena, page, err);
    if (status != PAWL_OK && err != NULL) pawl_yaml_locate(places, err);
    pawl_yaml_places_free(places);
    json_array_append_new(keep, json);
    return status;
}

static enum pawl_status read_base(const struct pawl_attack_source *sources, const char *name,
                                  struct pawl_arena *arena, json_t *keep, struct page *base,
                                  struct pawl_error *err)
{
    const char *wanted = pawl_arena_printf(arena, "base_%s", name);
    for (; sources->name != NULL; sources++)
        if (strcmp(sources->name, wanted) == 0)
            return read_yaml(sources, base_options, arena, keep, base, err);
    pawl_fail(err, PAWL_ECONFIG, "There is no share/redteam/%s.yaml to start from.", wanted);
    pawl_hint(err, "Write it, or name another base.");
    return PAWL_ECONFIG;
}

/* The base's files with the page's own over them. */
static const json_t *join_files(json_t *base, json_t *own, json_t *keep)
{
    json_t *files = base != NULL ? json_copy(base) : json_object();
    if (own != NULL) json_object_update(files, own);
    json_array_append_new(keep, files);
    return files;
}

enum pawl_status pawl_attack_read(const struct pawl_attack_source *sources,
                                  const struct pawl_attack_source *source, struct pawl_arena *arena,
                                  json_t *keep, struct pawl_attack *attack, struct pawl_error *err)
{
    struct page page, base = {0};
    PAWL_TRY(read_yaml(source, page_options, arena, keep, &page, err));
    if (page.base != NULL) PAWL_TRY(read_base(sources, page.base, arena, keep, &base, err));
    *attack = (struct pawl_attack){.id = page.id,
                                   .title = page.title,
                                   .attempts = page.attempts,
                                   .ends = page.ends,
                                   .held_by = page.held_by,
                                   .not_covered = page.not_covered,
                                   .control = page.control,
                                   .needs = page.needs,
                                   .files = join_files(base.files, page.files, keep),
                                   .cases = page.cases != NULL ? page.cases : base.cases,
                                   .steps = page.steps,
                                   .unsealed = page.unsealed,
                                   .real_time = page.real_time,
                                   .twins = page.twins};
    if (attack->steps == NULL || (attack->held_by != NULL && attack->control != NULL))
        return PAWL_OK;
    pawl_fail_at(err, PAWL_ECONFIG, source->name, 0, "held_by",
                 "The attack %s has steps, and does not say what stops it and how it is known that "
                 "it would succeed.",
                 attack->id);
    pawl_hint(err, "Write `held_by:` and `control:`, a sentence each.");
    return PAWL_ECONFIG;
}
