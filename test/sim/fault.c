/* An array in the order of arrival. */
#include "sim/fault.h"

#include <string.h>

int sim_faults_add(struct sim_faults *faults, const struct sim_fault *fault)
{
    if (faults->count == SIM_MAX_FAULTS)
        return -1;
    faults->items[faults->count++] = *fault;
    return 0;
}

static bool is_for(const struct sim_fault *fault, const char *action)
{
    return strcmp(fault->action, "*") == 0 || strcmp(fault->action, action) == 0;
}

bool sim_faults_take(struct sim_faults *faults, const char *action, struct sim_fault *ret_fault)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct sim_fault *fault = &faults->items[i];
        if (!is_for(fault, action))
            continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        *ret_fault = *fault;
        if (--fault->count <= 0) {
            faults->count--;
            memmove(fault, fault + 1, (faults->count - i) * sizeof(*fault));
        }
        return true;
    }
    return false;
}

bool sim_fault_is_capacity(const char *code)
{
    return strstr(code, "Capacity") != NULL;
}

int sim_fault_status(const struct sim_fault *fault)
{
    static const struct {
        const char *code;
        int status;
    } statuses[] = {
        {"RequestLimitExceeded", 503},  {"EC2ThrottledException", 503}, {"InsufficientInstanceCapacity", 500},
        {"InternalError", 500},         {"InternalFailure", 500},       {"ServiceUnavailable", 503},
        {"Unavailable", 503},           {"UnauthorizedOperation", 403}, {"AuthFailure", 401},
        {"SignatureDoesNotMatch", 403}, {"DryRunOperation", 412},
    };
    if (fault->http_status > 0)
        return fault->http_status;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (strcmp(statuses[i].code, fault->code) == 0)
            return statuses[i].status;
    return 400;
}
