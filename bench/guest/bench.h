/* What a workload of the benchmarks is given, and gives. */
#include <stddef.h>
#include <stdint.h>

/* Does the work, the same in every run; returns a checksum of its results. */
uint64_t workload(void);

/* The next of a fixed sequence of numbers that look random. */
uint32_t random32(void);

/* Path of the program itself: started with the argument `child` it ends at once. */
extern const char *program;

/* Ends the run, saying what has failed. */
_Noreturn void fail(const char *what);
