"""10. The leader's clock jumps; it is stopped in the middle of a launch, another takes over, and it wakes; its lease is deleted.

The clock: that of the leader is an hour ahead for a while, from the middle of one launch to the middle of another, and so is
that of the standby; clocks that only count are as they were (clock_shift.c). Failing: the lease is lost or taken, a host is
launched twice, or an object waits for the hour to pass. Guards taken out: the correction of signatures by the Date of EC2's
answers (aws_skew_note(), pkg/nitro/skew.c), and nothing became ready any more; the monotonic clock of pkg/kube/leader.c
being the wall clock, and the leader lost the lease for a moment.

The pause: when the first wakes, its renewal of the lease is kept from it for 3 s, so that all it has to go by is its own
clock, and there is work to do. What it wrote is told by the API server's audit log, to which each replica names itself, and
what it called at EC2 by a tap of its own. Failing: a second instance, or a write of an object or an Event, or a call that
changes something at EC2, by the first after the moment at which the second acquired the lease. Guard taken out:
leader_ms_left() (pkg/kube/leader.c) granting time to whoever held the lease last.

The deletion, by hand, while the leader's next renewal is under way for a second: it does not know, and may act. Failing: the
other makes itself the leader at once. Guard taken out: what lease_decide() (pkg/kube/lease.c) waits for where the object is
absent.
"""

import os
import time

from client_cases.case import ChangesTap, asked, go_on, lease, lease_path, now, second_replica, stop, story_behind_proxy
from ec2_stack import wait_until

RENEW_DEADLINE = 3  # of the stories' controllers, in seconds
LEASE_DURATION = 4
HOUR = 3600


def is_lease(_, path):
    return "/leases/" in path


def tell(stage):
    story = story_behind_proxy(stage)
    first, second = story.controller, second_replica(story)
    taps = [ChangesTap(replica) for replica in (first, second)]
    start(first)
    story.create("first")
    story.await_ready(1, 30)
    start(second)
    tell_clock(stage, story, second)
    tell_pause(stage, story, second, taps)
    tell_deletion(stage, story, second.proxy)
    second.stop()


def start(replica):
    """Its wall clock is off by what set_clock() says."""
    set_clock(replica, 0)
    replica.start(LD_PRELOAD=os.environ["TEE_BUILD_DIR"] + "/bin/libclock_shift.so", TEE_CLOCK_SHIFT=replica.log + ".clock")


def set_clock(replica, seconds):
    """At once: a file is replaced whole, and the replica reads it at each look at the clock."""
    with open(replica.log + ".clock.new", "w", encoding="utf-8") as file:
        file.write(str(seconds))
    os.rename(file.name, replica.log + ".clock")


def begin_launch(story, name):
    story.sim.fault(action="RunInstances", latencyMs=1000)
    story.create(name)
    wait_until(20, f"the launch of {name} is recorded", lambda: (story.get(name).get("status") or {}).get("launch"), 0.02)


def tell_clock(stage, story, standby):
    before, leader = lease(story), story.controller
    jumps = (("ahead", leader, HOUR), ("standby-ahead", standby, HOUR), ("back", leader, 0), ("standby-back", standby, 0))
    for name, replica, seconds in jumps:
        begin_launch(story, name)
        set_clock(replica, seconds)
        jumped = time.monotonic()
        story.create(f"after-{name}")
        for one in (name, f"after-{name}"):
            wait_until(60, f"{one} is ready", lambda one=one: story.is_ready(one))
        stage.measured(f"{name}: what was begun and a new object ready {time.monotonic() - jumped:.1f} s after the clock jumped")
        time.sleep(max(0, jumped + LEASE_DURATION + 2 - time.monotonic()))
    story.patch("after-back", {"spec": {"desiredState": "Stopped"}})
    wait_until(30, "one that is stopped afterwards", lambda: story.is_ready("after-back"))
    unchanged = ("holderIdentity", "acquireTime", "leaseTransitions")
    stage.check([before[key] for key in unchanged] == [lease(story)[key] for key in unchanged], "the clock: the same leader", (before, lease(story)))
    lost = [line for line in leader.last_lines(2000) if "Lease was lost" in line]
    stage.check(not lost, "the clock: which never thought otherwise", lost)
    check_instances(stage, story, 9, "the clock")


def check_instances(stage, story, count, when):
    launched = [one for one in story.sim.calls("RunInstances") if one["status"] == 200]
    stage.check(len(story.sim.instances()) == count, f"{when}: one instance each", (len(story.sim.instances()), launched))
    stage.check(not story.sim.calls("TerminateInstances"), f"{when}: none was ended", story.sim.calls("TerminateInstances"))


def tell_pause(stage, story, second, taps):
    old = lease(story)["holderIdentity"]
    story.sim.fault(action="RunInstances", hold=True, commit=True)
    deployment = story.create("held")
    wait_until(20, "its launch is under way", lambda: story.sim.alive(deployment))
    stop(story.controller)
    time.sleep(30 if stage.is_full else 0)
    wait_until(30, "the other leads and has it ready", lambda: story.is_ready("held"))
    taken, count = lease(story), len(story.sim.instances())
    stage.check(taken["holderIdentity"] != old, "the pause: another leads", taken)
    story.proxy.before(is_lease, lambda: time.sleep(3))
    woken = now()
    go_on(story.controller)
    story.sim.clear_faults()
    for number in range(3):
        story.create(f"late{number}")
        time.sleep(0.5)
    wait_until(30, "all are ready", lambda: story.ready_count() == count + 3)
    story.await_quiet(5)
    stage.check(len(story.sim.instances(deployment)) == 1, "the pause: one instance", story.sim.instances(deployment))
    by_old = [one for one in asked(story, taken["acquireTime"]) if one.identity == old]
    stage.check(any(one.at >= woken for one in by_old), "the pause: the first woke and asks for the lease", by_old)
    written = [one for one in by_old if one.is_write or "/events" in one.uri]
    stage.check(not written, "the pause: no write by the one that lost", written)
    changes = [tap.since(taken["acquireTime"]) for tap in taps]
    stage.check(not changes[0] and len(changes[1]) >= 3, "the pause: nor a change at EC2, where the other made some", changes)
    check_instances(stage, story, count + 3, "the pause")


def tell_deletion(stage, story, leaders_proxy):
    before = lease(story)
    leaders_proxy.before(is_lease, lambda: time.sleep(1))
    story.plane.insist("DELETE", lease_path(story))
    deleted = time.monotonic()
    wait_until(20, "there is a lease again", lambda: story.plane.request("GET", lease_path(story))[0] == 200)
    passed, after = time.monotonic() - deleted, lease(story)
    is_in_turn = after["holderIdentity"] == before["holderIdentity"] or passed >= RENEW_DEADLINE
    stage.check(is_in_turn, "nobody else leads before the leader's time is over", (passed, before, after))
    stage.check(after["leaseTransitions"] >= before["leaseTransitions"] > 0, "its transitions go on", (before, after))
    story.create("undisturbed")
    wait_until(30, "work goes on", lambda: story.is_ready("undisturbed"))
