/* The real clock, and RFC 3339 by hand: strptime knows neither fractions nor offsets with a colon. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_wall_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static int64_t real_mono_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock *clock_real(void)
{
    static const struct clock real = {.wall_ms = real_wall_ms, .mono_ms = real_mono_ms};
    return &real;
}

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->ctx);
}

int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock->ctx);
}

static void format(int64_t wall_ms, bool micro, char *ret_text)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    size_t len = strftime(ret_text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (micro)
        snprintf(ret_text + len, TIME_TEXT_SIZE - len, ".%03d000Z", (int)(wall_ms % 1000));
    else
        snprintf(ret_text + len, TIME_TEXT_SIZE - len, "Z");
}

void time_format(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE])
{
    format(wall_ms, false, ret_text);
}

void time_format_micro(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE])
{
    format(wall_ms, true, ret_text);
}

/* Exactly `count` decimal digits; -1 if there are fewer. */
static int digits(const char **at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static int expect(const char **at, const char *set)
{
    if (**at == '\0' || !strchr(set, **at))
        return -1;
    return (unsigned char)*(*at)++;
}

/* A number between low and high, and one character of `after` behind it; -1 if it is anything else. */
static int field(const char **at, int count, int low, int high, const char *after)
{
    int value = digits(at, count);
    if (value < low || value > high || (after && expect(at, after) < 0))
        return -1;
    return value;
}

static int parse_civil(const char **at, struct tm *tm)
{
    int year = field(at, 4, 1970, 9999, "-");
    int month = field(at, 2, 1, 12, "-");
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = field(at, 2, 1, 31, "Tt ");
    tm->tm_hour = field(at, 2, 0, 23, ":");
    tm->tm_min = field(at, 2, 0, 59, ":");
    tm->tm_sec = field(at, 2, 0, 60, NULL);
    bool is_date = year > 0 && month > 0 && tm->tm_mday > 0;
    return is_date && tm->tm_hour >= 0 && tm->tm_min >= 0 && tm->tm_sec >= 0 ? 0 : -1;
}

static int parse_fraction(const char **at, int *ret_ms)
{
    if (**at != '.')
        return 0;
    (*at)++;
    int scale = 100;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
        *ret_ms += (**at - '0') * scale;
    return *at == start ? -1 : 0;
}

static int parse_offset(const char **at, int *ret_minutes)
{
    int sign = expect(at, "Zz+-");
    if (sign < 0)
        return -1;
    if (sign == 'Z' || sign == 'z')
        return 0;
    int hours = digits(at, 2);
    if (hours < 0 || hours > 23 || expect(at, ":") < 0)
        return -1;
    int minutes = digits(at, 2);
    if (minutes < 0 || minutes > 59)
        return -1;
    *ret_minutes = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return 0;
}

int time_parse(const char *text, int64_t *ret_wall_ms)
{
    struct tm tm = {0};
    int ms = 0;
    int offset = 0;
    const char *at = text;
    if (parse_civil(&at, &tm) < 0 || parse_fraction(&at, &ms) < 0 || parse_offset(&at, &offset) < 0 || *at)
        return -1;
    *ret_wall_ms = ((int64_t)timegm(&tm) - (int64_t)offset * 60) * 1000 + ms;
    return 0;
}
