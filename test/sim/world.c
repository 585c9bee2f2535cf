/* Instances lie in one array in order of launch, with a map by id and one by address; forgotten ones are
 * taken out of the array. A heap by due time holds those that will change by themselves. */
#include "sim/world.h"

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/heap.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "sim/tag_index.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VISIBLE_MS = 60 * 60 * 1000, FIRST_ADDRESS = 0x7f400004 };

struct world {
    struct world_options options;
    struct sim_instance **items;
    size_t count;
    size_t cap;
    uint64_t last_sequence;
    uint64_t last_due_order;
    uint64_t random;
    struct hmap by_id;
    struct hmap by_address;
    struct hmap tokens;
    struct tag_index tags;
    struct heap due;
};

static bool is_before(const void *a, const void *b)
{
    const struct sim_instance *first = a;
    const struct sim_instance *second = b;
    if (first->due_ms != second->due_ms)
        return first->due_ms < second->due_ms;
    return first->due_order < second->due_order;
}

static void place(void *item, size_t index)
{
    ((struct sim_instance *)item)->heap_index = index;
}

/* splitmix64: identifiers repeat from run to run for the same seed. */
static uint64_t next_random(struct world *world)
{
    uint64_t x = world->random += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

struct world *world_new(const struct world_options *options)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    world->options = *options;
    world->random = options->seed;
    hmap_init(&world->by_id);
    hmap_init(&world->by_address);
    hmap_init(&world->tokens);
    tag_index_init(&world->tags);
    heap_init(&world->due, is_before, place);
    return world;
}

void sim_launch_done(struct sim_launch *launch)
{
    free(launch->image_id);
    free(launch->type);
    free(launch->subnet_id);
    free(launch->zone);
    free(launch->client_token);
    free(launch->profile);
    free(launch->key_name);
    for (size_t i = 0; i < launch->group_count; i++)
        free(launch->group_ids[i]);
    free(launch->user_data);
    for (size_t i = 0; i < launch->tag_count; i++) {
        free(launch->tags[i].key);
        free(launch->tags[i].value);
    }
    *launch = (struct sim_launch){0};
}

static void instance_free(struct sim_instance *instance)
{
    sim_launch_done(&instance->launch);
    free(instance->console);
    free(instance);
}

struct world *world_free(struct world *world)
{
    if (!world)
        return NULL;
    heap_done(&world->due);
    tag_index_done(&world->tags);
    hmap_done(&world->by_id, NULL);
    hmap_done(&world->by_address, NULL);
    hmap_done(&world->tokens, free);
    for (size_t i = 0; i < world->count; i++)
        instance_free(world->items[i]);
    free(world->items);
    free(world);
    return NULL;
}

struct world_options *world_get_options(struct world *world)
{
    return &world->options;
}

size_t world_count(const struct world *world)
{
    return world->count;
}

static void schedule(struct world *world, struct sim_instance *instance, int64_t due_ms)
{
    if (instance->is_queued)
        heap_remove(&world->due, instance->heap_index);
    instance->due_ms = due_ms;
    instance->due_order = ++world->last_due_order;
    instance->is_queued = true;
    heap_push(&world->due, instance);
}

static void address_key(uint32_t address, char ret_key[12])
{
    snprintf(ret_key, 12, "%08x", address);
}

/* A boot is a new enclave: new module id, new key, the configuration read again. */
static void boot(struct world *world, struct sim_instance *instance, int64_t at_ms)
{
    instance->state = SIM_RUNNING;
    instance->running_ms = at_ms;
    instance->boot_count++;
    instance->is_crashed = false;
    instance->earlier_nonce[0] = '\0';
    instance->reason_code = NULL;
    snprintf(instance->module_id, sizeof(instance->module_id), "%s-enc%016llx", instance->id,
             (unsigned long long)(((uint64_t)at_ms << 16) | (next_random(world) & 0xffff)));
    RAND_bytes(instance->public_key, SIM_KEY_BYTES);
    enclave_config_read(instance->launch.user_data, instance->launch.user_data_len, &instance->config);
}

static size_t position(const struct world *world, uint64_t sequence)
{
    size_t low = 0;
    size_t high = world->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (world->items[middle]->sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget(struct world *world, struct sim_instance *instance)
{
    for (size_t i = 0; i < instance->launch.tag_count; i++)
        tag_index_remove(&world->tags, instance->launch.tags[i].key, instance->launch.tags[i].value,
                         instance);
    hmap_remove(&world->by_id, instance->id);
    size_t at = position(world, instance->sequence);
    world->count--;
    memmove(world->items + at, world->items + at + 1, (world->count - at) * sizeof(struct sim_instance *));
    instance_free(instance);
}

static void make_due_change(struct world *world, struct sim_instance *instance)
{
    int64_t at_ms = instance->due_ms;
    char key[12];
    switch (instance->state) {
    case SIM_PENDING: boot(world, instance, at_ms); break;
    case SIM_STOPPING: instance->state = SIM_STOPPED; break;
    case SIM_SHUTTING_DOWN:
        instance->state = SIM_TERMINATED;
        address_key(instance->address, key);
        hmap_remove(&world->by_address, key);
        instance->address = 0;
        schedule(world, instance, at_ms + VISIBLE_MS);
        break;
    default: forget(world, instance); break;
    }
}

void world_advance(struct world *world, int64_t now_ms)
{
    struct sim_instance *instance = heap_peek(&world->due);
    for (; instance && instance->due_ms <= now_ms; instance = heap_peek(&world->due)) {
        heap_remove(&world->due, instance->heap_index);
        instance->is_queued = false;
        make_due_change(world, instance);
    }
}

struct sim_instance *world_launch(struct world *world, struct sim_launch *launch, int64_t now_ms)
{
    if (world->count == world->cap) {
        world->cap = world->cap ? world->cap * 2 : 64;
        world->items = mem_realloc(world->items, world->cap, sizeof(struct sim_instance *));
    }
    struct sim_instance *instance = mem_calloc(1, sizeof(*instance));
    instance->sequence = ++world->last_sequence;
    instance->launch = *launch;
    *launch = (struct sim_launch){0};
    snprintf(instance->id, sizeof(instance->id), "i-0%016llx", (unsigned long long)next_random(world));
    snprintf(instance->reservation_id, sizeof(instance->reservation_id), "r-0%016llx",
             (unsigned long long)next_random(world));
    instance->launched_ms = now_ms;
    instance->started_ms = now_ms;
    instance->state = SIM_PENDING;
    instance->lag = world->options.lag;
    /* 250 addresses of each 256, so that none ends in .0 or .255. */
    instance->address = FIRST_ADDRESS + (uint32_t)(instance->sequence / 250 * 256 + instance->sequence % 250);
    char key[12];
    address_key(instance->address, key);
    world->items[world->count++] = instance;
    hmap_set(&world->by_id, instance->id, instance);
    hmap_set(&world->by_address, key, instance);
    for (size_t i = 0; i < instance->launch.tag_count; i++)
        tag_index_add(&world->tags, instance->launch.tags[i].key, instance->launch.tags[i].value, instance);
    schedule(world, instance, now_ms + world->options.launch_ms);
    return instance;
}

struct sim_instance *world_find(const struct world *world, const char *id)
{
    return hmap_get(&world->by_id, id);
}

struct sim_instance *world_find_address(const struct world *world, uint32_t address)
{
    char key[12];
    address_key(address, key);
    return hmap_get(&world->by_address, key);
}

struct sim_instance *world_next(const struct world *world, uint64_t sequence)
{
    size_t at = position(world, sequence + 1);
    return at < world->count ? world->items[at] : NULL;
}

struct sim_instance *world_find_sequence(const struct world *world, uint64_t sequence)
{
    struct sim_instance *instance = sequence > 0 ? world_next(world, sequence - 1) : NULL;
    return instance && instance->sequence == sequence ? instance : NULL;
}

size_t world_find_tag(const struct world *world, const char *key, const char *value,
                      struct sim_instance *const **ret_list)
{
    return tag_index_find(&world->tags, key, value, ret_list);
}

void world_set_tag(struct world *world, struct sim_instance *instance, const char *key, const char *value)
{
    struct sim_launch *launch = &instance->launch;
    size_t at = 0;
    while (at < launch->tag_count && strcmp(launch->tags[at].key, key) != 0)
        at++;
    if (at == launch->tag_count) {
        launch->tags[launch->tag_count++] = (struct sim_tag){.key = mem_strdup(key)};
    } else {
        tag_index_remove(&world->tags, key, launch->tags[at].value, instance);
        free(launch->tags[at].value);
    }
    launch->tags[at].value = mem_strdup(value);
    tag_index_add(&world->tags, key, value, instance);
}

void world_start(struct world *world, struct sim_instance *instance, int64_t now_ms)
{
    instance->state = SIM_PENDING;
    instance->reason_code = NULL;
    instance->started_ms = now_ms;
    schedule(world, instance, now_ms + world->options.launch_ms);
}

void world_stop(struct world *world, struct sim_instance *instance, int64_t now_ms)
{
    instance->state = SIM_STOPPING;
    instance->reason_code = "Client.UserInitiatedShutdown";
    instance->reason_message = "Client.UserInitiatedShutdown: User initiated shutdown";
    schedule(world, instance, now_ms + world->options.stop_ms);
}

void world_terminate(struct world *world, struct sim_instance *instance, int64_t now_ms)
{
    world_stop(world, instance, now_ms);
    instance->state = SIM_SHUTTING_DOWN;
}

static char *token_key(const char *zone, const char *token)
{
    return mem_printf("%s/%s", zone, token);
}

const struct sim_token *world_find_token(const struct world *world, const char *zone, const char *token)
{
    CLEANUP(freep) char *key = token_key(zone, token);
    return hmap_get(&world->tokens, key);
}

void world_bind_token(struct world *world, const char *zone, const char *token, const struct sim_token *bound)
{
    CLEANUP(freep) char *key = token_key(zone, token);
    free(hmap_set(&world->tokens, key, mem_dup(bound, sizeof(*bound))));
}

const char *sim_state_name(int state)
{
    switch (state) {
    case SIM_PENDING: return "pending";
    case SIM_RUNNING: return "running";
    case SIM_SHUTTING_DOWN: return "shutting-down";
    case SIM_TERMINATED: return "terminated";
    case SIM_STOPPING: return "stopping";
    default: return "stopped";
    }
}
