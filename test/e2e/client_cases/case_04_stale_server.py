"""4. A controller starts against a server that lags behind: its list is the one of before.

The proxy gives the new controller the old list, while single objects are read as they are. Since then one object got its
instance, and one was deleted and made anew. Failing: a second launch for what has its instance, or the end of an
instance that the lagging list does not account for. Guard taken out: the live GET in pass_check_fence()
(pkg/reconcile/effects.c) no longer compared with what was read.
"""

import json

import fault_proxy
from client_cases.case import PATH, changes, story_behind_proxy
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    story.create("early")
    story.create("twin")
    lagging = story.plane.insist("GET", f"{PATH}?labelSelector=story%3D{story.name}")
    story.controller.start()
    story.await_ready(2, 30)
    story.delete("twin")
    wait_until(30, "it is gone", lambda: not story.get("twin"))
    story.create("twin")
    wait_until(30, "it is back", lambda: story.is_ready("twin"))
    story.controller.kill()
    before = changes(story)
    story.proxy.answer(fault_proxy.is_stream, 422, "Invalid", times=9)
    story.proxy.answer_text(fault_proxy.is_page, json.dumps(lagging))
    story.proxy.hold_watches()
    story.controller.start()
    wait_until(20, "the lagging list was read", lambda: not story.proxy.has_rules(fault_proxy.is_page))
    story.await_quiet(8)
    stage.check(changes(story) == before, "nothing was launched or ended on it", (changes(story), before))
    story.proxy.clear()
    story.proxy.pass_watches()
    story.proxy.cut_watches()
    wait_until(30, "all are ready", lambda: story.ready_count() == 2)
    stage.check(changes(story) == before, "nor afterwards", (changes(story), before))
