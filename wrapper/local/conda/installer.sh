#!/bin/bash
# A stand-in for the Miniforge installer, where conda's servers cannot be reached: the same command
# line, the machine's own Python, packages from PyPI through the embedded EC2. It is not conda.
set -eu

prefix=${HOME:-/opt}/miniforge3 # as Miniforge: a service has no HOME
update=no
batch=no
while getopts "bfhkmp:stu" option; do
    case $option in
        b) batch=yes ;;
        p) prefix=$OPTARG ;;
        u | f) update=yes ;;
        k | m | s | t) ;;
        *)
            echo "usage: $0 [-b] [-u] [-p PREFIX]"
            exit 2
            ;;
    esac
done
if [ $batch = no ]; then
    echo "the stand-in for Miniforge asks nothing: run it with -b" >&2
    exit 2
fi
if [ -e "$prefix" ] && [ $update = no ]; then
    echo "ERROR: File or directory already exists: '$prefix'" >&2
    echo "If you want to update an existing installation, use the -u option." >&2
    exit 1
fi

echo "a stand-in for Miniforge: conda's servers cannot be reached, packages are PyPI's"
mkdir -p "$prefix/standin" "$prefix/bin" "$prefix/conda-meta" "$prefix/pkgs" \
    "$prefix/etc/profile.d" "$prefix/envs"
prefix=$(cd "$prefix" && pwd)
sed -e '1,/^exit 0 # the payload follows$/d' "$0" | base64 -d | tar -xz -C "$prefix/standin"
echo "@MIRROR@/simple" >"$prefix/standin/index"
curl --fail --silent --show-error --retry 5 --output "$prefix/standin/uv.new" "@MIRROR@/uv"
echo "@UV_SHA256@  $prefix/standin/uv.new" | sha256sum --check --quiet
chmod 0755 "$prefix/standin/uv.new"
mv "$prefix/standin/uv.new" "$prefix/standin/uv"

UV_CACHE_DIR=$prefix/pkgs UV_DEFAULT_INDEX=@MIRROR@/simple UV_NO_CONFIG=1
export UV_CACHE_DIR UV_DEFAULT_INDEX UV_NO_CONFIG
"$prefix/standin/uv" venv --quiet --allow-existing --python /usr/bin/python3 "$prefix"
"$prefix/standin/uv" pip install --quiet --python "$prefix/bin/python" pip packaging pyyaml
"$prefix/bin/python" -E - "$prefix" <<'END'
import sys
from pathlib import Path
prefix = Path(sys.argv[1])
sys.path.insert(0, str(prefix / "standin"))
from standin import modules
modules.bring(prefix, (prefix / "standin/index").read_text().strip())
END
touch "$prefix/conda-meta/history"

for name in conda mamba; do
    cat >"$prefix/bin/$name.new" <<END
#!$prefix/bin/python -E
import sys
sys.path.insert(0, "$prefix/standin")
from standin.__main__ import start
start()
END
    chmod 0755 "$prefix/bin/$name.new"
    mv "$prefix/bin/$name.new" "$prefix/bin/$name"
done

cat >"$prefix/etc/profile.d/conda.sh" <<END
export CONDA_EXE='$prefix/bin/conda'
export CONDA_PYTHON_EXE='$prefix/bin/python'
END
cat >>"$prefix/etc/profile.d/conda.sh" <<'END'
__conda_activate() {
    __conda_lines=$("$CONDA_EXE" shell.posix "$@") || return
    eval "$__conda_lines"
}
conda() {
    case ${1-} in
        activate | deactivate) __conda_activate "$@" ;;
        *) "$CONDA_EXE" "$@" ;;
    esac
}
mamba() {
    conda "$@"
}
[ -n "${CONDA_SHLVL+x}" ] || {
    CONDA_SHLVL=0
    PATH=$(dirname "$(dirname "$CONDA_EXE")")/condabin:$PATH
    export CONDA_SHLVL PATH
}
END
mkdir -p "$prefix/condabin"
ln -sf ../bin/conda "$prefix/condabin/conda"
ln -sf ../bin/mamba "$prefix/condabin/mamba"
cat >"$prefix/bin/activate" <<END
. '$prefix/etc/profile.d/conda.sh'
conda activate "\${1:-base}"
END
rm -f "$prefix/bin/activate".* "$prefix/bin/deactivate"* "$prefix/bin/activate_this.py"
echo "installation finished."
exit 0 # the payload follows
