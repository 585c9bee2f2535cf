/* clock: time as an argument, and its text form.
 *
 * Model: modules that must know the time take a `const struct clock *`; the program passes clock_real(),
 * scenario tests pass a virtual one. `wall` is Unix time, for what is written and compared with other
 * machines; `mono` never jumps and is for deadlines. Text is RFC 3339 in UTC, as Kubernetes' metav1.Time
 * (seconds) and MicroTime. Threads: any.   Ownership: none.   Limits: years 1970 to 9999.   Errors: -1 from
 * the parser. */
#ifndef TEE_BASE_CLOCK_H
#define TEE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { TIME_TEXT_SIZE = 32 };

struct clock {
    int64_t (*wall_ms)(void *ctx);
    int64_t (*mono_ms)(void *ctx);
    void *ctx;
};

const struct clock *clock_real(void);
int64_t clock_wall_ms(const struct clock *clock);
int64_t clock_mono_ms(const struct clock *clock);

/* 2026-01-02T03:04:05Z */
void time_format(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE]);
/* 2026-01-02T03:04:05.678000Z */
void time_format_micro(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE]);
/* RFC 3339 with optional fraction, Z or an offset. Fractions below 1 ms are dropped. */
int time_parse(const char *text, int64_t *ret_wall_ms);

#endif
