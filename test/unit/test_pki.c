/* The test PKI itself: the simulator's PCR formula, a root that survives a restart, one signature per cached
 * document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "pki/pki.h"

static const struct pki_document_spec plain = {
    .module_id = "i-0123456789abcdef0-enc0199aabbccddeeff",
    .region = "eu-west-1",
    .timestamp_ms = 1800000000123,
    .image_digest = "00ff",
};

static void test_sim_pcr_formula(void **state)
{
    (void)state;
    /* printf 'tee-sim pcr1 00ff' | sha384, with 48 zero bytes before it hashed once more. */
    uint8_t pcr[PKI_PCR_BYTES], inner[SHA384_BYTES], message[2 * SHA384_BYTES] = {0}, expected[SHA384_BYTES];
    sha384("tee-sim pcr1 00ff", 17, inner);
    memcpy(message + SHA384_BYTES, inner, sizeof(inner));
    sha384(message, sizeof(message), expected);
    pki_sim_pcr(1, "00ff", pcr);
    assert_memory_equal(pcr, expected, sizeof(pcr));
}

static void test_root_survives_restart(void **state)
{
    (void)state;
    char dir[] = "/tmp/tee-pki-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct error err;
    struct pki *pki = pki_new(dir, &err);
    assert_non_null(pki);
    CLEANUP(freep) char *pem = mem_strdup(pki_root_pem(pki));
    pki_free(pki);
    pki = pki_new(dir, &err);
    assert_non_null(pki);
    assert_string_equal(pki_root_pem(pki), pem);
    pki_free(pki);
    CLEANUP(freep) char *cert = mem_printf("%s/pki-root.pem", dir);
    CLEANUP(freep) char *key = mem_printf("%s/pki-root-key.pem", dir);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    assert_null(pki_new("/nonexistent/dir", &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

static void test_chain_is_cached_while_the_leaf_lives(void **state)
{
    (void)state;
    struct pki *pki = pki_new(NULL, NULL);
    struct pki_document_spec spec = plain;
    struct pki_chain chain;
    pki_chain(pki, &spec, &chain);
    CLEANUP(freep) void *leaf = mem_dup(chain.der[PKI_LEAF].data, chain.der[PKI_LEAF].len);
    size_t leaf_len = chain.der[PKI_LEAF].len;
    spec.timestamp_ms += 3600 * 1000;
    pki_chain(pki, &spec, &chain);
    assert_memory_equal(chain.der[PKI_LEAF].data, leaf, leaf_len);
    const void *zonal = chain.der[PKI_ZONAL].data;
    spec.timestamp_ms += 3 * 3600 * 1000;
    pki_chain(pki, &spec, &chain);
    assert_memory_not_equal(chain.der[PKI_LEAF].data, leaf, leaf_len);
    assert_ptr_equal(chain.der[PKI_ZONAL].data, zonal);
    pki_free(pki);
}

static void test_document_has_the_real_size(void **state)
{
    (void)state;
    struct pki *pki = pki_new(NULL, NULL);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, PKI_DOCUMENT_MAX);
    pki_document(pki, &plain, &out);
    assert_in_range(out.len, 4200, 4900);
    assert_memory_equal(out.data, "\x84\x44\xa1\x01\x38\x22\xa0\x59", 8);
    pki_free(pki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim_pcr_formula),
        cmocka_unit_test(test_root_survives_restart),
        cmocka_unit_test(test_chain_is_cached_while_the_leaf_lives),
        cmocka_unit_test(test_document_has_the_real_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
