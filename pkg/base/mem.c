/* Thin checks over the C allocator; see mem.h for why failure aborts. */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *pointer)
{
    if (!pointer) {
        fputs("Out of memory\n", stderr);
        abort();
    }
    return pointer;
}

/* glibc makes up to eight heaps per core and keeps in each what its threads once needed. Two are enough for
 * threads that mostly wait. A threshold that is set does not grow with the largest piece that was freed. */
void mem_keep_small(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

void mem_give_back(void)
{
    malloc_trim(0);
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *mem_calloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc(void *pointer, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        checked(NULL);
    size_t total = count * size;
    return checked(realloc(pointer, total ? total : 1));
}

void *mem_dup(const void *data, size_t len)
{
    void *copy = mem_alloc(len);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *mem_strdup(const char *text)
{
    return text ? mem_strndup(text, strlen(text)) : NULL;
}

void mem_free_texts(char *const *texts)
{
    for (; *texts; texts++)
        free(*texts);
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    return checked(len < 0 ? NULL : text);
}
