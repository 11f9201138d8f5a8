# `conda activate` works in every interactive shell, and the notebook's user starts in the
# environment of the notebook's kernel.
if [ -r /opt/conda/etc/profile.d/conda.sh ]; then
  # A login shell inside another, as tmux starts it, has lost the PATH but kept the rest.
  case ":$PATH:" in *":${CONDA_PREFIX:-/usr}/bin:"*) ;; *) unset CONDA_SHLVL CONDA_PREFIX ;; esac
  . /opt/conda/etc/profile.d/conda.sh
  if [ "${CONDA_SHLVL:-0}" = 0 ] && [ "$(id -un)" = notebook ] && [ -e /var/lib/jupyter-clouds/environment.stamp ]; then
    conda activate /opt/conda/envs/notebook
  fi
fi
