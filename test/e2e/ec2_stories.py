"""Tells the stories about EC2, side by side, and searches at the end what all of them wrote for what nobody may see.

ec2_stories.py WORK PLANE OTHER_PLANE [STORY...]

PLANE and OTHER_PLANE are folders of hack/kube.sh; the second is another cluster with the same account. A story is a
function of one of the modules below; its docstring says what is told, what failing looks like, and which guard was
taken out to see it fail. Times and numbers are smaller than those of the title unless STORIES=full.
"""

import sys

import ec2_fleet_stories
import ec2_identity_stories
import ec2_launch_stories
import ec2_stack
import ec2_traces
from stage import Stage, conclude, tell_all

STORIES = {story.__name__: story for module in (ec2_fleet_stories, ec2_launch_stories, ec2_identity_stories)
    for story in module.STORIES}


def main(work, plane, other_plane, *names):
    ec2_stack.end_with_children()
    planes = [ec2_stack.Plane(plane), ec2_stack.Plane(other_plane)]
    traces = ec2_traces.Traces(planes)
    stages = [(Stage(name, planes, work, traces), STORIES[name]) for name in names or STORIES]
    tell_all(stages)
    last = Stage("secrets", planes, work, traces)
    last.tell(traces.search)
    return conclude([stage for stage, _ in stages] + [last])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
