/* Names stand in the order of the enum. */
#include "sim/defect.h"

const char *sim_defect_name(enum sim_defect defect)
{
    static const char *const names[SIM_DEFECT_COUNT] = {
        "none",        "wrongPcr",   "debug",        "wrongInstance", "stale",        "future",
        "replayNonce", "wrongNonce", "foreignRoot",  "malformed",     "endless",      "slow",
        "wrongRole",   "noNonce",    "expiredChain", "badChain",      "badSignature", "wrongAlgorithm"};
    return names[defect];
}
