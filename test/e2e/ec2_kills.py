"""kill -9 at every visible step, over create, stop, start, replace and delete of many objects at once.

ec2_kills.py WORK PLANE

A crowd of objects leads lives: made, stopped, started, replaced, deleted, and made again under another name. The
controller that looks after them is killed again and again: at its N-th visible step since it was started
(kill_at_step.c), or while EC2, which has done what it was asked, holds back the answer. Each time another one starts.
Failing: more instances of a deployment id than its spec asked for one after the other, two of them alive, or one that
is alive when all objects are gone. Guards taken out: a new token at each call of run_host() in place of the ledger's
(cmd/controller/ec2_ports.c), and the finalizer (row_finalizer() in pkg/reconcile/plan.c).

KILLS: how often (60). KILLS_ANY_TIME=1: edits and deletions come at any moment, also while a launch is under way; what
an object left open then is proven dead only after five minutes. KILLS_SEED repeats a run's choices.
"""

import collections
import os
import random
import sys
import time

import ec2_stack
from ec2_stack import wait_until

KILLS = int(os.environ.get("KILLS", "60"))
ANY_TIME = os.environ.get("KILLS_ANY_TIME") == "1"
SEED = int(os.environ.get("KILLS_SEED", random.randrange(1 << 30)))
CROWD = 12
STEPS_MAX = 400  # of one controller: its start takes about 60, and a pass 2 to 12
PATIENCE = 2.5  # seconds until a controller that has nothing to do any more is killed all the same
# Held back; a launch more often than the others, since it is what can happen twice.
ACTIONS = ("RunInstances", "RunInstances", "RunInstances", "StopInstances", "StartInstances", "TerminateInstances",
    "DescribeInstances", "RunInstances.DryRun")
LAG = {"unknownMs": 1000, "hiddenMs": 2000, "noTagsMs": 2500}  # of a new instance, as EC2 has it at times
FLAGS = ("--max-launches-per-hour", "1000", "--max-launches-per-hour-total", "10000", "--ec2-rate-share", "100")
LIFE = ("Stop", "Start", "Replace", "Stop", "Replace", "Start", "Delete")
TYPES = ("m5.xlarge", "c5.xlarge")


class Life:
    """One object from its creation to its deletion, as its user sees it."""

    def __init__(self, story, name):
        self.story, self.name, self.chapter, self.may_launch, self.type = story, name, 0, 1, TYPES[0]
        self.deployment = story.create(name, {"attestation": {}, "instance": {"instanceType": self.type}})

    def go_on(self):
        """The next chapter; False: that was the last."""
        chapter = LIFE[self.chapter]
        self.chapter += 1
        if chapter == "Delete":
            self.story.delete(self.name)
            return False
        if chapter == "Replace":
            self.type = TYPES[self.type == TYPES[0]]
            self.may_launch += 1
            self.story.patch(self.name, {"spec": {"instance": {"instanceType": self.type}}})
        else:
            self.story.patch(self.name, {"spec": {"desiredState": "Stopped" if chapter == "Stop" else "Running"}})
        return True


class Crowd:
    def __init__(self, story, choice):
        self.story, self.choice, self.alive, self.every = story, choice, [], []
        self.chapters = 0

    def fill(self):
        while len(self.alive) < CROWD:
            life = Life(self.story, f"life-{len(self.every)}")
            self.alive.append(life)
            self.every.append(life)

    def is_due(self, item):
        return ec2_stack.is_ready(item) or (ANY_TIME and self.choice.random() < 0.05)

    def go_on(self):
        """Everybody whose last wish was fulfilled has another."""
        items = {item["metadata"]["name"]: item for item in self.story.objects()}
        for life in list(self.alive):
            if self.is_due(items[life.name]):
                self.chapters += 1
                if not life.go_on():
                    self.alive.remove(life)
        self.fill()

    def end(self):
        for life in self.alive:
            self.story.delete(life.name)


class Killer:
    """Starts a controller and sees to it that it dies."""

    def __init__(self, story, choice):
        self.story, self.choice, self.count = story, choice, collections.Counter()

    def kill_once(self, go_on):
        action = self.choice.choice(ACTIONS) if self.choice.random() < 0.3 else None
        if action:
            self.story.sim.fault(action=action, hold=True)
            held = len(self.story.sim.calls(action))
            self.story.controller.start()
            how = self.watch(go_on, lambda: len(self.story.sim.calls(action)) > held and f"{action} held")
            self.story.controller.kill()
            self.story.sim.clear_faults()
        else:
            steps = self.choice.randint(1, STEPS_MAX)
            preload = os.environ["TEE_BUILD_DIR"] + "/bin/libkill_at_step.so"
            self.story.controller.start(LD_PRELOAD=preload, TEE_KILL_AT=str(steps))
            how = self.watch(go_on, lambda: self.story.controller.process.poll() is not None and "at a step")
            self.story.controller.kill()
        self.count[how or "while idle"] += 1

    @staticmethod
    def watch(go_on, has_come):
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            how = has_come()
            if how:
                return how
            go_on()
            time.sleep(0.05)
        return None


def let_end(story, crowd):
    """Everything is deleted, under a controller that nobody kills."""
    story.controller.start()
    if not ANY_TIME:
        wait_until(60, "every object is as it should be", lambda: all(ec2_stack.is_ready(one) for one in story.objects() if is_kept(one)), 0.5)
    crowd.end()
    wait_until(700 if ANY_TIME else 60, "every object is gone", lambda: not story.objects(), 0.5)
    return list(judge(story, crowd)) + [f"left behind: {one}" for one in story.sim.alive()]


def is_kept(item):
    return "deletionTimestamp" not in item["metadata"]


def judge(story, crowd):
    """What is wrong with what was launched."""
    launched = collections.Counter(one["tags"].get("tee-deployment-id") for one in story.sim.instances())
    for life in crowd.every:
        if launched[life.deployment] > life.may_launch:
            yield f"{life.name}: {launched[life.deployment]} instances, and its spec asked for {life.may_launch}"
    unknown = set(launched) - {life.deployment for life in crowd.every}
    if unknown:
        yield f"instances of nobody: {unknown}"


def two_alive(story):
    alive = collections.Counter(one["tags"].get("tee-deployment-id") for one in story.sim.alive())
    return [f"two instances of {deployment} at a time" for deployment, count in alive.items() if count > 1]


def main(work, plane):
    ec2_stack.end_with_children()
    choice = random.Random(SEED)
    story = ec2_stack.Story("kills", ec2_stack.Plane(plane), f"{work}/kills", flags=FLAGS)
    crowd, killer, problems, started = Crowd(story, choice), Killer(story, choice), [], time.monotonic()
    print(f"     seed {SEED}", flush=True)
    try:
        story.sim.lag(**LAG)
        crowd.fill()
        while sum(killer.count.values()) < KILLS and not problems:
            killer.kill_once(crowd.go_on)
            problems = two_alive(story)
        if not problems:
            problems = let_end(story, crowd)
    except ec2_stack.Timeout as error:
        problems.append(str(error))
    if problems:
        problems += story.controller.last_lines(5) + [str(item["status"])[:1500] for item in story.objects()[:2]]
    story.end()
    total, instances = sum(killer.count.values()), len(crowd.every)
    print("\n".join(f"     {problem}" for problem in problems[:20]))
    print(f"     {total} kills ({', '.join(f'{count} {how}' for how, count in sorted(killer.count.items()))})")
    print(f"     {instances} objects, {crowd.chapters} wishes fulfilled, {time.monotonic() - started:.0f} s")
    passed = not problems and total == KILLS and crowd.chapters > 0
    print(f"{'ok  ' if passed else 'FAIL'} no duplicate, nothing left behind\n{int(passed)} passed, {int(not passed)} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
