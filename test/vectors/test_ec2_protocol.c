/* Published conformance cases of the EC2 Query and Query protocols. Their operations are not ours, so that
 * what applies is: every answer is read, scalars of the root are found at their path, and errors of both
 * forms yield their code and message. The request cases have operations that we never send and are counted
 * only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/ec2_response.h"
#include "nitro/xml.h"

#include <jansson.h>

enum { SKIPPED = 77 };

struct tally {
    int faults;
    int answers;
    int texts;
    int skipped;
};

static char *path_of(const char *name)
{
    const char *root = getenv("TEE_TEST_VECTORS");
    return mem_printf("%s/ec2-protocol/%s", root ? root : "../shared/vectors", name);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void check_fault(const json_t *vector, const char *body)
{
    struct ec2_fault fault;
    const char *message = text_of(vector, "errorMessage");
    ec2_response_read_fault(body, strlen(body), &fault);
    assert_string_equal(fault.code, text_of(vector, "errorCode"));
    if (message)
        assert_string_equal(fault.message, message);
}

/* The result's member that an element may be: strings at the root whose element has the member's name. */
struct reader {
    const json_t *result;
    int found;
};

static int read_text(void *ctx, const char *path, const char *text, struct error *err)
{
    struct reader *reader = ctx;
    const char *name = strrchr(path, '/');
    (void)err;
    if (!name || strchr(path, '/') != name)
        return 0;
    const char *expected = text_of(reader->result, name + 1);
    if (expected && *text) {
        /* A blob is text in the result and base64 in the answer. */
        CLEANUP(freep) char *blob = base64_encode(expected, strlen(expected));
        assert_true(strcmp(text, expected) == 0 || strcmp(text, blob) == 0);
        reader->found++;
    }
    return 0;
}

static void check_answer(const json_t *vector, const char *body, struct tally *tally)
{
    struct reader reader = {json_object_get(vector, "result"), 0};
    struct xml_handler handler = {.ctx = &reader, .on_end = read_text};
    struct xml *xml = xml_new(&handler);
    assert_int_equal(xml_feed(xml, body, strlen(body), NULL), 0);
    assert_int_equal(xml_finish(xml, NULL), 0);
    xml_free(xml);
    tally->answers++;
    tally->texts += reader.found;
}

static void check_case(const json_t *vector, struct tally *tally)
{
    const char *body = text_of(json_object_get(vector, "response"), "body");
    if (!body || !*body) {
        tally->skipped++;
    } else if (text_of(vector, "errorCode")) {
        check_fault(vector, body);
        tally->faults++;
    } else {
        check_answer(vector, body, tally);
    }
}

static void check_file(const char *name, struct tally *tally)
{
    CLEANUP(freep) char *path = path_of(name);
    json_t *suites = json_load_file(path, 0, NULL);
    size_t i, j;
    json_t *suite, *vector;
    assert_non_null(suites);
    json_array_foreach(suites, i, suite) json_array_foreach(json_object_get(suite, "cases"), j, vector)
        check_case(vector, tally);
    json_decref(suites);
}

static void test_outputs(void **state)
{
    struct tally tally = {0};
    (void)state;
    check_file("output-ec2.json", &tally);
    check_file("output-query.json", &tally);
    check_file("input-ec2.json", &tally);
    print_message("vectors: %d errors, %d answers with %d texts, %d not of our shapes\n", tally.faults,
                  tally.answers, tally.texts, tally.skipped);
    assert_true(tally.faults >= 4);
    assert_true(tally.answers >= 30);
    assert_true(tally.texts >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outputs)};
    CLEANUP(freep) char *path = path_of("output-ec2.json");
    if (access(path, R_OK) != 0) {
        puts("vectors: SKIPPED (EC2 protocol)");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
