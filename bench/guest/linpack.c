/* Floating point through memory: systems of linear equations, solved by elimination with pivots. */
#include "bench.h"
#include <math.h>
#include <string.h>

enum { size = 200 };
static double matrix[size][size], side[size];

static void solve(void) {
  for (int k = 0; k < size; k++) {
    int pivot = k;
    for (int i = k + 1; i < size; i++)
      if (fabs(matrix[i][k]) > fabs(matrix[pivot][k])) pivot = i;
    if (pivot != k) {
      double row[size], value = side[k];
      memcpy(row, matrix[k], sizeof row);
      memcpy(matrix[k], matrix[pivot], sizeof row);
      memcpy(matrix[pivot], row, sizeof row);
      side[k] = side[pivot];
      side[pivot] = value;
    }
    for (int i = k + 1; i < size; i++) {
      double factor = matrix[i][k] / matrix[k][k];
      for (int j = k; j < size; j++) matrix[i][j] -= factor * matrix[k][j];
      side[i] -= factor * side[k];
    }
  }
  for (int i = size - 1; i >= 0; i--) {
    for (int j = i + 1; j < size; j++) side[i] -= matrix[i][j] * side[j];
    side[i] /= matrix[i][i];
  }
}

uint64_t workload(void) {
  uint64_t sum = 0, bits;
  for (int round = 0; round < 40; round++) {
    for (int i = 0; i < size; i++) {
      side[i] = random32() % 1000 / 8.0;
      for (int j = 0; j < size; j++) matrix[i][j] = (random32() % 2001 - 1000.0) / 16.0;
    }
    solve();
    memcpy(&bits, &side[round], 8);
    sum = sum * 31 + bits;
  }
  return sum;
}
