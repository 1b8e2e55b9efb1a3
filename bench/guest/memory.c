/* The C library's memcpy and memset: blocks of 4 KB to 1 MB. */
#include "bench.h"
#include <string.h>

enum { largest = 1 << 20 };
static uint8_t from[largest], to[largest];

uint64_t workload(void) {
  uint64_t sum = 0;
  for (int round = 0; round < 10; round++)
    for (int size = 4096; size <= largest; size *= 4)
      for (int done = 0; done < 4 * largest; done += size) {
        memset(from, round + done, size - 16);
        memcpy(to, from, size - 8);
        sum = sum * 3 + to[size / 2];
      }
  return sum;
}
