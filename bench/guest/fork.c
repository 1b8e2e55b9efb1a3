/* Processes: fork, exec and wait. */
#include "bench.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t workload(void) {
  uint64_t sum = 0;
  for (int round = 0; round < 300; round++) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      execl(program, program, "child", NULL);
      _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) fail("child");
    sum++;
  }
  return sum;
}
