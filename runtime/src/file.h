// Files: reading what may be compressed, writing all or nothing.
#ifndef DANN_RUNTIME_FILE_H
#define DANN_RUNTIME_FILE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

struct gzFile_s;

namespace dann {

/// Reads a file from its beginning, through gzip if it is compressed. Errors
/// name the file.
class InputFile {
public:
  /// Throws InputOutput if the file cannot be opened.
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile &) = delete;
  InputFile &operator=(const InputFile &) = delete;

  const std::string &path() const { return path_; }

  /// Reads up to `size` bytes; fewer only at the end of the file.
  std::size_t read_some(void *buffer, std::size_t size);

  /// Reads `size` bytes. Throws InvalidData if the file ends before.
  void read(void *buffer, std::size_t size);

  /// Reads `size` bytes into a new buffer. The buffer grows as data arrives, so
  /// that a header's promise alone does not make it large.
  std::shared_ptr<void> read_buffer(std::size_t size);

  /// Throws InvalidData unless all of the file, with gzip's checksum, has been
  /// read.
  void expect_end();

private:
  [[noreturn]] void fail_truncated() const;

  std::string path_;
  gzFile_s *file_;
};

/// A file that appears under its name only when it is complete and on disk:
/// written under a temporary name beside it, synced, renamed. If anything fails
/// the temporary file is removed and an older file of that name is untouched.
///
/// The temporary file of a process that was killed stays until check_writable
/// finds it: a lock tells such a file from that of a writer at work.
class AtomicFile {
public:
  /// Throws InputOutput if the directory is not writable, or if `path` names
  /// something else than a regular file.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  /// The file that is replaced: `path`, or what it links to.
  const std::string &target() const { return target_; }

  /// Throws InputOutput, e.g. when the disk is full.
  void write(const void *data, std::size_t size);

  /// Gives the file its name. The older file of that name, if any, becomes
  /// NAME.1, that one NAME.2, up to NAME.(keep - 1): of each name there is at
  /// every moment a file that is complete, or none. Throws InputOutput.
  void commit(std::int64_t keep = 1);

private:
  bool create();
  void shift_older(std::int64_t keep) const;
  [[noreturn]] void fail_errno(const char *action) const;

  std::string path_;   // as given, for messages
  std::string target_; // what it stands for, if it is a symbolic link
  std::string temporary_;
  int descriptor_ = -1;
};

/// Throws InputOutput unless an AtomicFile could be made at `path`, so that a
/// long computation does not end in that error. Removes what killed writers of
/// that file have left.
void check_writable(const std::string &path);

} // namespace dann

#endif // DANN_RUNTIME_FILE_H
