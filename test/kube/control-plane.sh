# Starts and stops one etcd and one kube-apiserver in a folder of their own. Sourced by hack/kube.sh.
#
# The folder holds everything: certificates, the etcd data, logs, pid files, both kubeconfigs. Every program runs
# with an empty environment and a HOME inside the folder, so nothing of the caller's accounts or proxies reaches it.
# All ports are free ports on 127.0.0.1. etcd speaks plain HTTP there: this is a plane for tests, not for secrets.

PLANE_NAMESPACE=tee-system
PLANE_ACCOUNT=tee-controller
PLANE_PATH=/usr/local/bin:/usr/bin:/bin

# Three free ports below the range that the kernel hands to outgoing connections.
plane_free_ports() {
  python3 - <<'PY'
import random, socket
held, ports = [], []
while len(ports) < 3:
    port, s = random.randrange(10000, 32000), socket.socket()
    try:
        s.bind(("127.0.0.1", port))
    except OSError:
        continue
    held.append(s)
    ports.append(str(port))
print(*ports)
PY
}

plane_certificate() { # plane_certificate DIR NAME SUBJECT EXTENSION...
  local dir=$1 name=$2 subject=$3 extension
  local -a extensions=()
  shift 3
  for extension in "$@"; do extensions+=(-addext "$extension"); done
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "$subject" \
    -CA "$dir/pki/ca.crt" -CAkey "$dir/pki/ca.key" -addext basicConstraints=critical,CA:FALSE "${extensions[@]}" \
    -keyout "$dir/pki/$name.key" -out "$dir/pki/$name.crt"
}

plane_certificates() {
  local dir=$1
  mkdir -p "$dir/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=tee-test-ca \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$dir/pki/ca.key" -out "$dir/pki/ca.crt"
  plane_certificate "$dir" apiserver /CN=kube-apiserver extendedKeyUsage=serverAuth \
    subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc
  plane_certificate "$dir" user /O=system:masters/CN=tee-user extendedKeyUsage=clientAuth
  openssl ecparam -name prime256v1 -genkey -noout -out "$dir/pki/accounts.key"
}

# What the caller holds open (a log, a lock) must not stay open for as long as the plane lives. Call it in a subshell.
close_inherited_files() {
  local file
  for file in /proc/"$BASHPID"/fd/*; do
    if ((${file##*/} > 2)); then eval "exec ${file##*/}>&-"; fi
  done
}

# plane_start_program DIR NAME COMMAND...: in the background, its own session, output in NAME.log, pid in NAME.pid.
plane_start_program() {
  local dir=$1 name=$2
  shift 2
  # exec, so that the pid is the program's own and not that of a shell around it.
  (close_inherited_files && exec env -i HOME="$dir/home" PATH="$PLANE_PATH" setsid "$@") >>"$dir/$name.log" 2>&1 </dev/null &
  printf '%s\n' $! >"$dir/$name.pid"
  disown $!
}

# The pid of a program of this plane, if it still runs. A recycled pid is told by the folder in the command line.
plane_pid() { # plane_pid DIR NAME
  local pid
  pid=$(cat "$1/$2.pid" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$1/" || return 1
  printf '%s\n' "$pid"
}

plane_is_up() { plane_pid "$1" kube-apiserver >/dev/null; }

plane_start_etcd() { # plane_start_etcd DIR CLIENT_PORT PEER_PORT
  plane_start_program "$1" etcd "$(tool_path etcd)" --name=plane --data-dir="$1/etcd" --unsafe-no-fsync \
    --log-level=warn --listen-client-urls="http://127.0.0.1:$2" --advertise-client-urls="http://127.0.0.1:$2" \
    --listen-peer-urls="http://127.0.0.1:$3" --initial-advertise-peer-urls="http://127.0.0.1:$3" \
    --initial-cluster="plane=http://127.0.0.1:$3"
}

# What the API server was asked, a line of JSON for each request when it ended: who, what, when and the answer's code.
# TEE_KUBE_AUDIT=1 asks for it; the file is audit.log in the plane's folder.
plane_audit_flags() { # plane_audit_flags DIR
  [[ ${TEE_KUBE_AUDIT:-} == 1 ]] || return 0
  printf '%s\n' 'apiVersion: audit.k8s.io/v1' 'kind: Policy' 'omitStages: [RequestReceived, Panic]' \
    'rules: [{level: Metadata}]' >"$1/audit-policy.yaml"
  printf '%s\n' --audit-policy-file="$1/audit-policy.yaml" --audit-log-path="$1/audit.log" --audit-log-mode=blocking \
    --audit-log-maxsize=1000
}

plane_start_apiserver() { # plane_start_apiserver DIR PORT ETCD_PORT
  local -a audit gates=()
  mapfile -t audit < <(plane_audit_flags "$1")
  [[ -z ${TEE_KUBE_FEATURE_GATES:-} ]] || gates=(--feature-gates="$TEE_KUBE_FEATURE_GATES")
  plane_start_program "$1" kube-apiserver "$(tool_path kube-apiserver)" \
    --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$2" --etcd-servers="http://127.0.0.1:$3" \
    --endpoint-reconciler-type=none --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=RBAC \
    --cert-dir="$1/pki" --tls-cert-file="$1/pki/apiserver.crt" --tls-private-key-file="$1/pki/apiserver.key" \
    --client-ca-file="$1/pki/ca.crt" --service-account-issuer=https://kubernetes.default.svc \
    --service-account-signing-key-file="$1/pki/accounts.key" --service-account-key-file="$1/pki/accounts.key" "${audit[@]}" "${gates[@]}"
}

# Waits until the API server says that it is ready. Fails at once when a program has ended.
plane_wait_ready() { # plane_wait_ready DIR PORT
  local deadline=$((SECONDS + 60)) file
  until curl --silent --fail --noproxy '*' --max-time 2 --cacert "$1/pki/ca.crt" --cert "$1/pki/user.crt" \
    --key "$1/pki/user.key" --output /dev/null "https://127.0.0.1:$2/readyz"; do
    for file in "$1"/*.pid; do
      kill -0 "$(cat "$file")" 2>/dev/null || return 1
    done
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

plane_write_kubeconfig() { # plane_write_kubeconfig FILE DIR PORT NAMESPACE USER-AS-JSON
  cat >"$1" <<YAML
apiVersion: v1
kind: Config
current-context: tee
clusters:
- name: tee
  cluster:
    server: https://127.0.0.1:$3
    certificate-authority-data: $(base64 -w0 "$2/pki/ca.crt")
contexts:
- name: tee
  context: {cluster: tee, user: tee, namespace: $4}
users:
- name: tee
  user: $5
YAML
  chmod 600 "$1"
}

plane_kubectl() { # plane_kubectl DIR ARGUMENT...
  local dir=$1
  shift
  env -i HOME="$dir/home" PATH="$PLANE_PATH" "$(tool_path kubectl)" --kubeconfig "$dir/user.kubeconfig" "$@"
}

# The namespace, the service account and its real rights, and a kubeconfig with a token bound to that account.
plane_create_account() { # plane_create_account DIR PORT
  local token
  plane_kubectl "$1" apply -f "$TEE_ROOT/manifests/namespace.yaml" -f "$TEE_ROOT/manifests/rbac.yaml" >&2
  token=$(plane_kubectl "$1" create token "$PLANE_ACCOUNT" --namespace "$PLANE_NAMESPACE" --duration 24h)
  plane_write_kubeconfig "$1/controller.kubeconfig" "$1" "$2" "$PLANE_NAMESPACE" "{token: $token}"
}

# Starts both programs on fresh ports. A port may be lost to someone else between choice and use: hence three tries.
plane_start() {
  local dir=$1 port etcd_port peer_port try
  mkdir -p "$dir/home" "$dir/kubectl-cache"
  plane_certificates "$dir" >"$dir/openssl.log" 2>&1 || { say "openssl failed; see $dir/openssl.log" && return 1; }
  for try in 1 2 3; do
    read -r port etcd_port peer_port < <(plane_free_ports)
    plane_start_etcd "$dir" "$etcd_port" "$peer_port"
    plane_start_apiserver "$dir" "$port" "$etcd_port"
    if plane_wait_ready "$dir" "$port"; then
      plane_write_kubeconfig "$dir/user.kubeconfig" "$dir" "$port" default \
        "{client-certificate-data: $(base64 -w0 "$dir/pki/user.crt"), client-key-data: $(base64 -w0 "$dir/pki/user.key")}"
      plane_create_account "$dir" "$port" >"$dir/setup.log" 2>&1 && return 0
      tail -n 5 "$dir/setup.log" >&2
      return 1
    fi
    plane_stop_programs "$dir"
    say "the control plane did not start (try $try of 3): $(tail -qn 1 "$dir/etcd.log" "$dir/kube-apiserver.log" | cut -c1-300)"
    rm -rf "$dir/etcd"
  done
  return 1
}

# Starts another API server on the etcd of the plane in DIR, which it reaches at ETCD_PORT. DIR/FOLDER, whose name begins with
# second, then looks like that of a plane, but has no etcd of its own; certificates and accounts are those of DIR.
plane_start_second() { # plane_start_second DIR ETCD_PORT FOLDER
  local dir=$1/$3 port try name
  mkdir -p "$dir/home" "$dir/kubectl-cache"
  ln -sfn ../pki "$dir/pki"
  for try in 1 2 3; do
    read -r port _ < <(plane_free_ports)
    plane_start_apiserver "$dir" "$port" "$2"
    if plane_wait_ready "$dir" "$port"; then
      for name in user controller; do
        sed "s#server: https://.*#server: https://127.0.0.1:$port#" "$1/$name.kubeconfig" >"$dir/$name.kubeconfig"
      done
      return 0
    fi
    plane_stop_programs "$dir"
    say "the second API server did not start (try $try of 3): $(tail -n 1 "$dir/kube-apiserver.log" | cut -c1-300)"
  done
  return 1
}

# Ends exactly the programs that this folder records: API servers before their etcd.
plane_stop_programs() {
  local dir=$1 name pid deadline second
  for second in "$dir"/second*; do
    [[ ! -d $second ]] || plane_stop_programs "$second"
  done
  for name in kube-apiserver etcd; do
    if pid=$(plane_pid "$dir" "$name"); then
      # Nothing is worth saving, and a graceful API server first waits for its watches.
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 10))
      while plane_pid "$dir" "$name" >/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
    fi
    rm -f "$dir/$name.pid"
  done
}
