"""8. The stream of the first list is cut before its mark, at ten random places.

Failing: a part taken for all, so that objects stay unknown, or a list that is not had within seconds of the last cut. Guard
taken out: watch_on_line() taking the first object for the mark (pkg/kube/watch.c).
"""

import random
import time

import fault_proxy
from client_cases.case import changes, count_objects, story_behind_proxy, with_metrics
from ec2_stack import wait_until

COUNT, CUTS = 20, 10


def tell(stage):
    story = story_behind_proxy(stage)
    with_metrics(story)
    for number in range(COUNT):
        story.create(f"n{number}")
    story.controller.start()
    story.await_ready(COUNT, 60)
    before = changes(story)
    size, slowest, draw = COUNT * 1500, 0.0, random.Random(8)
    for turn in range(CUTS):
        story.controller.kill()
        place = draw.randrange(1, size)
        story.proxy.clear()
        story.proxy.cut(fault_proxy.is_stream, place)
        story.controller.start()
        wait_until(10, "it was cut", lambda: not story.proxy.has_rules(fault_proxy.is_stream))
        started = time.monotonic()
        name = f"n{turn}"
        story.request_reconcile(name)
        wait_until(20, f"{name} is looked at, cut at {place}", lambda one=name: story.is_answered(one))
        wait_until(5, f"all are known, cut at {place}", lambda: count_objects(story) == COUNT)
        slowest = max(slowest, time.monotonic() - started)
    stage.check(changes(story) == before, "nothing was launched or ended", (changes(story), before))
    stage.check(story.ready_count() == COUNT, "all are ready", story.ready_count())
    stage.measured(f"{CUTS} cuts: at most {slowest:.1f} s until a request is answered, the back-off of 0.8 to 1.6 s and the lease among it")
