/* The C library's sort with a comparison through a pointer. */
#include "bench.h"
#include <stdlib.h>

enum { count = 200000 };
static int32_t numbers[count];

static int compare(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

uint64_t workload(void) {
  uint64_t sum = 0;
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < count; i++) numbers[i] = random32();
    qsort(numbers, count, sizeof numbers[0], compare);
    for (int i = 0; i < count; i += 997) sum = sum * 31 + numbers[i];
  }
  return sum;
}
