/*
 * thread.h - a thread that serves the others: no signal is delivered to it, so that Ctrl-C
 * interrupts the thread that can do something about it.
 */
#ifndef PAWL_IO_THREAD_H
#define PAWL_IO_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Gives an errno, 0 on success. */
static inline int pawl_thread_start(pthread_t *thread, void *(*main)(void *), void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int errnum = pthread_create(thread, NULL, main, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errnum;
}

#endif
