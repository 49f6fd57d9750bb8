// Cross-entropy over a chunk of logits, in place (head/mod.rs). With y the logits bent to stay within the cap and t the target:
//
//     l = log(sum of exp(y))      loss = l - y_t      dx = scale ((1 + 2 z l) softmax(y) - onehot(t)) dy/dx
//
// with z the weight of the penalty on l^2.
//
// One block a row. Largest and sum are found in one pass, each thread keeping its own until the block puts them together.

// Losses go to losses[first..], l to sums[first..]; logits become their gradients where `train`. A row that does not count has neither.
extern "C" __global__ void cross_entropy(
    float *logits, const unsigned *targets, float *losses, float *sums, int first, int v, float scale, float cap, float z,
    int train
) {
    unsigned target = targets[first + blockIdx.x];
    float *x = logits + (size_t)blockIdx.x * v;
    if (target == IGNORE) {
        for (int i = threadIdx.x; i < v; i += blockDim.x) x[i] = 0.0f;
        if (threadIdx.x == 0) losses[first + blockIdx.x] = sums[first + blockIdx.x] = 0.0f;
        return;
    }
    float own = bend(x[target], 1.0f, cap), top = NOTHING, sum = 0.0f;
    for (int i = threadIdx.x; i < v; i += blockDim.x) {
        float y = bend(x[i], 1.0f, cap), high = fmaxf(top, y);
        sum = sum * expf(top - high) + expf(y - high);
        top = high;
    }
    float high = block_max(top, shared);
    float total = block_sum(sum * expf(top - high), shared);
    float all = high + logf(total), pull = 1.0f + 2.0f * z * all;
    if (threadIdx.x == 0) losses[first + blockIdx.x] = all - own, sums[first + blockIdx.x] = all;
    if (!train) return;
    for (int i = threadIdx.x; i < v; i += blockDim.x) {
        float y = bend(x[i], 1.0f, cap), p = expf(y - high) / total;
        x[i] = scale * (pull * p - (i == target ? 1.0f : 0.0f)) * bend_slope(y, 1.0f, cap);
    }
}

// out += factor[0] x
extern "C" __global__ void add_scaled(float *out, const float *x, const float *factor, unsigned n) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) out[i] += factor[0] * x[i];
}
