/* The store: what the watch last told, and who claims a deployment id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "reconcile/store.h"

#include <string.h>

static struct teedeployment *make(const char *name, const char *version, const char *created, const char *id)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, 4096);
    buf_printf(
        &json,
        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"%s\",\"uid\":\"u-%s\",\"resourceVersion\":\"%s\","
        "\"creationTimestamp\":\"2026-01-01T%sZ\"},\"spec\":{\"image\":\"a\",\"deploymentID\":\"%s\"}}",
        name, name, version, created, id);
    struct teedeployment *object = NULL;
    assert_int_equal(teedeployment_decode(buf_text(&json), json.len, &object, NULL), 0);
    return object;
}

static void put_made(struct store *store, const char *name, const char *version, const char *created,
                     const char *id)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = make(name, version, created, id);
    store_put(store, object);
}

static void put_deleting(struct store *store, const char *name, const char *version)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = make(name, version, "10:00:00", name);
    object->is_deleting = true;
    store_put(store, object);
}

static void put(struct store *store, const char *name, const char *version)
{
    put_made(store, name, version, "10:00:00", name);
}

static void expect_version(struct store *store, const char *key, const char *version)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = store_get(store, key);
    if (!version) {
        assert_null(object);
        return;
    }
    assert_non_null(object);
    assert_string_equal(object->resource_version, version);
}

static void expect_owner(struct store *store, const char *id, const char *key)
{
    CLEANUP(freep) char *owner = store_owner_of(store, id);
    if (!key)
        assert_null(owner);
    else
        assert_string_equal(owner ? owner : "none", key);
}

static void note_key(void *ctx, const char *key)
{
    buf_printf(ctx, "%s ", key);
}

static void test_put(void **state)
{
    (void)state;
    struct store *store = store_new();
    expect_version(store, "ns/a", NULL);
    put(store, "a", "9");
    expect_version(store, "ns/a", "9");
    put(store, "a", "10"); /* a number, not a text */
    expect_version(store, "ns/a", "10");
    put(store, "a", "9");
    expect_version(store, "ns/a", "10");
    put(store, "a", "10");
    expect_version(store, "ns/a", "10");
    assert_int_equal(store_count(store), 1);
    /* A reference outlives the entry. */
    struct teedeployment *held = store_get(store, "ns/a");
    store_remove(store, "ns/a");
    store_remove(store, "ns/a");
    expect_version(store, "ns/a", NULL);
    assert_string_equal(held->name, "a");
    teedeployment_unref(held);
    assert_int_equal(store_count(store), 0);
    assert_true(store_is_stale(store, 1000)); /* never heard, on a machine that was started a second ago */
    store_set_heard(store, NULL, 77);
    assert_false(store_is_stale(store, 77 + 90 * 1000));
    assert_true(store_is_stale(store, 78 + 90 * 1000));
    store_free(store);
}

static void test_list_sweep(void **state)
{
    (void)state;
    struct store *store = store_new();
    CLEANUP(buf_done) struct buf gone;
    buf_init(&gone, 4096);
    put(store, "early", "1"); /* by a watch, before any list */
    assert_false(store_is_complete(store));
    store_begin_list(store, NULL);
    put(store, "a", "2");
    put(store, "b", "3");
    expect_version(store, "ns/early", "1"); /* nothing goes before the end of the list */
    store_end_list(store, NULL, note_key, &gone);
    assert_true(store_is_complete(store));
    assert_string_equal(buf_text(&gone), "ns/early ");
    buf_reset(&gone);
    store_begin_list(store, NULL);
    put(store, "b", "3");
    put(store, "b", "2"); /* older than what this list had */
    put(store, "c", "5");
    store_end_list(store, NULL, note_key, &gone);
    assert_string_equal(buf_text(&gone), "ns/a ");
    expect_version(store, "ns/a", NULL);
    expect_version(store, "ns/b", "3");
    expect_version(store, "ns/c", "5");
    expect_owner(store, "a", NULL);
    buf_reset(&gone);
    store_each_key(store, note_key, &gone);
    assert_non_null(strstr(buf_text(&gone), "ns/b "));
    assert_non_null(strstr(buf_text(&gone), "ns/c "));
    assert_int_equal(gone.len, strlen("ns/b ns/c "));
    /* What the list has in a form that cannot be read stays in the form it had; without the mark of
     * store_keep() it is gone. */
    buf_reset(&gone);
    store_begin_list(store, NULL);
    put(store, "c", "5");
    store_keep(store, "ns/b");
    store_keep(store, "ns/never-read");
    store_end_list(store, NULL, note_key, &gone);
    assert_string_equal(buf_text(&gone), "");
    expect_version(store, "ns/b", "3");
    expect_version(store, "ns/never-read", NULL);
    /* Where the list has something without a name, that may be "b": all stay, and the list counts as one. */
    store_begin_list(store, NULL);
    put(store, "c", "5");
    store_end_list(store, NULL, NULL, NULL);
    expect_version(store, "ns/b", "3");
    /* A list that was given up removes nothing; the next one counts anew. */
    store_begin_list(store, NULL);
    store_begin_list(store, NULL);
    put(store, "b", "3");
    put(store, "c", "5");
    buf_reset(&gone);
    store_end_list(store, NULL, note_key, &gone);
    assert_int_equal(gone.len, 0);
    store_free(store);
}

/* The API server's data were put back to an earlier state: what the new list says counts, though it is older.
 * Seen to fail with every older form dropped, and with none dropped. */
static void test_data_put_back(void **state)
{
    (void)state;
    struct store *store = store_new();
    CLEANUP(buf_done) struct buf gone;
    buf_init(&gone, 4096);
    store_begin_list(store, NULL);
    put(store, "a", "10");
    put(store, "b", "11");
    store_end_list(store, NULL, note_key, &gone);
    put(store, "a", "9"); /* no list runs */
    expect_version(store, "ns/a", "10");
    store_begin_list(store, NULL);
    put(store, "b", "12"); /* of a stream: an event before the object's turn */
    put(store, "a", "8");
    put(store, "b", "7");
    expect_version(store, "ns/a", "8");
    expect_version(store, "ns/b", "12");
    store_end_list(store, NULL, note_key, &gone);
    expect_version(store, "ns/a", "8");
    put(store, "a", "7");
    expect_version(store, "ns/a", "8");
    assert_string_equal(buf_text(&gone), "");
    /* A list that broke off counts as far as it came; the next one has the last word. */
    store_begin_list(store, NULL);
    put(store, "a", "6");
    store_begin_list(store, NULL);
    put(store, "a", "5");
    expect_version(store, "ns/a", "5");
    store_free(store);
}

static void test_owner_of(void **state)
{
    (void)state;
    struct store *store = store_new();
    expect_owner(store, "d", NULL);
    put_made(store, "b", "1", "10:00:01", "d");
    expect_owner(store, "d", "ns/b");
    put_made(store, "c", "1", "10:00:02", "d");
    expect_owner(store, "d", "ns/b");
    put_made(store, "z", "1", "10:00:00", "d");
    expect_owner(store, "d", "ns/z");
    put_made(store, "a", "1", "10:00:00", "d"); /* a tie goes by name, whatever the order */
    expect_owner(store, "d", "ns/a");
    put_made(store, "y", "1", "10:00:00", "d");
    expect_owner(store, "d", "ns/a");
    put_made(store, "other", "1", "09:00:00", "e");
    expect_owner(store, "d", "ns/a");
    put_made(store, "a", "2", "10:00:00", "f"); /* it moved on */
    expect_owner(store, "d", "ns/y");
    expect_owner(store, "f", "ns/a");
    store_remove(store, "ns/y");
    store_remove(store, "ns/z");
    expect_owner(store, "d", "ns/b");
    store_remove(store, "ns/b");
    store_remove(store, "ns/c");
    expect_owner(store, "d", NULL);
    store_free(store);
}

static void put_in(struct store *store, const char *name_space, const char *name)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = NULL;
    struct error err = {0};
    CLEANUP(freep)
    char *json = mem_printf("{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"uid\":\"u-%s-%s\","
                            "\"resourceVersion\":\"5\"},\"spec\":{\"image\":\"a\"}}",
                            name_space, name, name_space, name);
    assert_int_equal(teedeployment_decode(json, strlen(json), &object, &err), 0);
    store_put(store, object);
}

/* Each namespace has lists of its own: the end of one removes nothing of another, and a silence of one is a
 * silence. */
static void test_scopes(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "ab"};
    struct store *store = store_new();
    CLEANUP(buf_done) struct buf gone;
    buf_init(&gone, 4096);
    store_set_scopes(store, names, 2);
    store_begin_list(store, "a");
    store_begin_list(store, "ab");
    put_in(store, "a", "x");
    put_in(store, "ab", "x");
    store_end_list(store, "a", note_key, &gone);
    assert_false(store_is_complete(store));
    store_end_list(store, "ab", note_key, &gone);
    assert_true(store_is_complete(store));
    assert_string_equal(buf_text(&gone), "");
    store_begin_list(store, "a");
    store_end_list(store, "a", note_key, &gone);
    assert_string_equal(buf_text(&gone), "a/x ");
    assert_int_equal(store_count(store), 1);
    size_t one = store_bytes(store);
    assert_true(one > 40 && one < 400);
    put_in(store, "ab", "x"); /* the same again: as much as before */
    assert_int_equal(store_bytes(store), one);
    put_in(store, "a", "x");
    assert_true(store_bytes(store) > one);
    store_remove(store, "a/x");
    store_remove(store, "ab/x");
    assert_int_equal(store_bytes(store), 0);
    store_set_heard(store, "a", 1000);
    assert_true(store_is_stale(store, 1000));
    store_set_heard(store, "ab", 5000);
    assert_int_equal(store_silent_ms(store, 6000), 5000);
    assert_false(store_is_stale(store, 1000 + 90 * 1000));
    assert_true(store_is_stale(store, 1001 + 90 * 1000));
    store_free(store);
}

/* Room for two of three: the third is known and claims its id, but is not held, until there is room. Seen to
 * fail with the look at the limit taken out, with what is deleted not let in, and with who is held made to
 * fit again. */
static void test_limit(void **state)
{
    (void)state;
    struct store *store = store_new();
    put(store, "a", "1");
    size_t one = store_bytes(store);
    store_set_limit(store, 2 * one + one / 4);
    put(store, "b", "1");
    assert_false(store_is_refused(store, "ns/b"));
    put_made(store, "c", "1", "09:00:00", "a"); /* older than a, and claims a's id */
    assert_true(store_is_refused(store, "ns/c"));
    expect_version(store, "ns/c", NULL);
    expect_owner(store, "a", "ns/c");
    assert_int_equal(store_count(store), 3);
    assert_int_equal(store_refused_count(store), 1);
    assert_true(store_bytes(store) <= 2 * one);

    put_made(store, "b", "2", "10:00:00", "a-longer-id-than-before-that-is-more-than-a-quarter-of-it-all");
    expect_version(store, "ns/b", "2"); /* who is in stays in, though it grows past the limit */
    assert_true(store_bytes(store) > 2 * one + one / 4);
    put_made(store, "c", "2", "09:00:00", "c"); /* another chance, and another claim */
    assert_true(store_is_refused(store, "ns/c"));
    expect_owner(store, "a", "ns/a");
    expect_owner(store, "c", "ns/c");
    store_remove(store, "ns/b");
    put_made(store, "c", "2", "09:00:00", "c");
    expect_version(store, "ns/c", "2");
    assert_int_equal(store_refused_count(store), 0);

    put(store, "d", "1");
    assert_true(store_is_refused(store, "ns/d"));
    put_deleting(store, "d", "2");
    assert_false(store_is_refused(store, "ns/d"));
    expect_version(store, "ns/d", "2");
    put(store, "e", "1");
    const char *const keys[] = {"ns/a", "ns/c", "ns/d", "ns/e"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        store_remove(store, keys[i]);
    assert_int_equal(store_bytes(store) + store_refused_count(store) + store_count(store), 0);
    store_free(store);
}

static bool is_news(struct store *store, const char *version, const char *id)
{
    CLEANUP(teedeployment_unrefp) struct teedeployment *object = make("a", version, "10:00:00", id);
    return store_put(store, object);
}

/* Who lists again learns what is another. */
static void test_news(void **state)
{
    (void)state;
    struct store *store = store_new();
    store_begin_list(store, NULL);
    assert_true(is_news(store, "5", "x"));
    assert_false(is_news(store, "5", "x"));
    assert_true(is_news(store, "6", "x"));
    assert_false(is_news(store, "5", "x")); /* older */
    store_begin_list(store, NULL);
    assert_false(is_news(store, "6", "x"));
    store_begin_list(store, NULL);
    assert_true(is_news(store, "6", "y")); /* the data were put back, and the version came again */
    store_begin_list(store, NULL);
    assert_true(is_news(store, "5", "x"));
    store_remove(store, "ns/a");
    store_set_limit(store, 1);
    assert_true(is_news(store, "5", "x"));
    assert_false(is_news(store, "5", "x"));
    assert_true(is_news(store, "6", "x"));
    assert_int_equal(store_refused_count(store), 1);
    store_set_limit(store, 0);
    assert_true(is_news(store, "6", "x")); /* it has room now */
    assert_int_equal(store_refused_count(store), 0);
    store_free(store);
}

static void refresh(struct store *store, const char *name, const char *seen, const char *version)
{
    CLEANUP(freep) char *key = mem_printf("ns/%s", name);
    CLEANUP(teedeployment_unrefp)
    struct teedeployment *object = version ? make(name, version, "10:00:00", name) : NULL;
    store_refresh(store, key, seen, object);
}

struct refresh_case {
    const char *name;
    const char *held; /* by the watch when the read comes back; NULL = deleted */
    const char *read; /* NULL = no such object */
    const char *then; /* in the store */
};

/* The watch and a live read that began when "5" was held. Seen to fail with each of the three conditions of
 * store_refresh() taken out. */
static void test_refresh(void **state)
{
    (void)state;
    static const struct refresh_case cases[] = {
        {"the watch lags", "5", "10", "10"},
        {"nothing happened", "5", "5", "5"},
        {"deleted, unseen", "5", NULL, NULL},
        {"deleted meanwhile", NULL, "10", NULL},
        {"deleted meanwhile, and gone", NULL, NULL, NULL},
        {"changed meanwhile", "12", "10", "12"},
        {"created anew meanwhile", "12", NULL, "12"},
    };
    for (int is_refused = 0; is_refused <= 1; is_refused++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            const struct refresh_case *c = &cases[i];
            struct store *store = store_new();
            store_set_limit(store, is_refused);
            if (c->held)
                put(store, "a", c->held);
            refresh(store, "a", "5", c->read);
            CLEANUP(teedeployment_unrefp) struct teedeployment *held = store_get(store, "ns/a");
            CLEANUP(freep) char *refused = store_refused_version(store, "ns/a");
            const char *version = held ? held->resource_version : refused;
            if (strcmp(version ? version : "none", c->then ? c->then : "none") != 0)
                fail_msg("%s: %s", c->name, version ? version : "none");
            assert_int_equal(store_refused_count(store), is_refused && c->then ? 1 : 0);
            store_free(store);
        }
}

/* A refused object that is read when there is room has it; what was read and not listed is gone. Seen to fail
 * with store_refresh() marking the entry. */
static void test_refresh_and_lists(void **state)
{
    (void)state;
    struct store *store = store_new();
    CLEANUP(buf_done) struct buf gone;
    buf_init(&gone, 4096);
    store_set_limit(store, 1);
    put(store, "a", "5");
    assert_true(store_is_refused(store, "ns/a"));
    store_set_limit(store, 0);
    refresh(store, "a", "5", "6");
    expect_version(store, "ns/a", "6");
    store_begin_list(store, NULL);
    refresh(store, "a", "6", "7");
    store_end_list(store, NULL, note_key, &gone);
    assert_string_equal(buf_text(&gone), "ns/a ");
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_list_sweep),
        cmocka_unit_test(test_data_put_back),
        cmocka_unit_test(test_owner_of),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_refresh_and_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
