/*
 * Measuring: every planned case, both arms, asked of the sealed side in keyed order.
 *
 * Invariants
 *   1. The order of cases, of the arms of a case and of what the gate is fed depends on the key
 *      alone, never on when an answer came.
 *   2. A score is made here; the side that runs artifacts never sees a target or a score. Where a model
 *      judges, a second side is asked about each answer that came. All arms are always
 *      measured afresh: no stored score is ever used.
 *   3. A case with a missing answer counts as a tie. More than 2 % of them, or a sealed side that
 *      is gone, and nothing is decided.
 */
#include "improve/vault.h"

#include "evaluate/questions.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    TRIES_MAX = 4, /* the first and three more */
    MISSING_PER_CENT = 2,
    PARALLEL_MAX = 4096,
    SILENCE_MAX_MS = 900000, /* longer than any model's own time limit with its retries */
    SIDES_MAX = 2,
};

/* --- waiting -------------------------------------------------------------------------------------- */

/* The front says nothing while it waits; it only goes away. */
static enum pawl_status hear_front(struct pawl_worker *worker, struct pawl_error *err)
{
    json_t *message;
    if (pawl_channel_receive(worker->front, 0, &message, err) == PAWL_OK) {
        json_decref(message);
        return PAWL_OK;
    }
    return pawl_fail(err, PAWL_EPAUSED, "The front has gone; the attempt stays as it is.");
}

/* Wait for one of n sealed sides, or the time to pass. *ready is one that speaks, or NULL. */
static enum pawl_status wait_for(struct pawl_worker *worker, struct pawl_channel *const *sides,
                                 size_t n, int wait_ms, struct pawl_channel **ready,
                                 struct pawl_error *err)
{
    struct pollfd fds[1 + SIDES_MAX] = {{.fd = pawl_channel_fd(worker->front), .events = POLLIN}};
    for (size_t i = 0; i < n; i++)
        fds[1 + i] = (struct pollfd){.fd = pawl_channel_fd(sides[i]), .events = POLLIN};
    int n_ready = poll(fds, 1 + n, wait_ms);
    if (n_ready < 0 && errno != EINTR)
        return pawl_fail_errno(err, PAWL_EWORLD, errno, "Could not wait for the sealed side");
    *ready = NULL;
    for (size_t i = 0; n_ready > 0 && i < n; i++)
        if (fds[1 + i].revents != 0) *ready = sides[i];
    if (n_ready > 0 && fds[0].revents != 0) return hear_front(worker, err);
    return PAWL_OK;
}

enum pawl_status pawl_vault_wait(struct pawl_worker *worker, int wait_ms, struct pawl_error *err)
{
    struct pawl_channel *none;
    return wait_for(worker, NULL, 0, wait_ms, &none, err);
}

/* Wait for a message of a sealed side; *from says which, where it is wanted. Gives NULL at the time limit. */
static enum pawl_status hear_side(struct pawl_worker *worker, int wait_ms,
                                  struct pawl_channel **from, json_t **message,
                                  struct pawl_error *err)
{
    struct pawl_channel *const sides[SIDES_MAX] = {worker->peer, worker->judge};
    *message = NULL;
    PAWL_TRY(wait_for(worker, sides, worker->judge != NULL ? 2 : 1, wait_ms, from, err));
    return *from != NULL ? pawl_channel_receive(*from, 0, message, err) : PAWL_OK;
}

/* --- loading -------------------------------------------------------------------------------------- */

static enum pawl_status hear_ready(struct pawl_worker *worker, json_t **ready,
                                   struct pawl_error *err)
{
    for (;;) {
        json_t *message;
        struct pawl_channel *from;
        PAWL_TRY(hear_side(worker, SILENCE_MAX_MS, &from, &message, err));
        if (message == NULL)
            return pawl_fail(err, PAWL_EWORLD, "The sealed side did not load the artifacts.");
        enum pawl_status status = PAWL_OK;
        if (json_object_get(message, "error") != NULL) status = pawl_error_from_json(message, err);
        *ready = json_incref(json_object_get(message, "ready"));
        json_decref(message);
        if (status != PAWL_OK || *ready != NULL) return status;
    }
}

/* One side after the other, so that a "ready" is of the one that was told. Takes the message. */
static enum pawl_status load(struct pawl_worker *worker, struct pawl_channel *side, json_t *message,
                             json_t **ready, struct pawl_error *err)
{
    enum pawl_status status = pawl_channel_send(side, message, err);
    json_decref(message);
    return status == PAWL_OK ? hear_ready(worker, ready, err) : status;
}

enum pawl_status pawl_vault_load_arms(struct pawl_worker *worker, const json_t *incumbent,
                                      const json_t *candidate, const json_t *anchor, json_t **ready,
                                      struct pawl_error *err)
{
    *ready = NULL;
    if (worker->peer == NULL) return pawl_fail(err, PAWL_EUSAGE, "An attempt needs a sealed side.");
    json_t *arms = json_pack("[OO]", incumbent, candidate);
    if (anchor != NULL) json_array_append(arms, (json_t *)anchor);
    PAWL_TRY(load(worker, worker->peer, json_pack("{s:{s:o}}", "load", "arms", arms), ready, err));
    if (worker->judge == NULL) return PAWL_OK;
    json_t *graded;
    enum pawl_status status =
        load(worker, worker->judge, json_pack("{s:{s:b}}", "load", "judge", 1), &graded, err);
    if (status == PAWL_OK) {
        json_object_update(json_object_get(*ready, "models"), json_object_get(graded, "models"));
        json_decref(graded);
    } else {
        json_decref(*ready);
        *ready = NULL;
    }
    return status;
}

/* --- requests -------------------------------------------------------------------------------------- */

/* Request r asks case r / AK of the order for step r % AK; steps go through the K samples, the A arms of
 * each in the order that was drawn for the case. */
struct request {
    size_t position;
    int arm;
    int64_t sample;
};
struct turns { /* the arms in the order in which they are asked */
    unsigned char arms[PAWL_N_ARMS];
};
struct run {
    struct pawl_vault_measure *m;
    size_t n_requests, next; /* next: the first one never sent */
    size_t retries[PARALLEL_MAX], n_retries;
    int under_way;
    unsigned char *tries; /* [n_requests]: times sent; DONE when answered */
    json_t **judged;      /* [n_requests]: answers that wait for the judge; NULL: none does */
    struct turns *turns;  /* [cases] */
    struct pawl_guard_case *sums; /* [cases]: over the samples */
    uint32_t *left;               /* [cases]: answers to come */
    size_t n_missing;
    size_t n_fed, clusters_fed;
    int silence_ms;
    struct pawl_arena scratch; /* one score */
};
enum { DONE = 255 };

static size_t steps_of(const struct run *run)
{
    return run->m->n_arms * (size_t)run->m->samples;
}

static struct request request_at(const struct run *run, size_t r)
{
    size_t position = r / steps_of(run), step = r % steps_of(run);
    size_t n_arms = run->m->n_arms;
    return (struct request){position, run->turns[position].arms[step % n_arms],
                            (int64_t)(step / n_arms)};
}

static size_t index_of(const struct run *run, struct request request)
{
    size_t turn = 0, n_arms = run->m->n_arms;
    while (run->turns[request.position].arms[turn] != request.arm) turn++;
    return request.position * steps_of(run) + n_arms * (size_t)request.sample + turn;
}

static const struct pawl_case *case_of(const struct run *run, size_t position)
{
    return &run->m->set->cases.items[run->m->order->items[position]];
}

static struct pawl_hash keyed(struct run *run, const char *purpose, size_t position)
{
    char *text = pawl_arena_printf(&run->scratch, "%s %lld %s", purpose, (long long)run->m->attempt,
                                   case_of(run, position)->id);
    struct pawl_hash hash = pawl_hash_keyed(run->m->keys->order, pawl_str_of(text));
    pawl_arena_reset(&run->scratch);
    return hash;
}

/* The first two orders serve two arms as well. */
static void draw_turns(struct run *run, size_t position)
{
    static const struct turns orders[] = {{{0, 1, 2}}, {{1, 0, 2}}, {{0, 2, 1}},
                                          {{1, 2, 0}}, {{2, 0, 1}}, {{2, 1, 0}}};
    size_t n_orders = run->m->n_arms == PAWL_N_ARMS ? 6 : 2;
    run->turns[position] = orders[keyed(run, "arm", position).bytes[0] % n_orders];
}

static void run_init(struct run *run, struct pawl_vault_measure *m)
{
    size_t n = m->order->n;
    *run = (struct run){.m = m, .n_requests = n * m->n_arms * (size_t)m->samples};
    run->tries = PAWL_NEW_N(m->arena, unsigned char, run->n_requests + 1);
    run->judged = PAWL_NEW_N(m->arena, json_t *, run->n_requests + 1);
    run->turns = PAWL_NEW_N(m->arena, struct turns, n + 1);
    run->sums = PAWL_NEW_N(m->arena, struct pawl_guard_case, n + 1);
    run->left = PAWL_NEW_N(m->arena, uint32_t, n + 1);
    m->scores.values = PAWL_NEW_N(m->arena, double, n * m->scores.width + 1);
    m->scores.n = 0;
    for (size_t i = 0; i < n; i++) {
        run->left[i] = (uint32_t)steps_of(run);
        draw_turns(run, i);
    }
}

/* --- asking ---------------------------------------------------------------------------------------- */

static enum pawl_status ask(struct run *run, size_t r, struct pawl_error *err)
{
    struct request request = request_at(run, r);
    struct pawl_hash hash = keyed(run, "ask", request.position);
    char opaque[PAWL_HASH_HEX];
    pawl_hash_hex(&hash, opaque);
    json_t *message =
        json_pack("{s:{s:I, s:i, s:I, s:s, s:O}}", "case", "n", (json_int_t)request.position, "arm",
                  request.arm, "sample", (json_int_t)request.sample, "id", opaque, "input",
                  case_of(run, request.position)->input);
    enum pawl_status status = pawl_channel_send(run->m->worker->peer, message, err);
    json_decref(message);
    run->tries[r]++;
    run->under_way++;
    return status;
}

static bool is_over(const struct run *run)
{
    const struct pawl_vault_measure *m = run->m;
    if (m->undecided != NULL) return true;
    return m->gate != NULL &&
           (m->gate->state == PAWL_GATE_EXHAUSTED || pawl_vault_promotes(m->gate, m->guards));
}

/* Keep the sealed side busy; what failed is asked again before anything new. */
static enum pawl_status ask_more(struct run *run, struct pawl_error *err)
{
    while (!is_over(run) && run->under_way < run->m->parallel) {
        if (run->n_retries > 0)
            PAWL_TRY(ask(run, run->retries[--run->n_retries], err));
        else if (run->next < run->n_requests)
            PAWL_TRY(ask(run, run->next++, err));
        else
            break;
    }
    return PAWL_OK;
}

/* --- answers --------------------------------------------------------------------------------------- */

static struct pawl_metric_call call_of(const struct run *run, size_t position, const json_t *output)
{
    const struct pawl_case *item = case_of(run, position);
    return (struct pawl_metric_call){.id = item->id,
                                     .input = item->input,
                                     .target = item->target,
                                     .output = output,
                                     .metadata = item->metadata};
}

/* A metric that cannot judge an answer fails the case; one that the world keeps from judging
 * leaves it without a score. */
static bool score_of(struct run *run, const struct pawl_metric_call *call, double *score,
                     bool *failed)
{
    struct pawl_metric_result result = {0};
    enum pawl_status status = pawl_metric_score(run->m->metric, &run->scratch, call, &result, NULL);
    bool judged = status == PAWL_OK && !result.failed && isfinite(result.score);
    *score = judged ? fmin(1, fmax(0, result.score)) : 0;
    *failed = !judged;
    pawl_arena_reset(&run->scratch);
    return status == PAWL_OK;
}

/* Nothing more is expected from the sealed side, now or in a later attempt. */
static void lose_peer(struct run *run, const char *why)
{
    const struct pawl_worker *worker = run->m->worker;
    run->m->undecided = why;
    run->under_way = 0;
    shutdown(pawl_channel_fd(worker->peer), SHUT_RDWR);
    if (worker->judge != NULL) shutdown(pawl_channel_fd(worker->judge), SHUT_RDWR);
}
static const char stopped[] = "The sealed side stopped.";
static const char broken[] = "The sealed side gave an answer that nobody asked for.";

/* Which request a message answers; false when it answers none. */
static bool match(const struct run *run, const json_t *message, struct request *request)
{
    int64_t n = pawl_json_get_int(message, "n", -1), arm = pawl_json_get_int(message, "arm", -1);
    int64_t sample = pawl_json_get_int(message, "sample", -1);
    if (n < 0 || (uint64_t)n >= run->m->order->n || arm < 0 || (uint64_t)arm >= run->m->n_arms ||
        sample < 0 || sample >= run->m->samples)
        return false;
    *request = (struct request){(size_t)n, (int)arm, sample};
    unsigned char tries = run->tries[index_of(run, *request)];
    return tries > 0 && tries != DONE;
}

/* What an answer took: the sealed side counts it, not the candidate. */
static void take_costs(const json_t *message, double values[PAWL_N_MEASURES])
{
    const json_t *took = json_object_get(message, "measurements");
    const json_t *tokens = json_object_get(took, "tokens");
    values[PAWL_MEASURE_TOKENS] = (double)(pawl_json_get_int(tokens, "prompt", 0) +
                                           pawl_json_get_int(tokens, "completion", 0));
    values[PAWL_MEASURE_SECONDS] = (double)pawl_json_get_int(took, "latency_us", 0) / 1e6;
    values[PAWL_MEASURE_COST] = (double)pawl_json_get_int(took, "microusd", 0) / 1e6;
}

static void settle(struct run *run, struct request request, const double values[PAWL_N_MEASURES],
                   bool missing)
{
    struct pawl_guard_case *sums = &run->sums[request.position];
    run->tries[index_of(run, request)] = DONE;
    run->left[request.position]--;
    for (int m = 0; m < PAWL_N_MEASURES; m++) sums->values[request.arm][m] += values[m];
    if (!missing || sums->missing) return;
    sums->missing = true;
    run->n_missing++;
    if (run->m->gate != NULL && run->n_missing * 100 > run->m->order->n * MISSING_PER_CENT)
        run->m->undecided = "The model or the network failed on more than 2 % of the cases.";
}

/* The end of a request, with what it was answered; NULL for `scored` where there is nothing to score. */
static void close_request(struct run *run, struct request request, const json_t *message,
                          const struct pawl_metric_call *scored, bool missing)
{
    size_t r = index_of(run, request);
    double values[PAWL_N_MEASURES] = {0};
    bool failed = scored == NULL && !missing;
    if (scored != NULL) missing = !score_of(run, scored, &values[PAWL_MEASURE_SCORE], &failed);
    run->under_way--;
    values[PAWL_MEASURE_FAILED] = failed;
    take_costs(message, values);
    if (missing && run->tries[r] < TRIES_MAX)
        run->retries[run->n_retries++] = r;
    else
        settle(run, request, values, missing);
}

/* False when the metric has nothing to ask about the answer. */
static bool ask_judge(struct run *run, struct request request, json_t *message,
                      const struct pawl_metric_call *call)
{
    struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX];
    size_t n = pawl_metric_questions(run->m->metric, &run->scratch, call, questions);
    if (n == 0) return false;
    json_t *asked = json_pack(
        "{s:{s:I, s:i, s:I, s:o}}", "judge", "n", (json_int_t)request.position, "arm", request.arm,
        "sample", (json_int_t)request.sample, "questions", pawl_questions_json(questions, n));
    pawl_arena_reset(&run->scratch);
    run->judged[index_of(run, request)] = json_incref(message);
    if (run->m->worker->judge == NULL ||
        pawl_channel_send(run->m->worker->judge, asked, NULL) != PAWL_OK)
        lose_peer(run, stopped);
    json_decref(asked);
    return true;
}

static void take_answer(struct run *run, json_t *message)
{
    struct request request;
    if (!match(run, message, &request) || run->judged[index_of(run, request)] != NULL) {
        lose_peer(run, broken);
        return;
    }
    const char *status = pawl_json_get_text(message, "status", "");
    bool done = strcmp(status, "done") == 0, failed = strcmp(status, "failed") == 0;
    struct pawl_metric_call call =
        call_of(run, request.position, json_object_get(message, "output"));
    if (!done || !ask_judge(run, request, message, &call))
        close_request(run, request, message, done ? &call : NULL, !done && !failed);
}

/* The judge's opinion of an answer that waited for it. */
static void take_opinion(struct run *run, const json_t *message)
{
    struct request request;
    struct pawl_metric_question questions[PAWL_METRIC_QUESTIONS_MAX];
    struct pawl_metric_reply replies[PAWL_METRIC_QUESTIONS_MAX];
    if (!match(run, message, &request) || run->judged[index_of(run, request)] == NULL) {
        lose_peer(run, broken);
        return;
    }
    json_t **waiting = &run->judged[index_of(run, request)], *answer = *waiting;
    const json_t *said = json_object_get(message, "replies");
    struct pawl_metric_call call =
        call_of(run, request.position, json_object_get(answer, "output"));
    *waiting = NULL;
    call.replies = replies;
    size_t n = pawl_metric_questions(run->m->metric, &run->scratch, &call, questions);
    bool missing = !pawl_replies_read(said, n, &run->scratch, replies);
    close_request(run, request, answer, missing ? NULL : &call, missing);
    json_decref(answer);
}

/* --- feeding ---------------------------------------------------------------------------------------- */

/* The means of a case over its samples. */
static void close_case(struct run *run, size_t position, struct pawl_guard_case *means)
{
    *means = run->sums[position];
    for (size_t arm = 0; arm < PAWL_N_ARMS; arm++)
        for (size_t m = 0; m < PAWL_N_MEASURES; m++)
            means->values[arm][m] /= (double)run->m->samples;
    pawl_vault_scores_put(&run->m->scores, position, means);
}

static bool cluster_is_done(const struct run *run, size_t end)
{
    for (size_t i = run->n_fed; i < end; i++)
        if (run->left[i] > 0) return false;
    return true;
}

static enum pawl_status feed_cluster(struct run *run, size_t end, struct pawl_error *err)
{
    size_t n = end - run->n_fed;
    struct pawl_guard_case *cases = PAWL_NEW_N(&run->scratch, struct pawl_guard_case, n);
    for (size_t i = 0; i < n; i++) close_case(run, run->n_fed + i, &cases[i]);
    enum pawl_status status = PAWL_OK;
    if (run->m->gate != NULL)
        status = pawl_vault_judge(run->m->gate, run->m->guards, cases, n, &run->scratch, err);
    pawl_arena_reset(&run->scratch);
    run->n_fed = run->m->scores.n = end;
    run->clusters_fed++;
    return status;
}

/* Every cluster whose turn it is and whose answers are all there. */
static enum pawl_status feed(struct run *run, struct pawl_error *err)
{
    const struct pawl_vault_order *order = run->m->order;
    while (!is_over(run) && run->clusters_fed < order->n_clusters &&
           cluster_is_done(run, order->ends[run->clusters_fed]))
        PAWL_TRY(feed_cluster(run, order->ends[run->clusters_fed], err));
    return PAWL_OK;
}

/* --- the loop ---------------------------------------------------------------------------------------- */

/* One answer, or the time until the next release point. */
static enum pawl_status step(struct run *run, pawl_vault_tick tick, void *context,
                             struct pawl_error *err)
{
    int wait_ms;
    json_t *message;
    struct pawl_channel *from;
    PAWL_TRY(tick(context, &wait_ms, err));
    if (wait_ms < 0 || wait_ms > SILENCE_MAX_MS) wait_ms = SILENCE_MAX_MS;
    enum pawl_status status = hear_side(run->m->worker, wait_ms, &from, &message, err);
    if (status == PAWL_EPAUSED) return status;
    if (message == NULL) run->silence_ms += wait_ms;
    if (status != PAWL_OK || run->silence_ms >= SILENCE_MAX_MS) {
        lose_peer(run, stopped);
        return PAWL_OK;
    }
    if (message == NULL) return PAWL_OK;
    run->silence_ms = 0;
    if (from == run->m->worker->judge)
        take_opinion(run, message);
    else
        take_answer(run, message);
    json_decref(message);
    return feed(run, err);
}

enum pawl_status pawl_vault_measure(struct pawl_vault_measure *measure, pawl_vault_tick tick,
                                    void *context, struct pawl_error *err)
{
    struct run run;
    if (measure->parallel < 1) measure->parallel = 1;
    if (measure->parallel > PARALLEL_MAX) measure->parallel = PARALLEL_MAX;
    run_init(&run, measure);
    enum pawl_status status = PAWL_OK;
    while (status == PAWL_OK) {
        if (ask_more(&run, NULL) != PAWL_OK) lose_peer(&run, stopped);
        if (run.under_way == 0) break;
        status = step(&run, tick, context, err);
    }
    for (size_t r = 0; r < run.n_requests; r++) json_decref(run.judged[r]);
    pawl_arena_release(&run.scratch);
    return status;
}
