/* The list of fields is that of the definition's own test document; what a schema lacks of them is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "definition.h"

#include <stdlib.h>
#include <string.h>

static json_t *load_document(void)
{
    json_t *document = json_load_file(TEE_STATUS_FULL, 0, NULL);
    assert_non_null(document);
    return document;
}

static bool is_listed(const char *path)
{
    size_t count = 0;
    const char *const *fields = definition_fields(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i], path) == 0)
            return true;
    return false;
}

/* Claims have keys of their own. */
static bool is_leaf(const json_t *value, const char *path)
{
    return strcmp(path, "attestation.claims") == 0 || !(json_is_object(value) || json_is_array(value)) ||
           (json_is_array(value) && !json_is_object(json_array_get(value, 0)));
}

static size_t check_leaves(json_t *value, const char *path)
{
    if (path[0] && is_leaf(value, path)) {
        if (!is_listed(path))
            fail_msg("%s is not in the list of cmd/controller/definition.c", path);
        return 1;
    }
    size_t count = 0;
    const char *key = NULL;
    json_t *member = NULL;
    if (json_is_array(value))
        return check_leaves(json_array_get(value, 0), path);
    json_object_foreach(value, key, member)
    {
        CLEANUP(freep) char *below = path[0] ? mem_printf("%s.%s", path, key) : mem_strdup(key);
        count += check_leaves(member, below);
    }
    return count;
}

static void test_the_list_is_whole(void **state)
{
    (void)state;
    size_t count = 0;
    json_t *document = load_document();
    definition_fields(&count);
    assert_int_equal(check_leaves(document, ""), count);
    json_decref(document);
}

/* The schema of a document. */
static json_t *schema_of(json_t *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    if (json_is_array(value))
        return json_pack("{s:s, s:o}", "type", "array", "items", schema_of(json_array_get(value, 0)));
    json_t *properties = json_object();
    json_object_foreach(value, key, member) json_object_set_new(properties, key, schema_of(member));
    return json_pack("{s:o}", "properties", properties);
}

static char *definition_of(const char *version, json_t *status)
{
    json_t *definition = json_pack("{s:{s:[{s:s, s:{s:{}}}, {s:s, s:{s:{s:{s:o}}}}]}}", "spec", "versions",
                                   "name", "v1", "schema", "openAPIV3Schema", "name", version, "schema",
                                   "openAPIV3Schema", "properties", "status", status);
    char *text = json_dumps(definition, 0);
    json_decref(definition);
    return text;
}

static void check_missing(const char *text, const char *expected)
{
    CLEANUP(buf_done) struct buf missing;
    struct error err = {0};
    buf_init(&missing, 64 * 1024);
    assert_int_equal(definition_find_missing(text, strlen(text), &missing, &err), 0);
    assert_string_equal(buf_text(&missing), expected);
}

static void test_missing_fields_are_named(void **state)
{
    (void)state;
    json_t *document = load_document();
    CLEANUP(freep) char *whole = definition_of("v1alpha1", schema_of(document));
    check_missing(whole, "");
    json_object_del(json_array_get(json_object_get(document, "endpoints"), 0), "enclavePort");
    json_object_del(json_object_get(document, "boot"), "seconds");
    CLEANUP(freep) char *older = definition_of("v1alpha1", schema_of(document));
    check_missing(older, "status.boot.seconds, status.endpoints.enclavePort");
    json_object_del(document, "boot");
    CLEANUP(freep) char *oldest = definition_of("v1alpha1", schema_of(document));
    check_missing(oldest, "status.boot.phase, status.boot.seconds, status.endpoints.enclavePort");
    CLEANUP(freep)
    char *open = definition_of("v1alpha1", json_pack("{s:b}", "x-kubernetes-preserve-unknown-fields", 1));
    check_missing(open, "");
    check_missing("{\"spec\":{\"versions\":[{\"name\":\"v1alpha1\",\"schema\":{\"openAPIV3Schema\":"
                  "{\"x-kubernetes-preserve-unknown-fields\":true}}}]}}",
                  "");
    json_decref(document);
}

static void test_what_is_no_definition(void **state)
{
    (void)state;
    CLEANUP(freep) char *other = definition_of("v2", json_object());
    const char *const cases[] = {"", "{", "{}", "[]", "{\"spec\":{\"versions\":[7]}}", other};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf missing;
        struct error err = {0};
        buf_init(&missing, 1024);
        assert_int_equal(definition_find_missing(cases[i], strlen(cases[i]), &missing, &err), -1);
        assert_string_equal(err.reason, "BadDefinition");
        assert_int_equal(missing.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_list_is_whole),
        cmocka_unit_test(test_missing_fields_are_named),
        cmocka_unit_test(test_what_is_no_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
