/* One entry per region (region CA, zonal CA and the key that all its instance CAs share) and one per module
 * id (instance CA and leaf). A full leaf cache is emptied whole: refilling costs three signatures each. */
#include "pki/pki.h"

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "pki/pki_internal.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>

enum { LEAVES_MAX = 4096, HOUR_S = 3600, DAY_S = 24 * HOUR_S };

struct region {
    struct pki_cert region;
    struct pki_cert zonal;
    EVP_PKEY *instance_key;
    int64_t not_before_s;
    int64_t not_after_s;
};

struct leaf {
    struct pki_cert instance;
    struct pki_cert leaf;
    int64_t not_before_s;
    int64_t not_after_s;
};

struct pki {
    struct pki_cert root;
    char *root_pem;
    struct hmap regions; /* by region name */
    struct hmap leaves;  /* by region/module id */
    struct region *odd_region;
    struct leaf *odd_leaf; /* the newest chain with edited certificates */
};

static void region_free(void *value)
{
    struct region *region = value;
    if (!region)
        return;
    pki_cert_done(&region->region);
    pki_cert_done(&region->zonal);
    EVP_PKEY_free(region->instance_key);
    free(region);
}

static void leaf_free(void *value)
{
    struct leaf *leaf = value;
    if (!leaf)
        return;
    pki_cert_done(&leaf->instance);
    pki_cert_done(&leaf->leaf);
    free(leaf);
}

size_t pki_instance_id_len(const char *module_id)
{
    const char *end = strstr(module_id, "-enc");
    return end ? (size_t)(end - module_id) : strlen(module_id);
}

static struct pki_cert_spec cert_spec(enum pki_level level, int64_t at_s)
{
    static const struct {
        int64_t before_s, life_s;
        const char *basic_constraints, *key_usage, *crl_url;
    } shapes[] = {
        [PKI_ROOT] = {0, 0, "critical,CA:TRUE", "critical,digitalSignature,keyCertSign,cRLSign", NULL},
        [PKI_REGION] = {4 * DAY_S, 20 * DAY_S + HOUR_S, "critical,CA:TRUE,pathlen:2",
                        "critical,digitalSignature,keyCertSign,cRLSign", "URI:http://crl.invalid/region.crl"},
        [PKI_ZONAL] = {DAY_S, 6 * DAY_S - 3 * HOUR_S, "critical,CA:TRUE,pathlen:1",
                       "critical,digitalSignature,keyCertSign,cRLSign", "URI:http://crl.invalid/zonal.crl"},
        [PKI_INSTANCE] = {HOUR_S / 2, DAY_S, "critical,CA:TRUE,pathlen:0", "critical,keyCertSign", NULL},
        [PKI_LEAF] = {3, 3 * HOUR_S + 3, "critical,CA:FALSE", "digitalSignature,nonRepudiation", NULL},
    };
    return (struct pki_cert_spec){
        .level = level,
        .not_before_s = at_s - shapes[level].before_s,
        .not_after_s = at_s - shapes[level].before_s + shapes[level].life_s,
        .basic_constraints = shapes[level].basic_constraints,
        .key_usage = shapes[level].key_usage,
        .crl_url = shapes[level].crl_url,
        .has_key_ids = level != PKI_LEAF,
        .group = "P-384",
        .digest = "SHA384",
    };
}

static void edit(struct pki_cert_spec *cert, const struct pki_defects *defects)
{
    if (defects && defects->edit_cert)
        defects->edit_cert(defects->edit_ctx, cert);
}

static struct region *region_make(const struct pki *pki, const struct pki_document_spec *spec)
{
    struct region *made = mem_calloc(1, sizeof(*made));
    int64_t at_s = spec->timestamp_ms / 1000;
    struct pki_cert_spec region = cert_spec(PKI_REGION, at_s), zonal = cert_spec(PKI_ZONAL, at_s);
    snprintf(region.cn, sizeof(region.cn), "d3c9df74fdeb2ba5.%s.aws.nitro-enclaves", spec->region);
    snprintf(zonal.cn, sizeof(zonal.cn), "db5d852a812a3d1e.zonal.%s.aws.nitro-enclaves", spec->region);
    edit(&region, spec->defects);
    pki_cert_issue(&region, &pki->root, &made->region);
    edit(&zonal, spec->defects);
    pki_cert_issue(&zonal, &made->region, &made->zonal);
    made->instance_key = EVP_EC_gen("P-384");
    /* The CAs must still be good for a whole instance CA that is issued under them. */
    made->not_before_s = zonal.not_before_s;
    made->not_after_s = zonal.not_after_s - DAY_S;
    return made;
}

static struct leaf *leaf_make(const struct region *region, const struct pki_document_spec *spec)
{
    struct leaf *made = mem_calloc(1, sizeof(*made));
    int64_t at_s = spec->timestamp_ms / 1000;
    struct pki_cert_spec instance = cert_spec(PKI_INSTANCE, at_s), leaf = cert_spec(PKI_LEAF, at_s);
    snprintf(instance.cn, sizeof(instance.cn), "%.*s.%s.aws.nitro-enclaves",
             (int)pki_instance_id_len(spec->module_id), spec->module_id, spec->region);
    snprintf(leaf.cn, sizeof(leaf.cn), "%s.%s.aws", spec->module_id, spec->region);
    instance.key = region->instance_key;
    edit(&instance, spec->defects);
    pki_cert_issue(&instance, &region->zonal, &made->instance);
    edit(&leaf, spec->defects);
    pki_cert_issue(&leaf, &made->instance, &made->leaf);
    made->not_before_s = leaf.not_before_s;
    made->not_after_s = leaf.not_after_s;
    return made;
}

static void leaves_drop(struct pki *pki)
{
    hmap_done(&pki->leaves, leaf_free);
    hmap_init(&pki->leaves);
}

static const struct region *region_get(struct pki *pki, const struct pki_document_spec *spec)
{
    int64_t at_s = spec->timestamp_ms / 1000;
    struct region *found = hmap_get(&pki->regions, spec->region);
    if (found && at_s >= found->not_before_s && at_s < found->not_after_s)
        return found;
    found = region_make(pki, spec);
    region_free(hmap_set(&pki->regions, spec->region, found));
    /* A leaf is only good beside the CAs it was issued under. */
    leaves_drop(pki);
    return found;
}

static const struct leaf *leaf_get(struct pki *pki, const struct pki_document_spec *spec)
{
    int64_t at_s = spec->timestamp_ms / 1000;
    CLEANUP(freep) char *key = mem_printf("%s/%s", spec->region, spec->module_id);
    struct leaf *found = hmap_get(&pki->leaves, key);
    if (found && at_s >= found->not_before_s && at_s < found->not_after_s)
        return found;
    if (!found && pki->leaves.count >= LEAVES_MAX)
        leaves_drop(pki);
    found = leaf_make(region_get(pki, spec), spec);
    /* Only DER and the leaf's key are needed from now on. */
    X509_free(found->instance.cert);
    X509_free(found->leaf.cert);
    found->instance.cert = found->leaf.cert = NULL;
    leaf_free(hmap_set(&pki->leaves, key, found));
    return found;
}

static struct pki_span span_of(const struct pki_cert *cert)
{
    return (struct pki_span){cert->der, cert->der_len};
}

void pki_get_signer(struct pki *pki, const struct pki_document_spec *spec, struct pki_signer *ret_signer)
{
    const struct region *region;
    const struct leaf *leaf;
    if (spec->defects && spec->defects->edit_cert) {
        region_free(pki->odd_region);
        leaf_free(pki->odd_leaf);
        region = pki->odd_region = region_make(pki, spec);
        leaf = pki->odd_leaf = leaf_make(region, spec);
    } else {
        region = region_get(pki, spec);
        leaf = leaf_get(pki, spec);
    }
    *ret_signer = (struct pki_signer){
        .chain = {{span_of(&pki->root), span_of(&region->region), span_of(&region->zonal),
                   span_of(&leaf->instance), span_of(&leaf->leaf)}},
        .leaf_key = leaf->leaf.key,
    };
}

void pki_chain(struct pki *pki, const struct pki_document_spec *spec, struct pki_chain *ret_chain)
{
    struct pki_signer signer;
    pki_get_signer(pki, spec, &signer);
    *ret_chain = signer.chain;
}

static void root_make(struct pki_cert *ret_root)
{
    struct pki_cert_spec spec = cert_spec(PKI_ROOT, 0);
    spec.not_before_s = 1572269285; /* the real root's life */
    spec.not_after_s = 2519044085;
    snprintf(spec.cn, sizeof(spec.cn), "aws.nitro-enclaves");
    pki_cert_issue(&spec, NULL, ret_root);
}

static int root_load(const char *cert_path, const char *key_path, struct pki_cert *ret_root)
{
    CLEANUP(fclosep) FILE *cert_file = fopen(cert_path, "re");
    CLEANUP(fclosep) FILE *key_file = fopen(key_path, "re");
    if (!cert_file || !key_file)
        return -1;
    struct pki_cert root = {0};
    root.cert = PEM_read_X509(cert_file, NULL, NULL, NULL);
    root.key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
    if (!root.cert || !root.key || X509_check_private_key(root.cert, root.key) != 1) {
        pki_cert_done(&root);
        return -1;
    }
    pki_cert_encode(&root);
    *ret_root = root;
    return 0;
}

/* The key first and readable by the owner alone: a certificate without its key is made anew, both. */
static int root_save(const char *cert_path, const char *key_path, const struct pki_cert *root)
{
    int fd = open(key_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CLEANUP(fclosep) FILE *key_file = fd < 0 ? NULL : fdopen(fd, "w");
    CLEANUP(fclosep) FILE *cert_file = fopen(cert_path, "we");
    if (!key_file || !cert_file)
        return -1;
    bool ok = PEM_write_PrivateKey(key_file, root->key, NULL, NULL, 0, NULL, NULL) == 1;
    ok = PEM_write_X509(cert_file, root->cert) == 1 && ok;
    return ok && fflush(key_file) == 0 && fflush(cert_file) == 0 ? 0 : -1;
}

static int root_open(const char *dir, struct pki_cert *ret_root, struct error *err)
{
    if (!dir) {
        root_make(ret_root);
        return 0;
    }
    CLEANUP(freep) char *cert_path = mem_printf("%s/pki-root.pem", dir);
    CLEANUP(freep) char *key_path = mem_printf("%s/pki-root-key.pem", dir);
    if (root_load(cert_path, key_path, ret_root) == 0)
        return 0;
    root_make(ret_root);
    if (root_save(cert_path, key_path, ret_root) == 0)
        return 0;
    pki_cert_done(ret_root);
    return error_set(err, ERROR_INVALID, "Invalid", "the root cannot be written to '%s'", dir);
}

static char *pem_of(X509 *cert)
{
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    pki_check(bio && PEM_write_bio_X509(bio, cert) == 1, "PEM");
    long len = BIO_get_mem_data(bio, &data);
    char *pem = mem_strndup(data, (size_t)len);
    BIO_free(bio);
    return pem;
}

struct pki *pki_new(const char *dir, struct error *err)
{
    struct pki_cert root;
    if (root_open(dir, &root, err) < 0)
        return NULL;
    struct pki *pki = mem_calloc(1, sizeof(*pki));
    pki->root = root;
    pki->root_pem = pem_of(root.cert);
    hmap_init(&pki->regions);
    hmap_init(&pki->leaves);
    return pki;
}

struct pki *pki_free(struct pki *pki)
{
    if (!pki)
        return NULL;
    pki_cert_done(&pki->root);
    free(pki->root_pem);
    hmap_done(&pki->regions, region_free);
    hmap_done(&pki->leaves, leaf_free);
    region_free(pki->odd_region);
    leaf_free(pki->odd_leaf);
    free(pki);
    return NULL;
}

const char *pki_root_pem(const struct pki *pki)
{
    return pki->root_pem;
}

struct pki_span pki_root_der(const struct pki *pki)
{
    return span_of(&pki->root);
}

void pki_measure(const void *data, size_t len, uint8_t ret_pcr[PKI_PCR_BYTES])
{
    CLEANUP(buf_done) struct buf buf;
    buf_init(&buf, PKI_PCR_BYTES + len);
    static const uint8_t zero[PKI_PCR_BYTES];
    buf_append(&buf, zero, sizeof(zero));
    buf_append(&buf, data, len);
    sha384(buf.data, buf.len, ret_pcr);
}

void pki_sim_pcr(int index, const char *image_digest, uint8_t ret_pcr[PKI_PCR_BYTES])
{
    CLEANUP(freep) char *text = mem_printf("tee-sim pcr%d %s", index, image_digest);
    uint8_t contents[SHA384_BYTES];
    sha384(text, strlen(text), contents);
    pki_measure(contents, sizeof(contents), ret_pcr);
}
