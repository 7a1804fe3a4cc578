// Drives one module and writes down what it answers. ports.h, which is written for the module, says how its ports are
// set and read. All words are 32 bits wide, the lowest first.
//
//     simulate INPUTS OUTPUTS SEED PAUSES VECTORS RESULTS IDLE_CYCLES WAVE_CYCLES
#include "ports.h"

#include <cstdio>
#include <cstdlib>
#include <vector>
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

using Words = std::vector<uint32_t>;

static Words read_words(const char* path) {
    FILE* file = fopen(path, "rb");
    fseek(file, 0, SEEK_END);
    Words words(ftell(file) / 4);
    rewind(file);
    if (fread(words.data(), 4, words.size(), file) != words.size()) exit(9);
    fclose(file);
    return words;
}

// A pause in a share of all cycles; the sequence depends on the seed alone.
struct Pauses {
    uint32_t state, threshold;
    bool now() {
        state ^= state << 13, state ^= state >> 17, state ^= state << 5;
        return threshold && state < threshold;
    }
};

int main(int argc, char** argv) {
    const Words given = read_words(argv[1]);
    const size_t vectors = atol(argv[5]), results = atol(argv[6]);
    const uint64_t idle_cycles = atol(argv[7]), wave_cycles = atol(argv[8]);
    Pauses pauses{(uint32_t)atoi(argv[3]), (uint32_t)(atof(argv[4]) * 4294967295.0)};
    VerilatedContext context;
    context.randReset(2);  // what no reset sets starts as anything, as it may on a chip
    context.randSeed(1);
#if VM_TRACE
    context.traceEverOn(true);
#endif
    Top top(&context);
#if VM_TRACE
    VerilatedVcdC wave;
    top.trace(&wave, 99);
    wave.open("wave.vcd");
#endif
    (void)wave_cycles;
    const Words nothing(IN_WORDS + 1, 0);
    uint64_t cycle = 0, idle = 0;
    // One cycle: inputs change just after a rising edge, outputs are read just before the next.
    auto settle = [&](bool high) {
        if (HAS_CLOCK) set_clock(top, high);
        top.eval();
#if VM_TRACE
        if (cycle < wave_cycles) wave.dump(2 * cycle + !high);
#endif
    };
    auto rise = [&] {
        if (HAS_CLOCK) set_clock(top, true);
        top.eval();
        ++cycle;
    };
    set_valid(top, false);
    set_ready(top, true);
    set_data(top, nothing.data());
    for (int i = 0; i < RESET_CYCLES; ++i) {
        set_reset(top, true);
        settle(true), settle(false), rise();
    }
    set_reset(top, false);

    std::vector<uint64_t> accepted, arrived;
    Words answers(OUT_WORDS);
    bool holding = false;   // a valid input stays valid until it is taken
    uint64_t surplus = 0;   // cycles after the last result in which no other may come
    while (surplus < SURPLUS_CYCLES && idle < idle_cycles && !context.gotFinish()) {
        const bool busy = ONE_AT_A_TIME && accepted.size() > arrived.size();
        const bool offer = accepted.size() < vectors && !busy && (holding || !pauses.now());
        const bool ready = !HAS_OUT_READY || !pauses.now();
        const size_t held = accepted.size() - (busy ? 1 : 0);  // start/done: inputs stay until done
        set_valid(top, offer);
        set_ready(top, ready);
        set_data(top, (offer || busy) ? &given[held * IN_WORDS] : nothing.data());
        settle(true), settle(false);
        const bool accept = offer && get_ready(top);
        bool arrive = ready && get_valid(top) && (!ONE_AT_A_TIME || busy);
        if (accept) accepted.push_back(cycle);
        if (FIXED_LATENCY >= 0)
            arrive = arrived.size() < accepted.size() && accepted[arrived.size()] + FIXED_LATENCY == cycle;
        if (arrive) {
            arrived.push_back(cycle);
            answers.resize(arrived.size() * OUT_WORDS);
            get_data(top, &answers[(arrived.size() - 1) * OUT_WORDS]);
        }
        holding = offer && !accept;
        idle = accept || arrive ? 0 : idle + 1;
        if (arrived.size() > results) break;
        if (arrived.size() == results) ++surplus;
        rise();
    }
    FILE* file = fopen(argv[2], "wb");
    const uint64_t counts[] = {accepted.size(), arrived.size(), cycle, (uint64_t)context.gotFinish()};
    fwrite(counts, 8, 4, file);
    fwrite(accepted.data(), 8, accepted.size(), file);
    fwrite(arrived.data(), 8, arrived.size(), file);
    fwrite(answers.data(), 4, arrived.size() * OUT_WORDS, file);
    fclose(file);
#if VM_TRACE
    wave.close();
#endif
}
