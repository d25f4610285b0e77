#!/bin/sh
# Answers git's question for credentials (gitcredentials(7)) for one https host; stores nothing.
set -u
[ "${1:-}" = get ] || exit 0
protocol='' host=''
while IFS='=' read -r key value && [ -n "$key" ]; do
  case $key in
    protocol) protocol=$value ;;
    host) host=$value ;;
  esac
done
# A submodule may spell the host as it likes.
host=$(printf %s "$host" | tr '[:upper:]' '[:lower:]')
host=${host%:443}
host=${host%.}
[ "$protocol" = https ] && [ "$host" = "$SLIPGATE_GIT_HOST" ] || exit 0
printf 'username=x-access-token\npassword=%s\n' "$SLIPGATE_GIT_PASSWORD"
