/*
 * two_threads.c - the promises of pawl.h that one thread cannot see: two handles work at the same
 * time, a call is cancelled from another thread, and what goes wrong is said and not printed.
 *
 *     two_threads PROJECT SLOW_PROJECT
 */
#include <pawl/pawl.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPECT(what) ((what) ? (void)0 : (fprintf(stderr, "not so: %s\n", #what), exit(1)))

static void *evaluate(void *dir)
{
    struct pawl_project *project;
    struct pawl_error error = {0};
    char *result = NULL;
    EXPECT(pawl_project_open(dir, NULL, &project, &error) == PAWL_OK);
    EXPECT(pawl_evaluate(project, NULL, NULL, &result, &error) == PAWL_OK);
    EXPECT(strstr(result, "\"mean\":") != NULL);
    pawl_free(result);
    pawl_project_close(project);
    return NULL;
}

struct run {
    struct pawl_project *project;
    volatile int ticks;
};

static void count(void *context, const char *json)
{
    struct run *run = context;
    EXPECT(json[0] == '{');
    run->ticks++;
}

static void *cancel_when_it_works(void *context)
{
    struct run *run = context;
    for (int i = 0; i < 2000 && run->ticks < 2; i++) usleep(10 * 1000);
    pawl_cancel(run->project);
    return NULL;
}

static void cancelled_and_resumed(const char *dir)
{
    struct run run = {0};
    struct pawl_watch watch = {.progress = count, .context = &run};
    struct pawl_error error = {0};
    pthread_t canceller;
    char *result = NULL;
    EXPECT(pawl_project_open(dir, NULL, &run.project, &error) == PAWL_OK);
    EXPECT(pthread_create(&canceller, NULL, cancel_when_it_works, &run) == 0);
    EXPECT(pawl_improve(run.project, "{\"seed\":1}", &watch, &result, &error) == PAWL_EPAUSED);
    pthread_join(canceller, NULL);
    EXPECT(run.ticks >= 2);
    EXPECT(result != NULL && strstr(result, "\"run\":") != NULL);
    EXPECT(strstr(error.hint, "--resume") != NULL);
    pawl_free(result);
    /* The handle is as good as before. */
    memset(&error, 0, sizeof error);
    EXPECT(pawl_call(run.project, "status", NULL, NULL, &result, &error) == PAWL_OK);
    EXPECT(strstr(result, "\"attempts\":0") != NULL);
    pawl_free(result);
    pawl_project_close(run.project);
}

static void refused(const char *dir)
{
    struct pawl_project *project;
    struct pawl_error error = {0};
    char *result = NULL;
    EXPECT(pawl_project_open("/nowhere/at/all", NULL, &project, &error) == PAWL_ENOTFOUND);
    EXPECT(error.message[0] != '\0' && error.hint[0] != '\0');
    EXPECT(pawl_project_open(dir, NULL, &project, &error) == PAWL_OK);
    EXPECT(pawl_call(project, "stattus", NULL, NULL, &result, &error) == PAWL_EUSAGE);
    EXPECT(strstr(error.hint, "status") != NULL);
    EXPECT(pawl_call(project, "log", "{\"limmit\":1}", NULL, &result, &error) == PAWL_EUSAGE);
    EXPECT(strstr(error.hint, "limit") != NULL);
    EXPECT(pawl_call(project, "log", "{\"limit\":\"x\"}", NULL, &result, &error) == PAWL_EUSAGE);
    EXPECT(pawl_call(project, "log", "[1]", NULL, &result, &error) == PAWL_EUSAGE);
    EXPECT(pawl_call(project, "log", "{", NULL, &result, &error) == PAWL_EUSAGE);
    EXPECT(pawl_call(NULL, "log", NULL, NULL, &result, &error) != PAWL_OK);
    pawl_project_close(project);
    pawl_project_close(NULL);
    pawl_free(NULL);
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    if (argc != 3) return 2;
    refused(argv[1]);
    for (int i = 0; i < 2; i++) EXPECT(pthread_create(&threads[i], NULL, evaluate, argv[1]) == 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    cancelled_and_resumed(argv[2]);
    return 0;
}
