// A libnvidia-ml.so.1 that knows of one GPU, for a machine that has none: what the program sees where there is
// a GPU that its LibTorch cannot use.
#include <cstring>

namespace {

int write(char* text, unsigned size, const char* value) {
    std::strncpy(text, value, size);
    return 0;
}

}  // namespace

struct Memory {
    unsigned long long total, free, used;
};

extern "C" {
int nvmlInit_v2() {
    return 0;
}
int nvmlShutdown() {
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 1;
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned, void** device) {
    static int gpu;
    *device = &gpu;
    return 0;
}
int nvmlDeviceGetName(void*, char* text, unsigned size) {
    return write(text, size, "Pretended GPU");
}
int nvmlDeviceGetMemoryInfo(void*, Memory* memory) {
    *memory = {1ULL << 34, 1ULL << 33, 1ULL << 33};
    return 0;
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
    return write(text, size, "1.0");
}
}
