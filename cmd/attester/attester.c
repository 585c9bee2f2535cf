/* See attester.h. */
#include "attester.h"

#include "base/bucket.h"
#include "base/mem.h"
#include "nitro/native.h"
#include "nsm.h"
#include "nsm_codec.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attester {
    struct nsm *nsm;
    struct bucket bucket;
    bool has_bucket;
    bool has_user_data;
    uint8_t user_data[NSM_FIELD_MAX];
    size_t user_data_len;
    uint8_t public_key[NATIVE_PUBLIC_KEY_BYTES];
    uint8_t *secret_key; /* locked; crypto_box_SECRETKEYBYTES */
};

_Static_assert(crypto_box_PUBLICKEYBYTES == NATIVE_PUBLIC_KEY_BYTES, "X25519");

static int read_user_data(struct attester *attester, const char *path, struct error *err)
{
    uint8_t data[NSM_FIELD_MAX + 1];
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    if (!file)
        return error_set(err, ERROR_INVALID, "Usage", "--user-data-file %s: %s", path, strerror(errno));
    size_t len = fread(data, 1, sizeof(data), file);
    if (ferror(file) || len == 0 || len > NSM_FIELD_MAX)
        return error_set(err, ERROR_INVALID, "Usage", "--user-data-file %s: must hold 1 to %d bytes", path,
                         NSM_FIELD_MAX);
    memcpy(attester->user_data, data, len);
    attester->user_data_len = len;
    attester->has_user_data = true;
    return 0;
}

static int make_key(struct attester *attester, struct error *err)
{
    if (sodium_init() < 0)
        return error_set(err, ERROR_UNAVAILABLE, "Key", "libsodium does not start");
    attester->secret_key = sodium_malloc(crypto_box_SECRETKEYBYTES);
    if (!attester->secret_key || crypto_box_keypair(attester->public_key, attester->secret_key) != 0)
        return error_set(err, ERROR_UNAVAILABLE, "Key", "cannot make a key pair");
    return 0;
}

struct attester *attester_new(const char *user_data_file, struct error *err)
{
    struct attester *attester = mem_calloc(1, sizeof(*attester));
    if (user_data_file && read_user_data(attester, user_data_file, err) < 0)
        return attester_free(attester);
    if (make_key(attester, err) < 0)
        return attester_free(attester);
    attester->nsm = nsm_open(err);
    return attester->nsm ? attester : attester_free(attester);
}

struct attester *attester_free(struct attester *attester)
{
    if (!attester)
        return NULL;
    nsm_close(attester->nsm);
    sodium_free(attester->secret_key);
    free(attester);
    return NULL;
}

static bool take_token(struct attester *attester, int64_t now_ms)
{
    if (!attester->has_bucket)
        bucket_init(&attester->bucket, NATIVE_RATE_PER_SECOND, NATIVE_RATE_BURST, now_ms);
    attester->has_bucket = true;
    return bucket_take(&attester->bucket, now_ms);
}

/* The document follows its head in out; on failure out is as it was. */
static int ask_nsm(struct attester *attester, const uint8_t *nonce, struct buf *out, struct error *err)
{
    CLEANUP(buf_done) struct buf request;
    uint8_t answer[NSM_ANSWER_MAX];
    size_t answer_len = 0;
    struct nsm_field document;
    struct nsm_question question = {.nonce = {nonce, NATIVE_NONCE_BYTES},
                                    .public_key = {attester->public_key, sizeof(attester->public_key)}};
    if (attester->has_user_data)
        question.user_data = (struct nsm_field){attester->user_data, attester->user_data_len};
    buf_init(&request, NSM_REQUEST_MAX);
    nsm_codec_encode(&question, &request);
    if (nsm_exchange(attester->nsm, (const uint8_t *)request.data, request.len, answer, &answer_len, err) <
            0 ||
        nsm_codec_decode(answer, answer_len, &document, err) < 0)
        return -1;
    native_answer_head(out, document.len);
    buf_append(out, document.data, document.len);
    return 0;
}

static void refuse(enum native_status status, struct buf *out)
{
    const char *text = "the nonce is missing, or not 64 lower-case hex digits";
    if (status == NATIVE_BAD_PATH)
        text = "no such path; ask for " NATIVE_PATH;
    else if (status == NATIVE_BAD_METHOD)
        text = "only GET is served";
    native_answer_refusal(out, status, text);
}

bool attester_answer(struct attester *attester, const char *head, size_t len, int64_t now_ms, struct buf *out)
{
    uint8_t nonce[NATIVE_NONCE_BYTES];
    struct error err;
    enum native_status status = native_request_parse(head, len, nonce);
    if (status == NATIVE_NEED_MORE)
        return false;
    if (status != NATIVE_OK) {
        refuse(status, out);
    } else if (!take_token(attester, now_ms)) {
        native_answer_refusal(out, NATIVE_TOO_MANY, "too many requests");
    } else if (ask_nsm(attester, nonce, out, &err) < 0) {
        fprintf(stderr, "tee-attester: %s\n", err.text);
        native_answer_refusal(out, NATIVE_UNAVAILABLE, err.text);
    }
    return true;
}
