// SIMD vectors, and a small matrix product over them: in float32, and in bfloat16 where the
// processor has instructions for it.
//
// A Number (float or bfloat16) is the type of factors and of what is kept in memory. Sums are float
// in any case.
//
// Shapes: R rows of the product, K rows and C columns of the weights. These stand in panels of
// PANEL columns.

#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace {

// A tile of the product has TILE rows and PANEL columns. It is summed up in registers: 12 vectors,
// or 24 on ARM. PANEL, and a multiple of every TILE, are in recurrence.py too.
constexpr int PANEL = 16;
#if defined(__AVX512F__)
constexpr int LANES = 16, TILE = 12;
#elif defined(__AVX__)
constexpr int LANES = 8, TILE = 6;
#elif defined(__aarch64__)
constexpr int LANES = 4, TILE = 6;
#else
constexpr int LANES = 4, TILE = 3;
#endif
constexpr int VECTORS = PANEL / LANES;

typedef float Vector __attribute__((vector_size(LANES * 4)));
typedef float Unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

inline Vector load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void store(float* p, Vector v) { *reinterpret_cast<Unaligned*>(p) = v; }
inline Vector all(float x) { return x - Vector{}; }

// sum += a * w: one number of a row times one vector of a panel.
inline void add(Vector& sum, const float* a, const float* w) { sum += all(*a) * load(w); }

#if defined(__AVX512BF16__)
// The upper half of a float.
struct bfloat16 {
  uint16_t bits;
};

typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

inline Vector load(const bfloat16* p) {
  Halves halves;
  std::memcpy(&halves, p, sizeof halves);
  return reinterpret_cast<Vector>(__builtin_convertvector(halves, Bits) << 16);
}
inline void store(bfloat16* p, Vector v) {
  __m256bh halves = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  std::memcpy(p, &halves, sizeof halves);
}

// The same with two numbers of a row and two interleaved vectors: the sum takes both products.
inline void add(Vector& sum, const bfloat16* a, const bfloat16* w) {
  int32_t two;
  std::memcpy(&two, a, sizeof two);
  sum = reinterpret_cast<Vector>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(_mm512_set1_epi32(two)),
      reinterpret_cast<__m512bh>(_mm512_loadu_si512(w))));
}
#endif

// Eigen's rational approximation of tanh, to 3e-7. NaN stays NaN: no comparison with it is true.
inline Vector tanh(Vector x) {
  const Vector end = all(7.99881172180175781f);
  x = x > end ? end : x;
  x = x < -end ? -end : x;
  Vector s = x * x;
  Vector p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = p * s - 8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  Vector q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  return x * p / q;
}

inline Vector sigmoid(Vector x) { return tanh(x * 0.5f) * 0.5f + 0.5f; }

// The value y of a gate, kept for the backward pass. bfloat16 rounds 0.999 to 1, so a nearly open
// gate would never forget. Above 0.5, bfloat16 therefore holds y - 1 (negative) instead of y.
inline Vector load_gate(const float* p) { return load(p); }
inline void store_gate(float* p, Vector y) { store(p, y); }
#if defined(__AVX512BF16__)
inline Vector load_gate(const bfloat16* p) {
  Vector y = load(p);
  return y < Vector{} ? y + 1.0f : y;
}
inline void store_gate(bfloat16* p, Vector y) {
  // A gate of exactly 1 is stored as a tiny negative number, or it would be read back as 0.
  Vector left = y - 1.0f, least = all(-1e-30f);
  left = left < least ? left : least;
  store(p, y > all(0.5f) ? left : y);
}
#endif

// The gradient of a nonlinearity's input, from the gradient d of its output and the output y.
inline Vector before_tanh(Vector d, Vector y) { return d - d * y * y; }
inline Vector before_sigmoid(Vector d, Vector y) { return d * y * (1.0f - y); }

// The rows of a matrix, `row` numbers apart.
template <typename Number>
struct Rows {
  Number* at;
  int64_t row;
};

// out[r, c:] = from[r][c:] + sum over k of a[r, k] * w[k, :], for ROWS rows and PANEL columns. w is
// one panel. As many of its rows as fill 32 bits are interleaved.
template <int ROWS, typename From, typename Number>
void multiply(const From* const* from, int64_t c, Rows<const Number> a, const Number* w, int64_t K,
              Rows<float> out) {
  constexpr int TOGETHER = 4 / sizeof(Number);
  Vector sum[ROWS][VECTORS];
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) sum[r][v] = load(from[r] + c + v * LANES);
  for (int64_t k = 0; k < K; k += TOGETHER)
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++)
        add(sum[r][v], a.at + r * a.row + k, w + k * PANEL + v * LANES * TOGETHER);
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) store(out.at + r * out.row + c + v * LANES, sum[r][v]);
}

// Return multiply<rows> for a number of rows, 1 to TILE, that is known only at run time.
template <typename From, typename Number, int... LESS>
auto multiply_of(int64_t rows, std::integer_sequence<int, LESS...>) {
  constexpr decltype(&multiply<1, From, Number>) of_size[] = {multiply<LESS + 1, From, Number>...};
  return of_size[rows - 1];
}

// out_RC = from_RC + a_RK @ w_KC, where w_KC stands in panels of PANEL columns. K may be 0: then
// neither a nor w is read.
template <typename From, typename Number>
void add_product(const std::vector<const From*>& from_R, Rows<const Number> a, const Number* w,
                 int64_t K, int64_t C, Rows<float> out) {
  const int64_t R = from_R.size();
  for (int64_t c = 0; c < C; c += PANEL)
    for (int64_t r = 0; r < R; r += TILE) {
      int64_t rows = R - r < TILE ? R - r : TILE;
      auto multiply_some = multiply_of<From, Number>(rows, std::make_integer_sequence<int, TILE>());
      multiply_some(&from_R[r], c, {a.at + r * a.row, a.row}, w + c * K, K,
                    {out.at + r * out.row, out.row});
    }
}

}  // namespace
