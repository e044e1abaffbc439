// Processes of a Linux system, from /proc.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "../core/time/clock.h"
#include "process_tree.h"

namespace patchcord {
namespace {

// A file of /proc is generated when it is read; the part needed here is at its beginning.
std::string read_start(const std::string& path) {
  char text[1024];
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t bytes = read(file, text, sizeof text);
  close(file);
  return bytes > 0 ? std::string(text, static_cast<size_t>(bytes)) : std::string();
}

class LinuxProcesses final : public ProcessTable {
 public:
  bool find(uint32_t pid, ProcessRecord* record) const override {
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::string stat = read_start(folder + "/stat");
    // "PID (name) state parent ...": the name may hold spaces and parentheses.
    const size_t open = stat.find('(');
    const size_t close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) return false;
    record->id.pid = pid;
    record->name = stat.substr(open + 1, close - open - 1);
    const char* at = stat.c_str() + close + 2;
    if (*at == 'Z' || *at == 'X') return false;  // ended, and not yet fetched by its parent
    constexpr int kParent = 1, kStartTime = 19;  // fields behind the state
    for (int field = 0; *at != '\0'; ++field) {
      if (field == kParent) record->parent = static_cast<uint32_t>(std::strtoul(at, nullptr, 10));
      if (field == kStartTime) {
        static const int64_t tick_ns = kNsPerSecond / sysconf(_SC_CLK_TCK);
        record->id.start_time = std::strtoll(at, nullptr, 10) * tick_ns;
        break;
      }
      while (*at != '\0' && *at != ' ') ++at;
      if (*at == ' ') ++at;
    }
    // For another user's process only the name can be read, cut to 15 bytes.
    char path[4096];
    const ssize_t bytes = readlink((folder + "/exe").c_str(), path, sizeof path);
    record->path = bytes > 0 ? std::string(path, static_cast<size_t>(bytes)) : std::string();
    // The suffix of a program that was updated while it runs.
    static const std::string kDeleted = " (deleted)";
    if (record->path.size() > kDeleted.size() &&
        record->path.compare(record->path.size() - kDeleted.size(), kDeleted.size(), kDeleted) ==
            0) {
      record->path.resize(record->path.size() - kDeleted.size());
    }
    if (!record->path.empty()) record->name = record->path.substr(record->path.rfind('/') + 1);
    return true;
  }

  std::vector<ProcessRecord> all() const override {
    std::vector<ProcessRecord> records;
    DIR* folder = opendir("/proc");
    if (folder == nullptr) return records;
    while (const dirent* entry = readdir(folder)) {
      const uint32_t pid = static_cast<uint32_t>(std::strtoul(entry->d_name, nullptr, 10));
      ProcessRecord record;
      if (pid != 0 && find(pid, &record)) records.push_back(std::move(record));
    }
    closedir(folder);
    return records;
  }

  std::string called(uint32_t pid) const override {
    const std::string command = read_start("/proc/" + std::to_string(pid) + "/cmdline").c_str();
    return command.substr(command.rfind('/') + 1);
  }

  uint32_t own_pid() const override { return static_cast<uint32_t>(getpid()); }
};

}  // namespace

std::unique_ptr<ProcessTable> system_processes() { return std::make_unique<LinuxProcesses>(); }

}  // namespace patchcord
