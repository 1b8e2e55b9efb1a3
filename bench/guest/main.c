/* Runs a workload: as a program of the host, or as the first process of a guest, which then powers off.
 * Prints `ready`, then `done NANOSECONDS CHECKSUM`, and rests at both so that the host can look at what it has used. */
#include "bench.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

const char *program;
static uint32_t state = 0x2545f491;

uint32_t random32(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static _Noreturn void end(int status) {
  fflush(stdout);
  if (getpid() == 1) {
    usleep(20000); /* the serial port has to have sent everything */
    reboot(RB_POWER_OFF);
  }
  exit(status);
}

_Noreturn void fail(const char *what) {
  printf("failed: %s\n", what);
  end(1);
}

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void rest(void) {
  fflush(stdout);
  usleep(150000);
}

int main(int count, char **arguments) {
  program = arguments[0];
  if (count > 1 && strcmp(arguments[1], "child") == 0) return 0;
  printf("ready\n");
  rest();
  uint64_t begin = nanoseconds();
  uint64_t checksum = workload();
  uint64_t duration = nanoseconds() - begin;
  printf("done %" PRIu64 " %016" PRIx64 "\n", duration, checksum);
  rest();
  end(0);
}
