// How the runtime reports that something went wrong.
#ifndef DANN_ERROR_HPP
#define DANN_ERROR_HPP

#include <stdexcept>
#include <string>

#define DANN_API __attribute__((visibility("default")))

namespace dann {

enum class ErrorCode {
  InvalidArgument, ///< a value, shape, type or name that the caller gave
  InvalidData,     ///< a file whose content is not what it has to be
  Incompatible,    ///< a program, checkpoint or CPU that do not fit together
  InputOutput,     ///< the operating system could not read or write a file
  OutOfMemory,
  Diverged, ///< training produced a loss that is not finite
  Internal, ///< a defect of the compiler or the runtime
};

/// The one exception type of the runtime. `what()` is a single line that names
/// the file, parameter or entry point concerned, in lower case and without a
/// full stop. No function of the library ends the process.
class DANN_API Error : public std::runtime_error {
public:
  Error(ErrorCode code, const std::string &sentence)
      : std::runtime_error(sentence), code_(code) {}
  ~Error() override;

  ErrorCode code() const noexcept { return code_; }

private:
  ErrorCode code_;
};

} // namespace dann

#endif // DANN_ERROR_HPP
