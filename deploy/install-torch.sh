#!/bin/sh
# Installs the pinned PyTorch, but no CUDA libraries (gigabytes) where there is no NVIDIA GPU.
# CUDA=1 takes them all the same. PIP: the pip command.
set -eu
version=2.13.0
pip=${PIP:-pip}
if $pip show torch 2>/dev/null | grep -q "^Version: $version"; then exit 0; fi
if [ -z "${CUDA:-}" ] && [ ! -e /dev/nvidiactl ] \
  && $pip install --quiet --dry-run --report - "torch==$version" 2>/dev/null | grep -qiE '"name": "(nvidia|cuda)-'; then
  echo "error: torch $version comes with CUDA libraries here, and this machine has no NVIDIA GPU:" \
    "set PIP_EXTRA_INDEX_URL to the index of CPU builds that PyTorch's installation page names," \
    "or CUDA=1 to take them" >&2
  exit 2
fi
$pip install --quiet --constraint constraints.txt "torch==$version"
