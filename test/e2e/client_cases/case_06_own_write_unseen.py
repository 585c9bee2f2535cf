"""6. What the controller wrote is not in its watch for 5 s, and the spec is flipped meanwhile.

Failing: a second launch, a status that goes back, or a conflict told as an error. Guard taken out: is_store_fresh always
true (pkg/reconcile/observe.c).
"""

import threading

from client_cases.case import story_behind_proxy, watch_generations
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    story.controller.start()
    deployment = story.create("a")
    wait_until(20, "its attempt is written", lambda: story.get("a").get("status", {}).get("launch"), 0.02)
    story.proxy.hold_watches()
    seen = []
    sampler = threading.Thread(target=lambda: seen.extend(watch_generations(story, "a", 12)))
    sampler.start()
    threading.Event().wait(2.5)
    for state in ("Stopped", "Running", "Stopped", "Running"):
        story.patch("a", {"spec": {"desiredState": state}})
    threading.Event().wait(2.5)
    story.proxy.pass_watches()
    sampler.join()
    wait_until(40, "it is ready", lambda: story.is_ready("a"))
    stage.check(len(story.sim.instances(deployment)) == 1, "one instance", story.sim.instances())
    stage.check(seen == sorted(seen), "observedGeneration never goes back", seen)
    stage.check(seen[-1] == 5 or story.get("a")["status"]["observedGeneration"] == 5, "and ends at the last", seen[-1])
    noise = [line for line in story.controller.last_lines(2000) if '"level":"error"' in line]
    stage.check(not noise, "no conflict is an error", noise[:3])
