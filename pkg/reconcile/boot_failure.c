/* The Event BootFailed: told once a boot, by the pass that wrote the status that first says BootTimeout. */
#include "reconcile/pass.h"
#include "reconcile/status.h"

#include <string.h>

/* An Event's note holds 1024 bytes. What precedes the console's end takes at most 350. */
enum { TAIL_SIZE = 641 };

static bool says_boot_timeout(const struct tee_status *status)
{
    const struct condition *running = condition_find(&status->conditions, "EnclaveRunning");
    return running && strcmp(running->reason, "BootTimeout") == 0;
}

static const char *describe_boot(struct pass *pass, const struct host *host)
{
    const struct memory *memory = pass->memory;
    const char *last = memory->boot_phase[0] ? memory->boot_phase : memory->fetch_error;
    return arena_printf(&pass->arena, "No document within %d s of the boot of %s (last: %s)",
                        pass->effective.boot_seconds, host->id, last);
}

void pass_tell_boot_failure(struct pass *pass, const struct tee_status *status)
{
    const struct ports *ports = pass->options->ports;
    const struct host *host = observed_host(&pass->seen);
    char tail[TAIL_SIZE] = "";
    struct error err = {0};
    if (!host || !says_boot_timeout(status) || says_boot_timeout(&pass->want->status))
        return;
    int result = ports->read_console(ports->ctx, host->id, tail, sizeof(tail), &err);
    const char *end = tail[0] ? tail : "(nothing)";
    pass_event(pass, "Warning", "BootFailed",
               arena_printf(&pass->arena, "%s; %s%s", describe_boot(pass, host),
                            result < 0 ? "its console could not be read: " : "its console ends with:\n",
                            result < 0 ? err.text : end));
}
