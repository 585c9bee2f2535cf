/* host: one EC2 instance as EC2 last said.
 *
 * Model: plain values, small enough for one of each host of an account; what is only compared is kept as a
 * digest. Threads: none. Ownership: none. Limits: longer texts are cut. Errors: none. */
#ifndef TEE_RECONCILE_HOST_H
#define TEE_RECONCILE_HOST_H

#include <stdbool.h>
#include <stdint.h>

enum { HOST_ID_SIZE = 32, HOST_TAGS_MAX = 50 };

enum host_state {
    HOST_PENDING,
    HOST_RUNNING,
    HOST_STOPPING,
    HOST_STOPPED,
    HOST_SHUTTING_DOWN,
    HOST_TERMINATED
};

enum host_ailment { HOST_WELL, HOST_IMPAIRED, HOST_RETIRING };

/* What EC2's status checks and scheduled events say; see health.h. */
struct host_health {
    enum host_ailment ailment;
    int64_t event_ms;      /* HOST_RETIRING: wall, not before */
    int64_t since_ms;      /* monotonic: when we first saw the ailment */
    int64_t since_wall_ms; /* the same */
};

struct host {
    char id[HOST_ID_SIZE];
    enum host_state state;
    char image_id[32];
    char type[32];
    char zone[32];
    char subnet_id[32];
    char private_ip[16];
    char public_ip[16];
    int64_t launch_ms;         /* EC2's launchTime: moves at each start */
    char token[65];            /* clientToken */
    char deployment_id[64];    /* tag tee-deployment-id */
    char cluster_id[64];       /* tag tee-cluster-id */
    char launch_hash[80];      /* tag tee-launch-hash: v<hashVersion>-<hash> */
    uint32_t name_digest;      /* of the tags tee-namespace and tee-name, identity.h; 0 = not told */
    uint32_t namespace_digest; /* of tee-namespace alone; 0 = not told */
    uint32_t title_digest;     /* of Name; 0 = not told */
    uint32_t group_digest;     /* of the security groups, drift.h; 0 = not told */
    uint32_t tag_digests[HOST_TAGS_MAX]; /* fnv32_pair() of the tags that are not ours */
    int tag_count;
    bool are_tags_told;
    bool is_retained; /* tag tee-retained */
    bool is_spot;
    bool lacks_enclave;        /* EC2 told that it was launched without enclaves; false = or did not tell */
    char state_reason[48];     /* EC2's code, such as "Server.InternalError"; "" = none told */
    int64_t state_since_ms;    /* monotonic: when we first saw this state */
    struct host_health health; /* the inventory's; what a single look-up found has none */
};

static inline bool host_is_live(const struct host *host)
{
    return host->state != HOST_SHUTTING_DOWN && host->state != HOST_TERMINATED;
}

extern const char *const host_state_names[6];

#endif
