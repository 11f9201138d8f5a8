#!/bin/sh
# What was written to the mounted bucket is in it, or a minute has passed. rclone sends when a file
# has been closed, and ends at once when it is told to; what it holds is in its cache's notes.
for _ in $(seq 300); do
  grep -qrsE '"Dirty": ?true' "${CLOUDS_S3_CACHE:-/var/tmp/jupyter-clouds-s3}/vfsMeta" || exit 0
  sleep 0.2
done
echo "not all of it was sent: at the next start" >&2
