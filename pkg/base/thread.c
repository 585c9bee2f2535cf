/* pthread calls whose failure can only be our bug are checked by one function that aborts. */
#include "base/thread.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(int result, const char *what)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s failed with error %d\n", what, result);
    abort();
}

void mutex_init(pthread_mutex_t *mutex)
{
    check(pthread_mutex_init(mutex, NULL), "pthread_mutex_init");
}

void mutex_lock(pthread_mutex_t *mutex)
{
    check(pthread_mutex_lock(mutex), "pthread_mutex_lock");
}

void mutex_unlock(pthread_mutex_t *mutex)
{
    check(pthread_mutex_unlock(mutex), "pthread_mutex_unlock");
}

void mutex_unlockp(pthread_mutex_t **mutex)
{
    mutex_unlock(*mutex);
}

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    check(pthread_condattr_init(&attr), "pthread_condattr_init");
    check(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "pthread_condattr_setclock");
    check(pthread_cond_init(cond, &attr), "pthread_cond_init");
    pthread_condattr_destroy(&attr);
}

void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    check(pthread_cond_wait(cond, mutex), "pthread_cond_wait");
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    int result = pthread_cond_timedwait(cond, mutex, &until);
    if (result == ETIMEDOUT)
        return false;
    check(result, "pthread_cond_timedwait");
    return true;
}

pthread_t thread_start(const char *name, void *(*run)(void *), void *ctx)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, run, ctx), "pthread_create");
    pthread_setname_np(thread, name);
    return thread;
}

void thread_join(pthread_t thread)
{
    check(pthread_join(thread, NULL), "pthread_join");
}

void stop_init(struct stop *stop)
{
    atomic_init(&stop->requested, false);
    mutex_init(&stop->mutex);
    cond_init(&stop->cond);
}

void stop_done(struct stop *stop)
{
    pthread_cond_destroy(&stop->cond);
    pthread_mutex_destroy(&stop->mutex);
}

void stop_request(struct stop *stop)
{
    LOCK_SCOPE(&stop->mutex);
    atomic_store(&stop->requested, true);
    pthread_cond_broadcast(&stop->cond);
}

bool stop_is_requested(struct stop *stop)
{
    return atomic_load(&stop->requested);
}

bool stop_wait(struct stop *stop, int64_t wait_ms)
{
    int64_t deadline_ms = clock_mono_ms(clock_real()) + wait_ms;
    LOCK_SCOPE(&stop->mutex);
    while (!atomic_load(&stop->requested))
        if (!cond_wait_until(&stop->cond, &stop->mutex, deadline_ms))
            break;
    return atomic_load(&stop->requested);
}
