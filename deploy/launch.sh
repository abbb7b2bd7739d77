#!/bin/sh
# launch.sh RUN_DIR NAME COMMAND...: notes who runs under NAME, then becomes COMMAND.
# NAME.pid holds the process id; NAME.stat holds the kernel's line about it, whose start time tells it from a later
# process that happens to get the same id.
set -eu
umask 077
run=$1 name=$2
shift 2
if [ "$name" = front ] && old=$(cat "$run/$name.pid" 2>/dev/null) && [ ! -e "/proc/$old" ]; then
    # nginx's worker outlives a killed master and keeps the port. It is in the process group of that master, whose id
    # nobody else can get as long as the group has members.
    kill -s KILL -- "-$old" 2>/dev/null || true
fi
cat "/proc/$$/stat" >"$run/.$name.stat"
mv -f "$run/.$name.stat" "$run/$name.stat"
echo "$$" >"$run/.$name.pid"
mv -f "$run/.$name.pid" "$run/$name.pid"
exec "$@"
