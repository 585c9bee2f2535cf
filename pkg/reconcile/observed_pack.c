/* One walk each; a field that is added to the struct is added here. */
#include "reconcile/observed_pack.h"

#include "base/cleanup.h"

#include <string.h>

enum { MAX_PACKED_BYTES = 8192 };

static void walk_health(struct pack *pack, struct host_health *health)
{
    PACK(pack, health->ailment);
    PACK(pack, health->event_ms);
    PACK(pack, health->since_ms);
    PACK(pack, health->since_wall_ms);
}

static void walk_host(struct pack *pack, struct host *host)
{
    pack_chars(pack, host->id, sizeof(host->id));
    PACK(pack, host->state);
    pack_chars(pack, host->image_id, sizeof(host->image_id));
    pack_chars(pack, host->type, sizeof(host->type));
    pack_chars(pack, host->zone, sizeof(host->zone));
    pack_chars(pack, host->subnet_id, sizeof(host->subnet_id));
    pack_chars(pack, host->private_ip, sizeof(host->private_ip));
    pack_chars(pack, host->public_ip, sizeof(host->public_ip));
    PACK(pack, host->launch_ms);
    pack_chars(pack, host->token, sizeof(host->token));
    pack_chars(pack, host->deployment_id, sizeof(host->deployment_id));
    pack_chars(pack, host->cluster_id, sizeof(host->cluster_id));
    pack_chars(pack, host->launch_hash, sizeof(host->launch_hash));
    PACK(pack, host->name_digest);
    PACK(pack, host->namespace_digest);
    PACK(pack, host->title_digest);
    PACK(pack, host->group_digest);
    PACK(pack, host->tag_count);
    for (int i = 0; i < host->tag_count; i++)
        PACK(pack, host->tag_digests[i]);
    PACK(pack, host->are_tags_told);
    PACK(pack, host->is_retained);
    PACK(pack, host->is_spot);
    PACK(pack, host->lacks_enclave);
    pack_chars(pack, host->state_reason, sizeof(host->state_reason));
    PACK(pack, host->state_since_ms);
    walk_health(pack, &host->health);
}

static void walk_found(struct pack *pack, struct host *found)
{
    bool is_there = found->id[0] != '\0';
    PACK(pack, is_there);
    if (is_there)
        walk_host(pack, found);
}

static void walk_lookups(struct pack *pack, struct lookups *lookups)
{
    pack_chars(pack, lookups->subject, sizeof(lookups->subject));
    PACK(pack, lookups->empty_count);
    PACK(pack, lookups->first_empty_ms);
    PACK(pack, lookups->last_ms);
}

static void walk_change(struct pack *pack, struct host_change *change)
{
    pack_chars(pack, change->id, sizeof(change->id));
    pack_chars(pack, change->action, sizeof(change->action));
    pack_chars(pack, change->event, sizeof(change->event));
    PACK(pack, change->from);
    PACK(pack, change->refusal);
    pack_chars(pack, change->error, sizeof(change->error));
}

static void walk_memory(struct pack *pack, struct memory *memory)
{
    pack_chars(pack, memory->uid, sizeof(memory->uid));
    pack_chars(pack, memory->written_version, sizeof(memory->written_version));
    PACK(pack, memory->written_ms);
    walk_found(pack, &memory->found);
    walk_lookups(pack, &memory->lookups);
    PACK(pack, memory->is_token_spent);
    PACK(pack, memory->is_unsent);
    pack_chars(pack, memory->launch_error, sizeof(memory->launch_error));
    PACK(pack, memory->fetch_failures);
    PACK(pack, memory->fetch_not_before_ms);
    PACK(pack, memory->fetch_launch_ms);
    pack_chars(pack, memory->fetch_error, sizeof(memory->fetch_error));
    pack_chars(pack, memory->boot_phase, sizeof(memory->boot_phase));
    PACK(pack, memory->boot_seconds);
    PACK(pack, memory->answered_launch_ms);
    pack_chars(pack, memory->start_error, sizeof(memory->start_error));
    walk_change(pack, &memory->change);
    PACK(pack, memory->identity_tried_ms);
    PACK(pack, memory->throttled_ms);
}

struct packed *host_pack(const struct host *host)
{
    CLEANUP(buf_done) struct buf bytes;
    buf_init(&bytes, MAX_PACKED_BYTES);
    struct pack pack = pack_writer(&bytes);
    walk_host(&pack, (struct host *)(uintptr_t)host); /* writing: the walk changes nothing */
    return packed_new(&bytes);
}

void host_unpack(const struct packed *packed, struct host *ret_host)
{
    struct pack pack = pack_reader(packed, NULL);
    memset(ret_host, 0, sizeof(*ret_host));
    walk_host(&pack, ret_host);
}

struct packed *memory_pack(const struct memory *memory)
{
    CLEANUP(buf_done) struct buf bytes;
    buf_init(&bytes, MAX_PACKED_BYTES);
    struct pack pack = pack_writer(&bytes);
    walk_memory(&pack, (struct memory *)(uintptr_t)memory); /* as above */
    return packed_new(&bytes);
}

void memory_unpack(const struct packed *packed, struct memory *ret_memory)
{
    struct pack pack = pack_reader(packed, NULL);
    memset(ret_memory, 0, sizeof(*ret_memory));
    walk_memory(&pack, ret_memory);
}
