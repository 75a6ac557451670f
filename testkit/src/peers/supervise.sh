# supervise DIR COMMAND…: runs COMMAND until standard input ends, then leaves nothing behind.
# Standard input is a pipe that the test process holds: it ends with that process, however that ends,
# even by SIGKILL. The process namespace ends whatever COMMAND had started, the mount namespace
# its mounts; so DIR can be removed without a look at either.
set -u
dir=$1
shift
# Held by everything below: a directory whose lock is free belongs to nobody (`sweep` removes it).
exec 9<"$dir/lock"
flock --shared 9
unshare --mount --propagation private --pid --fork --kill-child bash -c '
  mount -t proc proc /proc
  exec 8<&0
  "$@" </dev/null 8<&- &
  daemon=$!
  # Daemons take a while to part from running containers; a test does not wait for that for ever.
  (while read -r _ <&8; do :; done; kill -TERM $daemon; sleep 5; kill -KILL $daemon) 2>/dev/null &
  wait $daemon
' supervised "$@"
# A daemon that failed leaves its log to be read until the test process ends.
touch "$dir/ended"
while read -r _; do :; done
rm -rf --one-file-system "$dir"
