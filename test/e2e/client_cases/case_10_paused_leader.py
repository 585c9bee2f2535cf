"""10. The leader is stopped in the middle of a launch, another takes over, and the first wakes up.

Each replica has a proxy of its own, which tells who wrote. Failing: a second instance, or a status or a call to EC2 by
the one that lost the lease. Guard taken out: leader_ms_left()
(pkg/kube/leader.c) granting time to whoever once held the lease.
"""

import time

import fault_proxy
from client_cases.case import go_on, stop, story_behind_proxy
from ec2_stack import Controller, wait_until


def is_status_write(method, path):
    return method == "PATCH" and "/status" in path


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
    for number in range(3):
        story.create(f"late{number}")
    launches = len(story.sim.calls("RunInstances"))
    woken = time.monotonic()
    go_on(story.controller)
    story.sim.clear_faults()
    wait_until(30, "all are ready", lambda: story.ready_count() == 5)
    story.await_quiet(5)
    stage.check(len(story.sim.instances(deployment)) == 1, "one instance", story.sim.instances(deployment))
    stage.check(not story.proxy.since(woken, is_status_write), "no status by the one that lost", story.proxy.since(woken, is_status_write))
    stage.check(len(story.sim.instances()) == 5, "one instance each", len(story.sim.instances()))
    stage.measured(f"{len(story.sim.calls('RunInstances')) - launches} launches after the first woke up, all of the second")
    second.stop()
