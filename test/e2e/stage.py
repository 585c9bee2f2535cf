"""Where a story or a case is told: planes, a place for its own stacks, and checks that count and go on."""

import os
import threading
import time
import traceback

import ec2_stack


class Stage:
    """What a story is given: the planes, a place for its own stacks, and checks that count and go on."""

    def __init__(self, title, planes, work, traces=None):
        self.title, self.planes, self.work, self.traces = title, planes, work, traces
        self.is_full = os.environ.get("STORIES") == "full"
        self.stories, self.lines, self.passed, self.failed = [], [], 0, 0

    def story(self, plane=0, sim=None, flags=()):
        """One on the second plane has the same name as its twin on the first."""
        name = self.title.replace("_", "-")
        story = ec2_stack.Story(name, self.planes[plane], f"{self.work}/{name}-{plane}", sim, flags)
        self.stories.append(story)
        if self.traces:
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


def tell_all(told):
    """told: pairs of a Stage and a story, side by side."""
    threads = [threading.Thread(target=stage.tell, args=(story,), daemon=True) for stage, story in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def conclude(stages):
    """The last line, and the exit code."""
    passed, failed = sum(stage.passed for stage in stages), sum(stage.failed for stage in stages)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
