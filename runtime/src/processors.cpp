#include "processors.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sched.h>
#include <set>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

namespace dann {

namespace {

/// The numbers of the processors that this thread may run on.
std::vector<int> allowed_processors() {
  // The kernel refuses a set that is smaller than its own.
  for (int size = CPU_SETSIZE; size <= (1 << 20); size *= 2) {
    std::unique_ptr<cpu_set_t, void (*)(cpu_set_t *)> set(
        CPU_ALLOC(std::size_t(size)),
        [](cpu_set_t *owned) { CPU_FREE(owned); });
    std::size_t bytes = CPU_ALLOC_SIZE(std::size_t(size));
    if (!set || sched_getaffinity(0, bytes, set.get()) != 0)
      continue;
    std::vector<int> processors;
    for (int i = 0; i < size; ++i)
      if (CPU_ISSET_S(std::size_t(i), bytes, set.get()))
        processors.push_back(i);
    return processors;
  }
  std::vector<int> processors(
      std::max(1u, std::thread::hardware_concurrency()));
  for (std::size_t i = 0; i < processors.size(); ++i)
    processors[i] = int(i);
  return processors;
}

int limited_by_quota(std::size_t count) {
  // Where control groups have their own namespace, in containers, this is the
  // group of the process.
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  int quota = processors_of_quota({std::istreambuf_iterator<char>(file), {}});
  return std::max(1, quota ? std::min(int(count), quota) : int(count));
}

} // namespace

int processors_of_quota(const std::string &cpu_max) {
  std::istringstream text(cpu_max);
  double quota, period;
  if (!(text >> quota >> period) || !(quota > 0) || !(period > 0))
    return 0;
  double processors = quota / period;
  return processors < 1e6 ? std::max(1, int(processors + 0.999)) : 0;
}

int processor_count() { return limited_by_quota(allowed_processors().size()); }

int core_count() {
  std::set<std::pair<int, int>> cores;
  for (int processor : allowed_processors()) {
    std::string topology = "/sys/devices/system/cpu/cpu" +
                           std::to_string(processor) + "/topology/";
    int package, core;
    if (std::ifstream(topology + "physical_package_id") >> package &&
        std::ifstream(topology + "core_id") >> core)
      cores.insert({package, core});
    else
      cores.insert({-1, processor});
  }
  return limited_by_quota(cores.size());
}

} // namespace dann
