/* Page faults: memory is mapped, touched and given back. */
#include "bench.h"
#include <sys/mman.h>

uint64_t workload(void) {
  enum { pages = 256, page = 4096 };
  uint64_t sum = 0;
  for (int round = 0; round < 100; round++) {
    uint8_t *memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    for (int i = 0; i < pages; i++) memory[i * page + i] += i, sum += memory[i * page + i];
    munmap(memory, pages * page);
  }
  return sum;
}
