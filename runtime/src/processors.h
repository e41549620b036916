// How much of the machine this process may use.
#ifndef DANN_RUNTIME_PROCESSORS_H
#define DANN_RUNTIME_PROCESSORS_H

#include <string>

namespace dann {

/// The processors that the process's affinity allows, of which two may be
/// threads of one core; not more than its control group's share of time.
int processor_count();

/// The physical cores among them: what a session computes on by default. Two
/// threads of one core share the units that do the arithmetic.
int core_count();

/// The processors that the content of a control group's cpu.max, "<quota>
/// <period>" in microseconds, amounts to, rounded up; 0 if it sets no limit.
int processors_of_quota(const std::string &cpu_max);

} // namespace dann

#endif // DANN_RUNTIME_PROCESSORS_H
