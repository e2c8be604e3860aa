/* Who is answered next, with no model: this thread plays the engine. */
#include "lm_fixture.h"

#ifdef PAWL_HAVE_LLAMA
#include "lm/llama_queue.h"

#include <pthread.h>

static struct pawl_llama_queue queue;

struct asker {
    pthread_t thread;
    struct pawl_llama_job jobs[80];
    size_t n;
    enum pawl_status status;
};

static void *ask(void *argument)
{
    struct asker *asker = argument;
    asker->status = pawl_llama_queue_ask(&queue, asker->jobs, asker->n, NULL);
    return NULL;
}

/* Put n jobs of a role and go on when they wait; n_prompt is the job's number. */
static struct asker *start(enum pawl_role role, size_t n)
{
    struct asker *asker = PAWL_NEW(&arena, struct asker);
    asker->n = n;
    for (size_t i = 0; i < n; i++)
        asker->jobs[i] = (struct pawl_llama_job){.role = role, .n_prompt = i};
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
