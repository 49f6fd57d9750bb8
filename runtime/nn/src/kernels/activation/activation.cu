// The bend of hidden units (activation/mod.rs): y = f(x), or y = f(gate) up with gate and up side by side in a row of 2 f.
//
//     0  x s, s = 1 / (1 + exp(-x))                          slope  s (1 + x (1 - s))
//     1  x s, s = 1 / (1 + exp(-u)), u = x (A + B x^2)       slope  s + x s (1 - s) (A + 3 B x^2)
//     2  x phi, phi = (1 + erf(x / sqrt 2)) / 2              slope  phi + x exp(-x^2 / 2) / sqrt(2 pi)
//     3  the square of the positive part                     slope  2 max(x, 0)
//
// with A = 2 sqrt(2 / pi) and B = 0.044715 A: the tanh form of GELU.
struct Bent {
    float value, slope;
};

__device__ __forceinline__ Bent bent(int which, float x) {
    const float A = 1.5957691f, B = 0.044715f * A;
    if (which == 0) {
        float s = 1.0f / (1.0f + expf(-x));
        return {x * s, s * (1.0f + x * (1.0f - s))};
    }
    if (which == 1) {
        float s = 1.0f / (1.0f + expf(-x * (A + B * x * x)));
        return {x * s, s + x * s * (1.0f - s) * (A + 3.0f * B * x * x)};
    }
    if (which == 2) {
        float phi = 0.5f + 0.5f * erff(x * 0.70710678f);
        return {x * phi, phi + x * expf(-0.5f * x * x) * 0.39894228f};
    }
    float p = fmaxf(x, 0.0f);
    return {p * p, 2.0f * p};
}

extern "C" __global__ void activate(const float *x, float *y, int n, int f, int which, int gated) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        size_t gate = gated ? (size_t)(i / f) * 2 * f + i % f : i;
        float value = bent(which, x[gate]).value;
        y[i] = gated ? value * x[gate + f] : value;
    }
}

// Adds to dx.
extern "C" __global__ void activate_backward(const float *x, const float *dy, float *dx, int n, int f, int which, int gated) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        size_t gate = gated ? (size_t)(i / f) * 2 * f + i % f : i;
        Bent b = bent(which, x[gate]);
        dx[gate] += dy[i] * b.slope * (gated ? x[gate + f] : 1.0f);
        if (gated) dx[gate + f] += dy[i] * b.value;
    }
}
