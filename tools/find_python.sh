#!/bin/sh
# Print the path of a Python that can run the toolkit: the first that really is CPython >= 3.12
# when executed, can create a virtual environment, and, where the finite-element stack compiles
# its kernels, has its C headers. Otherwise say in one line what is missing.

needs_headers=no
[ "$(uname -sm)" = "Linux x86_64" ] && needs_headers=yes

# Prints "ok", or what the interpreter lacks; nothing if it is older or does not start (as the
# shims of pyenv do for versions that are not selected).
question='
import os, sys, sysconfig
if sys.version_info >= (3, 12) and sys.implementation.name == "cpython":
    version = "%d.%d" % sys.version_info[:2]
    header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    try:
        import ensurepip, venv
        if sys.argv[1] == "yes" and not os.path.exists(header):
            print("has no C headers (Debian: apt install python%s-dev)" % version)
        else:
            print("ok")
    except ImportError:
        print("cannot create environments (Debian: apt install python%s-venv)" % version)
'

lack=""
try() {
    [ -f "$1" ] && [ -x "$1" ] || return 0
    answer=$("$1" -I -c "$question" "$needs_headers" 2>/dev/null) || return 0
    case $answer in
        ok) echo "$1"; exit 0 ;;
        ?*) [ -n "$lack" ] || lack="$1 $answer" ;;
    esac
}

for name in python3.12 python3.13 python3.14 python3 python; do
    rest=$PATH:
    while [ -n "$rest" ]; do
        folder=${rest%%:*}
        rest=${rest#*:}
        try "${folder:-.}/$name"
    done
done
for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
    try "$path"
done

if [ -n "$lack" ]; then
    echo "No usable Python: $lack" >&2
else
    echo "No Python >= 3.12 found, neither on the PATH nor under pyenv: install one (Debian 13: apt install python3 python3-venv python3-dev; or: pyenv install 3.12)" >&2
fi
exit 1
