/* The C library's memcpy and memset: blocks of 4 KB to 1 MB. */
#include "bench.h"
#include <string.h>

enum { page = 4096, largest = 256 * page };
/* Not a power of two apart: pages that share an entry of a direct-mapped TLB would be all that is measured. */
static uint8_t buffer[2 * largest + 37 * page];

uint64_t workload(void) {
  uint8_t *from = buffer, *to = buffer + largest + 37 * page;
  uint64_t sum = 0;
  for (int round = 0; round < 50; round++)
    for (int size = page; size <= largest; size *= 4)
      for (int done = 0; done < 4 * largest; done += size) {
        memset(from, round + done, size - 16);
        memcpy(to, from, size - 8);
        sum = sum * 3 + to[size / 2];
      }
  return sum;
}
