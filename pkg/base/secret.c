/* The text lies in the same block as its length, so that there is one piece of memory to wipe. */
#include "base/secret.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct secret {
    size_t size; /* of the text, its NUL included */
    char text[];
};

static struct secret *make(const char *prefix, size_t prefix_len, const char *text, size_t len)
{
    struct secret *secret = mem_alloc(sizeof(*secret) + prefix_len + len + 1);
    secret->size = prefix_len + len + 1;
    memcpy(secret->text, prefix, prefix_len);
    memcpy(secret->text + prefix_len, text, len);
    secret->text[prefix_len + len] = '\0';
    return secret;
}

struct secret *secret_new(const char *text)
{
    return text ? make("", 0, text, strlen(text)) : NULL;
}

struct secret *secret_new_len(const char *text, size_t len)
{
    return text ? make("", 0, text, len) : NULL;
}

struct secret *secret_take(char *text)
{
    struct secret *secret = secret_new(text);
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return secret;
}

struct secret *secret_copy(const struct secret *secret)
{
    return secret_new(secret_reveal(secret));
}

struct secret *secret_prefixed(const char *prefix, const struct secret *secret)
{
    return secret ? make(prefix, strlen(prefix), secret->text, strlen(secret->text)) : NULL;
}

const char *secret_reveal(const struct secret *secret)
{
    return secret ? secret->text : NULL;
}

void secret_free(struct secret *secret)
{
    if (secret)
        explicit_bzero(secret->text, secret->size);
    free(secret);
}

void secret_freep(struct secret **secret)
{
    secret_free(*secret);
    *secret = NULL;
}
