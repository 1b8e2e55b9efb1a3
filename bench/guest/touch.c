/* Uses 128 MB of memory, for what that costs the host. */
#include "bench.h"
#include <stdlib.h>

uint64_t workload(void) {
  enum { size = 128 << 20, page = 4096 };
  uint8_t *memory = malloc(size);
  if (!memory) fail("malloc");
  uint64_t sum = 0;
  for (int i = 0; i < size; i += page) sum += memory[i] = i / page;
  for (int i = 0; i < size; i += page) sum += memory[i];
  return sum;
}
