/* How fast documents are checked, on one core: bench_attest SECONDS ROOT-PEM FOLDER...
 *
 * Lines to be read by hack/bench.sh: `accept NAME` or `reject NAME` for every *.cbor, by the judgement that a
 * person gets from `kubectl tee verify FILE`: genuine, at its own time, and not from a debug enclave. Then
 * rates over the genuine production documents (v*_prod): decoding alone, the whole check, the same with its
 * CA certificates known, and the signature check alone that both consist of. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "nitro/attest.h"
#include "nitro/cose.h"
#include "nitro/p384.h"

#include <glob.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENTS_MAX = 256, FILE_MAX = 64 * 1024 };

struct document {
    char name[64];
    uint8_t *data;
    size_t len;
    bool is_timed;
};

struct bench {
    int64_t run_ms;
    struct attest_roots roots;
    struct document documents[DOCUMENTS_MAX];
    size_t count;
    struct attest_cache *cache;
    EVP_PKEY *key; /* for the signature check alone */
    uint8_t signature[128];
    size_t signature_len;
};

static int read_file(const char *path, uint8_t **ret_data, size_t *ret_len)
{
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    uint8_t *data = mem_calloc(1, FILE_MAX + 1);
    *ret_len = file ? fread(data, 1, FILE_MAX, file) : 0;
    *ret_data = data;
    return file ? 0 : -1;
}

static void take_name(const char *path, char *ret_name, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(ret_name, size, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(ret_name, '.');
    if (dot)
        *dot = '\0';
}

static void load_folder(struct bench *bench, const char *folder)
{
    glob_t found;
    CLEANUP(freep) char *pattern = mem_printf("%s/*.cbor", folder);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc && bench->count < DOCUMENTS_MAX; i++) {
        struct document *document = &bench->documents[bench->count];
        take_name(found.gl_pathv[i], document->name, sizeof(document->name));
        document->is_timed = document->name[0] == 'v' && strstr(document->name, "_prod");
        bench->count += read_file(found.gl_pathv[i], &document->data, &document->len) == 0;
    }
    globfree(&found);
}

static bool verify(struct bench *bench, const struct document *document, struct attest_cache *cache)
{
    struct attest_policy policy = {.roots = &bench->roots, .at_document_time = true, .cache = cache};
    struct attest_result result;
    attest_verify(document->data, document->len, &policy, &result);
    return result.verdict != ATTEST_REJECTED;
}

static bool check_cold(struct bench *bench, const struct document *document)
{
    return verify(bench, document, NULL);
}

static bool check_warm(struct bench *bench, const struct document *document)
{
    return verify(bench, document, bench->cache);
}

static bool decode(struct bench *bench, const struct document *document)
{
    struct error err;
    struct cose cose;
    struct attest_doc doc;
    (void)bench;
    return cose_parse(document->data, document->len, &cose, &err) == 0 &&
           attest_doc_parse(cose.payload, cose.payload_len, &doc, &err) == 0;
}

static bool check_signature(struct bench *bench, const struct document *document)
{
    (void)document;
    return p384_verify(bench->key, "bench", 5, bench->signature, bench->signature_len);
}

/* A key and a signature of our own: what is timed is the same as in a document. */
static void make_signature(struct bench *bench)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bench->key = EVP_EC_gen("P-384");
    bench->signature_len = sizeof(bench->signature);
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, bench->key) != 1 ||
        EVP_DigestSign(ctx, bench->signature, &bench->signature_len, (const uint8_t *)"bench", 5) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
}

static void print_rate(struct bench *bench, const char *name,
                       bool (*work)(struct bench *bench, const struct document *document))
{
    int64_t start_ms = clock_mono_ms(clock_real()), now_ms = start_ms;
    long count = 0;
    while (now_ms < start_ms + bench->run_ms) {
        for (size_t i = 0; i < bench->count; i++) {
            if (!bench->documents[i].is_timed)
                continue;
            if (!work(bench, &bench->documents[i])) {
                fprintf(stderr, "%s: refused\n", bench->documents[i].name);
                exit(1);
            }
            count++;
        }
        now_ms = clock_mono_ms(clock_real());
        if (count == 0)
            return;
    }
    printf("%s %.1f\n", name, (double)count * 1000 / (double)(now_ms - start_ms));
}

int main(int argc, char **argv)
{
    struct bench *bench = mem_calloc(1, sizeof(*bench));
    CLEANUP(freep) uint8_t *pem = NULL;
    size_t len = 0;
    struct error err;
    if (argc < 4 || read_file(argv[2], &pem, &len) < 0 ||
        attest_roots_add_pem(&bench->roots, (const char *)pem, &err) < 0) {
        fprintf(stderr, "usage: bench_attest SECONDS ROOT-PEM FOLDER...\n");
        return 2;
    }
    bench->run_ms = (int64_t)(strtod(argv[1], NULL) * 1000);
    bench->cache = attest_cache_new(ATTEST_CACHE_ENTRIES);
    for (int i = 3; i < argc; i++)
        load_folder(bench, argv[i]);
    make_signature(bench);
    for (size_t i = 0; i < bench->count; i++)
        printf("%s %s\n", check_cold(bench, &bench->documents[i]) ? "accept" : "reject",
               bench->documents[i].name);
    print_rate(bench, "decode", decode);
    print_rate(bench, "signature", check_signature);
    print_rate(bench, "cold", check_cold);
    print_rate(bench, "warm", check_warm);
    return 0;
}
