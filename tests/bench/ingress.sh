. tests/bench/lib.sh
# The gateway beside nginx and haproxy as reverse proxies of one backend. QUICK=1: less of it. See ingress_run.sh for the cells.
(install_missing wrk nghttp2-client openssl) || die "wrk and h2load are what measures"

# peer PROGRAM PACKAGE...: where it is. When it is missing, its package is unpacked into the work folder and not installed: installing would start
# a service on this machine's ports.
peer() {
  local program=$1 found package
  found=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$program") && { echo "$found"; return; }
  shift
  mkdir -p "$WORK/peers"
  for package in "$@"; do
    (cd "$WORK/peers" && apt-get download -qq "$package" && dpkg -x "$package"_*.deb .) >/dev/null 2>&1
    found=$WORK/peers/usr/sbin/$program
    [ -x "$found" ] && "$found" -v >/dev/null 2>&1 && { echo "$found"; return; }
  done
}
NGINX_PROGRAM=$(peer nginx nginx nginx-core nginx-light)
HAPROXY=$(peer haproxy haproxy)
[ -n "$NGINX_PROGRAM" ] || die "no nginx: it is the backend of all, too; install one"
[ -n "$HAPROXY" ] || echo "SKIP: haproxy is not there, and its package does not run by itself"
export NGINX_PROGRAM HAPROXY WORK QUICK BUILD_DIR
# A network namespace with a loopback of its own, and a process namespace whose end is the end of all that runs in it.
unshare -Urnpf --kill-child --mount-proc bash tests/bench/ingress_run.sh || die "the comparison failed"
