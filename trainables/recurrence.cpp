// The passes of recurrent cells over time, on a CPU and in float32.
//
// A step is a product of the states with the recurrent weights, and a pass or two over gates that
// the cache still holds. Texts do not depend on each other, so threads may take some each.
//
// Shapes: B texts, T tokens, N rows, H units, G numbers of all gates (H, 3H or 4H), R texts of one
// call. H is a multiple of PANEL; padded units stay zero. Equations and sources: recurrence.py.

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

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

// out[r, :PANEL] += sum over k of a[r, k] * w[k, :PANEL]
template <int ROWS>
void multiply(const float* a, int64_t a_row, const float* w, int64_t K, float* out,
              int64_t out_row) {
  Vector sum[ROWS][VECTORS];
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) sum[r][v] = load(out + r * out_row + v * LANES);
  for (int64_t k = 0; k < K; k++) {
    Vector weights[VECTORS];
    for (int v = 0; v < VECTORS; v++) weights[v] = load(w + k * PANEL + v * LANES);
    for (int r = 0; r < ROWS; r++) {
      Vector factor = all(a[r * a_row + k]);
      for (int v = 0; v < VECTORS; v++) sum[r][v] += factor * weights[v];
    }
  }
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) store(out + r * out_row + v * LANES, sum[r][v]);
}

// multiply<rows>: a number of rows that is known only now, 1 to TILE.
template <int... LESS>
auto multiply_of(int64_t rows, std::integer_sequence<int, LESS...>) {
  constexpr decltype(&multiply<1>) of_size[] = {multiply<LESS + 1>...};
  return of_size[rows - 1];
}

// The rows of a matrix, `row` numbers from one to the next.
struct Rows {
  float* at;
  int64_t row;
};

// out_RC += a_RK @ w_KC, the weights in panels of PANEL columns.
void add_product(Rows a, const float* w, int64_t K, int64_t C, Rows out, int64_t R) {
  for (int64_t c = 0; c < C; c += PANEL)
    for (int64_t r = 0; r < R; r += TILE) {
      int64_t rows = R - r < TILE ? R - r : TILE;
      auto multiply_some = multiply_of(rows, std::make_integer_sequence<int, TILE>());
      multiply_some(a.at + r * a.row, a.row, w + c * K, K, out.at + r * out.row + c, out.row);
    }
}

// What a pass reads and writes; recurrence.py has the same. Backward, gates_TBG holds the values of
// the open gates and then their gradients, and dy_TBH has strides of its own.
struct Pass {
  int64_t T, B, H, dy_T, dy_B;
  const float *gates_NG, *weights, *bias_H, *dy_TBH;
  const int64_t* index_TB;
  float *gates_TBG, *y_TBH, *kept_TBH;
};

// The texts [first, last) of a pass at one step.
struct Step {
  const Pass& pass;
  int64_t t, first, R, G;

  int64_t at(int64_t back = 0) const { return (t - back) * pass.B + first; }
  Rows gates(int64_t back = 0) const { return {pass.gates_TBG + at(back) * G, G}; }
  Rows y(int64_t back = 0) const { return {pass.y_TBH + at(back) * pass.H, pass.H}; }
  Rows kept(int64_t back = 0) const { return {pass.kept_TBH + at(back) * pass.H, pass.H}; }

  // The input's share of the gates, a row a word, unless it is there already.
  void gather() const {
    if (pass.gates_NG == pass.gates_TBG) return;
    for (int64_t r = 0; r < R; r++)
      std::memcpy(gates().at + r * G, pass.gates_NG + pass.index_TB[at() + r] * G, G * 4);
  }
  const float* dy(int64_t r) const { return pass.dy_TBH + t * pass.dy_T + (first + r) * pass.dy_B; }
  void take_dy(float* dh_RH) const {
    for (int64_t r = 0; r < R; r++)
      std::memcpy(dh_RH + r * pass.H, dy(r), pass.H * 4);
  }
  // Calls body with the place of each vector of units in rows of H and in rows of G.
  template <typename Body>
  void each(Body body) const {
    for (int64_t r = 0; r < R; r++)
      for (int64_t h = 0; h < pass.H; h += LANES) body(r * pass.H + h, r * G + h);
  }
};

}  // namespace

extern "C" {

void lstm(const Pass* pass, int64_t first, int64_t last) {
  const int64_t H = pass->H;
  for (int64_t t = 0; t < pass->T; t++) {
    Step now{*pass, t, first, last - first, 4 * H};
    now.gather();
    if (t) add_product(now.y(1), pass->weights, H, 4 * H, now.gates(), now.R);
    float *a = now.gates().at, *c = now.kept().at, *y = now.y().at;
    const float* c_before = t ? now.kept(1).at : nullptr;
    now.each([=](int64_t h, int64_t g) {
      float* p = a + g;
      Vector in = sigmoid(load(p)), forget = sigmoid(load(p + H));
      Vector fresh = tanh(load(p + 2 * H)), out = sigmoid(load(p + 3 * H));
      Vector state = in * fresh;
      if (c_before) state += forget * load(c_before + h);
      store(p, in), store(p + H, forget), store(p + 2 * H, fresh), store(p + 3 * H, out);
      store(c + h, state);
      store(y + h, out * tanh(state));
    });
  }
}

void lstm_back(const Pass* pass, int64_t first, int64_t last) {
  const int64_t H = pass->H, size = (last - first) * H;
  std::vector<float> dh_RH(size), dc_RH(size);
  float *dh = dh_RH.data(), *dc = dc_RH.data();
  for (int64_t t = pass->T - 1; t >= 0; t--) {
    Step now{*pass, t, first, last - first, 4 * H};
    now.take_dy(dh);
    if (t + 1 < pass->T) add_product(now.gates(-1), pass->weights, 4 * H, H, {dh, H}, now.R);
    float* a = now.gates().at;
    const float *c = now.kept().at, *c_before = t ? now.kept(1).at : nullptr;
    now.each([=](int64_t h, int64_t g) {
      float* p = a + g;
      Vector in = load(p), forget = load(p + H), fresh = load(p + 2 * H), out = load(p + 3 * H);
      Vector d = load(dh + h), y = tanh(load(c + h));
      Vector ds = load(dc + h) + before_tanh(d * out, y);
      Vector before = c_before ? load(c_before + h) : Vector{};
      store(dc + h, ds * forget);
      store(p, before_sigmoid(ds * fresh, in));
      store(p + H, before_sigmoid(ds * before, forget));
      store(p + 2 * H, before_tanh(ds * in, fresh));
      store(p + 3 * H, before_sigmoid(d * y, out));
    });
  }
}

// Keeps the state's share of the candidate, which stands behind the reset gate.
void gru(const Pass* pass, int64_t first, int64_t last) {
  const int64_t H = pass->H;
  for (int64_t t = 0; t < pass->T; t++) {
    Step now{*pass, t, first, last - first, 3 * H};
    now.gather();
    float *a = now.gates().at, *share = now.kept().at, *y = now.y().at;
    const float* y_before = t ? now.y(1).at : nullptr;
    for (int64_t r = 0; r < now.R; r++) std::memcpy(share + r * H, pass->bias_H, H * 4);
    if (t) {
      add_product(now.y(1), pass->weights, H, 2 * H, now.gates(), now.R);
      add_product(now.y(1), pass->weights + 2 * H * H, H, H, now.kept(), now.R);
    }
    now.each([=](int64_t h, int64_t g) {
      float* p = a + g;
      Vector reset = sigmoid(load(p)), update = sigmoid(load(p + H));
      Vector fresh = tanh(load(p + 2 * H) + reset * load(share + h));
      Vector before = y_before ? load(y_before + h) : Vector{};
      store(p, reset), store(p + H, update), store(p + 2 * H, fresh);
      store(y + h, fresh + update * (before - fresh));
    });
  }
}

// Leaves the gradient of the kept share in its place.
void gru_back(const Pass* pass, int64_t first, int64_t last) {
  const int64_t H = pass->H, size = (last - first) * H;
  std::vector<float> dh_RH(size), carried_RH(size);
  float *dh = dh_RH.data(), *carried = carried_RH.data();
  for (int64_t t = pass->T - 1; t >= 0; t--) {
    Step now{*pass, t, first, last - first, 3 * H};
    now.take_dy(dh);
    if (t + 1 < pass->T) {
      add_product(now.gates(-1), pass->weights, 2 * H, H, {dh, H}, now.R);
      add_product(now.kept(-1), pass->weights + 2 * H * H, H, H, {dh, H}, now.R);
    }
    float *a = now.gates().at, *share = now.kept().at;
    const float* y_before = t ? now.y(1).at : nullptr;
    now.each([=](int64_t h, int64_t g) {
      float* p = a + g;
      Vector reset = load(p), update = load(p + H), fresh = load(p + 2 * H);
      Vector before = y_before ? load(y_before + h) : Vector{};
      Vector d = load(dh + h) + load(carried + h);
      Vector d_fresh = before_tanh(d - d * update, fresh);
      store(p, before_sigmoid(d_fresh * load(share + h), reset));
      store(p + H, before_sigmoid(d * (before - fresh), update));
      store(p + 2 * H, d_fresh);
      store(share + h, d_fresh * reset);
      store(carried + h, d * update);
    });
  }
}

void elman(const Pass* pass, int64_t first, int64_t last) {
  const int64_t H = pass->H;
  for (int64_t t = 0; t < pass->T; t++) {
    Step now{*pass, t, first, last - first, H};
    now.gather();
    if (t) add_product(now.y(1), pass->weights, H, H, now.gates(), now.R);
    float *a = now.gates().at, *y = now.y().at;
    now.each([=](int64_t h, int64_t) { store(y + h, tanh(load(a + h))); });
  }
}

void elman_back(const Pass* pass, int64_t first, int64_t last) {
  const int64_t H = pass->H;
  for (int64_t t = pass->T - 1; t >= 0; t--) {
    Step now{*pass, t, first, last - first, H};
    float *a = now.gates().at, *y = now.y().at;
    now.take_dy(a);
    if (t + 1 < pass->T) add_product(now.gates(-1), pass->weights, H, H, now.gates(), now.R);
    now.each([=](int64_t h, int64_t) { store(a + h, before_tanh(load(a + h), load(y + h))); });
  }
}

}  // extern "C"
