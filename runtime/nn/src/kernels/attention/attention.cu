// Causal attention inside documents and windows (attention/mod.rs), tile by tile (Dao et al. 2022, Dao 2023): no score is ever
// stored, memory is one logsumexp a query and head. Query i of a row sees the keys from[i]..=i; from never falls along a row.
//
//     s_ij = bend(q_i k_j)         p_ij = exp(s_ij - lse_i)      out_i = sum over j of p_ij v_j
//     delta_i = dout_i out_i       ds_ij = p_ij (dout_i v_j - delta_i) bend'      dv_j = sum over i of p_ij dout_i
//     dq_i = sum over j of ds_ij k_j                             dk_j = sum over i of ds_ij q_i
//
// Everything is merged: position i holds q (heads d), k (kv_heads d), v (kv_heads d) side by side.
//
// A block owns OWN positions a warp, for one head of one row, and walks over tiles of 32 positions of the other side. Each lane
// scores one position of the tile against the OWN of its warp; then each lane adds up columns lane, lane + 32, … of the
// weighted rows of the tile. DIMS is the number of these columns: d <= 32 DIMS.
//
// Shared memory: the tile, 32 d | rows of the warps, OWN d each, once or twice | weights of the warps, 32 OWN each.

#define OWN 4
#define FAR 0x7fffffff

// Rows first.. of a matrix, 0 from `end` on. Row r is turned by r columns: lanes that read one column of all rows meet different
// banks. Waits until nobody reads the old tile, and until everybody may read the new one (and what was written before).
__device__ __forceinline__ void load_tile(float *tile, const float *matrix, size_t stride, int first, int end, int d) {
    __syncthreads();
    for (int r = threadIdx.x / WARP; r < WARP; r += blockDim.x / WARP) {
        int turn = r % d;
        for (int c = threadIdx.x % WARP; c < d; c += WARP) {
            int column = c + turn < d ? c + turn : c + turn - d;
            tile[r * d + column] = first + r < end ? matrix[(first + r) * stride + c] : 0.0f;
        }
    }
    __syncthreads();
}

// The warp's own rows first.., interleaved: column c of all of them lies together.
__device__ __forceinline__ void load_own(float *own, const float *matrix, size_t stride, int first, int end, int d) {
    for (int r = 0; r < OWN; r++) {
        for (int c = threadIdx.x % WARP; c < d; c += WARP) {
            own[c * OWN + r] = first + r < end ? matrix[(first + r) * stride + c] : 0.0f;
        }
    }
}

// Products of the warp's own rows with the lane's row of the tile.
__device__ __forceinline__ void products(float dot[OWN], const float *own, const float *tile, int d) {
    int lane = threadIdx.x % WARP, column = lane % d;
    for (int r = 0; r < OWN; r++) dot[r] = 0.0f;
    for (int c = 0; c < d; c++) {
        float4 four = ((const float4 *)own)[c];
        float x = tile[lane * d + column];
        dot[0] += four.x * x;
        dot[1] += four.y * x;
        dot[2] += four.z * x;
        dot[3] += four.w * x;
        column = column + 1 < d ? column + 1 : 0;
    }
}

// Adds the rows of the tile, weighted; weights[j] belongs to row j and all of the warp's own.
template <int DIMS>
__device__ __forceinline__ void add_weighted(float sum[OWN][DIMS], const float *weights, const float *tile, int d) {
    int lane = threadIdx.x % WARP;
    for (int j = 0, turn = 0; j < WARP; j++, turn = turn + 1 < d ? turn + 1 : 0) {
        float4 weight = ((const float4 *)weights)[j];
#pragma unroll
        for (int k = 0; k < DIMS; k++) {
            int c = lane + k * WARP;
            if (c < d) {
                float x = tile[j * d + (c + turn < d ? c + turn : c + turn - d)];
                sum[0][k] += weight.x * x;
                sum[1][k] += weight.y * x;
                sum[2][k] += weight.z * x;
                sum[3][k] += weight.w * x;
            }
        }
    }
}

// Adds to columns of the warp's own rows first.. of a matrix.
template <int DIMS>
__device__ __forceinline__ void add_own(float *matrix, size_t stride, int first, int end, int d, const float sum[OWN][DIMS]) {
#pragma unroll
    for (int r = 0; r < OWN; r++) {
#pragma unroll
        for (int k = 0; k < DIMS; k++) {
            int c = threadIdx.x % WARP + k * WARP;
            if (first + r < end && c < d) matrix[(first + r) * stride + c] += sum[r][k];
        }
    }
}

// Where a block works: its row, its head, its positions, its part of the shared memory.
struct Place {
    int warps, warp, lane, head, kv, first, own, last;
    size_t w, hd, row;
    float *tile, *mine, *other, *weights;
};

// `sets` are the own rows kept, 1 or 2. blockIdx.y is a query head, or a key head where `of_keys`.
__device__ __forceinline__ Place place(float *shared, int sets, bool of_keys, int length, int heads, int kv_heads, int d) {
    Place p;
    p.warps = blockDim.x / WARP, p.warp = threadIdx.x / WARP, p.lane = threadIdx.x % WARP;
    p.head = blockIdx.y, p.kv = of_keys ? blockIdx.y : blockIdx.y / (heads / kv_heads);
    p.w = (size_t)(heads + 2 * kv_heads) * d, p.hd = (size_t)heads * d, p.row = (size_t)blockIdx.z * length;
    p.first = blockIdx.x * p.warps * OWN, p.own = p.first + p.warp * OWN;
    p.last = min(p.first + p.warps * OWN, length) - 1;
    p.tile = shared;
    p.mine = shared + WARP * d + p.warp * OWN * d;
    p.other = p.mine + (sets - 1) * p.warps * OWN * d;
    p.weights = shared + WARP * d + sets * p.warps * OWN * d + p.warp * WARP * OWN;
    return p;
}

// Grid: tiles of queries, heads, rows. The softmax is kept up to date: a higher score shrinks what was summed before it.
template <int DIMS>
__device__ __forceinline__ void forward(
    const float *qkv, const unsigned *from, float *out, float *lse, int length, int heads, int kv_heads, int d, float scale,
    float cap
) {
    Place at = place(shared, 1, false, length, heads, kv_heads, d);
    qkv += at.row * at.w, from += at.row, out += at.row * at.hd + at.head * d, lse += at.row * heads + at.head;
    const float *keys = qkv + (heads + at.kv) * d, *values = keys + kv_heads * d;
    load_own(at.mine, qkv + at.head * d, at.w, at.own, length, d);
    int start[OWN];
    float top[OWN], sum[OWN], value[OWN][DIMS];
#pragma unroll
    for (int r = 0; r < OWN; r++) {
        start[r] = at.own + r < length ? from[at.own + r] : FAR;
        top[r] = NOTHING, sum[r] = 0.0f;
#pragma unroll
        for (int k = 0; k < DIMS; k++) value[r][k] = 0.0f;
    }
    for (int tile = from[at.first]; tile <= at.last; tile += WARP) {
        load_tile(at.tile, keys, at.w, tile, length, d);
        float score[OWN];
        products(score, at.mine, at.tile, d);
#pragma unroll
        for (int r = 0; r < OWN; r++) {
            int key = tile + at.lane;
            bool seen = start[r] <= key && key <= at.own + r;
            float s = seen ? bend(score[r], scale, cap) : NOTHING;
            float high = fmaxf(top[r], warp_max(s)), shrink = expf(top[r] - high);
            float p = seen ? expf(s - high) : 0.0f;
            top[r] = high, sum[r] = sum[r] * shrink + p;
#pragma unroll
            for (int k = 0; k < DIMS; k++) value[r][k] *= shrink;
            at.weights[at.lane * OWN + r] = p;
        }
        load_tile(at.tile, values, at.w, tile, length, d);
        add_weighted<DIMS>(value, at.weights, at.tile, d);
    }
#pragma unroll
    for (int r = 0; r < OWN; r++) {
        float total = warp_sum(sum[r]);
        if (at.own + r < length && at.lane == 0) lse[(size_t)(at.own + r) * heads] = top[r] + logf(total);
#pragma unroll
        for (int k = 0; k < DIMS; k++) value[r][k] /= total;
    }
    add_own<DIMS>(out, at.hd, at.own, length, d, value);
}

// delta = dout out, one warp a position and head.
extern "C" __global__ void attention_delta(const float *dout, const float *out, float *delta, int count, int d) {
    int which = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
    float sum = 0.0f;
    if (which < count) {
        for (int c = threadIdx.x % WARP; c < d; c += WARP) sum += dout[(size_t)which * d + c] * out[(size_t)which * d + c];
    }
    sum = warp_sum(sum);
    if (which < count && threadIdx.x % WARP == 0) delta[which] = sum;
}

// Adds the gradients of the queries to dqkv. Grid: tiles of queries, heads, rows.
template <int DIMS>
__device__ __forceinline__ void backward_queries(
    const float *qkv, const unsigned *from, const float *dout, const float *lse, const float *delta, float *dqkv, int length,
    int heads, int kv_heads, int d, float scale, float cap
) {
    Place at = place(shared, 2, false, length, heads, kv_heads, d);
    qkv += at.row * at.w, dqkv += at.row * at.w + at.head * d, from += at.row, dout += at.row * at.hd + at.head * d;
    lse += at.row * heads + at.head, delta += at.row * heads + at.head;
    const float *keys = qkv + (heads + at.kv) * d, *values = keys + kv_heads * d;
    load_own(at.mine, qkv + at.head * d, at.w, at.own, length, d);
    load_own(at.other, dout, at.hd, at.own, length, d);
    int start[OWN];
    float own_lse[OWN], own_delta[OWN], dq[OWN][DIMS];
#pragma unroll
    for (int r = 0; r < OWN; r++) {
        bool there = at.own + r < length;
        start[r] = there ? from[at.own + r] : FAR;
        own_lse[r] = there ? lse[(size_t)(at.own + r) * heads] : 0.0f;
        own_delta[r] = there ? delta[(size_t)(at.own + r) * heads] : 0.0f;
#pragma unroll
        for (int k = 0; k < DIMS; k++) dq[r][k] = 0.0f;
    }
    for (int tile = from[at.first]; tile <= at.last; tile += WARP) {
        float score[OWN], dp[OWN];
        load_tile(at.tile, values, at.w, tile, length, d);
        products(dp, at.other, at.tile, d);
        load_tile(at.tile, keys, at.w, tile, length, d);
        products(score, at.mine, at.tile, d);
#pragma unroll
        for (int r = 0; r < OWN; r++) {
            int key = tile + at.lane;
            bool seen = start[r] <= key && key <= at.own + r;
            float s = bend(score[r], scale, cap);
            float p = seen ? expf(s - own_lse[r]) : 0.0f;
            at.weights[at.lane * OWN + r] = p * (dp[r] - own_delta[r]) * bend_slope(s, scale, cap);
        }
        __syncwarp();
        add_weighted<DIMS>(dq, at.weights, at.tile, d);
    }
    add_own<DIMS>(dqkv, at.w, at.own, length, d, dq);
}

// Adds the gradients of keys and values to dqkv, over all query heads that share them. Grid: tiles of keys, key heads, rows.
template <int DIMS>
__device__ __forceinline__ void backward_keys(
    const float *qkv, const unsigned *from, const float *dout, const float *lse, const float *delta, float *dqkv, int length,
    int heads, int kv_heads, int d, float scale, float cap
) {
    Place at = place(shared, 2, true, length, heads, kv_heads, d);
    qkv += at.row * at.w, dqkv += at.row * at.w, from += at.row, dout += at.row * at.hd;
    lse += at.row * heads, delta += at.row * heads;
    size_t keys = (size_t)(heads + at.kv) * d, values = keys + (size_t)kv_heads * d;
    load_own(at.mine, qkv + keys, at.w, at.own, length, d);
    load_own(at.other, qkv + values, at.w, at.own, length, d);
    float dk[OWN][DIMS], dv[OWN][DIMS];
#pragma unroll
    for (int r = 0; r < OWN; r++) {
#pragma unroll
        for (int k = 0; k < DIMS; k++) dk[r][k] = 0.0f, dv[r][k] = 0.0f;
    }
    int group = heads / kv_heads;
    for (int head = at.kv * group; head < (at.kv + 1) * group; head++) {
        // Queries see less and less of these keys, at last none.
        for (int tile = at.first; tile < length && from[tile] <= at.last; tile += WARP) {
            int query = tile + at.lane;
            bool there = query < length;
            int start = there ? from[query] : FAR;
            float query_lse = there ? lse[(size_t)query * heads + head] : 0.0f;
            float query_delta = there ? delta[(size_t)query * heads + head] : 0.0f;
            float score[OWN], dp[OWN], p[OWN];
            load_tile(at.tile, qkv + head * d, at.w, tile, length, d);
            products(score, at.mine, at.tile, d);
#pragma unroll
            for (int r = 0; r < OWN; r++) {
                bool seen = start <= at.own + r && at.own + r <= query;
                score[r] = bend(score[r], scale, cap);
                p[r] = seen ? expf(score[r] - query_lse) : 0.0f;
                at.weights[at.lane * OWN + r] = p[r];
            }
            load_tile(at.tile, dout + head * d, at.hd, tile, length, d);
            products(dp, at.other, at.tile, d);
            add_weighted<DIMS>(dv, at.weights, at.tile, d);
            __syncwarp();
#pragma unroll
            for (int r = 0; r < OWN; r++) {
                at.weights[at.lane * OWN + r] = p[r] * (dp[r] - query_delta) * bend_slope(score[r], scale, cap);
            }
            load_tile(at.tile, qkv + head * d, at.w, tile, length, d);
            add_weighted<DIMS>(dk, at.weights, at.tile, d);
        }
    }
    add_own<DIMS>(dqkv + keys, at.w, at.own, length, d, dk);
    add_own<DIMS>(dqkv + values, at.w, at.own, length, d, dv);
}

#define BACKWARD(NAME, DIMS)                                                                                                  \
    extern "C" __global__ void attention_##NAME##_##DIMS(                                                                     \
        const float *qkv, const unsigned *from, const float *dout, const float *lse, const float *delta, float *dqkv,         \
        int length, int heads, int kv_heads, int d, float scale, float cap                                                    \
    ) {                                                                                                                       \
        NAME<DIMS>(qkv, from, dout, lse, delta, dqkv, length, heads, kv_heads, d, scale, cap);                                \
    }

#define FOR_DIMS(DIMS)                                                                                                        \
    extern "C" __global__ void attention_forward_##DIMS(                                                                      \
        const float *qkv, const unsigned *from, float *out, float *lse, int length, int heads, int kv_heads, int d,           \
        float scale, float cap                                                                                                \
    ) {                                                                                                                       \
        forward<DIMS>(qkv, from, out, lse, length, heads, kv_heads, d, scale, cap);                                           \
    }                                                                                                                         \
    BACKWARD(backward_queries, DIMS)                                                                                          \
    BACKWARD(backward_keys, DIMS)

FOR_DIMS(1)
FOR_DIMS(2)
FOR_DIMS(4)
FOR_DIMS(8)
