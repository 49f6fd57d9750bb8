// Runs the kernels' own source on the processor, so that it can be tested where no GPU is. This is no model of speed.
//
// Every thread of a block is a fiber; a fiber runs until it meets a barrier (__syncthreads, __syncwarp, a shuffle), then the
// next one runs. A barrier opens when all whom it waits for stand at it; where that never happens the program stops. Fibers and
// warps run in rising or in falling order, as the caller says: a result that depends on it lacks a barrier. Each buffer is laid
// against a page that nobody may touch, and shared memory is full of NaN and ends in a mark, so that a kernel that reads or
// writes beyond its memory, or reads shared memory that nobody wrote, is found.

#pragma once
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#define __global__
#define __device__ static
#define __shared__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __forceinline__ inline

using std::min;

struct float4 {
    float x, y, z, w;
};
struct dim3 {
    unsigned x, y, z;
};
static dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace emulator {

const unsigned WARP_SIZE = 32, SHARED = 1 << 16, STACK = 1 << 16;
const uint32_t MARK = 0x5eadbeef;
enum State { READY, AT_WARP, AT_BLOCK, DONE };

struct Fiber {
    ucontext_t context;
    jmp_buf here;
    State state;
    bool begun;
};

static std::vector<Fiber> fibers;
static std::vector<char> stacks;
static std::vector<float> slots;
static jmp_buf scheduler;
static ucontext_t outside;
static unsigned current;
static std::function<void()> body;

[[noreturn]] static void stop(const char *why) {
    fprintf(stderr, "emulator: %s in block (%u, %u, %u)\n", why, blockIdx.x, blockIdx.y, blockIdx.z);
    abort();
}

static void wait_at(State state) {
    Fiber &fiber = fibers[current];
    fiber.state = state;
    if (!_setjmp(fiber.here)) _longjmp(scheduler, 1);
    threadIdx.x = current;
}

static void enter() {
    threadIdx.x = current;
    body();
    fibers[current].state = DONE;
    _longjmp(scheduler, 1);
}

// Runs one fiber up to its next barrier.
static void resume(unsigned which) {
    current = which;
    if (_setjmp(scheduler)) return;
    Fiber &fiber = fibers[which];
    if (fiber.begun) _longjmp(fiber.here, 1);
    fiber.begun = true;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = &stacks[(size_t)which * STACK];
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, enter, 0);
    swapcontext(&outside, &fiber.context);
}

// Lets the fibers first..first + count go on where all of them stand at the barrier.
static bool open_barrier(State barrier, unsigned first, unsigned count) {
    for (unsigned t = first; t < first + count; t++) {
        if (fibers[t].state != barrier) return false;
    }
    for (unsigned t = first; t < first + count; t++) fibers[t].state = READY;
    return true;
}

// Each warp runs as far as it can before the next one does: so far apart warps may be on a GPU too.
static void run_block(bool falling) {
    unsigned threads = fibers.size();
    for (Fiber &fiber : fibers) fiber.state = READY, fiber.begun = false;
    do {
        for (unsigned warp = 0; warp < threads; warp += WARP_SIZE) {
            unsigned first = falling ? threads - WARP_SIZE - warp : warp;
            do {
                for (unsigned i = 0; i < WARP_SIZE; i++) {
                    unsigned which = first + (falling ? WARP_SIZE - 1 - i : i);
                    if (fibers[which].state == READY) resume(which);
                }
            } while (open_barrier(AT_WARP, first, WARP_SIZE));
        }
    } while (open_barrier(AT_BLOCK, 0, threads));
    for (Fiber &fiber : fibers) {
        if (fiber.state != DONE) stop("some threads wait at a barrier that the others never reach");
    }
}

// A copy of a buffer that ends where a page begins that nobody may touch.
struct Guarded {
    char *pages, *data;
    size_t mapped, bytes;
    void *original;
    Guarded(void *original, size_t bytes) : bytes(bytes), original(original) {
        size_t page = sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
        mapped = whole + page;
        pages = (char *)mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || mprotect(pages + whole, page, PROT_NONE)) stop("no memory");
        data = pages + whole - bytes;
        memcpy(data, original, bytes);
    }
    void done() {
        memcpy(original, data, bytes);
        munmap(pages, mapped);
    }
};

template <class... Args, size_t... I>
static void call(void (*kernel)(Args...), void **args, std::index_sequence<I...>) {
    kernel(*(Args *)args[I]...);
}

template <class... Args>
static void call(void (*kernel)(Args...), void **args) {
    call(kernel, args, std::index_sequence_for<Args...>());
}

} // namespace emulator

alignas(16) float shared[emulator::SHARED / sizeof(float)];

static void __syncthreads() { emulator::wait_at(emulator::AT_BLOCK); }
static void __syncwarp() { emulator::wait_at(emulator::AT_WARP); }
static float __shfl_xor_sync(unsigned, float x, int lanes) {
    unsigned self = emulator::current;
    emulator::slots[self] = x;
    __syncwarp();
    float other = emulator::slots[self ^ lanes];
    __syncwarp();
    return other;
}

namespace emulator {

struct Kernel {
    const char *name;
    void (*run)(void **args);
};

// Runs a kernel over a grid. args point to the arguments as a launch on a GPU has them; bytes are the sizes of those that are
// buffers, 0 of the others. Returns whether there is such a kernel.
template <size_t N>
static bool launch(
    const Kernel (&kernels)[N], const char *name, const unsigned grid[3], unsigned threads, unsigned shared_bytes, void **args,
    const size_t *bytes, unsigned count, bool falling
) {
    const Kernel *kernel = nullptr;
    for (const Kernel &one : kernels) kernel = strcmp(one.name, name) ? kernel : &one;
    if (!kernel) return false;
    gridDim = {grid[0], grid[1], grid[2]}, blockDim = {threads, 1, 1}, threadIdx = {0, 0, 0};
    if (threads % WARP_SIZE || threads > 1024 || shared_bytes > 48 << 10 || shared_bytes % 4) stop("a launch that no GPU takes");
    fibers.resize(threads), slots.resize(threads), stacks.resize((size_t)threads * STACK);
    std::vector<Guarded> guarded;
    std::vector<void *> pointers(count);
    guarded.reserve(count);
    for (unsigned i = 0; i < count; i++) {
        if (!bytes[i]) continue;
        guarded.emplace_back(*(void **)args[i], bytes[i]);
        pointers[i] = guarded.back().data;
        args[i] = &pointers[i];
    }
    body = [&] { kernel->run(args); };
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++) {
        for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++) {
            for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++) {
                std::fill(shared, shared + shared_bytes / 4, NAN);
                memcpy(shared + shared_bytes / 4, &MARK, 4);
                run_block(falling);
                if (memcmp(shared + shared_bytes / 4, &MARK, 4)) stop("a write beyond the shared memory");
            }
        }
    }
    for (Guarded &buffer : guarded) buffer.done();
    return true;
}

} // namespace emulator
