#!/bin/sh
# Prints how full the file systems of the given folders are, a line each: percent, then folder.
set -eu
for folder in "$@"; do
    found=$(df -P -- "$folder")
    printf '%s %s\n' "$(printf '%s\n' "$found" | awk 'NR == 2 { print $5 }')" "$folder"
done
