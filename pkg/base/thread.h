/* thread: named threads, mutexes, and condition variables on the monotonic clock.
 *
 * Model: thin wrappers that abort where POSIX reports our own misuse, so that callers have no error path.
 * `struct stop` is a flag with a wait: one per thread group, set once.
 * Threads: any.   Ownership: init/done in the caller's memory.   Limits: names 15 bytes.
 * Errors: thread_start() aborts if the system has no thread left at start-up. */
#ifndef TEE_BASE_THREAD_H
#define TEE_BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

void mutex_init(pthread_mutex_t *mutex);
void mutex_lock(pthread_mutex_t *mutex);
void mutex_unlock(pthread_mutex_t *mutex);
void cond_init(pthread_cond_t *cond);
void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
/* Until the monotonic time deadline_ms; false on timeout. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ms);

/* For CLEANUP: unlocks at the end of the scope. */
void mutex_unlockp(pthread_mutex_t **mutex);
#define LOCK_SCOPE(mutex)                                                                                    \
    __attribute__((cleanup(mutex_unlockp), unused)) pthread_mutex_t *lock_scope_ = (mutex);                  \
    mutex_lock(lock_scope_)

pthread_t thread_start(const char *name, void *(*run)(void *), void *ctx);
void thread_join(pthread_t thread);

struct stop {
    atomic_bool requested;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};

void stop_init(struct stop *stop);
void stop_done(struct stop *stop);
void stop_request(struct stop *stop);
bool stop_is_requested(struct stop *stop);
/* Waits up to wait_ms; true when stop was requested. */
bool stop_wait(struct stop *stop, int64_t wait_ms);

#endif
