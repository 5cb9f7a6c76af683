// The passes of recurrent cells over time, on a CPU, in float32 and, where the processor has
// instructions for it, in bfloat16.
//
// A step is a product of the states with the recurrent weights, and a pass over gates that the
// cache still holds. Texts do not depend on each other, so threads may take some each. A Number is
// what products multiply and what is kept for the way back; sums, cell states and a GRU's running
// state are float in any case.
//
// Shapes: B texts, T tokens, N rows, H units, G numbers of all gates (H, 3H or 4H), R texts of one
// call, K rows and C columns of a matrix. H is a multiple of PANEL; padded units stay zero.
// Equations and sources: recurrence.py.

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace {

// A tile of the product, TILE rows of PANEL columns, is summed up in registers: 12 or 24 vectors.
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

// sum += a * w, a number of a row and a vector of a panel
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

// The same of two numbers of a row and two vectors, whose numbers stand in turn.
inline void add(Vector& sum, const bfloat16* a, const bfloat16* w) {
  int32_t two;
  std::memcpy(&two, a, sizeof two);
  sum = reinterpret_cast<Vector>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(_mm512_set1_epi32(two)),
      reinterpret_cast<__m512bh>(_mm512_loadu_si512(w))));
}
#endif

// Eigen's rational approximation, to 3e-7; what is not a number stays so.
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

// Gradients before a nonlinearity, from its value and the gradient behind it.
inline Vector before_tanh(Vector d, Vector y) { return d - d * y * y; }
inline Vector before_sigmoid(Vector d, Vector y) { return d * y * (1.0f - y); }

// The rows of a matrix, `row` numbers from one to the next.
template <typename Number>
struct Rows {
  Number* at;
  int64_t row;
};

// out[r, :PANEL] = from[r][:PANEL] + sum over k of a[r, k] * w[k, :PANEL]
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

// multiply<rows>: a number of rows that is known only now, 1 to TILE.
template <typename From, typename Number, int... LESS>
auto multiply_of(int64_t rows, std::integer_sequence<int, LESS...>) {
  constexpr decltype(&multiply<1, From, Number>) of_size[] = {multiply<LESS + 1, From, Number>...};
  return of_size[rows - 1];
}

// out_RC = from_RC + a_RK @ w_KC, the weights in panels of PANEL columns. K may be 0.
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

// What a pass reads and writes; recurrence.py has the same. Backward, gates_TBG holds the values of
// the open gates and then their gradients, and dy_TBH has strides of its own. kept_TBH are an
// LSTM's cell states, in float, or the state's share of a GRU's candidate.
template <typename Number>
struct Pass {
  int64_t T, B, H, dy_T, dy_B;
  const Number *gates_NG, *weights, *bias_H, *dy_TBH;
  const int64_t* index_TB;
  Number *gates_TBG, *y_TBH;
  void* kept_TBH;
};

// Rows to be added up, each in the place that its index tells; recurrence.py has the same.
template <typename Number>
struct Sum {
  int64_t K, C;
  const Number* from_KC;
  const int64_t* index_K;
  float* sums_NC;
};

// The texts [first, last) of a pass, at one step after another.
template <typename Number>
struct Texts {
  const Pass<Number>& pass;
  int64_t first, R, G, t = 0;
  std::vector<const Number*> from_R;

  Texts(const Pass<Number>& pass, int64_t first, int64_t last, int64_t gates)
      : pass(pass), first(first), R(last - first), G(gates * pass.H), from_R(R) {}

  // Where a step's rows start; those of a step that is not there are never read.
  int64_t at(int64_t later = 0) const { return (t + later) * pass.B + first; }
  Number* gates() const { return pass.gates_TBG + at() * G; }
  Number* y() const { return pass.y_TBH + at() * pass.H; }
  template <typename Kept>
  Kept* kept() const { return static_cast<Kept*>(pass.kept_TBH) + at() * pass.H; }
  Rows<const Number> y_before() const { return {pass.y_TBH + at(-1) * pass.H, pass.H}; }
  Rows<const Number> d_gates_behind() const { return {pass.gates_TBG + at(1) * G, G}; }
  bool is_first() const { return t == 0; }
  bool is_last() const { return t + 1 == pass.T; }

  // The input's share of the gates, a row a word.
  const std::vector<const Number*>& inputs() {
    for (int64_t r = 0; r < R; r++) from_R[r] = pass.gates_NG + pass.index_TB[at() + r] * G;
    return from_R;
  }
  // What the step's outputs get from where they went besides the next step.
  const std::vector<const Number*>& dy() {
    for (int64_t r = 0; r < R; r++)
      from_R[r] = pass.dy_TBH + t * pass.dy_T + (first + r) * pass.dy_B;
    return from_R;
  }
  // Calls body with each text and the first of each vector of its units.
  template <typename Body>
  void each(Body body) const {
    for (int64_t r = 0; r < R; r++)
      for (int64_t h = 0; h < pass.H; h += LANES) body(r, h);
  }
};

template <typename Number>
void lstm(const Pass<Number>& pass, int64_t first, int64_t last) {
  Texts<Number> now(pass, first, last, 4);
  const int64_t H = pass.H, G = now.G;
  std::vector<float> a_RG(now.R * G), c_RH(now.R * H);
  float *a = a_RG.data(), *c = c_RH.data();
  for (; now.t < pass.T; now.t++) {
    int64_t K = now.is_first() ? 0 : H;
    add_product(now.inputs(), now.y_before(), pass.weights, K, G, {a, G});
    Number *gates = now.gates(), *y = now.y();
    float* kept = now.template kept<float>();
    now.each([=](int64_t r, int64_t h) {
      const float* p = a + r * G + h;
      Number* q = gates + r * G + h;
      Vector in = sigmoid(load(p)), forget = sigmoid(load(p + H));
      Vector fresh = tanh(load(p + 2 * H)), out = sigmoid(load(p + 3 * H));
      Vector state = in * fresh + forget * load(c + r * H + h);
      store(q, in), store(q + H, forget), store(q + 2 * H, fresh), store(q + 3 * H, out);
      store(c + r * H + h, state), store(kept + r * H + h, state);
      store(y + r * H + h, out * tanh(state));
    });
  }
}

template <typename Number>
void lstm_back(const Pass<Number>& pass, int64_t first, int64_t last) {
  Texts<Number> now(pass, first, last, 4);
  const int64_t H = pass.H, G = now.G;
  std::vector<float> dh_RH(now.R * H), dc_RH(now.R * H);
  float *dh = dh_RH.data(), *dc = dc_RH.data();
  for (now.t = pass.T - 1; now.t >= 0; now.t--) {
    int64_t K = now.is_last() ? 0 : G;
    add_product(now.dy(), now.d_gates_behind(), pass.weights, K, H, {dh, H});
    Number* gates = now.gates();
    const float* c = now.template kept<const float>();
    const float* c_before = now.is_first() ? nullptr : c - pass.B * H;
    now.each([=](int64_t r, int64_t h) {
      Number* p = gates + r * G + h;
      Vector in = load(p), forget = load(p + H), fresh = load(p + 2 * H), out = load(p + 3 * H);
      Vector d = load(dh + r * H + h), y = tanh(load(c + r * H + h));
      Vector ds = load(dc + r * H + h) + before_tanh(d * out, y);
      Vector before = c_before ? load(c_before + r * H + h) : Vector{};
      store(dc + r * H + h, ds * forget);
      store(p, before_sigmoid(ds * fresh, in));
      store(p + H, before_sigmoid(ds * before, forget));
      store(p + 2 * H, before_tanh(ds * in, fresh));
      store(p + 3 * H, before_sigmoid(d * y, out));
    });
  }
}

// Keeps the state's share of the candidate, which stands behind the reset gate.
template <typename Number>
void gru(const Pass<Number>& pass, int64_t first, int64_t last) {
  Texts<Number> now(pass, first, last, 3);
  const int64_t H = pass.H, G = now.G;
  const std::vector<const Number*> bias_R(now.R, pass.bias_H);
  std::vector<float> a_RG(now.R * G), share_RH(now.R * H), state_RH(now.R * H);
  float *a = a_RG.data(), *share = share_RH.data(), *state = state_RH.data();
  for (; now.t < pass.T; now.t++) {
    int64_t K = now.is_first() ? 0 : H;
    const Number* const* inputs = now.inputs().data();
    add_product(now.from_R, now.y_before(), pass.weights, K, 2 * H, {a, G});
    add_product(bias_R, now.y_before(), pass.weights + 2 * H * H, K, H, {share, H});
    Number *gates = now.gates(), *y = now.y(), *kept = now.template kept<Number>();
    now.each([=](int64_t r, int64_t h) {
      const float* p = a + r * G + h;
      Number* q = gates + r * G + h;
      Vector reset = sigmoid(load(p)), update = sigmoid(load(p + H));
      Vector of_state = load(share + r * H + h), before = load(state + r * H + h);
      Vector fresh = tanh(load(inputs[r] + 2 * H + h) + reset * of_state);
      Vector after = fresh + update * (before - fresh);
      store(q, reset), store(q + H, update), store(q + 2 * H, fresh);
      store(kept + r * H + h, of_state);
      store(state + r * H + h, after), store(y + r * H + h, after);
    });
  }
}

// Leaves the gradient of the kept share in its place.
template <typename Number>
void gru_back(const Pass<Number>& pass, int64_t first, int64_t last) {
  Texts<Number> now(pass, first, last, 3);
  const int64_t H = pass.H, G = now.G;
  std::vector<float> dh_RH(now.R * H), carried_RH(now.R * H);
  float *dh = dh_RH.data(), *carried = carried_RH.data();
  std::vector<const float*> dh_R(now.R);
  for (int64_t r = 0; r < now.R; r++) dh_R[r] = dh + r * H;
  for (now.t = pass.T - 1; now.t >= 0; now.t--) {
    int64_t K = now.is_last() ? 0 : H;
    Number *gates = now.gates(), *share = now.template kept<Number>();
    const Number* y_before = now.is_first() ? nullptr : now.y_before().at;
    Rows<const Number> d_share_behind{share + pass.B * H, H};
    add_product(now.dy(), now.d_gates_behind(), pass.weights, 2 * K, H, {dh, H});
    add_product(dh_R, d_share_behind, pass.weights + 2 * H * H, K, H, {dh, H});
    now.each([=](int64_t r, int64_t h) {
      Number *p = gates + r * G + h, *q = share + r * H + h;
      Vector reset = load(p), update = load(p + H), fresh = load(p + 2 * H);
      Vector before = y_before ? load(y_before + r * H + h) : Vector{};
      Vector d = load(dh + r * H + h) + load(carried + r * H + h);
      Vector d_fresh = before_tanh(d - d * update, fresh);
      store(p, before_sigmoid(d_fresh * load(q), reset));
      store(p + H, before_sigmoid(d * (before - fresh), update));
      store(p + 2 * H, d_fresh);
      store(q, d_fresh * reset);
      store(carried + r * H + h, d * update);
    });
  }
}

template <typename Number>
void elman(const Pass<Number>& pass, int64_t first, int64_t last) {
  Texts<Number> now(pass, first, last, 1);
  const int64_t H = pass.H;
  std::vector<float> a_RH(now.R * H);
  float* a = a_RH.data();
  for (; now.t < pass.T; now.t++) {
    int64_t K = now.is_first() ? 0 : H;
    add_product(now.inputs(), now.y_before(), pass.weights, K, H, {a, H});
    Number* y = now.y();
    now.each([=](int64_t r, int64_t h) { store(y + r * H + h, tanh(load(a + r * H + h))); });
  }
}

template <typename Number>
void elman_back(const Pass<Number>& pass, int64_t first, int64_t last) {
  Texts<Number> now(pass, first, last, 1);
  const int64_t H = pass.H;
  std::vector<float> dh_RH(now.R * H);
  float* dh = dh_RH.data();
  for (now.t = pass.T - 1; now.t >= 0; now.t--) {
    int64_t K = now.is_last() ? 0 : H;
    add_product(now.dy(), now.d_gates_behind(), pass.weights, K, H, {dh, H});
    Number *a = now.gates(), *y = now.y();
    now.each([=](int64_t r, int64_t h) {
      store(a + r * H + h, before_tanh(load(dh + r * H + h), load(y + r * H + h)));
    });
  }
}

// sums[index[k]] += from[k], the columns [first, last) of K rows of C.
template <typename Number>
void sum_rows(const Sum<Number>& sum, int64_t first, int64_t last) {
  for (int64_t k = 0; k < sum.K; k++) {
    const Number* from = sum.from_KC + k * sum.C;
    float* to = sum.sums_NC + sum.index_K[k] * sum.C;
    for (int64_t c = first; c < last; c += LANES) store(to + c, load(to + c) + load(from + c));
  }
}

}  // namespace

#define EXPORT(function, Given, Number)                                        \
  void function##_##Number(const void* given, int64_t first, int64_t last) {   \
    function(*static_cast<const Given<Number>*>(given), first, last);          \
  }
#define EXPORT_ALL(Number)                                                     \
  EXPORT(lstm, Pass, Number) EXPORT(lstm_back, Pass, Number)                   \
  EXPORT(gru, Pass, Number) EXPORT(gru_back, Pass, Number)                     \
  EXPORT(elman, Pass, Number) EXPORT(elman_back, Pass, Number)                 \
  EXPORT(sum_rows, Sum, Number)

extern "C" {
EXPORT_ALL(float)
#if defined(__AVX512BF16__)
EXPORT_ALL(bfloat16)
#endif
}
