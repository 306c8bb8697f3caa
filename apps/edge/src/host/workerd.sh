#!/bin/sh
# Runs workerd so that it cannot outlive the process that started it, not even one that is killed with -9.
# ANNEAL_EDGE_RUN/alive is a FIFO that the host holds open for writing: its end means that the host is gone.
# ANNEAL_WORKERD is the real workerd; the exec keeps the pid that Miniflare kills.

trap '' INT HUP # Ctrl-C reaches the whole group: the host alone decides what it means

sh -c '
  trap "" TERM
  read -r _ <"$1/alive"
  # Kill only what is still our parent: a workerd that died before has left its pid to others.
  parent=$(sed -n "s/^PPid:[^0-9]*//p" "/proc/$$/status" 2>/dev/null || ps -o ppid= -p $$ | tr -d " ")
  [ "$parent" = "$PPID" ] && kill -9 "$PPID"
  rm -rf -- "$1"
' watchdog "$ANNEAL_EDGE_RUN" </dev/null >/dev/null 2>&1 3>&- &

exec "$ANNEAL_WORKERD" "$@"
