"""Stories about one launch: what EC2 does not show yet, tokens that are spent, and launches that always fail."""

import datetime
import re
import time

from ec2_stack import condition, is_handled, wait_until
from ec2_traces import CONSOLE_SECRET

LAUNCHES_PER_HOUR = 6  # the default of --max-launches-per-hour


def hidden(stage):
    """A new instance is in no list and unknown by its id, then shown without tags: still one.

    Failing: a second instance, or a second token. Guard taken out: judge_attempt() answering ATTEMPT_DEAD for what is
    not listed (pkg/reconcile/observe.c).
    """
    seconds = 60 if stage.is_full else 12
    story = stage.story()
    story.sim.lag(unknownMs=seconds * 1000, hiddenMs=seconds * 1000, noTagsMs=2 * seconds * 1000)
    story.controller.start()
    known = story.create("known")
    wait_until(20, "it is launched", lambda: story.sim.instances())
    story.sim.fault(action="RunInstances", cut="after")
    unknown = story.create("unknown")
    wait_until(20, "the other is launched, and its answer lost", lambda: len(story.sim.instances()) == 2)
    story.controller.kill()
    story.controller.start()  # it forgot what the answers said
    story.await_ready(2, 2 * seconds + 30)
    for name, deployment in (("known", known), ("unknown", unknown)):
        everything = story.sim.instances(deployment)
        stage.check(len(everything) == 1, f"one instance whose answer was {name}", everything)
        instance = story.get(name)["status"]["instance"]["id"]
        stage.check(instance == everything[0]["id"], f"and it is known ({name})", instance)
    tokens = {call["clientToken"] for call in story.sim.calls("RunInstances")}
    stage.check(len(tokens) == 2, "every call for one instance bore one token", tokens)


def backdate(story, name):
    """The launch was begun six minutes ago: EC2 would show it by now (docs/behaviour.md section 2)."""
    ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=6)
    story.patch(name, {"status": {"launch": {"startedAt": ago.strftime("%Y-%m-%dT%H:%M:%SZ")}}}, "/status")


def spent_tokens(stage):
    """IdempotentParameterMismatch and IdempotentInstanceTerminated: adopted, or a new attempt; never stuck.

    Failing: two instances for one object, or none. Guards taken out: is_token_spent in launch_failed(), so that the
    call is repeated for ever, and "Terminated" in refusal() (both pkg/reconcile/effects.c).
    """
    story = stage.story()
    story.controller.start()
    # The launch took place, its answer was lost, and then the default AMI became another: the call is not the same.
    story.sim.fault(action="RunInstances", hold=True)
    adopted = story.create("adopted")
    wait_until(20, "it is launched", lambda: story.sim.instances(adopted))
    instance = story.sim.instances(adopted)[0]["id"]
    story.sim.change(instance, lag={"hiddenMs": 15000})
    story.controller.kill()
    story.sim.clear_faults()
    story.controller.start(AWS_NITRO_AMI_ID="ami-0fedcba9876543210")
    wait_until(20, "EC2 says mismatch", lambda: has_code(story, "IdempotentParameterMismatch"))
    wait_until(60, "it is ready", lambda: story.is_ready("adopted"))
    stage.check([one["id"] for one in story.sim.instances(adopted)] == [instance], "mismatch, and it lives: adopted", story.sim.instances(adopted))
    mismatches = [call for call in story.sim.calls("RunInstances") if call.get("code") == "IdempotentParameterMismatch"]
    stage.check(len(mismatches) == 1, "looked up, and not asked for again", len(mismatches))
    # Launched, the answer lost, and the instance is gone before the call is repeated.
    story.sim.fault(action="RunInstances", hold=True)
    again = story.create("again")
    wait_until(20, "it is launched", lambda: story.sim.instances(again))
    story.controller.kill()
    story.sim.change(story.sim.instances(again)[0]["id"], terminate=True, lag={"hiddenMs": 120000})
    story.sim.clear_faults()
    story.controller.start(AWS_NITRO_AMI_ID="ami-0fedcba9876543210")
    wait_until(30, "EC2 says terminated", lambda: has_code(story, "IdempotentInstanceTerminated"))
    wait_until(30, "the second attempt is ready", lambda: story.is_ready("again"))
    stage.check(len(story.sim.alive(again)) == 1, "terminated: a new attempt", story.sim.instances(again))
    # Refused as a mismatch, and nothing lives under the token.
    story.sim.fault(action="RunInstances", code="IdempotentParameterMismatch")
    fresh = story.create("fresh")
    wait_until(20, "EC2 says mismatch again", lambda: any(call["faulted"] and call.get("code") for call in story.sim.calls("RunInstances")))
    backdate(story, "fresh")
    wait_until(100, "the attempt is dead after two empty look-ups", lambda: story.is_ready("fresh"), 1)
    stage.check(len(story.sim.instances(fresh)) == 1, "mismatch, and nothing lives: a new attempt", story.sim.instances(fresh))
    launch = story.get("fresh")["status"]["launch"]
    stage.check(launch["attempt"] == 2, "under the next number", launch)


def has_code(story, code):
    return any(call.get("code") == code for call in story.sim.calls("RunInstances"))


def dying_hosts(stage):
    """Each instance ends as soon as it runs, 20 times if it may: after six the breaker opens, and says until when.

    Failing: a seventh instance within the hour, no time, or an Event a failure. Guard taken out: plan_budget_is_spent()
    in row_launch() (pkg/reconcile/plan.c).
    """
    story = stage.story()
    story.controller.start()
    dying = story.create("dying")
    is_open = lambda: condition(story.get("dying"), "HostLaunched")["reason"] == "LaunchBudgetExhausted"
    for _ in range(20):
        wait_until(30, "there is an instance, or there is none any more", lambda: story.sim.alive(dying) or is_open())
        for one in story.sim.alive(dying):
            story.sim.change(one["id"], terminate=True)
        if is_open():
            break
    stage.check(is_open(), "the breaker is open", condition(story.get("dying"), "HostLaunched"))
    for _ in range(3):  # whoever asks
        story.request_reconcile("dying")
        wait_until(20, "it was looked at", lambda: is_handled(story.get("dying")))
    stage.check(len(story.sim.instances(dying)) == LAUNCHES_PER_HOUR, "six launches and no seventh", len(story.sim.instances(dying)))
    message = condition(story.get("dying"), "HostLaunched")["message"]
    shown = re.search(r"next launch not before (\S+Z);", message)
    next_ms = datetime.datetime.fromisoformat(shown.group(1)).timestamp() - time.time() if shown else 0
    stage.check(3400 < next_ms < 3600, "the time of the next launch is shown", message)
    told = [event for event in story.events("LaunchBudgetExhausted") if event["regarding"]["name"] == "dying"]
    stage.check(len(told) == 1 and "series" not in told[0], "one Event, once", [event["note"] for event in told])


def refused_launches(stage):
    """EC2 has no capacity 20 times: each time the next attempt's time is shown, and one Event counts them; then it launches.

    Failing: twenty Events, no time, or no launch in the end. Guard taken out: the series in event.c (pkg/kube).
    """
    story = stage.story()
    story.controller.start()
    story.sim.fault(action="RunInstances", code="InsufficientInstanceCapacity", count=20)
    refused = story.create("refused")
    for number in range(1, 21):
        wait_until(20, f"refusal {number}", lambda: len(story.sim.calls("RunInstances")) >= number)
        wait_until(20, "the time is shown", lambda: "next attempt at 20" in condition(story.get("refused"), "HostLaunched")["message"])
        story.request_reconcile("refused")
    wait_until(20, "the 21st is made", lambda: story.is_ready("refused"))
    stage.check(len(story.sim.instances(refused)) == 1, "launched in the end, once", story.sim.instances(refused))
    told = story.events("CapacityShort")
    stage.check(len(told) == 1, "one Event", [event["note"] for event in told])
    stage.check(told[0].get("series", {}).get("count", 0) > 1, "which counts", told[0].get("series"))


def failed_boot(stage):
    """A host that never answers, and on whose console a secret stands: its end is told, and the secret is not.

    What fails then is the search at the end (ec2_traces.py). Guard taken out: the words in console.c (pkg/nitro).
    """
    story = stage.story()
    story.controller.start()
    silent = story.create("silent", {"attestation": {"port": 9}, "timeouts": {"bootSeconds": 60}})
    wait_until(20, "it is launched", lambda: story.sim.alive(silent))
    story.sim.change(story.sim.alive(silent)[0]["id"], console=f"eif-fetch: fetching\npassword={CONSOLE_SECRET}\neif-fetch: refused\n")
    told = wait_until(90, "the boot's end is told", lambda: story.events("BootFailed"), 1)
    stage.check("eif-fetch: refused" in told[0]["note"], "with the end of the console", told[0]["note"])


STORIES = (hidden, spent_tokens, dying_hosts, refused_launches, failed_boot)
