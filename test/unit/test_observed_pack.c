/* What a host and a memory know comes back from the packed form, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reconcile/observed_pack.h"

#include <string.h>

/* A field more is to be walked over, and to be set below. */
_Static_assert(sizeof(struct host) == 800, "observed_pack.c and this test name every field");
_Static_assert(sizeof(struct memory) == 2136, "observed_pack.c and this test name every field");

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Static, so that the padding is zero on both sides. */
#define FULL_HOST                                                                                            \
    {                                                                                                        \
        .id = "i-0123456789abcdef0", .state = HOST_STOPPED, .image_id = "ami-0123456789abcdef0",             \
        .type = "m5.xlarge", .zone = "eu-central-1a", .subnet_id = "subnet-0123456789abcdef0",               \
        .private_ip = "10.0.0.7", .public_ip = "192.0.2.255", .launch_ms = INT64_C(1767268800000),           \
        .token = HEX64, .deployment_id = "nitro-01234567-89ab-cdef-0123-456789abcdef",                       \
        .cluster_id = "11234567-89ab-cdef-0123-456789abcdef", .launch_hash = "v1-" HEX64,                    \
        .name_digest = UINT32_MAX, .namespace_digest = 3, .title_digest = 4, .group_digest = 1,              \
        .tag_digests = {7, UINT32_MAX}, .tag_count = 2, .are_tags_told = true, .is_retained = true,          \
        .is_spot = true, .lacks_enclave = true, .state_reason = "Server.InternalError", .state_since_ms = 5, \
        .health = {                                                                                          \
            HOST_RETIRING,                                                                                   \
            6,                                                                                               \
            7,                                                                                               \
            8                                                                                                \
        }                                                                                                    \
    }
static const struct host full_host = FULL_HOST, empty_host;

static void check_host(const struct host *host, size_t max_bytes)
{
    struct packed *packed = host_pack(host);
    struct host again;
    memset(&again, 0xff, sizeof(again));
    host_unpack(packed, &again);
    assert_memory_equal(&again, host, sizeof(again));
    assert_in_range(packed_bytes(packed), 1, max_bytes);
    packed_unref(packed);
}

static void test_host(void **state)
{
    (void)state;
    check_host(&full_host, 400);
    check_host(&empty_host, 40);
}

static void check_memory(const struct memory *memory, size_t max_bytes)
{
    struct packed *packed = memory_pack(memory);
    struct memory again;
    memset(&again, 0xff, sizeof(again));
    memory_unpack(packed, &again);
    assert_memory_equal(&again, memory, sizeof(again));
    assert_in_range(packed_bytes(packed), 1, max_bytes);
    packed_unref(packed);
}

static const struct memory full_memory = {
    .uid = "01234567-89ab-cdef-0123-456789abcdef",
    .written_version = "123456789",
    .written_ms = 2,
    .found = FULL_HOST,
    .lookups = {HEX64, 3, 4, 5},
    .is_token_spent = true,
    .is_unsent = true,
    .launch_error = "slow down",
    .fetch_failures = 6,
    .fetch_not_before_ms = 7,
    .fetch_launch_ms = 8,
    .fetch_error = "connection refused",
    .boot_phase = "pulling",
    .boot_seconds = 9,
    .answered_launch_ms = 10,
    .start_error = "no room",
    .change = {"i-2", "terminate", "Terminated", HOST_RUNNING, ERROR_DENIED, "protected"},
    .identity_tried_ms = 13,
    .throttled_ms = -1};
static const struct memory empty_memory;

static void test_memory(void **state)
{
    (void)state;
    check_memory(&full_memory, 600);
    check_memory(&empty_memory, 40);
    struct memory lost = full_memory, again;
    lost.found = (struct host){.token = "of none"}; /* without an id there is no host */
    struct packed *packed = memory_pack(&lost);
    memory_unpack(packed, &again);
    packed_unref(packed);
    assert_string_equal(again.found.token, "");
    assert_int_equal(again.identity_tried_ms, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
