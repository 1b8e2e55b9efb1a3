/* One operation a record, done by the processor itself: see hardware.ts. */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>

struct request { uint32_t operation, rm; uint64_t a, b, c; };
struct answer { uint64_t bits; uint64_t flags; };

static __m128d d(uint64_t x) { return _mm_castsi128_pd(_mm_cvtsi64_si128((long long)x)); }
static __m128 s(uint64_t x) { return _mm_castsi128_ps(_mm_cvtsi64_si128((long long)x)); }
static uint64_t bits_d(__m128d x) { return (uint64_t)_mm_cvtsi128_si64(_mm_castpd_si128(x)); }
static uint64_t bits_s(__m128 x) { return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(x)); }

/* The compiler must neither fold the operations nor move them across the accesses to MXCSR, hence assembly. */
#define BINARY_D(name) static __m128d name(__m128d x, __m128d y) { __asm__ volatile(#name " %1, %0" : "+x"(x) : "x"(y)); return x; }
#define BINARY_S(name) static __m128 name(__m128 x, __m128 y) { __asm__ volatile(#name " %1, %0" : "+x"(x) : "x"(y)); return x; }
#define UNARY(name) static __m128d name(__m128d x) { __m128d r = _mm_setzero_pd(); \
  __asm__ volatile(#name " %1, %0" : "+x"(r) : "x"(x)); return r; }
#define TO_INTEGER(name, result) static uint64_t name(__m128d x) { result r; \
  __asm__ volatile(#name " %1, %0" : "=r"(r) : "x"(x)); return (uint64_t)r; }
BINARY_D(addsd) BINARY_D(subsd) BINARY_D(mulsd) BINARY_D(divsd) BINARY_D(sqrtsd)
BINARY_S(addss) BINARY_S(subss) BINARY_S(mulss) BINARY_S(divss) BINARY_S(sqrtss)
UNARY(cvtsd2ss) UNARY(cvtss2sd)
TO_INTEGER(cvtsd2sil, int32_t) TO_INTEGER(cvtsd2siq, int64_t) TO_INTEGER(cvtss2sil, int32_t) TO_INTEGER(cvtss2siq, int64_t)

static uint64_t run(const struct request *q)
{
  __m128d x = d(q->a), y = d(q->b), z = d(q->c), r = _mm_setzero_pd();
  __m128 sx = s(q->a), sy = s(q->b), sz = s(q->c), sr = _mm_setzero_ps();
  int64_t wide = (int64_t)q->a;
  uint8_t above, equal, unordered;
  /* vfmadd213 multiplies its second operand by its first: of two NaN factors the second operand wins. */
  switch (q->operation) {
  case 0: return bits_d(addsd(x, y));
  case 1: return bits_d(subsd(x, y));
  case 2: return bits_d(mulsd(x, y));
  case 3: return bits_d(divsd(x, y));
  case 4: return bits_d(sqrtsd(x, x));
  case 5: __asm__ volatile("vfmadd213sd %2, %1, %0" : "+x"(y) : "x"(x), "x"(z)); return bits_d(y);
  case 6: return bits_d(cvtsd2ss(x)) & 0xffffffff;
  case 7: return cvtsd2sil(x);
  case 8: return cvtsd2siq(x);
  case 9: __asm__ volatile("cvtsi2sdq %1, %0" : "+x"(r) : "r"(wide)); return bits_d(r);
  case 10: __asm__ volatile("roundsd $4, %1, %0" : "+x"(r) : "x"(x)); return bits_d(r);
  case 11: __asm__ volatile("roundsd $12, %1, %0" : "+x"(r) : "x"(x)); return bits_d(r);
  case 12:
    __asm__ volatile("ucomisd %4, %3; sete %0; setp %1; seta %2" : "=r"(equal), "=r"(unordered), "=r"(above) : "x"(x), "x"(y) : "cc");
    return equal && !unordered;
  case 13:
    __asm__ volatile("comisd %1, %2; seta %0" : "=r"(above) : "x"(x), "x"(y) : "cc");
    return above;
  case 20: return bits_s(addss(sx, sy));
  case 21: return bits_s(subss(sx, sy));
  case 22: return bits_s(mulss(sx, sy));
  case 23: return bits_s(divss(sx, sy));
  case 24: return bits_s(sqrtss(sx, sx));
  case 25: __asm__ volatile("vfmadd213ss %2, %1, %0" : "+x"(sy) : "x"(sx), "x"(sz)); return bits_s(sy);
  case 26: return bits_d(cvtss2sd(_mm_castps_pd(sx)));
  case 27: return cvtss2sil(_mm_castps_pd(sx));
  case 28: return cvtss2siq(_mm_castps_pd(sx));
  case 29: __asm__ volatile("cvtsi2ssq %1, %0" : "+x"(sr) : "r"(wide)); return bits_s(sr);
  case 30: __asm__ volatile("roundss $4, %1, %0" : "+x"(sr) : "x"(sx)); return bits_s(sr);
  case 31: __asm__ volatile("roundss $12, %1, %0" : "+x"(sr) : "x"(sx)); return bits_s(sr);
  case 32:
    __asm__ volatile("ucomiss %4, %3; sete %0; setp %1; seta %2" : "=r"(equal), "=r"(unordered), "=r"(above) : "x"(sx), "x"(sy) : "cc");
    return equal && !unordered;
  case 33:
    __asm__ volatile("comiss %1, %2; seta %0" : "=r"(above) : "x"(sx), "x"(sy) : "cc");
    return above;
  }
  return 0;
}

int main(void)
{
  /* Rounding control, MXCSR bits 14:13: nearest 0, down 1, up 2, toward zero 3. */
  static const unsigned control[] = { 0, 3, 1, 2 };
  struct request q;
  while (fread(&q, sizeof q, 1, stdin) == 1) {
    struct answer answer;
    _mm_setcsr(0x1f80 | control[q.rm & 3] << 13);
    answer.bits = run(&q);
    unsigned status = _mm_getcsr();
    _mm_setcsr(0x1f80);
    /* IE, ZE, OE, UE, PE to the order of fflags. */
    answer.flags = (status & 1) << 4 | (status >> 2 & 1) << 3 | (status >> 3 & 1) << 2 | (status >> 4 & 1) << 1 | (status >> 5 & 1);
    fwrite(&answer, sizeof answer, 1, stdout);
  }
  return 0;
}
