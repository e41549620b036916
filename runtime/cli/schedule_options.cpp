#include "schedule_options.h"

#include "fail.h"
#include "options.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace dann::cli {

void ScheduleOptions::add_to(CLI::App &command, const Schedule &program) {
  schedule = program;
  std::map<std::string, Decay> decays;
  for (Decay decay :
       {Decay::Constant, Decay::Exponential, Decay::Stepwise, Decay::Cosine})
    decays.emplace(name_of(decay), decay);
  options_.push_back(
      command
          .add_option("--schedule", schedule.decay,
                      "How the learning rate falls: constant, exponential, "
                      "stepwise or cosine")
          ->transform(
              CLI::CheckedTransformer(decays, CLI::ignore_case).description(""))
          ->type_name("NAME")
          ->default_str(name_of(program.decay)));
  options_.push_back(add_positive_fraction(
      command, "--schedule-factor", schedule.factor,
      "What the rate is multiplied by in --schedule-steps (exponential and "
      "stepwise)"));
  options_.push_back(add_count(command, "--schedule-steps", schedule.steps,
                               "Steps of the decay"));
  options_.push_back(
      add_positive_fraction(command, "--schedule-minimum", schedule.minimum,
                            "The last rate, relative to the first (cosine)"));
  options_.push_back(
      add_optional_count(command, "--warmup", schedule.warmup,
                         "Steps in which the rate rises, before it falls"));
}

void ScheduleOptions::check_resumed(const Schedule &resumed,
                                    const std::string &path) const {
  bool given = std::any_of(options_.begin(), options_.end(),
                           [](CLI::Option *option) { return option->count(); });
  if (given && schedule != resumed)
    fail(ErrorCode::InvalidArgument, "the schedule ", to_text(schedule),
         " contradicts ", path, ", which was made with ", to_text(resumed));
}

std::string to_text(const Schedule &schedule) {
  std::string text = name_of(schedule.decay);
  if (schedule.decay == Decay::Exponential || schedule.decay == Decay::Stepwise)
    text += concat(", factor ", schedule.factor);
  if (schedule.decay == Decay::Cosine)
    text += concat(", minimum ", schedule.minimum);
  if (schedule.decay != Decay::Constant)
    text += concat(", steps ", schedule.steps);
  if (schedule.warmup != 0)
    text += concat(", warm-up ", schedule.warmup);
  return text;
}

} // namespace dann::cli
