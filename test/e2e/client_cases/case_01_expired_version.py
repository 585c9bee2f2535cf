"""1. The version that a watch resumes from has expired, told as an event in the stream and as HTTP 410.

While the controller is stopped 500 writes are made, etcd is compacted and the API server starts anew. Then the same as an
HTTP 410 from a proxy. Failing: the watch is tried again for ever, more than one list is made, or a call goes to EC2 for an
object that nobody changed. Guard taken out: 410 taken for a trouble that passes, by react() and is_passing() (pkg/kube/watch.c).
"""

import time

import fault_proxy
from client_cases.case import asked, changes, lists, now, story_behind_proxy, unheard
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    with story.plane.restarts:
        for number in range(5):
            story.create(f"n{number}")
        story.controller.start()
        story.await_ready(5, 30)
        before = changes(story)
        with unheard(story):
            for number in range(500):
                story.patch(f"n{number % 5}", {"metadata": {"annotations": {"example.com/write": str(number)}}})
            since = now()
        check_recovery(stage, story, since, "n5", "in the stream")
        since = now()
        story.proxy.answer(fault_proxy.is_watch, 410, "Expired")
        story.proxy.cut_watches()
        check_recovery(stage, story, since, "n6", "as HTTP 410")
    launched, ended = changes(story)
    stage.check((launched - 2, ended) == before, "no call for what nobody changed", (launched, ended, before))


def check_recovery(stage, story, since, name, how):
    started = time.monotonic()
    story.create(name)
    wait_until(30, f"{name} is ready", lambda: story.is_ready(name))
    stage.measured(f"410 {how}: a new object ready {time.monotonic() - started:.1f} s later")
    stage.check(len(lists(story, since)) == 1, f"410 {how}: one list", asked(story, since))
