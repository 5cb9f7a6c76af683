// The passes of recurrent cells over time, on a CPU.
//
// A step is a product of the states with the recurrent weights, then a pass over the gates while
// they are still in the cache. Texts do not depend on each other, so each thread takes some.
// Activations for the backward pass are kept as Numbers (float or bfloat16). An LSTM's cell states
// and a GRU's running state are float.
//
// Shapes: B texts, T tokens, N rows (one for each different word), H units, G numbers of all gates
// (H, 3H or 4H), R texts of one call, K rows and C columns of a matrix. H is a multiple of PANEL;
// padded units stay zero.
// Equations and sources: recurrence.py.

#include <cstdint>
#include <vector>

#include "simd.h"

namespace {

// The arguments of a pass. recurrence.py has the same structure, field by field.
//
// dy_T, dy_B: strides of dy_TBH, in numbers; its units are side by side.
// gates_NG: the input's share of the gates; index_TB says which row each step reads.
// weights: the recurrent weights in panels, transposed for a forward pass.
// bias_H: the hidden bias of a GRU's candidate.
// gates_TBG: the gates' values, which the backward pass replaces by their gradients.
// kept_TBH: an LSTM's cell states, in float, or the state's share of a GRU's candidate. An Elman
// network has none.
template <typename Number>
struct Pass {
  int64_t T, B, H, dy_T, dy_B;
  const Number *gates_NG, *weights, *bias_H, *dy_TBH;
  const int64_t* index_TB;
  Number *gates_TBG, *y_TBH;
  void* kept_TBH;
};

// The arguments of a sum of rows, each added to the row of its index. recurrence.py has the same
// structure, field by field.
template <typename Number>
struct Sum {
  int64_t K, C;
  const Number* from_KC;
  const int64_t* index_K;
  float* sums_NC;
};

// The texts [first, last) of a pass, step by step.
template <typename Number>
struct Texts {
  const Pass<Number>& pass;
  int64_t first, R, G, t = 0;
  std::vector<const Number*> from_R;

  Texts(const Pass<Number>& pass, int64_t first, int64_t last, int64_t gates)
      : pass(pass), first(first), R(last - first), G(gates * pass.H), from_R(R) {}

  // The first row of the current step, or of one that is `later`. The pointers to rows before the
  // first step and behind the last are never read: the product then has K = 0.
  int64_t at(int64_t later = 0) const { return (t + later) * pass.B + first; }
  Number* gates() const { return pass.gates_TBG + at() * G; }
  Number* y() const { return pass.y_TBH + at() * pass.H; }
  template <typename Kept>
  Kept* kept() const { return static_cast<Kept*>(pass.kept_TBH) + at() * pass.H; }
  Rows<const Number> y_before() const { return {pass.y_TBH + at(-1) * pass.H, pass.H}; }
  Rows<const Number> d_gates_behind() const { return {pass.gates_TBG + at(1) * G, G}; }
  bool is_first() const { return t == 0; }
  bool is_last() const { return t + 1 == pass.T; }

  // The input's share of the step's gates: for each text the row of its word.
  const std::vector<const Number*>& inputs() {
    for (int64_t r = 0; r < R; r++) from_R[r] = pass.gates_NG + pass.index_TB[at() + r] * G;
    return from_R;
  }
  // The gradient of the step's outputs, without the part that comes through the next step.
  const std::vector<const Number*>& dy() {
    for (int64_t r = 0; r < R; r++)
      from_R[r] = pass.dy_TBH + t * pass.dy_T + (first + r) * pass.dy_B;
    return from_R;
  }
  // Call body with each text and the first unit of each vector of units.
  template <typename Body>
  void each(Body body) const {
    for (int64_t r = 0; r < R; r++)
      for (int64_t h = 0; h < pass.H; h += LANES) body(r, h);
  }
};

// The gates stand in torch's order: input, forget, candidate, output.
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
      store_gate(q, in), store_gate(q + H, forget);
      store(q + 2 * H, fresh), store_gate(q + 3 * H, out);
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
      Vector in = load_gate(p), forget = load_gate(p + H);
      Vector fresh = load(p + 2 * H), out = load_gate(p + 3 * H);
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

// The gates stand in torch's order: reset, update, candidate. The reset gate scales the state's
// share of the candidate, so that share is computed apart, and kept for the gate's gradient.
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
      store_gate(q, reset), store_gate(q + H, update), store(q + 2 * H, fresh);
      store(kept + r * H + h, of_state);
      store(state + r * H + h, after), store(y + r * H + h, after);
    });
  }
}

// The share that was kept is replaced by its gradient.
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
      Vector reset = load_gate(p), update = load_gate(p + H), fresh = load(p + 2 * H);
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

// The forward pass keeps no gates: gates_TBG only takes their gradients.
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

// sums[index[k]] += from[k] for each k, in the columns [first, last) only.
template <typename Number>
void sum_rows(const Sum<Number>& sum, int64_t first, int64_t last) {
  for (int64_t k = 0; k < sum.K; k++) {
    const Number* from = sum.from_KC + k * sum.C;
    float* to = sum.sums_NC + sum.index_K[k] * sum.C;
    for (int64_t c = first; c < last; c += LANES) store(to + c, load(to + c) + load(from + c));
  }
}

}  // namespace

// The functions that recurrence.py calls, such as lstm_float and lstm_back_bfloat16. They return 1
// where memory has run out, because no exception may leave through C.
#define EXPORT(function, Given, Number)                                        \
  int function##_##Number(const void* given, int64_t first, int64_t last) {    \
    try {                                                                      \
      function(*static_cast<const Given<Number>*>(given), first, last);        \
    } catch (...) {                                                            \
      return 1;                                                                \
    }                                                                          \
    return 0;                                                                  \
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
