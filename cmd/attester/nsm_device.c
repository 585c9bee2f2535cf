/* Debian 12's kernel headers do not have linux/nsm.h yet, hence the layout below. */
#include "nsm.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char device_path[] = "/dev/nsm";

struct nsm_iovec {
    uint64_t address;
    uint64_t len;
};

struct nsm_raw {
    struct nsm_iovec request;
    struct nsm_iovec response; /* len: the buffer's size, then the answer's */
};

_Static_assert(sizeof(struct nsm_raw) == 32, "the driver's layout");
#define NSM_IOCTL_RAW _IOWR(0x0a, 0x00, struct nsm_raw)

struct nsm {
    int fd;
};

struct nsm *nsm_open(struct error *err)
{
    int fd = open(device_path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        error_set(err, ERROR_UNAVAILABLE, "NoDevice",
                  "cannot open %s: %s; it exists only inside a Nitro enclave, and its driver must be loaded",
                  device_path, strerror(errno));
        return NULL;
    }
    struct nsm *nsm = mem_calloc(1, sizeof(*nsm));
    nsm->fd = fd;
    return nsm;
}

struct nsm *nsm_close(struct nsm *nsm)
{
    if (nsm)
        close(nsm->fd);
    free(nsm);
    return NULL;
}

int nsm_exchange(struct nsm *nsm, const uint8_t *request, size_t len, uint8_t ret_answer[NSM_ANSWER_MAX],
                 size_t *ret_len, struct error *err)
{
    struct nsm_raw raw = {.request = {(uintptr_t)request, len},
                          .response = {(uintptr_t)ret_answer, NSM_ANSWER_MAX}};
    if (ioctl(nsm->fd, NSM_IOCTL_RAW, &raw) < 0)
        return error_set(err, ERROR_UNAVAILABLE, "Device", "%s: %s", device_path, strerror(errno));
    if (raw.response.len > NSM_ANSWER_MAX)
        return error_set(err, ERROR_UNAVAILABLE, "Device", "%s: answered with %llu bytes", device_path,
                         (unsigned long long)raw.response.len);
    *ret_len = (size_t)raw.response.len;
    return 0;
}
