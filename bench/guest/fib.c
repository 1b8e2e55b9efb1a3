/* Recursion: calls and returns. */
#include "bench.h"

__attribute__((noinline, optimize("no-optimize-sibling-calls", "no-inline"))) static uint64_t fib(int n) {
  return n < 2 ? (uint64_t)n : fib(n - 1) + fib(n - 2);
}

uint64_t workload(void) { return fib(36); }
