#!/usr/bin/env bash
# Run by ingress.sh inside namespaces of its own: starts backend and proxies, measures, prints the table.
# QUICK=1: six cells of a second; else all. SECONDS_PER_CELL, ROUNDS, CELLS="connections sizes protocols routes;..." override.
set -uo pipefail
. scripts/lib.sh
. tests/bench/lib.sh
ip link set lo up
ulimit -n "$(ulimit -Hn)" 2>/dev/null
QUICK=${QUICK:-}
SECONDS_PER_CELL=${SECONDS_PER_CELL:-$([ -n "$QUICK" ] && echo 1 || echo 3)}
ROUNDS=${ROUNDS:-$([ -n "$QUICK" ] && echo 1 || echo 2)}
HOSTS=100 PATHS=10

# ---- Cores: each proxy has one to itself while it is measured; the backend and the client share the others.
cpus=$(nproc)
if [ "$cpus" -ge 2 ]; then
  PROXY_CPU=1
  OTHER_CPUS=0$([ "$cpus" -gt 2 ] && echo ",2-$((cpus - 1))")
else
  PROXY_CPU=0 OTHER_CPUS=0
fi
clients=$((cpus > 3 ? (cpus - 1) / 2 : 1))
on_others() { taskset -c "$OTHER_CPUS" "$@"; }

# ---- Files
dir=$WORK/ingress
mkdir -p "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench.example -addext 'subjectAltName=DNS:bench.example' \
  -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null || die "openssl made no certificate"
cat "$dir/cert.pem" "$dir/key.pem" >"$dir/both.pem"
mkdir -p "$dir/www"
head -c 10240 /dev/zero | tr '\0' x >"$dir/www/big"
small=$(head -c 100 /dev/zero | tr '\0' x)

temp_paths() { for kind in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s/%s_%s; ' "$kind" "$dir" "$1" "$kind"; done; }
cat >"$dir/backend.conf" <<CONF
daemon off; worker_processes $((cpus > 3 ? 2 : 1)); user root; pid $dir/backend.pid; error_log $dir/backend.log warn;
events { worker_connections 8000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nopush on; open_file_cache max=10; default_type text/plain; $(temp_paths backend)
  server {
    listen 127.0.0.1:9000 backlog=4096;
    location ~ /small\$ { return 200 "$small"; }
    location ~ /big\$ { alias $dir/www/big; }
  }
}
CONF

# The fields that ingress-nginx adds, which kubelan's gateway always does: all three do the same work.
nginx_headers='proxy_set_header Host $http_host; proxy_set_header X-Request-ID $request_id; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Scheme $scheme; proxy_set_header X-Scheme $scheme; proxy_set_header Connection "";'
nginx_server() { echo "server { listen 127.0.0.1:8100 reuseport backlog=4096; listen 127.0.0.1:8143 ssl http2 reuseport backlog=4096; server_name _; location / { return 404; } }"; }
{
  cat <<CONF
daemon off; worker_processes 1; user root; pid $dir/nginx.pid; error_log $dir/nginx.log warn;
events { worker_connections 8000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; server_tokens off; tcp_nodelay on; server_names_hash_max_size 4096; $(temp_paths nginx)
  ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m;
  proxy_http_version 1.1; $nginx_headers
  upstream backend { server 127.0.0.1:9000; keepalive 1024; keepalive_requests 1000000000; }
CONF
  nginx_server
  echo "server { listen 127.0.0.1:8100; listen 127.0.0.1:8143 ssl http2; server_name bench.example; location / { proxy_pass http://backend; } }"
  for ((host = 0; host < HOSTS; host++)); do
    printf 'server { listen 127.0.0.1:8100; listen 127.0.0.1:8143 ssl http2; server_name h%d.example; location / { return 404; } ' "$host"
    for ((path = 0; path < PATHS; path++)); do printf 'location /p%d/ { proxy_pass http://backend; } ' "$path"; done
    echo "}"
  done
  echo "}"
} >"$dir/nginx.conf"

haproxy_headers='http-request set-header X-Request-ID %[uuid()]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto SCHEME
  http-request set-header X-Forwarded-Scheme SCHEME
  http-request set-header X-Scheme SCHEME'
for ((host = 0; host < HOSTS; host++)); do
  for ((path = 0; path < PATHS; path++)); do echo "h$host.example/p$path/ backend"; done
done >"$dir/routes.map"
echo "bench.example/ backend" >>"$dir/routes.map"
cat >"$dir/haproxy.cfg" <<CONF
global
  nbthread 1
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
  http-reuse always
frontend plain
  bind 127.0.0.1:8200 backlog 4096
  ${haproxy_headers//SCHEME/http}
  use_backend %[base,map_beg($dir/routes.map)]
frontend tls
  bind 127.0.0.1:8243 ssl crt $dir/both.pem alpn h2,http/1.1 backlog 4096
  ${haproxy_headers//SCHEME/https}
  use_backend %[base,map_beg($dir/routes.map)]
backend backend
  server one 127.0.0.1:9000 pool-max-conn 4096
CONF

{
  routes='{"name": "bench.example", "routes": [{"path": "/", "to": "backend"}]}'
  for ((host = 0; host < HOSTS; host++)); do
    routes+=", {\"name\": \"h$host.example\", \"routes\": ["
    for ((path = 0; path < PATHS; path++)); do routes+="$([ "$path" = 0 ] || echo ', '){\"path\": \"/p$path\", \"to\": \"backend\"}"; done
    routes+="]}"
  done
  echo "{\"upstreams\": {\"backend\": {\"endpoints\": [\"127.0.0.1:9000\"]}}, \"listeners\": ["
  echo "{\"name\": \"http\", \"port\": 8300, \"hosts\": [$routes]},"
  echo "{\"name\": \"https\", \"port\": 8343, \"protocol\": \"https\", \"certificate\": \"$dir/cert.pem\", \"key\": \"$dir/key.pem\", \"hosts\": [$routes]}]}"
} >"$dir/kubelan.json"

# ---- Processes. All three proxies wait on the one core; only the one that is asked has work there.
declare -A PID PLAIN=([nginx]=8100 [haproxy]=8200 [kubelan]=8300) TLS=([nginx]=8143 [haproxy]=8243 [kubelan]=8343)
PROXIES="kubelan nginx$([ -n "$HAPROXY" ] && echo " haproxy")"
on_others "$NGINX_PROGRAM" -e "$dir/backend.log" -c "$dir/backend.conf" &
taskset -c "$PROXY_CPU" "$NGINX_PROGRAM" -e "$dir/nginx.log" -c "$dir/nginx.conf" &
PID[nginx]=$!
if [ -n "$HAPROXY" ]; then
  taskset -c "$PROXY_CPU" "$HAPROXY" -db -q -f "$dir/haproxy.cfg" &
  PID[haproxy]=$!
fi
mkfifo "$dir/stay"
sleep infinity >"$dir/stay" &
taskset -c "$PROXY_CPU" "$BUILD_DIR/gateway_only" "$dir/kubelan.json" <"$dir/stay" >"$dir/kubelan.out" &
PID[kubelan]=$!
for proxy in $PROXIES; do
  for url in "http://127.0.0.1:${PLAIN[$proxy]}" "https://127.0.0.1:${TLS[$proxy]}"; do
    until_true 20 curl -skf -o /dev/null -H 'Host: bench.example' "$url/small" || die "$proxy does not answer at $url: $(tail -3 "$dir/$proxy.log" 2>/dev/null)"
    until_true 20 curl -skf -o /dev/null -H 'Host: h77.example' "$url/p7/big" || die "$proxy does not answer at $url with 1,000 routes"
  done
done

# The CPU time of a process and its children, in microseconds.
cpu_of() { local pid; for pid in "$1" $(pgrep -P "$1"); do cat /proc/"$pid"/task/*/schedstat; done | awk '{ s += $1 } END { printf "%d\n", s / 1000 }'; }
memory_of() { local pid; for pid in "$1" $(pgrep -P "$1"); do awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup"; done | awk '{s += $1} END {printf "%.1f", s / 1024}'; }

# ---- Measuring. Each prints: requests/s, 99th percentile in microseconds, failures.
microseconds='function us(t) { if (t ~ /us$/) return t + 0; if (t ~ /ms$/) return t * 1000; if (t ~ /m$/) return t * 60000000; return t * 1000000 }'
run_wrk() {  # URL CONNECTIONS HOST EXTRA...
  local url=$1 connections=$2 host=$3
  shift 3
  on_others wrk -t "$((clients < connections ? clients : connections))" -c "$connections" -d "${SECONDS_PER_CELL}s" --latency --timeout 10s -H "Host: $host" "$@" "$url" |
    awk "$microseconds"' $1 == "99%" { p99 = us($2) } /^Requests\/sec/ { rps = $2 } /Socket errors/ { gsub(",", ""); bad += $4 + $6 + $8 + $10 } /Non-2xx/ { bad += $NF }
      END { printf "%.0f %.0f %d\n", rps, p99, bad }'
}
run_h2load() {  # URL CONNECTIONS HOST: ten streams a connection, once all have shaken hands
  rm -f "$dir/h2.log"
  on_others h2load -t "$((clients < $2 ? clients : $2))" -c "$2" -m 10 -D "$SECONDS_PER_CELL" --warm-up-time=1 --log-file="$dir/h2.log" -H ":authority: $3" "$1" >"$dir/h2.out" 2>&1
  local failed
  failed=$(awk '/^requests:/ { gsub(",", ""); for (i = 1; i < NF; i++) if ($(i + 1) == "failed" || $(i + 1) == "errored") n += $i } END { print n + 0 }' "$dir/h2.out")
  awk '$2 == 200 { print $3 }' "$dir/h2.log" | sort -n | awk -v seconds="$SECONDS_PER_CELL" -v failed="$failed" '{ v[NR] = $1 } END { printf "%.0f %.0f %d\n", NR / seconds, v[int(NR * 0.99)], failed }'
}
measure() {  # PROXY CONNECTIONS SIZE PROTOCOL ROUTES
  local proxy=$1 host=bench.example path=/$3
  [ "$5" = 1000 ] && host=h77.example path=/p7/$3
  case $4 in
    plain) run_wrk "http://127.0.0.1:${PLAIN[$proxy]}$path" "$2" "$host" ;;
    tls) run_wrk "https://127.0.0.1:${TLS[$proxy]}$path" "$2" "$host" ;;
    plain-new) run_wrk "http://127.0.0.1:${PLAIN[$proxy]}$path" "$2" "$host" -H 'Connection: close' ;;
    tls-new) run_wrk "https://127.0.0.1:${TLS[$proxy]}$path" "$2" "$host" -H 'Connection: close' ;;
    http2) run_h2load "https://127.0.0.1:${TLS[$proxy]}$path" "$2" "$host" ;;
  esac
}

if [ -z "${CELLS:-}" ]; then
  if [ -n "$QUICK" ]; then
    CELLS="64 small plain 1;64 big plain 1;64 small tls 1;64 small http2 1;64 small plain-new 1;64 small plain 1000"
  else
    for protocol in plain tls http2; do
      for size in small big; do
        for connections in 1 16 64 512; do CELLS+="$connections $size $protocol 1;"; done
      done
    done
    CELLS+="64 small plain-new 1;64 small tls-new 1;64 small plain 1000;64 big plain 1000;64 small tls 1000;64 small http2 1000"
  fi
fi

echo "== ingress: the gateway beside $("$NGINX_PROGRAM" -v 2>&1 | sed 's/.*: //')$([ -n "$HAPROXY" ] && "$HAPROXY" -v | sed -n '1s/^HAProxy version \([^ ]*\).*/ and haproxy \1/p')"
echo "   one thread each, on CPU $PROXY_CPU; backend (nginx) and clients (wrk, h2load with 10 streams a connection) on CPU $OTHER_CPUS; upstream connections kept;"
echo "   TLS: ECDSA P-256, 'new': a connection a request; HTTP/2 after a second to warm up; small 100 B, big 10 KiB; $ROUNDS run(s) of $SECONDS_PER_CELL s in turn, medians."
echo "   cpu%: of the proxy's core; below 90 the client, the backend or a neighbour was the limit, and requests/s say less than 'us', the proxy's CPU time a request."
echo "   Ratios are kubelan's over the other's: /s should be above 1, p99 and us below."
printf '%-28s %9s %8s %5s %6s' "connections size protocol" "kubelan/s" "p99 us" "cpu%" "us"
for proxy in $PROXIES; do [ $proxy = kubelan ] || printf ' | %9s %8s %5s %6s: %5s %5s %5s' "$proxy/s" "p99 us" "cpu%" "us" "/s" "p99" "us"; done
echo
declare -A RPS P99 BUSY COST
worse=0 failures=0
while read -r -d ';' connections size protocol routes; do
  [ -n "$connections" ] || continue
  for proxy in $PROXIES; do : >"$dir/$proxy.cell"; done
  for ((round = 0; round < ROUNDS; round++)); do
    for proxy in $PROXIES; do
      before=$(cpu_of "${PID[$proxy]}") began=$(now_us)
      result=$(measure "$proxy" "$connections" "$size" "$protocol" "$routes")
      took=$(($(now_us) - began)) used=$(($(cpu_of "${PID[$proxy]}") - before))
      echo "$result $took $used" | awk -v seconds="$((SECONDS_PER_CELL + ($(echo "$protocol" | grep -c http2))))" '{ print $1, $2, $3, 100 * $5 / $4, $1 ? $5 / $1 / seconds : 0 }' >>"$dir/$proxy.cell"
    done
  done
  for proxy in $PROXIES; do
    RPS[$proxy]=$(awk '{print $1}' "$dir/$proxy.cell" | median)
    P99[$proxy]=$(awk '{print $2}' "$dir/$proxy.cell" | median)
    BUSY[$proxy]=$(awk '{print $4}' "$dir/$proxy.cell" | median)
    COST[$proxy]=$(awk '{print $5}' "$dir/$proxy.cell" | median)
    bad=$(awk '{s += $3} END {print s + 0}' "$dir/$proxy.cell")
    [ "$bad" = 0 ] || { echo "   $proxy: $bad failed requests in the next line"; [ "$proxy" = kubelan ] && failures=$((failures + bad)); }
  done
  printf '%-28s %9.0f %8.0f %5.0f %6.1f' "$connections $size $protocol$([ "$routes" = 1 ] || echo ", $routes routes")" "${RPS[kubelan]}" "${P99[kubelan]}" "${BUSY[kubelan]}" "${COST[kubelan]}"
  for proxy in $PROXIES; do
    [ $proxy = kubelan ] && continue
    echo "${RPS[kubelan]} ${RPS[$proxy]} ${P99[kubelan]} ${P99[$proxy]} ${BUSY[$proxy]} ${COST[kubelan]} ${COST[$proxy]}" |
      awk 'function ratio(a, b) { return b ? a / b : 0 } { printf " | %9.0f %8.0f %5.0f %6.1f: %5.2f %5.2f %5.2f", $2, $4, $5, $7, ratio($1, $2), ratio($3, $4), ratio($6, $7) }'
  done
  awk -v k="${RPS[kubelan]}" -v r="${RPS[nginx]}" 'BEGIN { exit !(k < r) }' && { worse=$((worse + 1)); printf '  <'; }
  echo
done <<<"${CELLS%;};"
echo "memory afterwards (PSS, MiB):$(for proxy in $PROXIES; do printf ' %s %s' $proxy "$(memory_of "${PID[$proxy]}")"; done)"
echo "cells in which nginx had more requests/s (<): $worse; failed requests of kubelan: $failures"
[ "$failures" = 0 ]
