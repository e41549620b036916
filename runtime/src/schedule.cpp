#include "dann/program.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dann {

const char *name_of(Decay decay) {
  switch (decay) {
  case Decay::Constant:
    return "constant";
  case Decay::Exponential:
    return "exponential";
  case Decay::Stepwise:
    return "stepwise";
  case Decay::Cosine:
    return "cosine";
  }
  return "";
}

double Schedule::factor_at(std::int64_t step) const {
  if (step < warmup)
    return double(step + 1) / double(warmup);
  double t = double(step - warmup) / double(steps);
  switch (decay) {
  case Decay::Constant:
    return 1;
  case Decay::Exponential:
    return std::pow(factor, t);
  case Decay::Stepwise:
    return std::pow(factor, std::floor(t));
  case Decay::Cosine:
    return minimum + (1 - minimum) *
                         (1 + std::cos(std::numbers::pi * std::min(t, 1.0))) /
                         2;
  }
  return 1;
}

bool Schedule::is_valid() const {
  return factor > 0 && factor <= 1 && steps >= 1 && minimum >= 0 &&
         minimum <= 1 && warmup >= 0;
}

} // namespace dann
