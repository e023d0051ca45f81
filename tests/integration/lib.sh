# Sourced by every integration test: checks, kubectl, and an end that reports counts.
. scripts/lib.sh
. tests/support/leaks.sh

k() { "$KUBECTL" "$@"; }
finish() { echo "RESULT $PASSED $FAILED"; }

# api_url [--name NAME]: of the API server.
api_url() { "$KUBELAN" status "$@" -o json | grep -o '"server": *"[^"]*"' | cut -d'"' -f4; }

# check_error NAME PATTERN COMMAND...: fails with exit code not 0 and one line on stderr that matches.
check_error() {
  local name=$1 pattern=$2 err code
  shift 2
  err=$("$@" 2>&1 >/dev/null)
  code=$?
  if [ $code = 0 ]; then fail "$name" "exit code 0"; return; fi
  if [ "$(printf '%s\n' "$err" | wc -l)" != 1 ]; then fail "$name" "not one line: $err"; return; fi
  if printf '%s\n' "$err" | grep -qE -- "$pattern"; then pass "$name"; else fail "$name" "got: $err"; fi
}

# Paths of every kubectl at hand: see kubectl.sh.
kubectls() {
  local real
  real=$(readlink -f "$KUBECTL")
  ls "$(dirname "$real")"/kubectl.1.* 2>/dev/null || echo "$real"
  if dpkg -s kubernetes-client 2>/dev/null | grep -q '^Status: install ok installed'; then
    echo /usr/bin/kubectl
  elif (cd "$WORK" && apt-get download kubernetes-client >/dev/null 2>&1 && dpkg -x kubernetes-client_*.deb debian); then
    echo "$WORK/debian/usr/bin/kubectl"
  else
    echo "SKIP: Debian's kubectl: kubernetes-client cannot be downloaded here" >&2
  fi
}
