# inside ROOT BINDS COMMAND…: runs COMMAND with ROOT as the root of a mount namespace of its own.
# A bare chroot is not enough: runc and containerd want a real root mount, Java wants /proc.
# BINDS: directories of the machine, parted by `:`, that COMMAND sees under their own names.
set -eu
root=$1 binds=$2 work=$PWD
shift 2
mount --rbind "$root" "$root"
for dir in proc sys dev; do mount --rbind "/$dir" "$root/$dir"; done
IFS=:
for dir in $binds; do
  mkdir -p "$root$dir"
  mount --rbind "$dir" "$root$dir"
done
unset IFS
mkdir -p "$root/oldroot"
cd "$root"
pivot_root . oldroot
cd /
umount -l /oldroot
cd "$work" 2>/dev/null || true
exec "$@"
