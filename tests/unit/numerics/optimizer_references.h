// Optimizers' formulas, written down once more in double precision.
#ifndef DANN_TESTS_OPTIMIZER_REFERENCES_H
#define DANN_TESTS_OPTIMIZER_REFERENCES_H

#include "numerics.h"

#include <functional>
#include <map>
#include <utility>

namespace dann::test {

using Values = std::map<std::string, std::vector<double>>;

struct Step {
  Values gradients;
  Values squares; // means over samples, for labels drawn from the model
  double rate;
};

inline std::string layer_of(const std::string &name) {
  return name.substr(0, name.rfind('.'));
}

inline double sign(double x) { return double(x > 0) - double(x < 0); }

/// What an optimizer does to the parameters, which are projected afterwards if
/// `projects` says so.
struct Reference {
  explicit Reference(const Description &program) : program(program) {}
  virtual ~Reference() = default;

  virtual void step(Values &parameters, Step step) = 0;

  bool projects = true;
  const Description &program;
  int count = 0; // of steps
  Values first, second;

  const Parameter &parameter(const std::string &name) const {
    return *std::find_if(program.parameters.begin(), program.parameters.end(),
                         [&](const Parameter &p) { return p.name == name; });
  }
  bool is_additive(const std::string &name) const {
    return parameter(name).role == "b" || parameter(name).role == "alpha";
  }

  /// f(value, gradient, first state, second state) for all entries.
  void for_each(Values &parameters, const Step &step,
                const std::function<void(const std::string &, double &, double,
                                         double &, double &)> &f) {
    for (auto &[name, values] : parameters) {
      first[name].resize(values.size());
      second[name].resize(values.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        f(name, values[i], step.gradients.at(name)[i], first[name][i],
          second[name][i]);
    }
  }

  /// The factors of the authors' code.
  void correct(Values &gradients) const {
    for (auto &[name, values] : gradients) {
      const std::string &role = parameter(name).role;
      if (role != "wix" && role != "wei" && role != "alpha")
        continue;
      const Shape &wex = parameter(layer_of(name) + ".wex").shape;
      double ne = double(wex[0]), d = double(wex[1]);
      double factor = role == "wix"   ? 1 / std::sqrt(ne)
                      : role == "wei" ? 1 / d
                                      : 1 / (std::sqrt(ne) * d);
      for (double &value : values)
        value *= factor;
    }
  }
};

struct Sgd : Reference {
  Sgd(const Description &program, double momentum, double dampening,
      bool nesterov, double decay, bool corrects = false)
      : Reference(program), momentum(momentum), dampening(dampening),
        decay(decay), nesterov(nesterov), corrects(corrects) {}
  double momentum, dampening, decay;
  bool nesterov, corrects;

  double direction(double g, double &v) const {
    v = count == 1 ? g : momentum * v + (1 - dampening) * g;
    return nesterov ? g + momentum * v : v;
  }
  void step(Values &parameters, Step step) override {
    ++count;
    if (corrects)
      correct(step.gradients);
    for_each(parameters, step,
             [&](const std::string &, double &w, double g, double &v,
                 double &) { w -= step.rate * direction(g + decay * w, v); });
  }
};

struct ExponentiatedGradient : Sgd {
  ExponentiatedGradient(const Description &program, double momentum,
                        double decay)
      : Sgd(program, momentum, 0, false, decay) {
    projects = false;
  }
  void step(Values &parameters, Step step) override {
    ++count;
    for_each(
        parameters, step,
        [&](const std::string &name, double &w, double g, double &v, double &) {
          if (is_additive(name))
            w -= 0.1 * step.rate * direction(g, v);
          else
            w *= std::exp(-step.rate * sign(w) *
                          direction(g + decay * sign(w), v));
        });
  }
};

struct Adam : Reference {
  Adam(const Description &program, double beta1, double beta2, double decay,
       bool decoupled, bool amsgrad = false)
      : Reference(program), beta1(beta1), beta2(beta2), decay(decay),
        decoupled(decoupled), amsgrad(amsgrad) {}
  double beta1, beta2, decay;
  bool decoupled, amsgrad;
  // The largest mean square of each entry, and how often it was not the last.
  std::map<const double *, double> largest;
  int older = 0;

  double direction(double g, double &m, double &v) {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    double square = v;
    if (amsgrad) {
      // The entry of the state stays where it is.
      double &most = largest[&v];
      older += most > v;
      square = most = std::max(most, v);
    }
    double root = std::sqrt(square) / std::sqrt(1 - std::pow(beta2, count));
    return m / (1 - std::pow(beta1, count)) / (root + 1e-8);
  }
  ~Adam() override {
    if (amsgrad) {
      EXPECT_GT(older, 0) << "the largest square was always the last one";
    }
  }
  void step(Values &parameters, Step step) override {
    ++count;
    for_each(
        parameters, step,
        [&](const std::string &, double &w, double g, double &m, double &v) {
          if (decoupled)
            w *= 1 - step.rate * decay;
          else
            g += decay * w;
          w -= step.rate * direction(g, m, v);
        });
  }
};

struct AdamExponentiatedGradient : Adam {
  AdamExponentiatedGradient(const Description &program, double beta2,
                            bool amsgrad)
      : Adam(program, 0.9, beta2, 0.2, true, amsgrad) {
    projects = false;
  }
  void step(Values &parameters, Step step) override {
    ++count;
    for_each(parameters, step,
             [&](const std::string &name, double &w, double g, double &m,
                 double &v) {
               double d = direction(g, m, v);
               if (is_additive(name))
                 w -= 0.5 * step.rate * d;
               else
                 w *= (1 - step.rate * decay) *
                      std::exp(-step.rate * sign(w) * d);
             });
  }
};

/// By the map of a potential and its inverse, also where the program takes
/// another way.
struct MirrorDescent : Reference {
  using Map = std::function<double(double)>;
  MirrorDescent(const Description &program, Map forth, Map back)
      : Reference(program), forth(std::move(forth)), back(std::move(back)) {}
  Map forth, back;
  void step(Values &parameters, Step step) override {
    for_each(parameters, step,
             [&](const std::string &, double &w, double g, double &, double &) {
               w = back(forth(w) - step.rate * g);
             });
  }
};

struct Entropy : Reference {
  explicit Entropy(const Description &program) : Reference(program) {
    projects = false;
  }
  void step(Values &parameters, Step step) override {
    for_each(
        parameters, step,
        [&](const std::string &name, double &w, double g, double &, double &) {
          if (is_additive(name))
            w -= 0.1 * step.rate * g;
          else if (w != 0) // the dual variable is sign(w) log |w|
            w = sign(w) * std::exp(sign(w) * (sign(w) * std::log(std::abs(w)) -
                                              step.rate * g));
        });
  }
};

inline double norm_of(const Values &gradients, const std::string &layer) {
  double sum = 0;
  for (const auto &[name, values] : gradients)
    if (layer.empty() || layer_of(name) == layer)
      for (double value : values)
        sum += value * value;
  return std::sqrt(sum);
}

struct Clipped : Sgd {
  Clipped(const Description &program, double momentum, bool corrects,
          double max_norm, bool global)
      : Sgd(program, momentum, 0, false, 0, corrects), max_norm(max_norm),
        global(global) {}
  double max_norm;
  bool global;
  int clippings = 0;
  void step(Values &parameters, Step step) override {
    if (corrects)
      correct(step.gradients);
    Values clipped = step.gradients;
    for (auto &[name, values] : clipped) {
      double norm = norm_of(step.gradients, global ? "" : layer_of(name));
      double factor = max_norm / (norm + 1e-6);
      clippings += factor < 1;
      for (double &value : values)
        value *= std::min(1.0, factor);
    }
    bool corrected = std::exchange(corrects, false);
    Sgd::step(parameters, {clipped, {}, step.rate});
    corrects = corrected;
  }
  ~Clipped() override { EXPECT_GT(clippings, 0) << "nothing was clipped"; }
};

/// The search as a walk, step by step.
struct CosineAngle : Reference {
  using Reference::Reference;
  static constexpr int kCount = 7;
  static constexpr double kMinimum = 0.05, kEpsilon = 0.002;
  std::map<std::string, int> index;
  int moves = 0;

  double cosine(const Values &parameters, const Step &step,
                const std::string &layer, double rate) const {
    double inner = 0, outer = 0;
    for (const auto &[name, values] : parameters) {
      Sign contract = parameter(name).sign;
      if (layer_of(name) != layer || contract == Sign::Any)
        continue;
      for (std::size_t i = 0; i < values.size(); ++i) {
        double w = values[i] - rate * step.gradients.at(name)[i];
        double p =
            contract == Sign::NonNegative ? std::max(0.0, w) : std::min(0.0, w);
        inner += p * p;
        outer += w * w;
      }
    }
    return std::sqrt(inner) / std::sqrt(outer);
  }
  void step(Values &parameters, Step step) override {
    auto rate_at = [&](int k) {
      return step.rate + (kMinimum - 1) * step.rate * k / (kCount - 1);
    };
    std::map<std::string, double> rates;
    for (const auto &[name, values] : parameters) {
      std::string layer = layer_of(name);
      if (rates.count(layer))
        continue;
      int &k = index[layer], before = k;
      auto holds = [&](int at) {
        return cosine(parameters, step, layer, rate_at(at)) >= 1 - kEpsilon;
      };
      if (holds(k))
        while (k > 0 && holds(k - 1))
          --k;
      else
        while (k < kCount - 1 && !holds(k))
          ++k;
      moves += k != before;
      rates[layer] = rate_at(k);
    }
    for_each(parameters, step,
             [&](const std::string &name, double &w, double g, double &,
                 double &) { w -= rates.at(layer_of(name)) * g; });
  }
  ~CosineAngle() override { EXPECT_GT(moves, 1) << "no rate was searched"; }
};

struct NaturalGradient : Reference {
  NaturalGradient(const Description &program, bool scales)
      : Reference(program), scales(scales) {}
  bool scales;
  void step(Values &parameters, Step step) override {
    ++count;
    for (const auto &[name, values] : parameters) {
      first[name].resize(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        double sample = 0.5 * step.squares.at(name)[i], &f = first[name][i];
        f = count == 1 ? sample : 0.75 * f + 0.25 * sample;
      }
    }
    for (auto &[name, values] : parameters) {
      double norm = scales ? norm_of_inverse(layer_of(name)) : 1;
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] -= step.rate * step.gradients.at(name)[i] /
                     (first[name][i] + 1e-3) / norm;
    }
  }
  /// Of the excitatory weights of an E/I layer, the weights of another one.
  double norm_of_inverse(const std::string &layer) const {
    auto weights = first.find(layer + ".wex");
    if (weights == first.end())
      weights = first.find(layer + ".w");
    double sum = 0;
    for (double f : weights->second)
      sum += 1 / (f + 1e-3) / (f + 1e-3);
    return std::sqrt(sum);
  }
};

} // namespace dann::test

#endif // DANN_TESTS_OPTIMIZER_REFERENCES_H
