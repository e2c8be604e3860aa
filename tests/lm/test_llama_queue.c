/* Who is answered next, with no model: this thread plays the engine. */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "lm/llama_queue.h"

#include <pthread.h>

static struct pawl_llama_queue queue;

struct asker {
    pthread_t thread;
    struct pawl_llama_job jobs[200];
    size_t n;
    enum pawl_status status;
};

static void *ask(void *argument)
{
    struct asker *asker = argument;
    asker->status = pawl_llama_queue_ask(&queue, asker->jobs, asker->n, NULL);
    return NULL;
}

/* Put n jobs of a role and a set, and go on when they wait; n_prompt is the job's number. */
static struct asker *start_with(enum pawl_role role, const struct pawl_llama_set *set, size_t n)
{
    struct asker *asker = PAWL_NEW(&arena, struct asker);
    asker->n = n;
    for (size_t i = 0; i < n; i++)
        asker->jobs[i] = (struct pawl_llama_job){.role = role, .set = set, .n_prompt = i};
    pthread_mutex_lock(&queue.lock);
    size_t before = queue.n_waiting;
    pthread_mutex_unlock(&queue.lock);
    assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
    for (bool there = false; !there; usleep(1000)) {
        pthread_mutex_lock(&queue.lock);
        there = queue.n_waiting == before + n;
        pthread_mutex_unlock(&queue.lock);
    }
    return asker;
}

static struct asker *start(enum pawl_role role, size_t n)
{
    return start_with(role, NULL, n);
}

static void finish(struct asker *asker, enum pawl_status status)
{
    pthread_join(asker->thread, NULL);
    assert_int_equal(asker->status, status);
}

static struct pawl_llama_job *take(const size_t held[PAWL_N_ROLES])
{
    struct pawl_llama_job *job = pawl_llama_queue_peek(&queue, held);
    if (job) pawl_llama_queue_pop(&queue, job);
    return job;
}

static const size_t none_held[PAWL_N_ROLES];

static void test_roles_take_turns_and_each_is_in_order(void **unused)
{
    (void)unused;
    pawl_llama_queue_init(&queue);
    struct asker *task = start(PAWL_ROLE_TASK, 3), *judge = start(PAWL_ROLE_JUDGE, 2);
    assert_int_equal(pawl_llama_queue_wait(&queue, false), PAWL_LLAMA_WORK);
    size_t next[PAWL_N_ROLES] = {0};
    enum pawl_role last = PAWL_ROLE_REFLECT;
    for (size_t i = 0; i < 5; i++) {
        struct pawl_llama_job *job = take(none_held);
        if (i < 4) assert_int_not_equal(job->role, last);
        last = job->role;
        assert_int_equal(job->n_prompt, next[job->role]++);
        pawl_llama_queue_announce(&queue, job);
    }
    assert_null(take(none_held));
    finish(task, PAWL_OK);
    finish(judge, PAWL_OK);
    pawl_llama_queue_release(&queue);
}

static void test_a_role_leaves_slots_to_those_that_ever_asked(void **unused)
{
    (void)unused;
    pawl_llama_queue_init(&queue);
    struct asker *reflect = start(PAWL_ROLE_REFLECT, 64);
    const size_t all_but_one[PAWL_N_ROLES] = {[PAWL_ROLE_REFLECT] = PAWL_LLAMA_SLOTS - 1};
    pawl_llama_queue_announce(&queue, take(all_but_one)); /* alone it may have them all */
    struct asker *task = start(PAWL_ROLE_TASK, 1);
    pawl_llama_queue_announce(&queue, take(all_but_one));
    finish(task, PAWL_OK);
    assert_null(take(all_but_one)); /* a slot is free, and kept for the next task */
    const size_t fewer[PAWL_N_ROLES] = {[PAWL_ROLE_REFLECT] = PAWL_LLAMA_SLOTS - 9};
    struct pawl_llama_job *job;
    while ((job = take(fewer))) pawl_llama_queue_announce(&queue, job);
    finish(reflect, PAWL_OK);
    pawl_llama_queue_release(&queue);
}

static void test_sets_of_adapters_take_turns(void **unused)
{
    (void)unused;
    pawl_llama_queue_init(&queue);
    const struct pawl_llama_set a = {.key.bytes = {1}}, b = {.key.bytes = {2}};
    assert_null(pawl_llama_queue_next_turn(&queue));
    struct asker *first = start_with(PAWL_ROLE_TASK, &a, 2);
    struct asker *second = start_with(PAWL_ROLE_JUDGE, &b, 1);
    struct asker *base = start(PAWL_ROLE_TASK, 200);
    /* It is the base's turn, and it may pass the others, in order, but only so often. */
    for (size_t i = 0; i < PAWL_LLAMA_TURN; i++) {
        assert_null(pawl_llama_queue_next_turn(&queue));
        struct pawl_llama_job *job = take(none_held);
        assert_ptr_equal(job, &base->jobs[i]);
        pawl_llama_queue_announce(&queue, job);
    }
    assert_null(take(none_held));
    /* Then comes who waits longest; a set that does not wait any more has no turn left. */
    assert_ptr_equal(pawl_llama_queue_next_turn(&queue), &first->jobs[0]);
    const struct pawl_llama_job *seen[4];
    assert_int_equal(pawl_llama_queue_look(&queue, PAWL_ROLE_TASK, seen, 4), 2);
    for (size_t i = 0; i < 2; i++) pawl_llama_queue_announce(&queue, take(none_held));
    finish(first, PAWL_OK);
    assert_null(take(none_held));
    assert_ptr_equal(pawl_llama_queue_next_turn(&queue), &second->jobs[0]);
    pawl_llama_queue_announce(&queue, take(none_held));
    finish(second, PAWL_OK);
    assert_ptr_equal(pawl_llama_queue_next_turn(&queue), &base->jobs[PAWL_LLAMA_TURN]);
    for (struct pawl_llama_job *job; (job = take(none_held));)
        pawl_llama_queue_announce(&queue, job);
    finish(base, PAWL_OK);
    pawl_llama_queue_release(&queue);
}

static void test_vectors_stand_in_their_own_line(void **unused)
{
    (void)unused;
    pawl_llama_queue_init(&queue);
    float room;
    struct asker asker = {.n = 2};
    for (size_t i = 0; i < 2; i++) asker.jobs[i].vector = &room;
    assert_int_equal(pthread_create(&asker.thread, NULL, ask, &asker), 0);
    assert_int_equal(pawl_llama_queue_wait(&queue, false), PAWL_LLAMA_WORK);
    assert_null(take(none_held));
    for (size_t i = 0; i < 2; i++) {
        struct pawl_llama_job *job = pawl_llama_queue_peek_vector(&queue);
        assert_ptr_equal(job, &asker.jobs[i]);
        pawl_llama_queue_pop_vector(&queue);
        pawl_llama_queue_announce(&queue, job);
    }
    assert_null(pawl_llama_queue_peek_vector(&queue));
    finish(&asker, PAWL_OK);
    pawl_llama_queue_release(&queue);
}

static void test_those_who_wait_are_sent_home(void **unused)
{
    (void)unused;
    pawl_llama_queue_init(&queue);
    struct asker *task = start(PAWL_ROLE_TASK, 2);
    struct pawl_llama_job *job = take(none_held);
    pawl_llama_queue_cancel(&queue);
    assert_int_equal(pawl_llama_queue_wait(&queue, true), PAWL_LLAMA_SEND_HOME);
    assert_null(pawl_llama_queue_peek(&queue, none_held));
    pawl_llama_queue_announce(&queue, job);
    pawl_llama_queue_send_home(&queue);
    finish(task, PAWL_EPAUSED);
    assert_int_equal(pawl_llama_queue_ask(&queue, task->jobs, 1, NULL), PAWL_EPAUSED);
    pawl_llama_queue_close(&queue);
    assert_int_equal(pawl_llama_queue_wait(&queue, false), PAWL_LLAMA_CLOSE);
    pawl_llama_queue_release(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_roles_take_turns_and_each_is_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_role_leaves_slots_to_those_that_ever_asked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_sets_of_adapters_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vectors_stand_in_their_own_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_those_who_wait_are_sent_home, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    fputs("SKIPPED: pawl was built without libllama\n", stderr);
    return 0;
}
#endif
