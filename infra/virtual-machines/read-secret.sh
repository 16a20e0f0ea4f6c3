#!/bin/bash
# Reads one secret under one managed identity and reports only whether it could, never the value.
#
# CLIENT_ID   client id of an identity attached to this machine
# SECRET_URL  URL of the secret, without a version
# ATTEMPTS    how often to try, ten seconds apart; 60 unless given
set -euo pipefail

token() {
  curl --silent --show-error --fail --max-time 30 --noproxy '*' --header 'Metadata: true' \
    "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net&client_id=$CLIENT_ID" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'
}

# The token goes in by standard input: every process of a machine can read a command line.
answer() {
  printf 'Authorization: Bearer %s' "$1" |
    curl --silent --show-error --max-time 30 --header @- --output /dev/null \
      --write-out '%{http_code}' "$SECRET_URL?api-version=2025-07-01"
}

# A right that has just been granted takes minutes to hold everywhere.
attempts=${ATTEMPTS:-60}
for ((attempt = 1; attempt <= attempts; attempt++)); do
  status='no token'
  if bearer=$(token 2>/dev/null); then
    status=$(answer "$bearer" 2>/dev/null) || status='no answer'
  fi
  if [ "$status" = 200 ]; then
    echo "success: $CLIENT_ID may read $SECRET_URL"
    exit 0
  fi
  if ((attempt < attempts)); then sleep 10; fi
done
echo "failure: $CLIENT_ID could not read $SECRET_URL ($status)"
exit 1
