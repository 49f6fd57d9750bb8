// Normalisation of rows, in place (norm/mod.rs). With x centred by its mean unless RMS is set:
//
//     s = 1 / sqrt(mean(x^2) + eps)          y = x s (gain + offset) + bias
//     dx = s (g - x s^2 mean(x g) - mean(g))   with g = dy (gain + offset); the last mean only where x is centred
//     dgain = sum of dy x s over the rows     dbias = sum of dy
//
// A row is c numbers: row r is piece r % pieces of position r / pieces, and lies at position * stride + start + piece * c.
// (A plain norm has one piece a position; of merged q k v, every head is a piece.) stats holds mean and s of each row.

#define RMS 1
#define OFFSET 2
#define BIAS 4

__device__ __forceinline__ size_t row_at(int row, int c, int pieces, int stride, int start) {
    return (size_t)(row / pieces) * stride + start + (size_t)(row % pieces) * c;
}

// One block a row.
extern "C" __global__ void norm_forward(
    float *y, float *stats, const float *gain, const float *bias, int c, int pieces, int stride, int start, int form, float eps
) {
    float *x = y + row_at(blockIdx.x, c, pieces, stride, start);
    float mean = 0.0f;
    if (!(form & RMS)) {
        for (int i = threadIdx.x; i < c; i += blockDim.x) mean += x[i];
        mean = block_sum(mean, shared) / c;
    }
    float squares = 0.0f;
    for (int i = threadIdx.x; i < c; i += blockDim.x) squares += (x[i] - mean) * (x[i] - mean);
    float s = 1.0f / sqrtf(block_sum(squares, shared) / c + eps);
    for (int i = threadIdx.x; i < c; i += blockDim.x) {
        float g = form & OFFSET ? gain[i] + 1.0f : gain[i];
        x[i] = (x[i] - mean) * s * g + (form & BIAS ? bias[i] : 0.0f);
    }
    if (threadIdx.x == 0) {
        stats[2 * blockIdx.x] = mean;
        stats[2 * blockIdx.x + 1] = s;
    }
}

// One block a row; adds to dx.
extern "C" __global__ void norm_backward(
    const float *x, const float *stats, const float *gain, const float *dy, float *dx, int c, int pieces, int stride, int start,
    int form
) {
    size_t at = row_at(blockIdx.x, c, pieces, stride, start);
    x += at, dy += at, dx += at;
    float mean = stats[2 * blockIdx.x], s = stats[2 * blockIdx.x + 1];
    float offset = form & OFFSET ? 1.0f : 0.0f, along = 0.0f, plain = 0.0f;
    for (int i = threadIdx.x; i < c; i += blockDim.x) {
        float g = dy[i] * (gain[i] + offset);
        along += g * (x[i] - mean);
        plain += g;
    }
    along = block_sum(along, shared) * s * s / c;
    plain = form & RMS ? 0.0f : block_sum(plain, shared) / c;
    for (int i = threadIdx.x; i < c; i += blockDim.x) {
        dx[i] += s * (dy[i] * (gain[i] + offset) - (x[i] - mean) * along - plain);
    }
}

// One block for 32 columns: a warp reads 32 neighbours of a row, the warps take turns with the rows. Adds to dgain and dbias.
extern "C" __global__ void norm_gains(
    const float *x, const float *stats, const float *dy, float *dgain, float *dbias, int rows, int c, int pieces, int stride,
    int start, int form
) {
    int warps = blockDim.x / WARP, warp = threadIdx.x / WARP, column = blockIdx.x * WARP + threadIdx.x % WARP;
    float gain = 0.0f, bias = 0.0f;
    if (column < c) {
        for (int row = warp; row < rows; row += warps) {
            size_t at = row_at(row, c, pieces, stride, start) + column;
            gain += dy[at] * (x[at] - stats[2 * row]) * stats[2 * row + 1];
            bias += dy[at];
        }
    }
    shared[2 * threadIdx.x] = gain;
    shared[2 * threadIdx.x + 1] = bias;
    __syncthreads();
    if (warp == 0 && column < c) {
        for (int other = 1; other < warps; other++) {
            gain += shared[2 * (threadIdx.x + other * WARP)];
            bias += shared[2 * (threadIdx.x + other * WARP) + 1];
        }
        dgain[column] += gain;
        if (form & BIAS) dbias[column] += bias;
    }
}

// What stands behind the rows of a position passes through: adds dy to dx from column `from` on. One block a position.
extern "C" __global__ void norm_rest(const float *dy, float *dx, int stride, int from) {
    size_t at = (size_t)blockIdx.x * stride;
    for (int i = from + threadIdx.x; i < stride; i += blockDim.x) dx[at + i] += dy[at + i];
}
