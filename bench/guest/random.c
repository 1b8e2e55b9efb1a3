/* Reads and writes all over 16 MB: more pages than any TLB holds. */
#include "bench.h"
#include <stdlib.h>

enum { words = 1 << 22 };

uint64_t workload(void) {
  uint32_t *memory = calloc(words, sizeof *memory);
  if (!memory) fail("calloc");
  uint64_t sum = 0;
  for (int i = 0; i < 8000000; i++) {
    uint32_t *word = &memory[random32() % words];
    sum += *word += i;
  }
  free(memory);
  return sum;
}
