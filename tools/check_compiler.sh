#!/bin/sh
# The finite-element stack (Linux on x86-64) compiles its kernels when it runs; say in one line if
# there is no C compiler.
[ "$(uname -sm)" = "Linux x86_64" ] || exit 0
for compiler in ${CC:-} cc gcc; do
    command -v "$compiler" >/dev/null 2>&1 && exit 0
done
echo "No C compiler found: install one (Debian: apt install gcc libc6-dev), then run make again" >&2
exit 1
