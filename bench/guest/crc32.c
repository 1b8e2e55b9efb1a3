/* CRC-32 (of gzip, RFC 1952) of 64 MB, a byte at a time. */
#include "bench.h"

static uint32_t table[256];
static uint8_t data[65536];

uint64_t workload(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ crc >> 1 : crc >> 1;
    table[i] = crc;
  }
  for (unsigned i = 0; i < sizeof data; i++) data[i] = random32();
  uint32_t crc = ~0u;
  for (int round = 0; round < 1024; round++)
    for (unsigned i = 0; i < sizeof data; i++) crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
  return ~crc;
}
