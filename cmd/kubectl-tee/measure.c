/* measure EIF: what an enclave image will show as PCRs, from the file's bytes. */
#include "base/mem.h"
#include "measurements.h"
#include "nitro/eif.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file, mapped; images have hundreds of megabytes. */
struct image {
    void *data;
    size_t len;
};

static void image_done(struct image *image)
{
    if (image->data)
        munmap(image->data, image->len);
}

static int image_map(const char *path, struct image *image, struct error *err)
{
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0)
        return error_set(err, ERROR_ABSENT, "FileNotReadable", "cannot read %.150s: %s", path,
                         strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size <= 0)
        return error_set(err, ERROR_INVALID, "FileNotReadable", "%.150s is %s, not an enclave image", path,
                         S_ISREG(info.st_mode) ? "empty" : "no regular file");
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return error_set(err, ERROR_INVALID, "FileNotReadable", "cannot map %.150s: %s", path,
                         strerror(errno));
    image->data = data;
    image->len = (size_t)info.st_size;
    return 0;
}

/* The file's name without folder and ending. */
static void name_of(const char *path, char ret_name[MEASUREMENTS_NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    CLEANUP(freep) char *base = mem_strdup(slash ? slash + 1 : path);
    size_t len = strlen(base);
    if (len > 4 && strcasecmp(base + len - 4, ".eif") == 0)
        base[len - 4] = '\0';
    measurements_make_name(base, ret_name);
}

static void put_text(const char *path, const struct eif_measurement *measured, const struct attest_pcr *pcrs,
                     size_t count, struct buf *out)
{
    output_line(out, "Image", path);
    output_linef(out, "Format", "EIF version %u, %s, %s", measured->version,
                 measured->arch == EIF_ARM64 ? "arm64" : "x86_64",
                 measured->is_signed ? "signed" : "not signed");
    measurements_put_text(pcrs, count, out);
}

static int measure_run(struct program *program, const struct flags *flags, struct error *err)
{
    CLEANUP(image_done) struct image image = {.data = NULL};
    CLEANUP(buf_done) struct buf text, data;
    struct eif_measurement measured;
    struct attest_pcr pcrs[MEASUREMENTS_PCRS_MAX];
    char name[MEASUREMENTS_NAME_SIZE];
    size_t count;
    buf_init(&text, OUTPUT_MAX);
    buf_init(&data, OUTPUT_MAX);
    if (image_map(flags->argument, &image, err) < 0)
        return -1;
    if (eif_measure(image.data, image.len, &measured, err) < 0)
        return error_wrap(err, "%.150s", flags->argument);
    const uint8_t *const values[] = {measured.pcr0, measured.pcr1, measured.pcr2,
                                     measured.is_signed ? measured.pcr8 : NULL};
    measurements_fill(values, pcrs, &count);
    name_of(flags->argument, name);
    if (flags->format == OUTPUT_DEFAULT || flags->format == OUTPUT_TEXT) {
        put_text(flags->argument, &measured, pcrs, count, &text);
    } else {
        measurements_put_data(flags->set_name ? flags->set_name : name, pcrs, count, &data);
        output_data(flags->format, &data, &text);
    }
    return program_print(program, &text, err) < 0 ? -1 : EXIT_VERIFIED;
}

static const char *const flag_names[] = {"output", "name", NULL};

const struct command measure_command = {
    .name = "measure",
    .argument = "EIF",
    .summary = "Print the PCRs that an enclave image will show",
    .text =
        "EIF is an enclave image file, as nitro-cli build-enclave writes it. Nothing is run, and no tool of "
        "AWS\n"
        "is needed. -o yaml prints the block that goes under spec.attestation; its set is called like the\n"
        "file unless --name says otherwise.",
    .needs_argument = true,
    .flags = flag_names,
    .run = measure_run,
};
