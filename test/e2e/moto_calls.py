"""The life of an instance against moto, an EC2 by other people: through ec2_probe, which is pkg/nitro/ec2.h.

moto_calls.py EC2_PROBE KUBECTL_TEE MOTO_SERVER

moto keeps no client tokens and drops enclaveOptions (so it answers as an EC2 that does not say), hence no case of
either. A page is 1000 reservations, so that the list of PAGED instances has two.
"""

import json
import subprocess
import sys

import botocore.exceptions
import moto_server

CLUSTER = "11111111-2222-3333-4444-555555555555"
STATES = {"running": 16, "terminated": 48, "stopped": 80}
PAGED = 1010  # more than one page: we ask for 1000, and moto counts reservations

failures = []


def check(is_good, name, detail=""):
    print(("ok   " if is_good else "FAIL ") + name, "" if is_good else str(detail)[:600])
    if not is_good:
        failures.append(name)


class Caller:
    def __init__(self, probe, endpoint, key):
        self.probe = probe
        self.environment = {"AWS_ENDPOINT_URL_EC2": endpoint, "AWS_REGION": moto_server.REGION,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def call(self, action, **arguments):
        done = subprocess.run([self.probe, action, json.dumps(arguments)], env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        return (json.loads(done.stdout), "") if done.returncode == 0 else (None, done.stderr)

    def works(self, name, action, **arguments):
        answer, problem = self.call(action, **arguments)
        check(answer is not None, name, problem)
        return answer or []

    def state(self, instance):
        answer, problem = self.call("DescribeInstances", ids=[instance])
        return answer[0]["state"] if answer else problem


def launch(name):
    tags = {"Name": name, "tee-deployment-id": name, "tee-cluster-id": CLUSTER}
    return {"image": "ami-12c6146b", "type": "m5.xlarge", "token": f"token-{name}", "userData": "#!/bin/sh\n", "tags": tags}


def check_life(caller):
    launched = caller.works("launch", "RunInstances", **launch("first"))
    if not launched:
        return
    instance = launched[0]["id"]
    found = caller.works("found by its tags", "DescribeInstances", filters={"tag:tee-cluster-id": [CLUSTER], "tag:tee-deployment-id": ["first"]})
    check([one["id"] for one in found] == [instance], "it and no other", found)
    check(found and found[0]["tags"]["Name"] == "first", "its tags are read", found)
    check(found and not found[0]["enclave"], "no enclaveOptions in the answer: not taken as enabled", found)
    for action, wanted in (("StopInstances", "stopped"), ("StartInstances", "running")):
        caller.works(action, action, ids=[instance])
        check(caller.state(instance) == STATES[wanted], f"{action}: {wanted}", caller.state(instance))
    caller.works("CreateTags", "CreateTags", ids=[instance], tags={"tee-retained": "true"})
    found = caller.works("found by the new tag", "DescribeInstances", filters={"tag:tee-retained": ["true"]})
    check([one["id"] for one in found] == [instance], "CreateTags: the tag is there", found)
    caller.works("TerminateInstances", "TerminateInstances", ids=[instance])
    check(caller.state(instance) == STATES["terminated"], "TerminateInstances: terminated", caller.state(instance))


def check_readings(caller):
    check(caller.works("an instance type", "DescribeInstanceTypes", ids=["m5.xlarge"]) == [True], "m5.xlarge has enclaves")
    caller.works("an image", "DescribeImages", ids=["ami-12c6146b"])
    _, problem = caller.call("DescribeInstances", ids=["i-00000000000000404"])
    check("InvalidInstanceID.NotFound" in problem, "an unknown instance", problem)
    _, problem = caller.call("DescribeSubnets", ids=["subnet-00000000000000404"])
    check("InvalidSubnetID.NotFound" in problem, "an unknown subnet", problem)
    check(caller.call("RunInstances.DryRun", **launch("dry"))[0] == [], "a dry run is allowed")
    check(caller.works("and launches nothing", "DescribeInstances", filters={"tag:tee-deployment-id": ["dry"]}) == [], "none is there")


def check_paging(caller, endpoint, key):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "tee-cluster-id", "Value": "paged"}]}]
    ec2 = moto_server.client("ec2", endpoint, key)
    made = set()
    for _ in range(PAGED):  # a reservation each: moto's pages are of reservations
        made.add(ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, TagSpecifications=tags)["Instances"][0]["InstanceId"])
    found = caller.works("a long list", "DescribeInstances", filters={"tag:tee-cluster-id": ["paged"]})
    check(len(found) == PAGED and {one["id"] for one in found} == made, "every instance once", len(found))


def check_refusals(probe, endpoint, key):
    try:
        moto_server.client("ec2", endpoint, key).describe_vpcs()
        check(False, "an action that is not in the policy is refused")
    except botocore.exceptions.ClientError as error:
        check("AccessDenied" in str(error), "an action that is not in the policy is refused", error)
    wrong = Caller(probe, endpoint, key | {"SecretAccessKey": "wrong"})
    _, problem = wrong.call("DescribeInstances", filters={"tag:a": ["b"]})
    check("AuthFailure" in problem or "SignatureDoesNotMatch" in problem, "a wrong secret is refused", problem)
    _, problem = Caller(probe, endpoint, key | {"AccessKeyId": "AKIANOBODY"}).call("DescribeInstances", filters={"tag:a": ["b"]})
    check("AuthFailure" in problem, "an unknown key is refused", problem)


def main(probe, kubectl_tee, moto):
    with moto_server.running(kubectl_tee, moto, CLUSTER) as (endpoint, key):
        caller = Caller(probe, endpoint, key)
        check_refusals(probe, endpoint, key)
        check_readings(caller)
        check_life(caller)
        check_paging(caller, endpoint, key)
    print(f"{len(failures)} failed")
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:4]))
