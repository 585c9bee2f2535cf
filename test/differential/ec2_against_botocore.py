"""Compares our EC2 client with botocore: the same calls, what each sends, and what each understands.

ec2_against_botocore.py EC2_PROBE TEE_SIM

Both speak to a recorder that passes everything on to tee-sim. For each call: the form fields are equal, in any
order; each signature is what botocore's signer makes of the request as it arrived, and there is none where
botocore makes none; and tee-sim, which has a check of its own, refuses neither. What both read out of
DescribeInstances and out of the answers of STS is equal.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.parsers
import botocore.session

REGION = "us-east-1"
AWKWARD = "a b+c~d/e%20&f=g:\u00e9\u20ac\U0001f512*'()"
TAGS = {"Name": "tee-parity", "tee-deployment-id": "parity", "tee-cluster-id": "c-1", "tee-awkward": AWKWARD}
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

problems = []
checks = 0


def check(is_good, text):
    global checks
    checks += 1
    if not is_good:
        problems.append(text)


class Recorder(BaseHTTPRequestHandler):
    """Keeps each request as it came in, and passes it on with its Host: that is signed."""

    protocol_version = "HTTP/1.1"
    upstream = None
    requests = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        passed = urllib.request.Request(self.upstream, data=body, headers=dict(self.headers), method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(passed, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        text = answer.read()
        self.requests.append({"headers": dict(self.headers), "path": self.path, "body": body, "status": answer.status, "answer": text})
        self.send_response(answer.status)
        if answer.headers["Content-Type"]:
            self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def fields(request):
    pairs = urllib.parse.parse_qsl(request["body"].decode(), keep_blank_values=True, strict_parsing=True, encoding="utf-8")
    if len(dict(pairs)) != len(pairs):
        problems.append(f"a field comes twice: {pairs}")
    return dict(pairs)


def signature_by_botocore(request, keys, endpoint, service):
    headers = {name.lower(): value for name, value in request["headers"].items()}
    parts = dict(part.strip().split("=", 1) for part in headers["authorization"].split(" ", 1)[1].split(","))
    signed = botocore.awsrequest.AWSRequest(method="POST", url=endpoint + request["path"], data=request["body"])
    for name in parts["SignedHeaders"].split(";"):
        signed.headers[name] = headers[name]
    signed.context["timestamp"] = headers["x-amz-date"]
    signer = botocore.auth.SigV4Auth(keys, service, REGION)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    return parts, signer.signature(text, signed)


def check_signature(who, action, request, sides, service):
    keys = sides.keys
    parts, wanted = signature_by_botocore(request, keys, sides.endpoint, service)
    check(parts["Signature"] == wanted, f"{action}: {who}: the signature is not botocore's")
    check(parts["Credential"].endswith(f"/{REGION}/{service}/aws4_request"), f"{action}: {who}: scope {parts['Credential']}")
    needed = {"host", "x-amz-date"} | ({"x-amz-security-token"} if keys.token else set())
    check(needed <= set(parts["SignedHeaders"].split(";")), f"{action}: {who}: signs only {parts['SignedHeaders']}")


class Sides:
    def __init__(self, probe, endpoint, token=None):
        self.probe, self.endpoint = probe, endpoint
        self.keys = botocore.credentials.Credentials("test", "test", token)
        config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=True)
        session = botocore.session.Session()
        self.clients = {service: session.create_client(service, region_name=REGION, endpoint_url=endpoint, config=config,
            aws_access_key_id="test", aws_secret_access_key="test", aws_session_token=token) for service in ("ec2", "sts")}
        self.environment = {"AWS_ENDPOINT_URL_EC2": endpoint, "AWS_ENDPOINT_URL_STS": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
        if token:
            self.environment["AWS_SESSION_TOKEN"] = token

    def ours(self, action, arguments):
        done = subprocess.run([self.probe, action, json.dumps(arguments)], env=self.environment, capture_output=True, timeout=60, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def theirs(self, service, method, arguments):
        try:
            return getattr(self.clients[service], method)(**arguments)
        except botocore.exceptions.ClientError as error:
            return error.response

    def compare(self, action, arguments, method, their_arguments, service="ec2"):
        """Both make the call; what they sent is compared. Yields both results."""
        return self.compare_all(action, arguments, method, their_arguments, service)[:2]

    def compare_all(self, action, arguments, method, their_arguments, service):
        """Yields what was answered to us as well."""
        Recorder.requests.clear()
        ours = self.ours(action, arguments)
        check(len(Recorder.requests) > 0, f"{action}: we sent nothing")
        if not Recorder.requests:
            return ours, None, b""
        sent = Recorder.requests[-1]
        Recorder.requests.clear()
        theirs = self.theirs(service, method, their_arguments)
        reference = Recorder.requests[-1]
        check(fields(sent) == fields(reference), f"{action}: fields differ: {set(fields(sent).items()) ^ set(fields(reference).items())}")
        if "Authorization" in reference["headers"]:
            check_signature("ours", action, sent, self, service)
            check_signature("botocore's", action, reference, self, service)
        else:
            check("Authorization" not in sent["headers"], f"{action}: we sign, and botocore does not")
        if not self.keys.token:
            for who, request in (("ours", sent), ("botocore's", reference)):
                refused = b"AuthFailure" in request["answer"] or b"SignatureDoesNotMatch" in request["answer"]
                check(not refused, f"{action}: tee-sim refuses {who}: {request['answer'][:300]}")
        return ours, theirs, sent["answer"]


def as_ours(instance):
    """botocore's reading of an instance, in the words of ec2_probe."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    reading = {
        "id": instance["InstanceId"],
        "state": STATES[instance["State"]["Name"]],
        "type": instance["InstanceType"],
        "image": instance["ImageId"],
        "subnet": instance.get("SubnetId"),
        "zone": instance["Placement"]["AvailabilityZone"],
        "address": instance.get("PrivateIpAddress"),
        "token": instance["ClientToken"],
        "enclave": instance["EnclaveOptions"]["Enabled"],
        "tags": {key: value for key, value in tags.items() if key == "Name" or key.startswith("tee-")},
    }
    return {key: value for key, value in reading.items() if value is not None}


def launch(token, is_full):
    ours = {"image": "ami-0123456789abcdef0", "type": "m5.xlarge", "token": token, "tags": TAGS, "userData": "#!/bin/sh\necho \u00e9~\n"}
    theirs = {
        "ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1, "ClientToken": token,
        "EnclaveOptions": {"Enabled": True}, "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}
            for kind in ("instance", "volume", "network-interface")],
        "UserData": ours["userData"],
    }
    if is_full:
        ours |= {"subnet": "subnet-0123456789abcdef0", "groups": ["sg-0123456789abcdef0", "sg-0123456789abcdef1"], "key": "a key",
            "profile": "arn:aws:iam::123456789012:instance-profile/p", "volume": {"size": 20, "type": "gp3", "encrypted": True}}
        theirs |= {"SubnetId": ours["subnet"], "SecurityGroupIds": ours["groups"], "KeyName": "a key",
            "IamInstanceProfile": {"Arn": ours["profile"]}, "BlockDeviceMappings": [{"DeviceName": "/dev/xvda",
                "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}}]}
    return ours, theirs


def compare_launches(sides):
    """The token is the same: had the two not asked for the same, EC2 (and tee-sim) would refuse the second."""
    ours, theirs = launch("parity-0001", False)
    mine, other = sides.compare("RunInstances", ours, "run_instances", theirs)
    launched = [one["InstanceId"] for one in other.get("Instances", [])]
    if [one["id"] for one in mine or []] != launched:
        sys.exit("\n".join([*problems, f"RunInstances: {mine} beside {other}"]))
    ours, theirs = launch("parity-0002", True)
    sides.compare("RunInstances", ours, "run_instances", theirs)
    sides.compare("RunInstances.DryRun", ours, "run_instances", theirs | {"DryRun": True})
    named = {"profile": "by-name"}
    sides.compare("RunInstances", ours | named | {"token": "parity-0003"}, "run_instances",
        theirs | {"ClientToken": "parity-0003", "IamInstanceProfile": {"Name": "by-name"}})
    return mine[0]["id"]


def compare_readings(sides):
    filters = {"tag:tee-cluster-id": ["c-1"], "tag:tee-awkward": [AWKWARD]}
    listed = {"Filters": [{"Name": name, "Values": values} for name, values in filters.items()], "MaxResults": 1000}
    mine, other = sides.compare("DescribeInstances", {"filters": filters}, "describe_instances", listed)
    read = [as_ours(instance) for group in other["Reservations"] for instance in group["Instances"]]
    check(len(read) >= 2, f"DescribeInstances shows {len(read)} instances")
    check(sorted(mine or [], key=lambda one: one["id"]) == sorted(read, key=lambda one: one["id"]), f"DescribeInstances: {mine} beside {read}")


def compare_unhealthy(sides, instance):
    """Three requests of ours; the last is compared, and all readings."""
    change = {"health": {"system": "impaired", "event": "instance-stop", "eventInMs": 3600000}}
    asked = urllib.request.Request(f"{Recorder.upstream}/_sim/instances/{instance}", json.dumps(change).encode(), method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10).close()
    mine, other = sides.compare("DescribeInstanceStatus", {}, "describe_instance_status",
        {"Filters": [{"Name": "system-status.status", "Values": ["impaired"]}], "MaxResults": 1000})
    read = [{"id": one["InstanceId"], "instance": one["InstanceStatus"]["Status"] == "impaired",
        "system": one["SystemStatus"]["Status"] == "impaired", "event": one["Events"][0]["Code"]} for one in other["InstanceStatuses"]]
    check(len(read) == 1 and mine == read * 2, f"DescribeInstanceStatus: {mine} beside {read}")


def compare_rest(sides, instance):
    by_id, their_id = {"ids": [instance]}, {"InstanceIds": [instance]}
    sides.compare("DescribeInstances", by_id, "describe_instances", their_id)
    sides.compare("CreateTags", by_id | {"tags": {"tee-retained": "true", "tee-x": AWKWARD}}, "create_tags",
        {"Resources": [instance], "Tags": [{"Key": "tee-retained", "Value": "true"}, {"Key": "tee-x", "Value": AWKWARD}]})
    sides.compare("StopInstances", by_id, "stop_instances", their_id)
    sides.compare("StartInstances", by_id, "start_instances", their_id)
    sides.compare("TerminateInstances", by_id, "terminate_instances", their_id)
    sides.compare("GetConsoleOutput", by_id, "get_console_output", {"InstanceId": instance, "Latest": True})
    image = "ami-0123456789abcdef0"
    sides.compare("DescribeImages", {"ids": [image]}, "describe_images", {"ImageIds": [image]})
    subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
    sides.compare("DescribeSubnets", {"ids": subnets}, "describe_subnets", {"SubnetIds": subnets})
    sides.compare("DescribeInstanceTypes", {"ids": ["m5.xlarge"]}, "describe_instance_types", {"InstanceTypes": ["m5.xlarge"]})


def web_token():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": "system:serviceaccount:a:b", "aud": ["sts.amazonaws.com"], "exp": int(time.time()) + 3600}
    return ".".join([part({"alg": "RS256"}), part(claims), "c2ln"])


def compare_roles(sides):
    """tee-sim hands out other keys each time: botocore's parser reads the answer that we were given."""
    role = "arn:aws:iam::000000000000:role/path/tee+parity=,.@-_"
    ours = {"role": role, "session": "s=,.@-1", "duration": 900}
    theirs = {"RoleArn": role, "RoleSessionName": "s=,.@-1", "DurationSeconds": 900}
    calls = [("AssumeRole", "assume_role", {"externalId": "a:b/c=,.@-"}, {"ExternalId": "a:b/c=,.@-"}),
        ("AssumeRole", "assume_role", {}, {})]
    if not sides.keys.token:
        token = web_token()
        calls.append(("AssumeRoleWithWebIdentity", "assume_role_with_web_identity", {"token": token}, {"WebIdentityToken": token}))
    for action, method, more, their_more in calls:
        mine, _, answer = sides.compare_all(action, ours | more, method, theirs | their_more, "sts")
        check(sides.keys.token or mine, f"{action}: we took no keys")
        if not mine:
            continue
        shape = sides.clients["sts"].meta.service_model.operation_model(action).output_shape
        read = botocore.parsers.create_parser("query").parse({"body": answer, "headers": {}, "status_code": 200}, shape)["Credentials"]
        wanted = [read["AccessKeyId"], read["SecretAccessKey"], read["SessionToken"], int(read["Expiration"].timestamp())]
        check(mine == wanted, f"{action}: we read other keys than botocore")


def compare_denials(sides):
    message = base64.b64encode(b"tee-sim denial of Run\xff\xfe\xfb\xef>>>???Instances").decode()
    sides.compare("DecodeAuthorizationMessage", {"message": message}, "decode_authorization_message", {"EncodedMessage": message}, "sts")
    if sides.keys.token:
        return
    message = base64.b64encode(b"tee-sim denial of RunInstances").decode()
    mine, other = sides.compare("DecodeAuthorizationMessage", {"message": message}, "decode_authorization_message", {"EncodedMessage": message}, "sts")
    context = json.loads(other["DecodedMessage"])["context"]
    check(mine == [context["action"], context["resource"], context["principal"]["arn"]], f"DecodeAuthorizationMessage: {mine} beside {context}")


def start_sim(program, folder):
    sim = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--attestation-port", "0", "--state-dir", folder], stdout=subprocess.PIPE)
    return sim, json.loads(sim.stdout.readline())["endpoint"]


def main(probe, program):
    os.environ.pop("AWS_PROFILE", None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = folder + "/none"
        sim, Recorder.upstream = start_sim(program, folder)
        recorder = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        threading.Thread(target=recorder.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{recorder.server_address[1]}"
        try:
            sides = Sides(probe, endpoint)
            instance = compare_launches(sides)
            time.sleep(1.5)  # Past the launch, so that two readings do not straddle a change of state.
            compare_readings(sides)
            compare_unhealthy(sides, instance)
            compare_rest(sides, instance)
            compare_roles(sides)
            compare_denials(sides)
            # tee-sim knows no such session; the fields and signatures of what was sent are compared all the same.
            token = base64.b64encode(os.urandom(90)).decode()
            with_token = Sides(probe, endpoint, token)
            compare_rest(with_token, instance)
            compare_roles(with_token)
            compare_denials(with_token)
        finally:
            recorder.shutdown()
            sim.terminate()
            sim.wait(timeout=10)
    print("\n".join(problems) or f"{checks} comparisons agree")
    return 1 if problems else 0


sys.exit(main(sys.argv[1], sys.argv[2]))
