/* ec2: calls to EC2.
 *
 * Model: one blocking function an action, over the pure parts: ec2_request.h makes the body, sigv4.h signs
 * it, http/client.h sends it and ec2_response.h reads the answer while it arrives. Every call here may be
 * repeated without harm (a launch carries its token), so that a 5xx or a broken connection is tried again, at
 * most twice and within the timeout; but not once a record of the answer was handed out. No request is sent
 * without a token of ec2_limit.h: who gets none is told when to ask again, and so is whom EC2 throttles. Only
 * a patient call, of a thread that has nothing else to do, waits for both. Keys that AWS refuses are fetched
 * anew once. If the clock is more than four minutes off by AWS's own, the difference is taken into account.
 * Threads: any, at the same time; each call takes an HTTP client from a small pool. Ownership: options are
 * copied but for credentials, clock and stop, which outlive the object. A handler runs on the caller's
 * thread. Limits: 64 MiB an answer; the timeout is that of the whole call, all pages and repeats; of a
 * patient call that of each page, and 10 minutes for all. Errors: ec2_error.h's and http/client.h's;
 * ERROR_DENIED with a reason of credentials.h where there are no keys. ERROR_UNAVAILABLE of a change: its
 * outcome is unknown. ERROR_THROTTLED with the reason EC2_REASON_RATE: nothing was sent, retry_after_ms says
 * when there is room.
 */
#ifndef TEE_NITRO_EC2_H
#define TEE_NITRO_EC2_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/flight.h"
#include "base/thread.h"
#include "nitro/credentials.h"
#include "nitro/ec2_limit.h"
#include "nitro/ec2_request.h"
#include "nitro/ec2_response.h"

struct ec2;

#define EC2_REASON_RATE "RateLimit"

/* What became of the requests of a lane since the start. */
struct ec2_rate {
    double per_second; /* at present */
    int64_t sent_count;
    int64_t throttled_count; /* by EC2 */
    int64_t held_count;      /* not sent, for want of a token */
};

enum { EC2_CONSOLE_MAX = 64 * 1024 };

struct ec2_options {
    const char *endpoint; /* such as "https://ec2.eu-west-1.amazonaws.com" */
    const char *region;
    const char *ca_file; /* NULL: the system's store */
    struct aws_credentials *credentials;
    const struct clock *clock;
    struct flight *flight; /* requests and answers are recorded there; may be NULL */
    struct stop *stop;     /* ends calls and their waiting with ERROR_STOPPED */
    int share_percent;     /* of the published request rates; 0 = 100 */
    const char *service; /* that requests are signed for, a constant; NULL: "ec2". "sts": see sts_denial.h */
};

/* A loopback endpoint is never spoken to through a proxy. */
MUST_CHECK int ec2_new(const struct ec2_options *options, struct ec2 **ret_ec2, struct error *err);
/* No call may be under way. */
struct ec2 *ec2_free(struct ec2 *ec2);

/* The instance may be an old one, and dead: a token finds what it launched before. Release it with
 * ec2_instance_done(). */
MUST_CHECK int ec2_run_instance(struct ec2 *ec2, const struct ec2_launch *launch, int64_t timeout_ms,
                                struct ec2_instance *ret_instance, struct error *err);
/* All pages; handler->on_instance hears every instance. An unknown id among query->ids is ERROR_ABSENT. */
MUST_CHECK int ec2_describe(struct ec2 *ec2, const struct ec2_query *query, const struct ec2_handler *handler,
                            int64_t timeout_ms, struct error *err);
/* All running instances of the account and region whose checks fail or that EC2 will stop or retire; each at
 * least once, perhaps more often. Three queries: EC2 has no "or" between filters. */
MUST_CHECK int ec2_describe_unhealthy(struct ec2 *ec2, const struct ec2_handler *handler, int64_t timeout_ms,
                                      struct error *err);
/* For batches; one unknown id fails all. */
MUST_CHECK int ec2_change(struct ec2 *ec2, enum ec2_verb verb, const struct ec2_query *ids,
                          int64_t timeout_ms, struct error *err);
MUST_CHECK int ec2_start(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct error *err);
MUST_CHECK int ec2_stop(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct error *err);
MUST_CHECK int ec2_terminate(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct error *err);
/* tags: ended by a NULL key. */
MUST_CHECK int ec2_create_tags(struct ec2 *ec2, const char *id, const struct ec2_tag *tags,
                               int64_t timeout_ms, struct error *err);
/* 0: the launch would be allowed, as far as EC2 can tell without making it (it looks at permissions and at
 * the form of the request, not at capacity). Never repeated by itself: it draws on the bucket of
 * RunInstances. ret_fault is EC2's refusal in full; code "" = there was none. */
MUST_CHECK int ec2_dry_run(struct ec2 *ec2, const struct ec2_launch *launch, int64_t timeout_ms,
                           struct ec2_fault *ret_fault, struct error *err);
/* ERROR_INVALID if there is no such image. */
MUST_CHECK int ec2_fetch_image(struct ec2 *ec2, const char *id, int64_t timeout_ms,
                               struct ec2_image *ret_image, struct error *err);
/* ret_subnets has room for id_count; ERROR_INVALID if one of them does not exist. */
MUST_CHECK int ec2_fetch_subnets(struct ec2 *ec2, const struct ec2_query *ids, int64_t timeout_ms,
                                 struct ec2_subnet *ret_subnets, struct error *err);
/* The end of what the instance wrote to its console, EC2_CONSOLE_MAX bytes at most: anything at all, and what
 * is shown of it goes through console.h. Empty if it wrote nothing yet. */
MUST_CHECK int ec2_fetch_console(struct ec2 *ec2, const char *id, int64_t timeout_ms, struct buf *ret_text,
                                 struct error *err);
/* ERROR_INVALID if there is no such type. */
MUST_CHECK int ec2_fetch_type(struct ec2 *ec2, const char *name, int64_t timeout_ms,
                              struct ec2_type *ret_type, struct error *err);
void ec2_get_rate(struct ec2 *ec2, enum ec2_lane_id lane, struct ec2_rate *ret_rate);

#endif
