/* mem: the one allocator wrapper.
 *
 * Model: running out of memory aborts the process: state lives in the API server and in EC2, and a restart is
 * the recovery that is tested. In return every buffer and list in the program has a ceiling. Threads: any.
 * Ownership: results are released with free().   Limits: none.   Errors: abort. */
#ifndef TEE_BASE_MEM_H
#define TEE_BASE_MEM_H

#include <stddef.h>

/* For a process of many threads that lives long: few heaps, and large pieces go back when they are freed.
 * Before threads start. */
void mem_keep_small(void);
/* Gives back what lies free between pieces in use; some milliseconds. */
void mem_give_back(void);
void *mem_alloc(size_t size);
/* Zeroed; aborts also when count * size overflows. */
void *mem_calloc(size_t count, size_t size);
void *mem_realloc(void *pointer, size_t count, size_t size);
/* NULL in, NULL out. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
void *mem_dup(const void *data, size_t len);
/* Frees the texts up to a NULL; the list itself stays. */
void mem_free_texts(char *const *texts);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
