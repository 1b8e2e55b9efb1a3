/* An interpreter of bytecode, running a sieve of Eratosthenes: indirect jumps. */
#include "bench.h"
#include <string.h>

enum { push, load, store, add, less, jump_if_not, jump, peek, poke, end };

/* Counts the primes below 8190 into variable 3. Comments have the addresses that jumps name. */
static const int16_t code[] = {
  /*  0 */ push, 0, store, 3, push, 2, store, 0,
  /*  8 */ load, 0, push, 8190, less, jump_if_not, 66, load, 0, peek, jump_if_not, 22, jump, 57,
  /* 22 */ load, 3, push, 1, add, store, 3, load, 0, load, 0, add, store, 1,
  /* 36 */ load, 1, push, 8190, less, jump_if_not, 57, push, 1, load, 1, poke, load, 1, load, 0, add, store, 1, jump, 36,
  /* 57 */ load, 0, push, 1, add, store, 0, jump, 8,
  /* 66 */ end,
};

static uint8_t cells[8192];

static int32_t interpret(void) {
  int32_t stack[16], *top = stack, variable[4] = {0};
  const int16_t *at = code;
  for (;;) {
    switch (*at++) {
      case push: *top++ = *at++; break;
      case load: *top++ = variable[*at++]; break;
      case store: variable[*at++] = *--top; break;
      case add: top--; top[-1] += *top; break;
      case less: top--; top[-1] = top[-1] < *top; break;
      case jump_if_not: if (*--top) at++; else at = code + *at; break;
      case jump: at = code + *at; break;
      case peek: top[-1] = cells[top[-1]]; break;
      case poke: top -= 2; cells[top[1]] = *top; break;
      case end: return variable[3];
    }
  }
}

uint64_t workload(void) {
  uint64_t sum = 0;
  for (int round = 0; round < 150; round++) {
    memset(cells, 0, sizeof cells);
    sum = sum * 7 + interpret();
  }
  return sum;
}
