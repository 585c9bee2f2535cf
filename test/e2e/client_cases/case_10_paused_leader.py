"""10. The leader is stopped in the middle of a launch, another takes over, and the first wakes up. Then the lease is deleted.

Each replica has a proxy of its own, which tells who wrote. When the first wakes, its renewal of the lease is kept from it
for 3 s: all it has to go by is its own clock, and there is work to do. Failing: a second instance, or a write by the one
that lost the lease. Guard taken out: leader_ms_left() (pkg/kube/leader.c) granting time to whoever held the lease last.

By hand, while the leader's next renewal is under way for a second: it does not know, and may act. Failing: the other makes
itself the leader at once. Guard taken out: what lease_decide() (pkg/kube/lease.c) waits for where the object is absent.
"""

import time

import fault_proxy
from client_cases.case import go_on, stop, story_behind_proxy
from ec2_stack import Controller, wait_until

RENEW_DEADLINE = 3  # of the stories' controllers, in seconds


def is_lease(_, path):
    return "/leases/" in path


def is_write(method, path):
    return method != "GET" and "/teedeployments" in path


def tell(stage):
    story = story_behind_proxy(stage)
    second = Controller(story.plane, story.sim, story.folder, story.name, story.name, *story.controller.flags)
    second.log, second_proxy = story.folder + "/second.log", fault_proxy.FaultProxy(story.plane, story.folder)
    second.kubeconfig = second_proxy.kubeconfig
    story.controller.start()
    story.create("first")
    story.await_ready(1, 30)
    second.start()
    story.sim.fault(action="RunInstances", hold=True, commit=True)
    deployment = story.create("held")
    wait_until(20, "its launch is under way", lambda: story.sim.alive(deployment))
    stop(story.controller)
    wait_until(30, "the other leads and has it ready", lambda: story.is_ready("held"))
    story.proxy.before(is_lease, lambda: time.sleep(3))
    woken = time.monotonic()
    go_on(story.controller)
    story.sim.clear_faults()
    for number in range(3):
        story.create(f"late{number}")
        time.sleep(0.5)
    wait_until(30, "all are ready", lambda: story.ready_count() == 5)
    story.await_quiet(5)
    stage.check(len(story.sim.instances(deployment)) == 1, "one instance", story.sim.instances(deployment))
    stage.check(not story.proxy.since(woken, is_write), "no write by the one that lost", story.proxy.since(woken, is_write))
    stage.check(len(story.sim.instances()) == 5, "one instance each", len(story.sim.instances()))
    tell_deletion(stage, story, second_proxy)
    second.stop()


def tell_deletion(stage, story, leaders_proxy):
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{story.name}/leases/tee-controller"
    before = story.plane.insist("GET", lease)["spec"]
    leaders_proxy.before(is_lease, lambda: time.sleep(1))
    story.plane.insist("DELETE", lease)
    deleted = time.monotonic()
    wait_until(20, "there is a lease again", lambda: story.plane.request("GET", lease)[0] == 200)
    passed, after = time.monotonic() - deleted, story.plane.insist("GET", lease)["spec"]
    is_in_turn = after["holderIdentity"] == before["holderIdentity"] or passed >= RENEW_DEADLINE
    stage.check(is_in_turn, "nobody else leads before the leader's time is over", (passed, before, after))
    stage.check(after["leaseTransitions"] >= before["leaseTransitions"] > 0, "its transitions go on", (before, after))
    story.create("undisturbed")
    wait_until(30, "work goes on", lambda: story.is_ready("undisturbed"))
