/* Floating point with divisions and square roots: bodies that attract each other. */
#include "bench.h"
#include <math.h>
#include <string.h>

enum { bodies = 5 };
static struct { double position[3], speed[3], mass; } body[bodies];

uint64_t workload(void) {
  for (int i = 0; i < bodies; i++) {
    for (int k = 0; k < 3; k++) body[i].position[k] = (random32() & 1023) / 64.0, body[i].speed[k] = (random32() & 255) / 512.0;
    body[i].mass = 1.0 + i * 0.25;
  }
  for (int step = 0; step < 500000; step++) {
    for (int i = 0; i < bodies; i++)
      for (int j = i + 1; j < bodies; j++) {
        double d[3], square = 0.01;
        for (int k = 0; k < 3; k++) d[k] = body[i].position[k] - body[j].position[k], square += d[k] * d[k];
        double pull = 0.001 / (square * sqrt(square));
        for (int k = 0; k < 3; k++) {
          body[i].speed[k] -= d[k] * body[j].mass * pull;
          body[j].speed[k] += d[k] * body[i].mass * pull;
        }
      }
    for (int i = 0; i < bodies; i++)
      for (int k = 0; k < 3; k++) body[i].position[k] += 0.001 * body[i].speed[k];
  }
  uint64_t sum = 0, bits;
  for (int i = 0; i < bodies; i++) {
    memcpy(&bits, &body[i].position[i % 3], 8);
    sum = sum * 31 + bits;
  }
  return sum;
}
