"""1. The version that a watch resumes from has expired, told as an event in the stream and as HTTP 410.

While the controller is stopped 500 writes are made, etcd is compacted and the API server starts anew. Then the same as an
HTTP 410 from a proxy. Failing: the watch is tried again for ever, more than one list is made, or a call goes to EC2 for an
object that nobody changed. Guard taken out: 410 taken for a trouble that passes, by react() and is_passing() (pkg/kube/watch.c).
"""

import time

import fault_proxy
from client_cases.case import API_SERVER_RESTARTS, changes, forget_the_past, go_on, lists_since, stop, story_behind_proxy
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    with API_SERVER_RESTARTS:
        for number in range(5):
            story.create(f"n{number}")
        story.controller.start()
        story.await_ready(5, 30)
        before = changes(story)
        stop(story.controller)
        for number in range(500):
            story.patch(f"n{number % 5}", {"metadata": {"annotations": {"example.com/write": str(number)}}})
        forget_the_past(story.plane)
        started = time.monotonic()
        go_on(story.controller)
        check_recovery(stage, story, started, "n5", "in the stream")
        started = time.monotonic()
        story.proxy.answer(fault_proxy.is_watch, 410, "Expired")
        story.proxy.cut_watches()
        check_recovery(stage, story, started, "n6", "as HTTP 410")
    launched, ended = changes(story)
    stage.check((launched - 2, ended) == before, "no call for what nobody changed", (launched, ended, before))


def check_recovery(stage, story, started, name, how):
    story.create(name)
    wait_until(30, f"{name} is ready", lambda: story.is_ready(name))
    lists = lists_since(story.proxy, started)
    stage.check(len(lists) == 1, f"410 {how}: one list", story.proxy.since(started, fault_proxy.is_watch) + lists)
    stage.measured(f"410 {how}: a new object ready {time.monotonic() - started:.1f} s later")
