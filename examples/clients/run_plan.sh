#!/bin/sh
# Runs a plan over HTTP with nothing but curl, and prints how it ended. Written from docs/protocol.md
# alone; the runtime is one with `serve --http`.
#
#   run_plan.sh HOME PLAN.toml
set -eu
home=$1 plan=$2
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
url=$(field http <"$home/connection.json")
# The token goes in by standard input: a command line can be read by every user of the machine.
call() {
  method=$1 path=$2
  shift 2
  printf 'header = "Authorization: Bearer %s"\n' "$(field token <"$home/connection.json")" |
    curl --silent --show-error --fail-with-body --config - --request "$method" "$@" "$url$path"
}
status() { call GET "/api/workflows/$id" | sed 's/.*"target":"[^"]*","status":"\([^"]*\)".*/\1/'; }
# Looks for 2 s at the facts of this workflow; what was missed meanwhile is in the row.
wait_for_a_fact() { call GET "/api/events?address=$id/&type=workflow.status" --max-time 2 >/dev/null 2>&1 || :; }

if ! made=$(call POST /api/workflows --header 'Content-Type: application/toml' --data-binary "@$plan"); then
  echo "$made" >&2 && exit 2 # why it was refused
fi
id=$(echo "$made" | field id)
call POST "/api/workflows/$id/prepare" >/dev/null
until [ "$(status)" != created ] && [ "$(status)" != starting ]; do wait_for_a_fact; done
call POST "/api/workflows/$id/start" >/dev/null
while :; do
  case $(status) in
    completed) echo "$id completed" && exit 0 ;;
    failed | cancelled) echo "$id $(status)" && call GET "/api/why/$id" && exit 1 ;;
  esac
  wait_for_a_fact
done
