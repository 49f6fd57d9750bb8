// Rotary positions (rope/mod.rs): the pair (a, b) = (x_i, x_{i + d/2}) of every query and key head turns by its position's angle,
//
//     a cos - b sin, b cos + a sin        turned back with sign = -1
//
// and the values behind them pass through. Adds to out: forward it starts at 0, backward it is the gradient. One block a position.
extern "C" __global__ void rope(
    float *out, const float *x, const float *cosines, const float *sines, int length, int heads, int d, int w, float sign
) {
    int half = d / 2, position = blockIdx.x % length;
    out += (size_t)blockIdx.x * w, x += (size_t)blockIdx.x * w;
    cosines += (size_t)position * half, sines += (size_t)position * half;
    for (int pair = threadIdx.x; pair < heads * half; pair += blockDim.x) {
        int i = pair % half, at = pair / half * d + i;
        float a = x[at], b = x[at + half], c = cosines[i], s = sines[i] * sign;
        out[at] += a * c - b * s;
        out[at + half] += b * c + a * s;
    }
    for (int at = heads * d + threadIdx.x; at < w; at += blockDim.x) out[at] += x[at];
}
