/* Parameters are sorted once; lookups are binary searches, and lists are walked by asking for the next key.
 */
#include "sim/query.h"

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY = 256 };

int sim_fail_set(struct sim_fail *fail, int status, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail->status = status;
    snprintf(fail->code, sizeof(fail->code), "%s", code);
    vsnprintf(fail->message, sizeof(fail->message), format, args);
    va_end(args);
    return -1;
}

char *sim_query_unescape(const char *text, size_t len)
{
    char *out = mem_alloc(len + 1);
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)(text[i] == '+' ? ' ' : text[i]);
        if (text[i] == '%') {
            char digits[3] = {0};
            if (len - i >= 3)
                memcpy(digits, text + i + 1, 2);
            if (len - i < 3 || hex_decode(digits, &byte, 1) < 0)
                byte = 0;
            i += 2;
        }
        if (byte == 0) {
            free(out);
            return NULL;
        }
        out[at++] = (char)byte;
    }
    out[at] = '\0';
    return out;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct sim_param *)a)->key, ((const struct sim_param *)b)->key);
}

static int parse_pair(struct sim_param *ret_param, const char *pair, size_t len)
{
    const char *equals = memchr(pair, '=', len);
    size_t key_len = equals ? (size_t)(equals - pair) : len;
    CLEANUP(freep) char *key = sim_query_unescape(pair, key_len);
    CLEANUP(freep)
    char *value = equals ? sim_query_unescape(equals + 1, len - key_len - 1) : mem_strdup("");
    if (!key || !*key || strlen(key) >= MAX_KEY || !value)
        return -1;
    ret_param->key = STEAL(key);
    ret_param->value = STEAL(value);
    return 0;
}

static int refuse_repeats(const struct sim_query *query, struct sim_fail *fail)
{
    for (size_t i = 1; i < query->count; i++)
        if (compare(&query->params[i - 1], &query->params[i]) == 0)
            return sim_fail_set(fail, 400, "InvalidParameterValue", "The parameter %s is given twice",
                                query->params[i].key);
    return 0;
}

int sim_query_parse(struct sim_query *ret_query, const char *body, size_t len, struct sim_fail *fail)
{
    *ret_query = (struct sim_query){0};
    size_t cap = 0;
    const char *end = body + len;
    for (const char *at = body; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t pair_len = (size_t)((stop ? stop : end) - at);
        if (ret_query->count == SIM_MAX_PARAMS)
            return sim_fail_set(fail, 400, "MalformedQueryString", "Too many parameters");
        if (ret_query->count == cap) {
            cap = cap ? cap * 2 : 32;
            ret_query->params = mem_realloc(ret_query->params, cap, sizeof(*ret_query->params));
        }
        if (pair_len > 0 && parse_pair(&ret_query->params[ret_query->count], at, pair_len) < 0)
            return sim_fail_set(fail, 400, "MalformedQueryString", "The query string is malformed");
        ret_query->count += pair_len > 0;
        at += pair_len + 1;
    }
    if (ret_query->count > 0)
        qsort(ret_query->params, ret_query->count, sizeof(*ret_query->params), compare);
    return refuse_repeats(ret_query, fail);
}

void sim_query_done(struct sim_query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        free(query->params[i].key);
        free(query->params[i].value);
    }
    free(query->params);
    *query = (struct sim_query){0};
}

static bool matches(const char *pattern, const char *key)
{
    while (*pattern && *key) {
        bool is_number = (*pattern == 'N' || *pattern == 'M') && (pattern[1] == '.' || !pattern[1]);
        if (is_number) {
            if (*key < '1' || *key > '9')
                return false;
            while (isdigit((unsigned char)*key))
                key++;
            pattern++;
        } else if (*pattern++ != *key++) {
            return false;
        }
    }
    return !*pattern && !*key;
}

/* The first index whose key is not before `key`. */
static size_t lower_bound(const struct sim_query *query, const char *key)
{
    size_t low = 0;
    size_t high = query->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(query->params[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool sim_query_has_prefix(const struct sim_query *query, const char *prefix)
{
    size_t at = lower_bound(query, prefix);
    return at < query->count && strncmp(query->params[at].key, prefix, strlen(prefix)) == 0;
}

/* Each number of a key above 1 needs the number before it to be there, or the list would end early. */
static bool has_gap(const struct sim_query *query, const char *key)
{
    for (const char *dot = strchr(key, '.'); dot; dot = strchr(dot + 1, '.')) {
        char before[MAX_KEY + 24];
        long number = strtol(dot + 1, NULL, 10);
        if (number <= 1)
            continue;
        snprintf(before, sizeof(before), "%.*s%ld", (int)(dot + 1 - key), key, number - 1);
        size_t len = strlen(before);
        snprintf(before + len, sizeof(before) - len, ".");
        if (!sim_query_has_prefix(query, before)) {
            before[len] = '\0';
            if (!sim_query_get(query, before))
                return true;
        }
    }
    return false;
}

int sim_query_check(const struct sim_query *query, const char *const *patterns, struct sim_fail *fail)
{
    static const char *const always[] = {"Action", "Version", "DryRun", NULL};
    for (size_t i = 0; i < query->count; i++) {
        const char *key = query->params[i].key;
        bool is_known = false;
        for (size_t k = 0; always[k] && !is_known; k++)
            is_known = strcmp(always[k], key) == 0;
        for (size_t k = 0; patterns[k] && !is_known; k++)
            is_known = matches(patterns[k], key);
        if (!is_known)
            return sim_fail_set(fail, 400, "UnknownParameter", "The parameter %s is not recognized", key);
        if (has_gap(query, key))
            return sim_fail_set(fail, 400, "InvalidParameterValue", "The list of %s has a gap", key);
    }
    return 0;
}

const char *sim_query_get(const struct sim_query *query, const char *key)
{
    size_t at = lower_bound(query, key);
    return at < query->count && strcmp(query->params[at].key, key) == 0 ? query->params[at].value : NULL;
}

const char *sim_query_getf(const struct sim_query *query, const char *format, ...)
{
    char key[MAX_KEY];
    va_list args;
    va_start(args, format);
    vsnprintf(key, sizeof(key), format, args);
    va_end(args);
    return sim_query_get(query, key);
}

int sim_query_number(const struct sim_query *query, const char *key, long otherwise, long *ret_number,
                     struct sim_fail *fail)
{
    const char *text = sim_query_get(query, key);
    char *end = NULL;
    *ret_number = text ? strtol(text, &end, 10) : otherwise;
    if (text && (end == text || *end || strlen(text) > 9))
        return sim_fail_set(fail, 400, "InvalidParameterValue", "Value (%s) for parameter %s is invalid",
                            text, key);
    return 0;
}

int sim_query_bool(const struct sim_query *query, const char *key, bool *ret_value, struct sim_fail *fail)
{
    const char *text = sim_query_get(query, key);
    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return sim_fail_set(fail, 400, "InvalidParameterValue", "Value (%s) for parameter %s is invalid",
                            text, key);
    *ret_value = text && strcmp(text, "true") == 0;
    return 0;
}
