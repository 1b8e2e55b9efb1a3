/* Two processes that pass a byte to each other: system calls and switches between processes. */
#include "bench.h"
#include <sys/wait.h>
#include <unistd.h>

uint64_t workload(void) {
  int there[2], back[2], rounds = 20000;
  if (pipe(there) || pipe(back)) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  uint8_t byte = 0;
  if (child == 0) {
    for (int round = 0; round < rounds; round++) {
      if (read(there[0], &byte, 1) != 1) _exit(1);
      byte++;
      if (write(back[1], &byte, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  uint64_t sum = 0;
  for (int round = 0; round < rounds; round++) {
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) fail("read");
    sum += byte;
  }
  waitpid(child, NULL, 0);
  return sum;
}
