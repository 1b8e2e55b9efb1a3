/* Floating point in registers: how fast points leave the Mandelbrot set. */
#include "bench.h"

uint64_t workload(void) {
  enum { side = 640, limit = 300 };
  uint64_t sum = 0;
  for (int row = 0; row < side; row++)
    for (int column = 0; column < side; column++) {
      double cr = column * 3.0 / side - 2.2, ci = row * 2.4 / side - 1.2, r = 0, i = 0;
      int count = 0;
      while (count < limit && r * r + i * i < 4) {
        double next = r * r - i * i + cr;
        i = 2 * r * i + ci;
        r = next;
        count++;
      }
      sum = sum * 3 + count;
    }
  return sum;
}
