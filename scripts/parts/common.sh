# What the scripts of this folder share; sourced, never run.
#
# A part is a pinned tool that Homing's targets need and do not ship. It is cached by version outside
# the clone, so that a second clone does not fetch or build it again.

parts="${HOMING_PARTS:-${XDG_CACHE_HOME:-$HOME/.cache}/homing}"

# One line that says what is missing and how to get it, then the end.
missing() {
    echo "$1 is missing: $2" >&2
    exit 1
}

# need_python: Python 3.11 or newer, with venv.
need_python() {
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        missing "Python 3.11 or newer with venv" "install python3 and python3-venv, or see https://www.python.org/downloads/"
}

# publish BUILT PART: moves a finished folder into the cache in one step.
# Two builds at once are fine: the second finds the first one's result and drops its own.
publish() {
    python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$1" "$2" 2>/dev/null || [ -d "$2" ] ||
        missing "$2" "could not move the finished part there; make the folder writable, or set HOMING_PARTS"
}
