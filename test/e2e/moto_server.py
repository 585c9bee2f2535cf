"""moto's server with one user, who may do what `kubectl tee iam` says and nothing else.

moto checks signatures and the actions that an IAM policy allows; it knows neither EC2's resources nor conditions in one.
Run by itself, moto_server.py KUBECTL_TEE MOTO_SERVER CLUSTER prints one line of JSON, {"endpoint": URL, "AccessKeyId":...,
"SecretAccessKey":...}, and serves until SIGTERM.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

import botocore.config
import botocore.session

REGION = "us-east-1"
SETUP_CALLS = 3


@contextlib.contextmanager
def running(kubectl_tee, moto, cluster):
    """(endpoint, key of the user) while the server runs."""
    policy = subprocess.run([kubectl_tee, "iam", "--cluster-id", cluster], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = folder + "/none"
        server, endpoint = start(moto, folder)
        try:
            yield endpoint, make_user(endpoint, actions_only(json.loads(policy)))
        finally:
            server.terminate()
            server.wait(timeout=10)


def client(service, endpoint, key):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
    return botocore.session.Session().create_client(service, region_name=REGION, endpoint_url=endpoint, config=config,
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def start(program, folder):
    """Port 0: what moto took stands in its first lines."""
    environment = {"PATH": os.environ["PATH"], "HOME": folder, "INITIAL_NO_AUTH_ACTION_COUNT": str(SETUP_CALLS), "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", "0"], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    guard = threading.Timer(60, server.kill)
    guard.start()
    for line in server.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            guard.cancel()
            threading.Thread(target=lambda: [None for _ in server.stdout], daemon=True).start()
            return server, found.group()
    raise SystemExit("moto did not start")


def make_user(endpoint, policy):
    """The calls that moto lets through unchecked, SETUP_CALLS of them."""
    iam = client("iam", endpoint, {"AccessKeyId": "setup", "SecretAccessKey": "setup"})
    iam.create_user(UserName="controller")
    key = iam.create_access_key(UserName="controller")["AccessKey"]
    iam.put_user_policy(UserName="controller", PolicyName="tee", PolicyDocument=policy)
    return key


def actions_only(policy):
    """What moto can judge of our policy. PassRole and the like stay, and nothing is added."""
    statements = [{"Effect": one["Effect"], "Action": one["Action"], "Resource": "*"} for one in policy["Statement"]]
    return json.dumps({"Version": policy["Version"], "Statement": statements})


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with running(*sys.argv[1:4]) as (endpoint, key):
        print(json.dumps({"endpoint": endpoint, "AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}), flush=True)
        signal.pause()
