// What the kernels share. Every file of kernels is compiled behind this one.
//
// Shared memory is always the one array `shared`, whose size the launch states. Blocks are one-dimensional and hold whole
// warps. No kernel uses atomics: each number is written by one thread, so a launch gives the same bytes every time.

#define WARP 32
#define ALL 0xffffffffu
// Below every score; exp(NOTHING - score) is 0.
#define NOTHING (-3.0e38f)
// The target of a position that does not count.
#define IGNORE 0xffffffffu

extern __shared__ __align__(16) float shared[];

__device__ __forceinline__ float warp_sum(float x) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(ALL, x, lanes);
    return x;
}

__device__ __forceinline__ float warp_max(float x) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(ALL, x, lanes));
    return x;
}

// The sum over all threads of a block, known to each of them; `scratch` holds one number a warp.
__device__ __forceinline__ float block_sum(float x, float *scratch) {
    x = warp_sum(x);
    __syncthreads(); // what the last call left may still be read
    if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = x;
    __syncthreads();
    float sum = 0.0f;
    for (int warp = 0; warp < blockDim.x / WARP; warp++) sum += scratch[warp];
    return sum;
}

// The largest over all threads of a block.
__device__ __forceinline__ float block_max(float x, float *scratch) {
    x = warp_max(x);
    __syncthreads();
    if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = x;
    __syncthreads();
    float top = NOTHING;
    for (int warp = 0; warp < blockDim.x / WARP; warp++) top = fmaxf(top, scratch[warp]);
    return top;
}

// scale x, bent to stay within the cap where there is one (cap > 0): cap tanh(scale x / cap).
__device__ __forceinline__ float bend(float x, float scale, float cap) {
    return cap > 0.0f ? cap * tanhf(x * (scale / cap)) : x * scale;
}

// The slope of `bend` by x where its value is y: scale (1 - (y / cap)^2).
__device__ __forceinline__ float bend_slope(float y, float scale, float cap) {
    float t = cap > 0.0f ? y / cap : 0.0f;
    return scale * (1.0f - t * t);
}
