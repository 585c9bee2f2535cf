/* query: the form body of an EC2 call, decoded and judged strictly.
 *
 * Model: a sim_query holds the parameters sorted by key. sim_query_check() compares every key with the
 * patterns of the action ("Filter.N.Value.M": a capital N or M alone stands for a number from 1) and refuses
 * what the real service would: unknown keys, and lists with a gap. A sim_fail is a refusal as the service
 * words it. Threads: none.   Ownership: the query owns all texts; sim_query_get() borrows.
 * Limits: 8192 parameters.   Errors: -1 with a sim_fail. */
#ifndef TEE_TEST_SIM_QUERY_H
#define TEE_TEST_SIM_QUERY_H

#include <stdbool.h>
#include <stddef.h>

enum { SIM_MAX_PARAMS = 8192 };

struct sim_fail {
    int status;
    char code[80];
    char message[512];
};

struct sim_param {
    char *key;
    char *value;
};

struct sim_query {
    struct sim_param *params;
    size_t count;
};

/* Fills the refusal and yields -1. */
int sim_fail_set(struct sim_fail *fail, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ret_query is valid, and to be released, in either case. */
int sim_query_parse(struct sim_query *ret_query, const char *body, size_t len, struct sim_fail *fail);
void sim_query_done(struct sim_query *query);
/* patterns is NULL-terminated. */
int sim_query_check(const struct sim_query *query, const char *const *patterns, struct sim_fail *fail);
/* NULL if absent. */
const char *sim_query_get(const struct sim_query *query, const char *key);
const char *sim_query_getf(const struct sim_query *query, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool sim_query_has_prefix(const struct sim_query *query, const char *prefix);
/* The value as a whole number of low..high; `otherwise` if absent. */
int sim_query_number(const struct sim_query *query, const char *key, long otherwise, long *ret_number,
                     struct sim_fail *fail);
/* "true" or "false"; absent is false. */
int sim_query_bool(const struct sim_query *query, const char *key, bool *ret_value, struct sim_fail *fail);
/* Percent-decodes ('+' is a space); NULL on a bad escape or a NUL. The caller frees. */
char *sim_query_unescape(const char *text, size_t len);

#endif
