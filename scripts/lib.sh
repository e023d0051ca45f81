# Shared by scripts/demo, scripts/test and scripts/bench: what a fresh Debian 12 or Ubuntu machine lacks, the
# build, and checks that are counted. Source it from the repository's root.

BUILD_DIR=${BUILD_DIR:-build}
KUBELAN=$PWD/$BUILD_DIR/kubelan

PACKAGES="g++ cmake ninja-build pkg-config libcpp-httplib-dev nlohmann-json3-dev libuv1-dev libspdlog-dev
libyaml-cpp-dev libsqlite3-dev libssl-dev zlib1g-dev libnftables-dev libnghttp2-dev libpcre2-dev libcrypt-dev libcli11-dev libgtest-dev curl iproute2 nftables"

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

# install PACKAGE...: those that are missing, with apt.
install_missing() {
  local missing=()
  for package in "$@"; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  echo "Installing: ${missing[*]}"
  as_root true || die "these packages are missing and this user is neither root nor has sudo; run: apt-get install ${missing[*]}"
  as_root apt-get update -qq || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

# Sets KUBECTL to a kubectl that runs, installing Debian's when there is none.
find_kubectl() {
  KUBECTL=${KUBECTL:-$(command -v kubectl || true)}
  if [ -z "$KUBECTL" ]; then
    (install_missing kubernetes-client) || die "no kubectl found: install one, or set KUBECTL=/path/to/kubectl"
    KUBECTL=$(command -v kubectl) || die "no kubectl found: install one, or set KUBECTL=/path/to/kubectl"
  fi
  export KUBECTL
}

# build TARGET...: configures once, then builds (all targets when none is named).
build() {
  # build.ninja is written last: a configuration that failed halfway leaves its cache, and is done again.
  if [ ! -f "$BUILD_DIR/build.ninja" ] || [ CMakeLists.txt -nt "$BUILD_DIR/build.ninja" ]; then
    cmake -S . -B "$BUILD_DIR" -G Ninja -DCMAKE_BUILD_TYPE=Release >"${TMPDIR:-/tmp}/kubelan-cmake.$$" 2>&1 ||
      { cat "${TMPDIR:-/tmp}/kubelan-cmake.$$"; rm -f "${TMPDIR:-/tmp}/kubelan-cmake.$$"; die "cmake failed"; }
    rm -f "${TMPDIR:-/tmp}/kubelan-cmake.$$"
  fi
  local begin=$SECONDS
  echo "Building in $BUILD_DIR ..."
  ninja -C "$BUILD_DIR" "$@" || die "the build failed"
  echo "Built in $((SECONDS - begin)) s"
}

PASSED=0
FAILED=0
if [ -t 1 ]; then GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'; else GREEN= RED= PLAIN=; fi

pass() { PASSED=$((PASSED + 1)); echo "${GREEN}pass${PLAIN}  $1"; }
fail() { FAILED=$((FAILED + 1)); echo "${RED}FAIL${PLAIN}  $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | sed 's/^/        /' | head -20; return 0; }

# check NAME COMMAND...: passes when the command's exit code is 0; its output is shown when it is not.
check() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then pass "$name"; else fail "$name" "$out"; fi
}

# check_equal NAME WANT GOT
check_equal() {
  if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "want: $2"$'\n'"got:  $3"; fi
}

# until_true SECONDS COMMAND...: polls until it succeeds; the last output when it never does.
until_true() {
  local deadline=$((SECONDS + $1)) out
  shift
  until out=$("$@" 2>&1); do
    [ $SECONDS -ge $deadline ] && { printf '%s\n' "$out"; return 1; }
    sleep 0.05
  done
}

summary() {
  echo
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" = 0 ]
}
