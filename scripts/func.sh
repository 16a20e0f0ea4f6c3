#!/bin/sh
# make func APP=receiver: the local cloud without that app, and the app itself under the Functions Core
# Tools, with Azurite for what the host stores. Ctrl-C stops all of it.
set -eu
app=${1:?usage: func.sh APP PYTHON}
python=$2
missing() {
  echo "make func needs $1 on the PATH: npm install --global $2" >&2
  exit 1
}
case $app in
  sender | receiver | tracker) ;;
  *) echo "make func APP=sender, receiver or tracker" >&2; exit 2 ;;
esac
command -v func > /dev/null || missing "func, the Azure Functions Core Tools 4," azure-functions-core-tools@4
command -v azurite > /dev/null || missing Azurite azurite

folder=.local
started=
stop() {
  for process in $started; do kill "$process" 2> /dev/null || true; done
  wait
}
trap stop EXIT
trap 'exit 130' INT TERM

"$python" -m local up --without "$app" &
cloud=$!
started=$cloud
until [ -e "$folder/endpoints.json" ]; do
  kill -0 "$cloud" 2> /dev/null || exit 1
  sleep 0.2
done
# It is written for this user alone, and holds what makes a program the app.
settings=$("$python" -m local settings "$app")
port=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["Host"]["LocalHttpPort"])' "$settings")
azurite --silent --skipApiVersionCheck --location "$folder/azurite" &
started="$started $!"
# The host's own client reads this one from the environment that it is started with. The worker is the
# Python that is first on the PATH.
export SSL_CERT_FILE="$PWD/$folder/ca-bundle.pem"
export FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT=1
PATH="$(dirname "$python"):$PATH" func start --port "$port"
