#include "file.h"

#include "expect_error.h"
#include "temporary_directory.h"

#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
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

void replace(const std::string &path, const std::string &text,
             std::int64_t keep) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit(keep);
}

TEST(AtomicFile, KeepsOlderOnes) {
  TemporaryDirectory directory;
  std::string path = directory / "f";
  auto contents = [&] {
    std::vector<std::string> found;
    for (const char *age : {"", ".1", ".2", ".3"})
      found.push_back(read_file(path + age));
    return found;
  };
  using testing::ElementsAre;
  for (const char *text : {"a", "b", "c", "d", "e"})
    replace(path, text, 3);
  EXPECT_THAT(contents(), ElementsAre("e", "d", "c", ""));
  replace(path, "f", 2); // beyond, nothing is touched
  EXPECT_THAT(contents(), ElementsAre("f", "e", "c", ""));
  replace(path, "g", 1);
  EXPECT_THAT(contents(), ElementsAre("g", "e", "c", ""));
  EXPECT_EQ(directory.file_count(), 3u);

  // Killed between the link and the renaming: nothing is shifted twice.
  std::filesystem::remove(path + ".1");
  std::filesystem::create_hard_link(path, path + ".1");
  replace(path, "h", 3);
  EXPECT_THAT(contents(), ElementsAre("h", "g", "c", ""));
  // Or while they were shifted: a gap closes.
  std::filesystem::rename(path + ".1", path + ".3");
  replace(path, "i", 4);
  EXPECT_THAT(contents(), ElementsAre("i", "h", "c", "g"));
}

TEST(AtomicFile, WhatCannotBeKeptIsAnError) {
  TemporaryDirectory directory;
  std::string path = directory / "f";
  write_file(path, "old");
  std::filesystem::create_directories(path + ".1/in");
  EXPECT_ERROR(replace(path, "new", 2), InputOutput,
               HasSubstr("cannot keep the older " + path));
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(directory.file_count(), 2u);
}

TEST(AtomicFile, RemainsOfKilledWritersAreRemoved) {
  TemporaryDirectory directory;
  std::string path = directory / "f";
  // Of a killed one; of one at work; and of nobody's business.
  for (const char *name : {"f.123-0.tmp", "f.124-1.tmp", "f.tmp", "f.x-0.tmp",
                           "f.123-0.tmpx", "g.123-0.tmp", "f.1"})
    write_file(directory / name, "x");
  int at_work = open((directory / "f.124-1.tmp").c_str(), O_RDONLY);
  ASSERT_EQ(flock(at_work, LOCK_EX), 0);
  AtomicFile own(path);
  check_writable(path);
  EXPECT_FALSE(std::filesystem::exists(directory / "f.123-0.tmp"));
  EXPECT_EQ(directory.file_count(), 7u); // with that of `own`
  close(at_work);
  own.commit();
  EXPECT_TRUE(std::filesystem::exists(path));
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
