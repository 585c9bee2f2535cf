/* One entry per key, and an index of the objects that claim one deployment id. */
#include "reconcile/store.h"

#include "api/teedeployment_pack.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

enum { STALE_MS = 90 * 1000 };
/* Monotonic time begins with the machine: on a young one, zero would be a time at which the watch was heard.
 */
#define NEVER_MS (INT64_MIN / 2)

struct entry {
    struct entry *next_claim; /* of the same deployment id */
    struct packed *packed;    /* NULL: refused */
    char *refused_id;         /* the deployment id that a refused one claims */
    char *refused_version;
    int64_t creation_ms;
    uint64_t mark;
    char key[];
};

struct scope {
    const char *name_space; /* NULL = all */
    uint64_t mark;
    bool is_complete;
    int64_t heard_ms;
};

struct store {
    pthread_mutex_t mutex;
    struct hmap entries;
    struct hmap claims; /* deployment id -> list of struct entry */
    size_t bytes;
    size_t limit; /* 0 = none */
    size_t refused_count;
    struct scope *scopes;
    size_t scope_count;
};

struct store *store_new(void)
{
    struct store *store = mem_calloc(1, sizeof(*store));
    mutex_init(&store->mutex);
    hmap_init(&store->entries);
    hmap_init(&store->claims);
    store->scopes = mem_calloc(1, sizeof(*store->scopes));
    store->scopes[0].heard_ms = NEVER_MS;
    store->scope_count = 1;
    return store;
}

void store_set_scopes(struct store *store, const char *const *name_spaces, size_t count)
{
    if (count == 0)
        return;
    free(store->scopes);
    store->scopes = mem_calloc(count, sizeof(*store->scopes));
    store->scope_count = count;
    for (size_t i = 0; i < count; i++)
        store->scopes[i] = (struct scope){.name_space = name_spaces[i], .heard_ms = NEVER_MS};
}

void store_set_limit(struct store *store, size_t bytes)
{
    store->limit = bytes;
}

static struct scope *find_scope(const struct store *store, const char *name, size_t len)
{
    for (size_t i = 0; name && i < store->scope_count; i++) {
        const char *other = store->scopes[i].name_space;
        if (other && strlen(other) == len && memcmp(other, name, len) == 0)
            return &store->scopes[i];
    }
    return &store->scopes[0];
}

static struct scope *get_scope(const struct store *store, const char *name)
{
    return find_scope(store, name, name ? strlen(name) : 0);
}

static struct scope *scope_of_key(const struct store *store, const char *key)
{
    return find_scope(store, key, strcspn(key, "/"));
}

static void entry_free(void *value)
{
    struct entry *entry = value;
    packed_unref(entry->packed);
    free(entry->refused_id);
    free(entry->refused_version);
    free(entry);
}

struct store *store_free(struct store *store)
{
    if (!store)
        return NULL;
    hmap_done(&store->entries, entry_free);
    hmap_done(&store->claims, NULL);
    free(store->scopes);
    pthread_mutex_destroy(&store->mutex);
    free(store);
    return NULL;
}

/* What is refused counts nothing: it must not push out what is held. */
static size_t bytes_of(const struct entry *entry, const struct packed *packed)
{
    return packed ? sizeof(*entry) + strlen(entry->key) + 1 + packed_bytes(packed) : 0;
}

static void remove_claim(struct store *store, struct entry *entry, const char *deployment_id)
{
    struct entry *head = hmap_get(&store->claims, deployment_id);
    struct entry **link = &head;
    while (*link != entry)
        link = &(*link)->next_claim;
    *link = entry->next_claim;
    if (head)
        hmap_set(&store->claims, deployment_id, head);
    else
        hmap_remove(&store->claims, deployment_id);
}

static void add_claim(struct store *store, struct entry *entry, const char *deployment_id)
{
    entry->next_claim = hmap_get(&store->claims, deployment_id);
    hmap_set(&store->claims, deployment_id, entry);
}

static struct entry *entry_new(const char *key)
{
    size_t size = strlen(key) + 1;
    struct entry *entry = mem_calloc(1, sizeof(*entry) + size);
    memcpy(entry->key, key, size);
    return entry;
}

/* The entry no longer counts, nor claims an id. */
static void clear(struct store *store, struct entry *entry)
{
    CLEANUP(teedeployment_unrefp)
    struct teedeployment *held = entry->packed ? teedeployment_unpack(entry->packed) : NULL;
    remove_claim(store, entry, held ? held->deployment_id : entry->refused_id);
    store->bytes -= bytes_of(entry, entry->packed);
    store->refused_count -= entry->refused_id ? 1 : 0;
    entry->packed = packed_unref(entry->packed);
    free(entry->refused_id);
    free(entry->refused_version);
    entry->refused_id = NULL;
    entry->refused_version = NULL;
}

static bool has_room(const struct store *store, const struct entry *entry, const struct packed *packed)
{
    return store->limit == 0 || store->bytes + bytes_of(entry, packed) <= store->limit;
}

/* The entry is empty. Who was held stays so: an object grows by the status that we write. */
static void fill(struct store *store, struct entry *entry, const struct teedeployment *object, bool was_held)
{
    struct packed *packed = teedeployment_pack(object);
    if (was_held || object->is_deleting || has_room(store, entry, packed)) {
        entry->packed = packed;
    } else {
        packed_unref(packed);
        entry->refused_id = mem_strdup(object->deployment_id);
        entry->refused_version = mem_strdup(object->resource_version);
        store->refused_count++;
    }
    entry->creation_ms = object->creation_ms;
    store->bytes += bytes_of(entry, entry->packed);
    add_claim(store, entry, object->deployment_id);
}

static struct packed *get_packed(struct store *store, const char *key)
{
    LOCK_SCOPE(&store->mutex);
    struct entry *entry = hmap_get(&store->entries, key);
    return entry && entry->packed ? packed_ref(entry->packed) : NULL;
}

struct teedeployment *store_get(struct store *store, const char *key)
{
    struct packed *packed = get_packed(store, key);
    struct teedeployment *object = packed ? teedeployment_unpack(packed) : NULL;
    packed_unref(packed);
    return object;
}

/* Less than 0: the entry's form is older than the version. */
static int compare_to(const struct entry *entry, const char *version)
{
    CLEANUP(teedeployment_unrefp)
    struct teedeployment *held = entry->packed ? teedeployment_unpack(entry->packed) : NULL;
    return resource_version_compare(held ? held->resource_version : entry->refused_version, version);
}

static bool are_equal(const struct packed *a, const struct packed *b)
{
    return a && b && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* True: the form is another. A version alone does not tell: where data were put back it comes a second time,
 * with other content. */
static bool replace(struct store *store, struct entry *entry, const struct teedeployment *object)
{
    struct packed *before = entry->packed ? packed_ref(entry->packed) : NULL;
    bool is_same_version = !before && compare_to(entry, object->resource_version) == 0;
    clear(store, entry);
    fill(store, entry, object, before != NULL);
    bool is_refused = !before && !entry->packed;
    bool is_same = is_refused ? is_same_version : are_equal(before, entry->packed);
    packed_unref(before);
    return !is_same;
}

/* An older form than the one held is dropped only if the present list, or an event since it began, told that
 * one: a stream may bring an event before the object's own turn, and a list that goes on with other pages may
 * have an object twice. What is held from before the list says nothing against the list: it is read at the
 * newest version there is, so that an older form in it means that the API server's data were put back. */
bool store_put(struct store *store, const struct teedeployment *object)
{
    LOCK_SCOPE(&store->mutex);
    struct entry *entry = hmap_get(&store->entries, object->key);
    uint64_t mark = scope_of_key(store, object->key)->mark;
    bool is_news = true;
    if (!entry) {
        entry = entry_new(object->key);
        hmap_set(&store->entries, object->key, entry);
        fill(store, entry, object, false);
    } else {
        bool is_later = entry->mark != mark || compare_to(entry, object->resource_version) <= 0;
        is_news = is_later && replace(store, entry, object);
    }
    entry->mark = mark;
    return is_news;
}

bool store_is_refused(struct store *store, const char *key)
{
    LOCK_SCOPE(&store->mutex);
    const struct entry *entry = hmap_get(&store->entries, key);
    return entry && !entry->packed;
}

void store_keep(struct store *store, const char *key)
{
    LOCK_SCOPE(&store->mutex);
    struct entry *entry = hmap_get(&store->entries, key);
    if (entry)
        entry->mark = scope_of_key(store, key)->mark;
}

static void remove_locked(struct store *store, const char *key)
{
    struct entry *entry = hmap_get(&store->entries, key);
    if (!entry)
        return;
    clear(store, entry);
    hmap_remove(&store->entries, key);
    entry_free(entry);
}

void store_remove(struct store *store, const char *key)
{
    LOCK_SCOPE(&store->mutex);
    remove_locked(store, key);
}

char *store_refused_version(struct store *store, const char *key)
{
    LOCK_SCOPE(&store->mutex);
    const struct entry *entry = hmap_get(&store->entries, key);
    return entry && entry->refused_version ? mem_strdup(entry->refused_version) : NULL;
}

/* It is not marked: only a list says what a list has. If it were, an object that was read, then deleted and
 * not listed would stay. */
bool store_refresh(struct store *store, const char *key, const char *seen_version,
                   const struct teedeployment *object)
{
    LOCK_SCOPE(&store->mutex);
    struct entry *entry = hmap_get(&store->entries, key);
    bool is_last_word = entry && compare_to(entry, object ? object->resource_version : seen_version) <= 0;
    if (is_last_word && object)
        replace(store, entry, object);
    else if (is_last_word)
        remove_locked(store, key);
    return is_last_word;
}

void store_begin_list(struct store *store, const char *scope)
{
    LOCK_SCOPE(&store->mutex);
    get_scope(store, scope)->mark++;
}

struct keys {
    char **items;
    size_t count;
};

static void keys_add(struct keys *keys, const char *key)
{
    keys->items = mem_realloc(keys->items, keys->count + 1, sizeof(char *));
    keys->items[keys->count++] = mem_strdup(key);
}

/* Hands each key on, outside the lock, and frees the list. */
static void keys_drain(struct keys *keys, void (*each)(void *ctx, const char *key), void *ctx)
{
    for (size_t i = 0; i < keys->count; i++) {
        each(ctx, keys->items[i]);
        free(keys->items[i]);
    }
    free(keys->items);
}

static struct keys sweep(struct store *store, const char *name, bool is_all_known)
{
    LOCK_SCOPE(&store->mutex);
    struct scope *scope = get_scope(store, name);
    struct keys keys = {0};
    struct hmap_iter iter = {0};
    while (is_all_known && hmap_next(&store->entries, &iter))
        if (scope_of_key(store, iter.key) == scope && ((struct entry *)iter.value)->mark != scope->mark)
            keys_add(&keys, iter.key);
    for (size_t i = 0; i < keys.count; i++)
        remove_locked(store, keys.items[i]);
    scope->is_complete = true;
    return keys;
}

void store_end_list(struct store *store, const char *scope, void (*gone)(void *ctx, const char *key),
                    void *ctx)
{
    struct keys keys = sweep(store, scope, gone != NULL);
    keys_drain(&keys, gone, ctx);
}

bool store_is_complete(struct store *store)
{
    LOCK_SCOPE(&store->mutex);
    for (size_t i = 0; i < store->scope_count; i++)
        if (!store->scopes[i].is_complete)
            return false;
    return true;
}

size_t store_count(struct store *store)
{
    LOCK_SCOPE(&store->mutex);
    return store->entries.count;
}

size_t store_refused_count(struct store *store)
{
    LOCK_SCOPE(&store->mutex);
    return store->refused_count;
}

size_t store_bytes(struct store *store)
{
    LOCK_SCOPE(&store->mutex);
    return store->bytes;
}

void store_set_heard(struct store *store, const char *scope, int64_t mono_ms)
{
    LOCK_SCOPE(&store->mutex);
    get_scope(store, scope)->heard_ms = mono_ms;
}

int64_t store_silent_ms(struct store *store, int64_t mono_ms)
{
    LOCK_SCOPE(&store->mutex);
    int64_t heard_ms = store->scopes[0].heard_ms;
    for (size_t i = 1; i < store->scope_count; i++)
        if (store->scopes[i].heard_ms < heard_ms)
            heard_ms = store->scopes[i].heard_ms;
    return mono_ms - heard_ms;
}

bool store_is_stale(struct store *store, int64_t mono_ms)
{
    return store_silent_ms(store, mono_ms) > STALE_MS;
}

char *store_owner_of(struct store *store, const char *deployment_id)
{
    LOCK_SCOPE(&store->mutex);
    const struct entry *owner = NULL;
    for (const struct entry *claim = hmap_get(&store->claims, deployment_id); claim;
         claim = claim->next_claim)
        if (!owner || claim->creation_ms < owner->creation_ms ||
            (claim->creation_ms == owner->creation_ms && strcmp(claim->key, owner->key) < 0))
            owner = claim;
    return owner ? mem_strdup(owner->key) : NULL;
}

static struct keys all_keys(struct store *store)
{
    LOCK_SCOPE(&store->mutex);
    struct keys keys = {0};
    struct hmap_iter iter = {0};
    while (hmap_next(&store->entries, &iter))
        keys_add(&keys, iter.key);
    return keys;
}

void store_each_key(struct store *store, void (*each)(void *ctx, const char *key), void *ctx)
{
    struct keys keys = all_keys(store);
    keys_drain(&keys, each, ctx);
}
