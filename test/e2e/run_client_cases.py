"""Tells the cases of client_cases/: what can go wrong between the controller and its API server.

run_client_cases.py WORK PLANE... -- [CASE...]

Cases that leave the API server alone are told on the first plane (some start another one beside it), those that start it
anew on the second, and the one that takes away the definition of the resource on the third. The fourth has no streamed
lists (WatchList): what was missed and a list brings is told again there. Side by side, in two waves. The fifth of the
twelve, a crash after RunInstances, is test_ec2_kills.sh.
"""

import importlib
import os
import sys

import ec2_stack
from stage import Stage, conclude, tell_all

# Told first: what a busy machine disturbs, as leases of the stories last for seconds. Then what keeps it busy.
WAVES = (
    {"case_04_stale_server": 0, "case_06_own_write_unseen": 0, "case_09_half_open": 0, "case_10_paused_leader": 0,
        "case_12_throttled": 2, "case_13_silent_etcd": 0, "case_14_malformed": 0},
    {"case_01_expired_version": 1, "case_02_missed_deletion": 1, "case_03_recreated": 1, "case_07_continue_expired": 1,
        "case_08_stream_cut": 0, "case_11_concurrent_editors": 0},
)  # and the plane of each
PAGED = ("case_01_expired_version", "case_02_missed_deletion", "case_03_recreated")
PAGED_PLANE = 3


def stages_of(name, plane, planes, work):
    yield Stage(name, [planes[plane]], work)
    if name in PAGED:
        yield Stage(f"{name}_paged", [planes[PAGED_PLANE]], work)


def main(work, *arguments):
    ec2_stack.end_with_children()
    end, told = arguments.index("--"), []
    planes, names = [ec2_stack.Plane(folder) for folder in arguments[:end]], arguments[end + 1:]
    for wave in WAVES:
        chosen = {name: plane for name, plane in wave.items() if not names or name in names}
        pairs = [(stage, importlib.import_module(f"client_cases.{name}").tell)
            for name, plane in chosen.items() for stage in stages_of(name, plane, planes, work)]
        tell_all(pairs)
        told += [stage for stage, _ in pairs]
    return conclude(told)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(*sys.argv[1:]))
