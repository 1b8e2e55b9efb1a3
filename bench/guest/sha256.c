/* SHA-256 (FIPS 180-4) of 64 MB. */
#include "bench.h"

/* The constants of 4.2.2 and 5.3.3, the fraction bits of roots of the first primes, are computed. */
static uint32_t k[64], hash[8];

/* The first 32 bits of the fraction of the root of `of` that has this degree (2 or 3). */
static uint32_t root_fraction(uint32_t of, int degree) {
  unsigned __int128 wanted = (unsigned __int128)of << (degree == 2 ? 64 : 96);
  uint64_t root = 0;
  for (int bit = 36; bit >= 0; bit--) {
    unsigned __int128 tried = root | (uint64_t)1 << bit;
    unsigned __int128 power = degree == 2 ? tried * tried : tried * tried * tried;
    if (power <= wanted) root = tried;
  }
  return (uint32_t)root;
}

static void constants(void) {
  int found = 0;
  for (uint32_t number = 2; found < 64; number++) {
    uint32_t divisor = 2;
    while (number % divisor) divisor++;
    if (divisor != number) continue;
    if (found < 8) hash[found] = root_fraction(number, 2);
    k[found++] = root_fraction(number, 3);
  }
}

static inline uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void block(const uint8_t *data) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)data[4 * i] << 24 | data[4 * i + 1] << 16 | data[4 * i + 2] << 8 | data[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
  for (int i = 0; i < 8; i++) s[i] = hash[i];
  for (int i = 0; i < 64; i++) {
    uint32_t sum1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
    uint32_t t1 = s[7] + sum1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
    uint32_t sum0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    uint32_t t2 = sum0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1;
    s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) hash[i] += s[i];
}

static uint8_t data[65536];

uint64_t workload(void) {
  constants();
  for (unsigned i = 0; i < sizeof data; i++) data[i] = random32();
  for (int round = 0; round < 1024; round++)
    for (unsigned at = 0; at < sizeof data; at += 64) block(data + at);
  uint8_t end[64] = {0x80};
  for (int i = 0; i < 8; i++) end[56 + i] = ((uint64_t)1024 * sizeof data * 8) >> (56 - 8 * i);
  block(end);
  return (uint64_t)hash[0] << 32 | hash[1];
}
