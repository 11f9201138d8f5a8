#!/bin/sh
# The data volume's file system is as large as the volume, seconds after that was enlarged: nothing
# is unmounted, no kernel notices. NVMe disks show their new size by themselves:
# https://docs.aws.amazon.com/ebs/latest/userguide/recognize-expanded-volume-linux.html
set -u
root=${CLOUDS_ROOT:-}
mount=$root/mnt/jupyter-clouds
bin=$(dirname "$0")/../bin
device=$(findmnt -no SOURCE "$mount") || exit
kind=$(findmnt -no FSTYPE "$mount")

say() {
  echo "$1"
  /usr/bin/python3 -c 'import sys; sys.path[0] = sys.argv[1]; import clouds; clouds.console(sys.argv[2])' \
    "$bin" "jupyter-clouds: $1"
}

grow() {
  case $kind in
    xfs) xfs_growfs "$mount" ;;
    *) resize2fs "$device" ;;
  esac
}

known=0
while :; do
  size=$(blockdev --getsize64 "$device") || size=$known
  if [ "$size" -gt "$known" ]; then
    if ! grow; then
      # Not every root may let a mounted one grow; bin/data.py does it before it mounts.
      say "data volume $((size >> 20)) MiB, its file system at the next start"
    elif [ "$known" -gt 0 ]; then # the first time it only makes sure
      say "data volume grown to $((size >> 20)) MiB"
    fi
    known=$size
  fi
  sleep "${CLOUDS_GROW_PAUSE:-5}"
done
