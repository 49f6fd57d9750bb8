//! Kernels of our own take their place on a GPU: compiled when it is opened, launched on dfdx's buffers and its stream.
//!
//! What has no kernel here runs as its composed definition. Nothing in this file has run on a GPU yet; the kernels
//! themselves are tested in `emulate`.
#![expect(unsafe_code, reason = "launches on a GPU")]

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::sys::{CUdevice_attribute_enum, CUresult};
use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, DeviceRepr, DriverError, LaunchAsync, LaunchConfig};
use cudarc::nvrtc::{CompileOptions, Ptx, compile_ptx_with_opts};
use dfdx::prelude::*;
use dfdx::tensor::CudaError;

use super::launch::{Arg, Grid, KERNELS, Launch, SOURCE, freeing, lowered};
use super::{
    Gains, HeadForm, Kernels, Positions, Res, T0, T1, T2, activation, add, attention, bias, head, linear,
    norm, rope,
};
use crate::spec::{Activation, NormForm};
use crate::{LossSums, Precision};

/// The name of the module with all kernels.
const MODULE: &str = "llmp";

/// The most arguments of a kernel.
const MOST: usize = 12;

impl Kernels for Cuda {
    fn norm<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        gain_c: &T1<Self>,
        bias_c: Option<&T1<Self>>,
        form: &NormForm,
    ) -> Res<T2<Self, T>, Self> {
        norm::cuda::norm(x_nc, gain_c, bias_c, form)
    }

    fn head_norm<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        gains: Gains<'_, Self>,
        heads: (usize, usize),
        form: &NormForm,
    ) -> Res<T2<Self, T>, Self> {
        norm::cuda::head_norm(qkv, gains, heads, form)
    }

    fn linear<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_oc: &T2<Self>,
        _: Precision,
    ) -> Res<T2<Self, T>, Self> {
        freeing(x_nc, |x| linear::composed(x, w_oc))
    }

    fn bias<T: Tape<f32, Self> + Merge<T>>(x_no: T2<Self, T>, b_o: &T1<Self>) -> Res<T2<Self, T>, Self> {
        freeing(x_no, |x| bias::composed(x, b_o))
    }

    fn add<T: Tape<f32, Self> + Merge<T>>(a_nc: T2<Self, T>, b_nc: T2<Self, T>) -> Res<T2<Self, T>, Self> {
        freeing(a_nc, |a| add::composed(a, b_nc))
    }

    fn rope<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        rope::cuda::rope(qkv, positions)
    }

    fn activate<T: Tape<f32, Self> + Merge<T>>(
        x: T2<Self, T>,
        activation: Activation,
        gated: bool,
    ) -> Res<T2<Self, T>, Self> {
        activation::cuda::activate(x, activation, gated)
    }

    fn attention<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        if positions.geometry.head_dim > attention::cuda::WIDEST {
            return attention::composed(qkv, positions);
        }
        attention::cuda::attention(qkv, positions)
    }

    fn head_loss<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        targets: &[u32],
        normaliser: f64,
        form: HeadForm,
        _: Precision,
    ) -> Res<(T0<Self, T>, LossSums), Self> {
        head::cuda::head_loss(x_nc, w_vc, targets, normaliser, form)
    }
}

/// Compiles the kernels for a GPU and loads them, once.
///
/// Errors: words for a missing or failing NVRTC or a driver that does not take the result.
pub(crate) fn load(device: &Cuda) -> Result<(), String> {
    let device = raw(device).map_err(|e| e.to_string())?;
    if device.has_func(MODULE, KERNELS[0]) {
        return Ok(());
    }
    let major = device.attribute(CUdevice_attribute_enum::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    // What is compiled for one generation runs on those after it.
    let arch = match major.map_err(|e| format!("{e:?}"))? {
        ..=7 => "compute_75",
        8 => "compute_80",
        _ => "compute_90",
    };
    let options = CompileOptions { arch: Some(arch), ..CompileOptions::default() };
    let ptx = compile_ptx_with_opts(SOURCE, options)
        .map_err(|e| format!("NVRTC (libnvrtc) did not compile the kernels: {e}"))?;
    let ptx = Ptx::from_src(lowered(&ptx.to_src()));
    device.load_ptx(ptx, MODULE, KERNELS).map_err(|e| format!("the driver did not take the kernels: {e:?}"))
}

/// The device as cudarc has it; dfdx shows it only through a buffer.
fn raw(device: &Cuda) -> Result<Arc<CudaDevice>, CudaError> {
    Ok(Storage::<f32>::try_alloc_len(device, 1)?.device())
}

/// The address of an argument, which the launch reads before it returns.
struct Param(*mut c_void);

// SAFETY: as_kernel_param gives a pointer to a plain value, which is what the trait asks for.
unsafe impl DeviceRepr for Param {
    fn as_kernel_param(&self) -> *mut c_void {
        self.0
    }
}

impl Launch for Cuda {
    type Ids = CudaSlice<u32>;

    fn upload(&self, ids: &[u32]) -> Result<CudaSlice<u32>, CudaError> {
        Ok(raw(self)?.htod_copy(ids.to_vec())?)
    }

    fn launch(&self, kernel: &'static str, grid: Grid, args: &mut [Arg<'_, Self>]) -> Result<(), CudaError> {
        if grid.blocks.contains(&0) {
            return Ok(());
        }
        let invalid = || DriverError(CUresult::CUDA_ERROR_INVALID_VALUE);
        let buffer = args.iter().find_map(|arg| match arg {
            Arg::In(buffer) => Some(buffer.device()),
            Arg::Out(buffer) => Some(buffer.device()),
            Arg::Ids(_) | Arg::Size(_) | Arg::Float(_) => None,
        });
        let device = buffer.ok_or_else(invalid)?;
        let function = device.get_func(MODULE, kernel).ok_or(DriverError(CUresult::CUDA_ERROR_NOT_FOUND))?;
        let whole = |n: usize| u32::try_from(n).map_err(|_| invalid());
        let [x, y, z] = grid.blocks;
        let config = LaunchConfig {
            grid_dim: (whole(x)?, whole(y)?, whole(z)?),
            block_dim: (whole(grid.threads)?, 1, 1),
            shared_mem_bytes: whole(grid.shared)?,
        };
        // A kernel reads as many arguments as it has.
        let mut sizes = [0i32; MOST];
        let mut params: [*mut c_void; MOST] = [std::ptr::null_mut(); MOST];
        for ((arg, size), param) in args.iter_mut().zip(&mut sizes).zip(&mut params) {
            *param = match arg {
                Arg::In(buffer) => std::ptr::from_ref(buffer.device_ptr()).cast_mut().cast(),
                Arg::Out(buffer) => std::ptr::from_ref(buffer.device_ptr()).cast_mut().cast(),
                Arg::Ids(ids) => std::ptr::from_ref(ids.device_ptr()).cast_mut().cast(),
                Arg::Size(n) => {
                    *size = i32::try_from(*n).map_err(|_| invalid())?;
                    std::ptr::from_mut(size).cast()
                }
                Arg::Float(x) => std::ptr::from_mut(x).cast(),
            };
        }
        let [a, b, c, d, e, f, g, h, i, j, k, l] = params.map(Param);
        // SAFETY: each name stands with its arguments at one place, next to the kernel (the tests in `emulate` run that
        // very list through the kernel's C++ signature); buffers live until the stream has passed the kernel, because they
        // are freed on the same stream.
        unsafe { function.launch(config, (a, b, c, d, e, f, g, h, i, j, k, l)) }?;
        Ok(())
    }
}
