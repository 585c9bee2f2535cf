/* eif_files write FOLDER    writes every image of eif_cases there as NAME.eif, and one signed with each curve
 * eif_files measure FILE    prints what pkg/nitro measures, a line `PCR<index> <hex>` for each register */
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/mem.h"
#include "nitro/eif.h"
#include "pki/eif_cases.h"
#include "pki/eif_sign.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

static int write_file(const char *folder, const char *name, const struct eif_image *image)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s.eif", folder, name);
    CLEANUP(fclosep) FILE *file = fopen(path, "we");
    CLEANUP(buf_done) struct buf content;
    buf_init(&content, FILE_MAX);
    eif_write(image, &content);
    if (file && fwrite(content.data, 1, content.len, file) == content.len && fflush(file) == 0)
        return 0;
    perror(path);
    return -1;
}

/* The image with a signature behind it; our own PCR0 is what gets signed. */
static int write_signed(const char *folder, const char *group, struct eif_image image)
{
    CLEANUP(freep) char *name = mem_printf("signed-%s", group);
    CLEANUP(buf_done) struct buf content, section;
    CLEANUP(pki_cert_done) struct pki_cert cert;
    struct eif_measurement found;
    struct error err;
    buf_init(&content, FILE_MAX);
    buf_init(&section, FILE_MAX);
    eif_signer_new(group, &cert);
    eif_write(&image, &content);
    if (eif_measure(content.data, content.len, &found, &err) < 0) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        return -1;
    }
    struct eif_signature_spec spec = {.cert = &cert, .pcr0 = found.pcr0};
    eif_write_signature(&spec, &section);
    eif_add_part(&image, EIF_PART_SIGNATURE, section.data, section.len);
    return write_file(folder, name, &image);
}

static int write_all(const char *folder)
{
    static const char *const groups[] = {"prime256v1", "secp384r1", "secp521r1"};
    CLEANUP(freep) struct eif_case *eif = mem_alloc(sizeof(*eif));
    for (size_t i = 0; i < eif_case_count(); i++) {
        eif_case_make(i, eif);
        if (write_file(folder, eif->name, &eif->image) < 0)
            return -1;
    }
    eif_case_make(0, eif);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (write_signed(folder, groups[i], eif->image) < 0)
            return -1;
    return 0;
}

static void print_pcr(int index, const uint8_t pcr[EIF_PCR_BYTES])
{
    char hex[2 * EIF_PCR_BYTES + 1];
    hex_encode(pcr, EIF_PCR_BYTES, hex);
    printf("PCR%d %s\n", index, hex);
}

static int measure(const char *path)
{
    CLEANUP(freep) char *content = mem_alloc(FILE_MAX);
    CLEANUP(fclosep) FILE *file = fopen(path, "re");
    struct eif_measurement found;
    struct error err;
    if (!file) {
        perror(path);
        return -1;
    }
    if (eif_measure(content, fread(content, 1, FILE_MAX, file), &found, &err) < 0) {
        printf("refused: %s\n", err.text);
        return -1;
    }
    print_pcr(0, found.pcr0);
    print_pcr(1, found.pcr1);
    print_pcr(2, found.pcr2);
    if (found.is_signed)
        print_pcr(8, found.pcr8);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_all(argv[2]) < 0 ? 1 : 0;
    if (argc == 3 && strcmp(argv[1], "measure") == 0)
        return measure(argv[2]) < 0 ? 1 : 0;
    fputs("usage: eif_files write FOLDER | measure FILE\n", stderr);
    return 2;
}
