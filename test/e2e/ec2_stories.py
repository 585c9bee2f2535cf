"""Tells the stories about EC2, side by side, and searches at the end what all of them wrote for what nobody may see.

ec2_stories.py WORK PLANE OTHER_PLANE [STORY...]

PLANE and OTHER_PLANE are folders of hack/kube.sh; the second is another cluster with the same account. A story is a
function of one of the modules below; its docstring says what is told, what failing looks like, and which guard was
taken out to see it fail. Times and numbers are smaller than those of the title unless STORIES=full.
"""

import os
import sys
import threading
import time
import traceback

import ec2_fleet_stories
import ec2_identity_stories
import ec2_launch_stories
import ec2_stack
import ec2_traces

STORIES = {story.__name__: story for module in (ec2_fleet_stories, ec2_launch_stories, ec2_identity_stories)
    for story in module.STORIES}


class Stage:
    """What a story is given: the planes, a place for its own stacks, and checks that count and go on."""

    def __init__(self, title, planes, work, traces):
        self.title, self.planes, self.work, self.traces = title, planes, work, traces
        self.is_full = os.environ.get("STORIES") == "full"
        self.stories, self.lines, self.passed, self.failed = [], [], 0, 0

    def story(self, plane=0, sim=None, flags=()):
        """One on the second plane has the same name as its twin on the first."""
        name = self.title.replace("_", "-")
        story = ec2_stack.Story(name, self.planes[plane], f"{self.work}/{name}-{plane}", sim, flags)
        self.stories.append(story)
        self.traces.add_sim(story.sim)
        self.traces.add_file(story.controller.log)
        return story

    def check(self, is_good, what, detail=""):
        self.passed += bool(is_good)
        self.failed += not is_good
        self.lines.append(f"{'ok  ' if is_good else 'FAIL'} {self.title}: {what}" + ("" if is_good else f"\n     {str(detail)[:600]}"))
        return is_good

    def measured(self, text):
        self.lines.append(f"     {self.title}: {text}")

    def tell(self, story):
        started = time.monotonic()
        try:
            story(self)
        except Exception:  # a story that breaks off is one failure, and the others go on
            self.check(False, "told to its end", traceback.format_exc(limit=-3)[-500:])
        for stack in reversed(self.stories):
            stack.end()
        if self.failed:
            self.lines += [f"     {line[:400]}" for stack in self.stories for line in stack.controller.last_lines(8)]
        self.measured(f"{time.monotonic() - started:.1f} s")
        print("\n".join(self.lines), flush=True)


def main(work, plane, other_plane, *names):
    ec2_stack.end_with_children()
    planes = [ec2_stack.Plane(plane), ec2_stack.Plane(other_plane)]
    traces = ec2_traces.Traces(planes)
    stages = [(Stage(name, planes, work, traces), STORIES[name]) for name in names or STORIES]
    threads = [threading.Thread(target=stage.tell, args=(story,), daemon=True) for stage, story in stages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = Stage("secrets", planes, work, traces)
    last.tell(traces.search)
    every = [stage for stage, _ in stages] + [last]
    passed, failed = sum(stage.passed for stage in every), sum(stage.failed for stage in every)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
