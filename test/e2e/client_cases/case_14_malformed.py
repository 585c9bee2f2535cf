"""14. What a watch brings in odd pieces, and a line of 20 MB in it.

Two updates in one segment, one update over thousands of segments, and a line that is longer than any object: that object is
told in an Event and left as it is, and all others go on in the same stream. (Objects of 1.45 MB, unknown fields, null lists
and numbers past int64, all of them stored by the API server, are in test_operations.sh.)

Failing: an update is lost or torn, the line ends the watch, or nothing is heard any more. Guard taken out: that a line past
its limit is skipped by sink_keep() (pkg/kube/json_scan.c); the watch then ended as a broken one, and no Event came.
"""

import json

import fault_proxy
from client_cases.case import asked, now, story_behind_proxy
from ec2_stack import wait_until

HUGE = 20 * 1000 * 1000


def tell(stage):
    story = story_behind_proxy(stage)
    for name in ("first", "second", "huge"):
        story.create(name)
    story.controller.start()
    story.await_ready(3, 30)
    since = now()
    tell_one_segment(stage, story)
    tell_small_pieces(stage, story)
    tell_huge_line(stage, story)
    stage.check(not [one for one in asked(story, since) if one.is_list], "nothing is listed again", asked(story, since))


def line_of(kind, item):
    return json.dumps({"type": kind, "object": item}) + "\n"


def later(story, name, change):
    """The object as an edit makes it, which no watch brought: those of now are cut while they are held."""
    story.patch(name, change)
    return story.get(name)


def tell_one_segment(stage, story):
    story.proxy.hold_watches()
    text = "".join(line_of("MODIFIED", later(story, name, {"spec": {"desiredState": "Stopped"}})) for name in ("first", "second"))
    story.proxy.answer_text(fault_proxy.is_watch, text)
    story.proxy.cut_watches()
    story.proxy.pass_watches()
    wait_until(30, "both are stopped", lambda: len(story.sim.calls("StopInstances")) > 0 and story.ready_count() == 3)
    stopped = [story.get(name)["status"]["phase"] for name in ("first", "second", "huge")]
    stage.check(stopped == ["Stopped", "Stopped", "Running"], "two updates in one segment", stopped)


def tell_small_pieces(stage, story):
    story.proxy.tear(fault_proxy.is_watch, 3)
    story.proxy.cut_watches()
    wait_until(10, "there is a watch in pieces", lambda: not story.proxy.has_rules(fault_proxy.is_watch))
    for name in ("first", "second"):
        story.patch(name, {"spec": {"desiredState": "Running"}})
    wait_until(60, "both run", lambda: story.ready_count() == 3)
    phases = [story.get(name)["status"]["phase"] for name in ("first", "second", "huge")]
    stage.check(phases == ["Running"] * 3, "an update in pieces of three bytes", phases)


def tell_huge_line(stage, story):
    launched = len(story.sim.calls("RunInstances"))
    story.proxy.hold_watches()
    huge, edited = story.get("huge"), later(story, "first", {"spec": {"desiredState": "Stopped"}})
    huge["spec"]["padding"] = "x" * HUGE
    story.proxy.answer_text(fault_proxy.is_watch, line_of("MODIFIED", huge) + line_of("MODIFIED", edited))
    story.proxy.cut_watches()
    story.proxy.pass_watches()
    told = wait_until(30, "an Event tells of it", lambda: story.events("Invalid"))
    stage.check({one["regarding"]["name"] for one in told} == {"huge"}, "of that object alone", told)
    wait_until(30, "what came after it is heard", lambda: story.get("first")["status"]["phase"] == "Stopped")
    stage.check(len(story.sim.alive()) == 3, "every host is there", story.sim.alive())
    stage.check(len(story.sim.calls("RunInstances")) == launched, "nothing is launched", story.sim.calls("RunInstances"))
