#include "improve/journal.h"

#include "improve/journal_line.h"
#include "io/file.h"
#include "io/thread.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FLUSH_MS = 100, LINE_MAX_BYTES = PAWL_JOURNAL_RESULT_MAX + (1 << 20) };

struct slot {
    uint64_t hash;   /* of the path; 0: empty */
    uint64_t offset; /* of the line */
};

struct pawl_journal {
    int fd;
    char *path;
    struct pawl_store *store;
    json_t *header;

    struct pawl_str map; /* the file as it was at open; immutable */
    struct slot *slots;  /* a power of two of them */
    size_t n_slots, n_indexed;
    struct pawl_journal_totals totals;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake, synced_more;
    struct pawl_buf line;
    int64_t size, synced; /* bytes written; bytes known to be on the disk */
    bool syncing, stopping;
    bool broken; /* a sync failed: never write again */
    struct pawl_error why;
    pthread_t flusher;
};

/* --- the index --------------------------------------------------------------------------------- */

static uint64_t hash_path(struct pawl_str path)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < path.len; i++)
        hash = (hash ^ (unsigned char)path.ptr[i]) * 1099511628211u;
    return hash != 0 ? hash : 1;
}

static void put_slot(struct slot *slots, size_t n_slots, struct slot slot)
{
    size_t i = slot.hash & (n_slots - 1);
    while (slots[i].hash != 0) i = (i + 1) & (n_slots - 1);
    slots[i] = slot;
}

static void index_line(struct pawl_journal *journal, struct pawl_str path, size_t offset)
{
    if ((journal->n_indexed + 1) * 2 > journal->n_slots) {
        size_t n = journal->n_slots != 0 ? journal->n_slots * 2 : 256;
        struct slot *slots = pawl_xcalloc(n, sizeof *slots);
        for (size_t i = 0; i < journal->n_slots; i++)
            if (journal->slots[i].hash != 0) put_slot(slots, n, journal->slots[i]);
        free(journal->slots);
        journal->slots = slots;
        journal->n_slots = n;
    }
    put_slot(journal->slots, journal->n_slots, (struct slot){hash_path(path), offset});
    journal->n_indexed++;
}

static struct pawl_str tail_of(const struct pawl_journal *journal, size_t offset)
{
    return (struct pawl_str){journal->map.ptr + offset, journal->map.len - offset};
}

bool pawl_journal_find(const struct pawl_journal *journal, const char *path,
                       struct pawl_recorded *step)
{
    if (journal->n_slots == 0) return false;
    struct pawl_str wanted = pawl_str_of(path);
    uint64_t hash = hash_path(wanted);
    for (size_t i = hash & (journal->n_slots - 1);; i = (i + 1) & (journal->n_slots - 1)) {
        const struct slot *slot = &journal->slots[i];
        if (slot->hash == 0) return false;
        if (slot->hash != hash) continue;
        struct pawl_line line = pawl_line_read(tail_of(journal, slot->offset));
        if (!pawl_str_eq(line.path, wanted)) continue;
        *step = line.step;
        return true;
    }
}

void pawl_journal_each(const struct pawl_journal *journal, pawl_journal_visit visit, void *context)
{
    for (size_t offset = 0; offset < journal->map.len;) {
        struct pawl_line line = pawl_line_read(tail_of(journal, offset));
        if (line.kind == PAWL_LINE_STEP) visit(context, line.path, &line.step);
        offset += line.n_bytes;
    }
}

struct cost_below {
    const char *prefix;
    int64_t sum;
};

static void add_cost(void *context, struct pawl_str path, const struct pawl_recorded *step)
{
    struct cost_below *below = context;
    size_t n = strlen(below->prefix);
    bool is_below = pawl_str_starts(path, below->prefix) && path.len > n && path.ptr[n] == '/';
    if (n == 0 || is_below) below->sum += step->cost;
}

int64_t pawl_journal_cost_below(const struct pawl_journal *journal, const char *prefix)
{
    struct cost_below below = {.prefix = prefix};
    pawl_journal_each(journal, add_cost, &below);
    return below.sum;
}

/* --- opening ------------------------------------------------------------------------------------- */

static enum pawl_status corrupt(const struct pawl_journal *journal, size_t offset, const char *what,
                                struct pawl_error *err)
{
    pawl_fail(err, PAWL_EINTEGRITY, "The journal %s is damaged at byte %zu: %s.", journal->path,
              offset, what);
    pawl_hint(err, "`pawl improve --fork RUN` starts anew with its candidates and paid answers.");
    return PAWL_EINTEGRITY;
}

static void add_totals(struct pawl_journal_totals *totals, const struct pawl_line *line)
{
    if (line->kind == PAWL_LINE_MONEY) {
        if (line->spent_microusd < 0) {
            totals->reserved_microusd += line->reserved_microusd;
        } else {
            totals->settled_microusd += line->reserved_microusd;
            totals->spent_microusd += line->spent_microusd;
        }
        return;
    }
    totals->n_steps++;
    if (line->step.elapsed_ms > totals->elapsed_ms) totals->elapsed_ms = line->step.elapsed_ms;
}

static bool has_good_line(const struct pawl_journal *journal, size_t offset)
{
    while (offset < journal->map.len) {
        struct pawl_line line = pawl_line_read(tail_of(journal, offset));
        if (line.kind != PAWL_LINE_BAD) return true;
        offset += line.n_bytes;
    }
    return false;
}

static enum pawl_status read_header(struct pawl_journal *journal, const struct pawl_line *line,
                                    struct pawl_error *err)
{
    json_t *object;
    if (pawl_json_parse(line->json, LINE_MAX_BYTES, &object, NULL) != PAWL_OK)
        return corrupt(journal, 0, "the header is no JSON", err);
    journal->header = json_incref(json_object_get(object, "header"));
    json_decref(object);
    if (!json_is_object(journal->header))
        return corrupt(journal, 0, "the header is no object", err);
    return PAWL_OK;
}

/* Give *good: the length of the file up to the last whole line. */
static enum pawl_status scan(struct pawl_journal *journal, size_t *good, struct pawl_error *err)
{
    for (*good = 0; *good < journal->map.len;) {
        struct pawl_line line = pawl_line_read(tail_of(journal, *good));
        if (line.kind == PAWL_LINE_BAD) {
            if (*good > 0 && !has_good_line(journal, *good + line.n_bytes)) return PAWL_OK;
            return corrupt(journal, *good, "a line does not fit its checksum", err);
        }
        if ((line.kind == PAWL_LINE_HEADER) != (*good == 0))
            return corrupt(journal, *good, "the header is not the first line", err);
        if (line.kind == PAWL_LINE_HEADER)
            PAWL_TRY(read_header(journal, &line, err));
        else
            add_totals(&journal->totals, &line);
        if (line.kind == PAWL_LINE_STEP) index_line(journal, line.path, *good);
        *good += line.n_bytes;
    }
    return *good > 0 ? PAWL_OK : corrupt(journal, 0, "it is empty", err);
}

static enum pawl_status fail_on(const struct pawl_journal *journal, int errnum, const char *doing,
                                struct pawl_error *err)
{
    enum pawl_status status = errnum == ENOENT ? PAWL_ENOTFOUND : PAWL_EWORLD;
    pawl_fail_errno(err, status, errnum, "Could not %s the journal %s", doing, journal->path);
    if (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG)
        pawl_hint(err, "Free some space on that disk, then resume the run; nothing is lost.");
    else if (status == PAWL_EWORLD)
        pawl_hint(err, "Look at the disk, then resume the run.");
    return status;
}

static enum pawl_status map_file(struct pawl_journal *journal, struct pawl_error *err)
{
    struct stat st;
    if (fstat(journal->fd, &st) != 0) return fail_on(journal, errno, "look at", err);
    if (st.st_size == 0) return PAWL_OK;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, journal->fd, 0);
    if (map == MAP_FAILED) return fail_on(journal, errno, "map", err);
    journal->map = (struct pawl_str){map, (size_t)st.st_size};
    return PAWL_OK;
}

/* The bytes of a torn tail stay mapped, but nobody reads beyond the last whole line. */
static enum pawl_status cut_tail(struct pawl_journal *journal, size_t good, struct pawl_error *err)
{
    if (good < journal->map.len && ftruncate(journal->fd, (off_t)good) != 0)
        return fail_on(journal, errno, "cut the torn end off", err);
    if (good < journal->map.len) {
        munmap((void *)journal->map.ptr, journal->map.len);
        journal->map = (struct pawl_str){0};
        PAWL_TRY(map_file(journal, err));
    }
    journal->size = journal->synced = (int64_t)good;
    return PAWL_OK;
}

static void *flush_often(void *context);

static enum pawl_status start(struct pawl_journal *journal, struct pawl_error *err)
{
    size_t good = 0;
    journal->fd = open(journal->path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (journal->fd < 0) return fail_on(journal, errno, "open", err);
    if (flock(journal->fd, LOCK_EX | LOCK_NB) != 0) {
        pawl_fail(err, PAWL_EUSAGE, "Another process is running this run already (%s is locked).",
                  journal->path);
        pawl_hint(err, "Wait until it ends, or stop it first.");
        return PAWL_EUSAGE;
    }
    PAWL_TRY(map_file(journal, err));
    PAWL_TRY(scan(journal, &good, err));
    PAWL_TRY(cut_tail(journal, good, err));
    int errnum = pawl_thread_start(&journal->flusher, flush_often, journal);
    return errnum == 0 ? PAWL_OK : fail_on(journal, errnum, "start the thread of", err);
}

static void release(struct pawl_journal *journal)
{
    if (journal->map.len > 0) munmap((void *)journal->map.ptr, journal->map.len);
    if (journal->fd >= 0) close(journal->fd);
    pthread_mutex_destroy(&journal->lock);
    pthread_cond_destroy(&journal->wake);
    pthread_cond_destroy(&journal->synced_more);
    pawl_buf_release(&journal->line);
    json_decref(journal->header);
    free(journal->slots);
    free(journal->path);
    free(journal);
}

enum pawl_status pawl_journal_open(const char *path, struct pawl_store *store,
                                   struct pawl_journal **out, struct pawl_error *err)
{
    pthread_condattr_t monotonic;
    struct pawl_journal *journal = pawl_xcalloc(1, sizeof *journal);
    *journal = (struct pawl_journal){.fd = -1, .path = pawl_xstrdup(path), .store = store};
    journal->line = PAWL_BUF(LINE_MAX_BYTES);
    pthread_mutex_init(&journal->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&journal->synced_more, NULL);
    enum pawl_status status = start(journal, err);
    if (status == PAWL_OK)
        *out = journal;
    else
        release(journal);
    return status;
}

/* The header is there whole or not at all: it is written beside and renamed into place. Of two
 * processes that begin the same run, one is refused: the other may have written steps already. */
enum pawl_status pawl_journal_create(const char *path, const json_t *header,
                                     struct pawl_store *store, struct pawl_journal **journal,
                                     struct pawl_error *err)
{
    struct pawl_buf line = PAWL_BUF(LINE_MAX_BYTES);
    char *copy = pawl_xstrdup(path);
    enum pawl_status status = pawl_dir_make(dirname(copy), 0700, err);
    free(copy);
    pawl_line_write_header(&line, header);
    PAWL_ASSERT(!line.overflowed);
    if (status == PAWL_OK) status = pawl_file_write_new(path, pawl_buf_str(&line), 0600, err);
    pawl_buf_release(&line);
    return status == PAWL_OK ? pawl_journal_open(path, store, journal, err) : status;
}

const json_t *pawl_journal_header(const struct pawl_journal *journal)
{
    return journal->header;
}

struct pawl_journal_totals pawl_journal_totals(const struct pawl_journal *journal)
{
    return journal->totals;
}

/* --- syncing ------------------------------------------------------------------------------------ */

/* Lock held on entry and return. */
static enum pawl_status report_broken(struct pawl_journal *journal, struct pawl_error *err)
{
    if (!journal->broken) return PAWL_OK;
    if (err != NULL) *err = journal->why;
    return journal->why.status;
}

/* Lock held on entry and return, not while the disk works. Many waiting threads share one sync. */
static enum pawl_status sync_locked(struct pawl_journal *journal, struct pawl_error *err)
{
    int64_t wanted = journal->size;
    while (journal->synced < wanted && !journal->broken) {
        if (journal->syncing) {
            pthread_cond_wait(&journal->synced_more, &journal->lock);
            continue;
        }
        int64_t target = journal->size;
        journal->syncing = true;
        pthread_mutex_unlock(&journal->lock);
        int errnum = fdatasync(journal->fd) == 0 ? 0 : errno;
        pthread_mutex_lock(&journal->lock);
        journal->syncing = false;
        if (errnum == 0) {
            journal->synced = target;
        } else {
            journal->broken = true;
            fail_on(journal, errnum, "make durable", &journal->why);
        }
        pthread_cond_broadcast(&journal->synced_more);
    }
    return report_broken(journal, err);
}

enum pawl_status pawl_journal_sync(struct pawl_journal *journal, struct pawl_error *err)
{
    pthread_mutex_lock(&journal->lock);
    enum pawl_status status = sync_locked(journal, err);
    pthread_mutex_unlock(&journal->lock);
    return status;
}

/* Sleeps until something is written, then FLUSH_MS more for company, then syncs. */
static void *flush_often(void *context)
{
    struct pawl_journal *journal = context;
    pthread_mutex_lock(&journal->lock);
    while (!journal->stopping) {
        struct timespec until;
        if (journal->broken || journal->synced == journal->size) {
            pthread_cond_wait(&journal->wake, &journal->lock);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += FLUSH_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        while (!journal->stopping &&
               pthread_cond_timedwait(&journal->wake, &journal->lock, &until) == 0) {}
        (void)sync_locked(journal, NULL); /* a failure is kept in `why` and told to every writer */
    }
    (void)sync_locked(journal, NULL);
    pthread_mutex_unlock(&journal->lock);
    return NULL;
}

void pawl_journal_close(struct pawl_journal *journal)
{
    if (journal == NULL) return;
    pthread_mutex_lock(&journal->lock);
    journal->stopping = true;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->flusher, NULL);
    release(journal);
}

/* --- writing -------------------------------------------------------------------------------------- */

/* Write journal->line whole, or nothing. Lock held. */
static enum pawl_status write_line(struct pawl_journal *journal, struct pawl_error *err)
{
    struct pawl_str line = pawl_buf_str(&journal->line);
    if (journal->line.overflowed)
        return pawl_fail(err, PAWL_ETOOBIG, "A step's result is larger than a journal can hold.");
    PAWL_TRY(report_broken(journal, err));
    bool was_clean = journal->synced == journal->size;
    while (line.len > 0) {
        ssize_t n = write(journal->fd, line.ptr, line.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int errnum = errno;
            if (ftruncate(journal->fd, (off_t)journal->size) != 0) journal->broken = true;
            enum pawl_status status = fail_on(journal, errnum, "write", &journal->why);
            if (err != NULL) *err = journal->why;
            return status;
        }
        line.ptr += n;
        line.len -= (size_t)n;
    }
    journal->size += (int64_t)journal->line.len;
    if (was_clean) pthread_cond_signal(&journal->wake);
    return PAWL_OK;
}

enum pawl_status pawl_journal_append(struct pawl_journal *journal, const struct pawl_step *step,
                                     struct pawl_error *err)
{
    struct pawl_buf result = PAWL_BUF(PAWL_JOURNAL_RESULT_MAX);
    struct pawl_hash object;
    enum pawl_status status = PAWL_OK;
    if (step->result != NULL) pawl_json_write(step->result, &result);
    if (result.overflowed)
        status = pawl_fail(err, PAWL_ETOOBIG, "A step's result is over %d MiB.",
                           PAWL_JOURNAL_RESULT_MAX >> 20);
    bool outside = result.len > PAWL_JOURNAL_INLINE_MAX && journal->store != NULL;
    /* Durable first: a line on the disk must never name an object that is not. */
    if (status == PAWL_OK && outside)
        status = pawl_store_object_put(journal->store, pawl_buf_str(&result), true, &object, err);
    if (status == PAWL_OK) {
        pthread_mutex_lock(&journal->lock);
        pawl_buf_reset(&journal->line);
        pawl_line_write_step(&journal->line, step, pawl_buf_str(&result), outside ? &object : NULL);
        status = write_line(journal, err);
        pthread_mutex_unlock(&journal->lock);
    }
    pawl_buf_release(&result);
    return status;
}

enum pawl_status pawl_journal_money(struct pawl_journal *journal, int64_t reserved_microusd,
                                    int64_t spent_microusd, struct pawl_error *err)
{
    pthread_mutex_lock(&journal->lock);
    pawl_buf_reset(&journal->line);
    pawl_line_write_money(&journal->line, reserved_microusd, spent_microusd);
    enum pawl_status status = write_line(journal, err);
    if (status == PAWL_OK && spent_microusd < 0) status = sync_locked(journal, err);
    pthread_mutex_unlock(&journal->lock);
    return status;
}

enum pawl_status pawl_journal_result(struct pawl_journal *journal, const struct pawl_recorded *step,
                                     json_t **result, struct pawl_error *err)
{
    struct pawl_arena arena = {0};
    struct pawl_str text = step->result;
    enum pawl_status status = PAWL_OK;
    *result = NULL;
    if (step->in_store && journal->store == NULL)
        return pawl_fail(err, PAWL_EINTEGRITY, "The journal %s needs the store it was made with.",
                         journal->path);
    if (step->in_store)
        status = pawl_store_object_get(journal->store, &arena, &step->object, &text, err);
    if (status == PAWL_OK && text.len > 0)
        status = pawl_json_parse(text, PAWL_JOURNAL_RESULT_MAX, result, err);
    pawl_arena_release(&arena);
    return status;
}
