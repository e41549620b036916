#include "file.h"

#include "fail.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace dann {

namespace fs = std::filesystem;

InputFile::InputFile(std::string path)
    : path_(std::move(path)), file_(gzopen(path_.c_str(), "rb")) {
  if (!file_)
    fail(ErrorCode::InputOutput, "cannot open ", path_, ": ",
         std::strerror(errno));
  gzbuffer(file_, 256 * 1024);
}

InputFile::~InputFile() { gzclose_r(file_); }

void InputFile::fail_truncated() const {
  fail(ErrorCode::InvalidData, path_, " is truncated");
}

std::size_t InputFile::read_some(void *buffer, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    auto step = unsigned(std::min<std::size_t>(size - done, 1u << 30));
    errno = 0;
    int got = gzread(file_, static_cast<char *>(buffer) + done, step);
    // gzread reports a stream that ends early or has a wrong checksum only
    // here, and not always as a negative count.
    int status = Z_OK;
    const char *message = gzerror(file_, &status);
    if (status == Z_BUF_ERROR)
      fail_truncated();
    if (status == Z_ERRNO)
      fail(ErrorCode::InputOutput, "cannot read ", path_, ": ",
           std::strerror(errno));
    if (got < 0)
      fail(ErrorCode::InvalidData, path_, " is damaged: ", message);
    if (got == 0)
      break;
    done += std::size_t(got);
  }
  return done;
}

void InputFile::read(void *buffer, std::size_t size) {
  if (read_some(buffer, size) != size)
    fail_truncated();
}

std::shared_ptr<void> InputFile::read_buffer(std::size_t size) {
  std::unique_ptr<void, decltype(&std::free)> buffer(nullptr, std::free);
  std::size_t have = 0, capacity = 0;
  do {
    capacity = std::min(size, std::max<std::size_t>(1 << 20, 2 * capacity));
    void *grown =
        std::realloc(buffer.get(), std::max<std::size_t>(1, capacity));
    if (!grown)
      fail(ErrorCode::OutOfMemory, "out of memory: could not allocate ",
           capacity, " bytes for ", path_);
    (void)buffer.release();
    buffer.reset(grown);
    read(static_cast<char *>(grown) + have, capacity - have);
    have = capacity;
  } while (have < size);
  return std::shared_ptr<void>(buffer.release(), std::free);
}

void InputFile::expect_end() {
  char extra;
  if (read_some(&extra, 1) != 0)
    fail(ErrorCode::InvalidData, path_,
         " goes on after the data that its header announces");
}

/// The end of a temporary file's name.
static constexpr const char *kTemporary = ".tmp";

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  // Renaming onto a symbolic link would replace the link, not what it names.
  std::error_code error;
  fs::path target = fs::weakly_canonical(path_, error);
  target_ = error ? path_ : target.string();

  struct stat status;
  bool exists = stat(target_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode))
    fail(ErrorCode::InputOutput, "cannot write ", path_,
         ": it is not a regular file");

  // Numbered, so that writers in one process, or the remains of a killed one,
  // do not get in each other's way.
  int number = 0;
  do
    temporary_ = concat(target_, ".", getpid(), "-", number++, kTemporary);
  while (!create());
  // The new file is as accessible as the old one. Where that cannot be had, it
  // is as accessible as other new files.
  if (exists)
    (void)!fchmod(descriptor_, status.st_mode & 07777);
}

/// False if there is a file of that name, or somebody took the new one for the
/// remains of a killed writer before it was locked.
bool AtomicFile::create() {
  descriptor_ =
      open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0 && errno == EEXIST)
    return false;
  if (descriptor_ < 0)
    fail_errno("create");
  bool locked = flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  struct stat status;
  if (locked ? fstat(descriptor_, &status) == 0 && status.st_nlink != 0
             : errno != EWOULDBLOCK) // a file system without locks
    return true;
  close(descriptor_);
  descriptor_ = -1;
  return false;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0)
    return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void AtomicFile::fail_errno(const char *action) const {
  fail(ErrorCode::InputOutput, "cannot ", action, " ", path_, ": ",
       std::strerror(errno));
}

void AtomicFile::write(const void *data, std::size_t size) {
  auto *bytes = static_cast<const char *>(data);
  while (size != 0) {
    // One call transfers less than 2 GiB.
    ssize_t written =
        ::write(descriptor_, bytes, std::min<std::size_t>(size, 1u << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail_errno("write");
    bytes += written;
    size -= std::size_t(written);
  }
}

void AtomicFile::shift_older(std::int64_t keep) const {
  auto older = [&](std::int64_t age) { return concat(target_, ".", age); };
  auto check = [&](const std::error_code &error) {
    if (error)
      fail(ErrorCode::InputOutput, "cannot keep the older ", path_, ": ",
           error.message());
  };
  std::error_code error;
  if (keep <= 1 || !fs::exists(target_, error))
    return;
  // Somebody was killed after the last line of this function.
  if (fs::equivalent(target_, older(1), error))
    return;
  std::int64_t age = 1;
  while (age < keep - 1 && fs::exists(older(age), error))
    ++age;
  for (; age > 1; --age) {
    fs::rename(older(age - 1), older(age), error);
    check(error);
  }
  // A second name, so that the file has its first one until the new file comes.
  fs::remove(older(1), error);
  check(error);
  fs::create_hard_link(target_, older(1), error);
  if (error) // a file system without links
    fs::copy_file(target_, older(1), error);
  check(error);
}

void AtomicFile::commit(std::int64_t keep) {
  if (fsync(descriptor_) != 0)
    fail_errno("write");
  shift_older(keep);
  if (rename(temporary_.c_str(), target_.c_str()) != 0)
    fail_errno("replace");
  close(descriptor_);
  descriptor_ = -1;

  // The new name, too, has to survive a power failure. Some file systems
  // cannot sync a directory; the file itself is complete in any case.
  std::string directory = fs::path(target_).parent_path();
  int handle = open(directory.empty() ? "." : directory.c_str(),
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0)
    return;
  fsync(handle);
  close(handle);
}

/// Removes the temporary files of `target` that nobody holds a lock on.
static void remove_remains(const fs::path &target) {
  const std::string prefix = target.filename().string() + ".";
  fs::path directory = target.parent_path();
  std::error_code error;
  fs::directory_iterator entry(directory.empty() ? "." : directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename();
    if (name.rfind(prefix, 0) != 0)
      continue;
    // A process and a number, as the constructor writes them.
    std::size_t end = name.find_first_not_of("0123456789-", prefix.size());
    if (end == std::string::npos || end == prefix.size() ||
        name.substr(end) != kTemporary)
      continue;
    int file = open(entry->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
      continue;
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
      unlink(entry->path().c_str());
    close(file);
  }
}

void check_writable(const std::string &path) {
  AtomicFile probe(path);
  remove_remains(probe.target());
}

} // namespace dann
