"""4. A controller starts against a server that lags behind: its list is the one of before.

The proxy gives the new controller an old list, while single objects are read as they are. In that list one object asks
for another instance type, which was taken back since, and one is there that was deleted and made anew. Failing: a host is
ended, or a second one launched, for what nobody wants any more. Guard taken out: the comparison behind the live GET in
pass_check_fence() (pkg/reconcile/effects.c).
"""

import json

import fault_proxy
from client_cases.case import changes, story_behind_proxy
from ec2_stack import OBJECTS, wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    story.create("edited")
    story.create("twin")
    story.controller.start()
    story.await_ready(2, 30)
    old = story.get("twin")
    story.delete("twin")
    wait_until(30, "it is gone", lambda: not story.get("twin"))
    story.create("twin")
    wait_until(30, "it is back", lambda: story.is_ready("twin"))
    story.controller.kill()
    before = changes(story)
    story.patch("edited", {"spec": {"instance": {"instanceType": "m5.2xlarge"}}})
    lagging = story.plane.insist("GET", f"{OBJECTS}?labelSelector=story%3D{story.name}")
    lagging["items"] = [one for one in lagging["items"] if one["metadata"]["name"] != "twin"] + [old]
    story.patch("edited", {"spec": {"instance": None}})
    story.proxy.answer(fault_proxy.is_stream, 422, "Invalid", times=9)
    story.proxy.answer_text(fault_proxy.is_page, json.dumps(lagging))
    story.proxy.hold_watches()
    story.controller.start()
    wait_until(20, "the lagging list was read", lambda: not story.proxy.has_rules(fault_proxy.is_page))
    story.await_quiet(10)
    stage.check(changes(story) == before, "nothing was launched or ended on it", (changes(story), before))
    story.proxy.clear()
    story.proxy.pass_watches()
    story.proxy.cut_watches()
    wait_until(30, "all are ready", lambda: story.ready_count() == 2)
    stage.check(changes(story) == before, "nor afterwards", (changes(story), before))
