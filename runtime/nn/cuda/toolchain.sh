#!/usr/bin/env bash
# Prepares a folder with which `--features cuda` compiles and links on a machine without CUDA, driver or GPU:
#
#     runtime/nn/cuda/toolchain.sh target/cuda
#     . target/cuda/env
#     cargo build --workspace --bin llmp --features llmp/cuda
#
# The compiler comes from the Python index (about 200 MB). The driver, cuBLAS and NVRTC are stood in for by small static
# libraries (shims.py) that look for the real ones when the program starts, so that one binary runs everywhere.
# CUDA_ARCH (8.0) is the compute capability that kernels are built for, PTX_ISA (8.0) the instruction set they state, so that
# drivers from 525 on load them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(mkdir -p "${1:?usage: toolchain.sh FOLDER}" && cd "$1" && pwd)
arch=${CUDA_ARCH:-8.0}
isa=${PTX_ISA:-8.0}
version=13.0.88

if [ ! -x "$root/python/nvidia/cu13/bin/nvcc" ]; then
  python3 -m pip install -q --no-deps --target "$root/python" \
    "nvidia-cuda-nvcc==$version" "nvidia-cuda-crt==$version" "nvidia-nvvm==$version" "nvidia-cuda-nvrtc==$version" \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
  chmod +x "$root"/python/nvidia/cu13/bin/* "$root"/python/nvidia/cu13/nvvm/bin/*
fi
toolkit=$root/python/nvidia/cu13
mkdir -p "$root/bin" "$root/lib64"
ln -sfn "$toolkit/include" "$root/include"

# dfdx asks nvidia-smi which architecture to build for.
cat > "$root/bin/nvidia-smi" <<EOF
#!/bin/sh
echo compute_cap
echo $arch
EOF

# The compiler, with the instruction set of what it made lowered.
cat > "$root/bin/nvcc" <<EOF
#!/bin/sh
"$toolkit/bin/nvcc" "\$@" || exit
folder= before= last=
for argument; do
  [ "\$before" = --output-directory ] && folder=\$argument
  before=\$argument last=\$argument
done
[ -z "\$folder" ] || sed -i 's/^\.version .*/.version $isa/' "\$folder/\$(basename "\${last%.cu}").ptx"
EOF
chmod +x "$root/bin/nvidia-smi" "$root/bin/nvcc"

cargo fetch -q --manifest-path "$here/../../../Cargo.toml"
python3 "$here/shims.py" "$root/lib64"
cat > "$root/env" <<EOF
export CUDA_PATH=$root
export PATH=$root/bin:\$PATH
export LLMP_NVRTC=$toolkit/lib
unset LIBRARY_PATH
EOF
