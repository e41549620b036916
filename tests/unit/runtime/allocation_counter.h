// Counts allocations, to show that there are none.
#ifndef DANN_TESTS_ALLOCATION_COUNTER_H
#define DANN_TESTS_ALLOCATION_COUNTER_H

#include <cstdint>

namespace dann {

/// How often any thread of the process has called `operator new` so far, in the
/// libraries that it uses too.
std::int64_t allocation_count();

} // namespace dann

#endif // DANN_TESTS_ALLOCATION_COUNTER_H
