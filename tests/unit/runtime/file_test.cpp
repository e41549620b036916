#include "file.h"

#include "expect_error.h"
#include "temporary_directory.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace dann;
using testing::HasSubstr;

namespace {

TEST(AtomicFile, AppearsAtCommit) {
  TemporaryDirectory directory;
  std::string path = directory / "f";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("new", 3);
    EXPECT_EQ(read_file(path), "old");
    file.commit();
  }
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(directory.file_count(), 1u);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  TemporaryDirectory directory;
  { AtomicFile(directory / "f").write("new", 3); }
  EXPECT_EQ(directory.file_count(), 0u);
}

// A full disk, as a limit on the size of files.
TEST(AtomicFile, KeepsTheOldFileWhenTheDiskIsFull) {
  TemporaryDirectory directory;
  std::string path = directory / "f";
  write_file(path, "old");
  rlimit old_limit;
  getrlimit(RLIMIT_FSIZE, &old_limit);
  auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = {1000, old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  std::string large(5000, 'x');
  {
    AtomicFile file(path);
    EXPECT_ERROR(file.write(large.data(), large.size()), InputOutput,
                 "cannot write " + path + ": File too large");
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(directory.file_count(), 1u);
}

TEST(AtomicFile, KeepsPermissionsAndLinks) {
  TemporaryDirectory directory;
  std::string path = directory / "f", link = directory / "link";
  write_file(path, "old");
  chmod(path.c_str(), 0640);
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  AtomicFile file(link);
  file.write("new", 3);
  file.commit();
  EXPECT_EQ(read_file(path), "new");
  struct stat status;
  ASSERT_EQ(lstat(link.c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, mode_t(0640));
}

TEST(AtomicFile, RefusesWhatItCannotReplace) {
  TemporaryDirectory directory;
  EXPECT_ERROR(check_writable(directory / ""), InputOutput,
               HasSubstr("not a regular file"));
  EXPECT_ERROR(check_writable("/dev/full"), InputOutput,
               "cannot write /dev/full: it is not a regular file");
  EXPECT_ERROR(check_writable(directory / "missing/f"), InputOutput,
               HasSubstr("No such file or directory"));
}

TEST(InputFile, NamesWhatItCannotOpen) {
  EXPECT_ERROR(InputFile("/missing"), InputOutput,
               "cannot open /missing: No such file or directory");
}

TEST(InputFile, ADirectoryIsAnError) {
  char byte;
  EXPECT_ERROR(InputFile("/tmp").read(&byte, 1), InputOutput,
               HasSubstr("/tmp"));
}

TEST(InputFile, APromiseDoesNotAllocate) {
  TemporaryDirectory directory;
  write_file(directory / "f", "short");
  InputFile file(directory / "f");
  EXPECT_ERROR(file.read_buffer(std::size_t(1) << 60), InvalidData,
               directory / "f is truncated");
}

} // namespace
