/* Candidates: making them, reading them, what is known of them. */
#include "improve/host_internal.h"

#include <math.h>
#include <stdlib.h>

/* --- the table (the run's lock is held by whoever calls a function named _locked) --------------- */

static uint64_t id_hash(const struct pawl_hash *id)
{
    uint64_t hash;
    memcpy(&hash, id->bytes, sizeof hash);
    return hash;
}

/* The slot of this artifact, or the empty one where it belongs. */
static uint32_t *id_slot_locked(struct pawl_run *run, const struct pawl_hash *id)
{
    size_t i = id_hash(id) & (run->n_by_id - 1);
    while (run->by_id[i] != 0 && !pawl_hash_eq(&run->candidates[run->by_id[i] - 1].id, id))
        i = (i + 1) & (run->n_by_id - 1);
    return &run->by_id[i];
}

static void grow_locked(struct pawl_run *run)
{
    run->capacity = run->capacity != 0 ? run->capacity * 2 : 64;
    run->candidates = pawl_xrealloc(run->candidates, run->capacity * sizeof *run->candidates);
    free(run->by_id);
    run->n_by_id = run->capacity * 2;
    run->by_id = pawl_xcalloc(run->n_by_id, sizeof *run->by_id);
    for (uint32_t i = 0; i < run->n_candidates; i++)
        *id_slot_locked(run, &run->candidates[i].id) = i + 1;
}

/* Numbers as strings of digits: the longer one is the larger one. */
static int compare_parts(struct pawl_str a, struct pawl_str b)
{
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return memcmp(a.ptr, b.ptr, a.len);
}

bool pawl_path_before(const char *a, const char *b)
{
    struct pawl_str rest_a = pawl_str_of(a), rest_b = pawl_str_of(b), part_a, part_b;
    for (;;) {
        bool more_a = pawl_str_split(&rest_a, '/', &part_a);
        bool more_b = pawl_str_split(&rest_b, '/', &part_b);
        if (!more_a || !more_b) return more_b;
        int order = compare_parts(part_a, part_b);
        if (order != 0) return order < 0;
    }
}

/* Branches may draft one text at the same time; the earlier path is its origin. */
static void set_origin_locked(struct pawl_run *run, struct pawl_candidate *candidate,
                              const char *path, const uint32_t *parents, size_t n_parents)
{
    if (candidate->path != NULL && !pawl_path_before(path, candidate->path)) return;
    uint32_t *copy = PAWL_NEW_N(&run->arena, uint32_t, n_parents + 1);
    for (size_t i = 0; i < n_parents; i++) copy[i] = parents[i];
    candidate->path = pawl_arena_strdup(&run->arena, path);
    candidate->parents = copy;
    candidate->n_parents = n_parents;
}

static uint32_t number_of_locked(struct pawl_run *run, const struct pawl_hash *id)
{
    if (run->n_candidates == run->capacity) grow_locked(run);
    uint32_t *slot = id_slot_locked(run, id);
    if (*slot == 0) {
        run->candidates[run->n_candidates] =
            (struct pawl_candidate){.id = *id, .inherited_mean = NAN};
        *slot = (uint32_t)++run->n_candidates;
    }
    return *slot - 1;
}

static uint32_t add_locked(struct pawl_run *run, const struct pawl_artifact *artifact,
                           const char *path, const uint32_t *parents, size_t n_parents)
{
    uint32_t number = number_of_locked(run, &artifact->id);
    if (run->candidates[number].artifact == NULL) run->n_seen++;
    run->candidates[number].artifact = artifact;
    set_origin_locked(run, &run->candidates[number], path, parents, n_parents);
    return number;
}

uint32_t pawl_run_add_candidate(struct pawl_run *run, const struct pawl_artifact *artifact,
                                const char *path, const uint32_t *parents, size_t n_parents)
{
    pthread_mutex_lock(&run->lock);
    uint32_t number = add_locked(run, artifact, path, parents, n_parents);
    pthread_mutex_unlock(&run->lock);
    return number;
}

/* Branches repeat their drafts in any order, and one may already go on while another repeats; so
 * every recorded text has its number from the start. */
static void expect_draft(void *context, struct pawl_str path, const struct pawl_recorded *step)
{
    struct pawl_run *run = context;
    struct pawl_hash id;
    (void)path;
    if (!pawl_str_is(step->kind, "draft") || step->result.len != PAWL_HASH_HEX + 1) return;
    struct pawl_str hex = {step->result.ptr + 1, PAWL_HASH_HEX - 1};
    if (pawl_hash_from_hex(hex, &id)) number_of_locked(run, &id);
}

void pawl_run_expect_candidates(struct pawl_run *run)
{
    pawl_journal_each(run->settings.journal, expect_draft, run);
}

const struct pawl_artifact *pawl_run_artifact(struct pawl_run *run, uint32_t candidate)
{
    pthread_mutex_lock(&run->lock);
    PAWL_ASSERT(candidate < run->n_candidates);
    const struct pawl_artifact *artifact = run->candidates[candidate].artifact;
    PAWL_ASSERT(artifact != NULL);
    pthread_mutex_unlock(&run->lock);
    return artifact;
}

/* --- what is known on dev ---------------------------------------------------------------------- */

static double dev_mean_locked(const struct pawl_run *run, const struct pawl_candidate *candidate,
                              size_t *n)
{
    double sum = 0;
    *n = 0;
    for (size_t i = 0; candidate->dev_scores != NULL && i < run->n_visible; i++) {
        float score = candidate->dev_scores[run->visible[i]];
        if (isnan(score)) continue;
        sum += (double)score;
        (*n)++;
    }
    return *n > 0 ? sum / (double)*n : candidate->inherited_mean;
}

double pawl_run_dev_mean(struct pawl_run *run, uint32_t candidate, size_t *n)
{
    size_t count;
    pthread_mutex_lock(&run->lock);
    double mean = dev_mean_locked(run, &run->candidates[candidate], &count);
    pthread_mutex_unlock(&run->lock);
    if (n != NULL) *n = count;
    return mean;
}

size_t pawl_run_measured_min(struct pawl_run *run)
{
    size_t n_start;
    (void)pawl_run_dev_mean(run, 0, &n_start);
    return n_start > 0 ? n_start - n_start / 20 : 1;
}

void pawl_run_note_dev(struct pawl_run *run, uint32_t candidate, uint32_t dev_index, double score,
                       const struct pawl_behaviour *behaviour)
{
    size_t n_dev = run->settings.dev->n;
    pthread_mutex_lock(&run->lock);
    struct pawl_candidate *c = &run->candidates[candidate];
    if (c->dev_scores == NULL) {
        /* Not on the heap: they stay, and between them what comes and goes would fit less and less. */
        c->dev_scores = PAWL_NEW_N(&run->arena, float, n_dev);
        c->behaviour = PAWL_NEW_N(&run->arena, struct pawl_behaviour, n_dev);
        for (size_t i = 0; i < n_dev; i++) c->dev_scores[i] = NAN;
    }
    c->dev_scores[dev_index] = (float)score;
    if (behaviour->known) c->behaviour[dev_index] = *behaviour;
    pthread_mutex_unlock(&run->lock);
}

struct pawl_behaviour pawl_behaviour_of(const struct pawl_result *result)
{
    const unsigned char *b = result->behaviour.bytes;
    uint32_t bits = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return (struct pawl_behaviour){bits, result->status != PAWL_OUTCOME_MISSING};
}

bool pawl_behaviour_hash(const struct pawl_cases *dev, const struct pawl_behaviour *answers,
                         struct pawl_hash *out)
{
    struct pawl_hasher hasher;
    pawl_args_begin(&hasher, "behaviour");
    for (size_t i = 0; i < dev->n; i++) {
        if (!answers[i].known) return false;
        pawl_args_text(&hasher, pawl_str_of(dev->items[i].id));
        pawl_args_int(&hasher, answers[i].bits);
    }
    *out = pawl_hasher_final(&hasher);
    return true;
}

/* --- the store's rows, for log, lineage and forks ------------------------------------------------ */

static json_t *candidate_json(struct pawl_run *run, uint32_t number)
{
    size_t n_scored;
    pthread_mutex_lock(&run->lock);
    const struct pawl_candidate *candidate = &run->candidates[number];
    double mean = dev_mean_locked(run, candidate, &n_scored);
    json_t *parents = json_array();
    for (size_t i = 0; i < candidate->n_parents; i++)
        json_array_append_new(parents,
                              json_string(run->candidates[candidate->parents[i]].artifact->hex));
    json_t *body = json_pack("{s:s, s:i, s:s, s:s, s:o, s:I, s:b}", "run", run->settings.id,
                             "number", (int)number, "artifact", candidate->artifact->hex, "step",
                             candidate->path, "parents", parents, "dev_scored",
                             (json_int_t)n_scored, "nominated", candidate->nominated);
    pthread_mutex_unlock(&run->lock);
    pawl_json_set(body, "dev_mean", isnan(mean) ? json_null() : json_real(mean));
    return body;
}

/* For people and forks only, and written again on resume: a row that is lost does no harm, and a
 * store that cannot write says so when it is flushed. */
void pawl_run_keep_candidate(struct pawl_run *run, uint32_t candidate)
{
    struct pawl_error ignored;
    if (run->settings.store == NULL) return;
    const struct pawl_artifact *artifact = pawl_run_artifact(run, candidate);
    json_t *body = candidate_json(run, candidate);
    enum pawl_status status = pawl_store_candidate_put(
        run->settings.store, run->settings.id, (int64_t)candidate, artifact->hex, body, &ignored);
    (void)status;
    json_decref(body);
}

/* --- steps ----------------------------------------------------------------------------------------- */

static void hash_draft(struct pawl_hasher *args, const uint32_t *parents, size_t n_parents,
                       const struct pawl_host_edit *edits, size_t n_edits)
{
    pawl_args_begin(args, "draft");
    pawl_args_int(args, n_parents);
    for (size_t i = 0; i < n_parents; i++) pawl_args_int(args, parents[i]);
    pawl_args_int(args, n_edits);
    for (size_t i = 0; i < n_edits; i++) {
        pawl_args_text(args, pawl_str_of(edits[i].component));
        pawl_args_text(args, edits[i].text);
    }
}

/* What an LM wrote becomes a text that a component can hold: repaired, and cut at a character. */
static struct pawl_str clean_text(struct pawl_arena *scratch, struct pawl_str text)
{
    struct pawl_buf repaired = PAWL_BUF(3 * (PAWL_COMPONENT_MAX + 4));
    if (text.len > PAWL_COMPONENT_MAX) {
        text.len = PAWL_COMPONENT_MAX;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) text.len--;
    }
    if (pawl_utf8_is_valid(text, NULL)) return text;
    pawl_utf8_repair(text, &repaired);
    struct pawl_str copy = pawl_arena_copy(scratch, pawl_buf_str(&repaired));
    pawl_buf_release(&repaired);
    return copy.len > PAWL_COMPONENT_MAX ? clean_text(scratch, copy) : copy;
}

static enum pawl_status apply_edits(struct pawl_run *run, uint32_t parent,
                                    const struct pawl_host_edit *edits, size_t n_edits,
                                    struct pawl_artifact **artifact, struct pawl_error *err)
{
    struct pawl_arena scratch = {0};
    struct pawl_edit changes[PAWL_COMPONENTS_MAX];
    PAWL_ASSERT(n_edits <= PAWL_COMPONENTS_MAX);
    for (size_t i = 0; i < n_edits; i++)
        changes[i] = (struct pawl_edit){edits[i].component, clean_text(&scratch, edits[i].text)};
    const struct pawl_artifact *base = pawl_run_artifact(run, parent);
    pthread_mutex_lock(&run->lock);
    enum pawl_status status =
        pawl_artifact_apply(&run->arena, base, changes, n_edits, artifact, err);
    pthread_mutex_unlock(&run->lock);
    pawl_arena_release(&scratch);
    return status;
}

/* A number is given out and recorded at once, so that the numbers of a run have no holes whatever
 * branches and crashes do. */
static enum pawl_status record_draft(struct pawl_host *host, struct pawl_host_step *step,
                                     const struct pawl_artifact *artifact, const uint32_t *parents,
                                     size_t n_parents, struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    step->result = json_string(artifact->hex);
    pthread_mutex_lock(&run->draft_lock);
    step->record.number =
        (int64_t)pawl_run_add_candidate(run, artifact, step->path, parents, n_parents);
    enum pawl_status status = pawl_host_record(host, step, err);
    pthread_mutex_unlock(&run->draft_lock);
    return status;
}

static enum pawl_status repeat_draft(struct pawl_run *run, struct pawl_host_step *step,
                                     const struct pawl_artifact *artifact, const uint32_t *parents,
                                     size_t n_parents, struct pawl_error *err)
{
    const char *hex = json_string_value(step->result);
    step->record.number = step->found.number;
    if (hex == NULL || strcmp(hex, artifact->hex) != 0) return pawl_host_bad_record(step, err);
    uint32_t number = pawl_run_add_candidate(run, artifact, step->path, parents, n_parents);
    return (int64_t)number == step->found.number ? PAWL_OK : pawl_host_bad_record(step, err);
}

/* Without waiting: what a crash loses, a resumed run drafts again. */
static enum pawl_status store_artifact(struct pawl_run *run, const struct pawl_artifact *artifact,
                                       struct pawl_error *err)
{
    if (run->settings.store == NULL) return PAWL_OK;
    return pawl_artifact_put_lazy(run->settings.store, artifact, err);
}

enum pawl_status pawl_host_draft(struct pawl_host *host, const uint32_t *parents, size_t n_parents,
                                 const struct pawl_host_edit *edits, size_t n_edits,
                                 uint32_t *candidate, struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_hasher args;
    struct pawl_host_step step;
    struct pawl_artifact *artifact;
    PAWL_ASSERT(n_parents > 0);
    hash_draft(&args, parents, n_parents, edits, n_edits);
    PAWL_TRY(pawl_host_begin(host, "draft", &args, &step, err));
    enum pawl_status status = apply_edits(run, parents[0], edits, n_edits, &artifact, err);
    if (status == PAWL_OK) status = store_artifact(run, artifact, err);
    if (status == PAWL_OK && step.is_recorded)
        status = repeat_draft(run, &step, artifact, parents, n_parents, err);
    else if (status == PAWL_OK)
        status = record_draft(host, &step, artifact, parents, n_parents, err);
    pawl_host_end(&step);
    if (status != PAWL_OK) return pawl_run_fail(run, status, err);
    *candidate = (uint32_t)step.record.number;
    pawl_run_keep_candidate(run, *candidate);
    pawl_run_tell(run);
    return PAWL_OK;
}

struct pawl_str pawl_host_text(struct pawl_host *host, uint32_t candidate, const char *component)
{
    const struct pawl_component *found =
        pawl_artifact_find(pawl_run_artifact(host->run, candidate), component);
    if (found == NULL)
        PAWL_BUG("the operator asked for a component %s that does not exist", component);
    return found->text;
}

enum pawl_status pawl_host_nominate(struct pawl_host *host, uint32_t candidate,
                                    struct pawl_error *err)
{
    struct pawl_run *run = host->run;
    struct pawl_hasher args;
    struct pawl_host_step step;
    (void)pawl_run_artifact(run, candidate);
    pawl_args_begin(&args, "nominate");
    pawl_args_int(&args, candidate);
    PAWL_TRY(pawl_host_begin(host, "nominate", &args, &step, err));
    enum pawl_status status = step.is_recorded ? PAWL_OK : pawl_host_record(host, &step, err);
    pawl_host_end(&step);
    if (status != PAWL_OK) return status;
    pthread_mutex_lock(&run->lock);
    run->candidates[candidate].nominated = true;
    pthread_mutex_unlock(&run->lock);
    pawl_run_keep_candidate(run, candidate);
    return PAWL_OK;
}
