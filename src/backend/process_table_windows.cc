// Processes of a Windows system.
#include <windows.h>

// After windows.h, because it needs it.
#include <tlhelp32.h>

#include <map>
#include <string>
#include <utility>

#include "process_tree.h"

namespace patchcord {
namespace {

std::string to_utf8(const wchar_t* text) {
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  if (bytes <= 1) return {};
  std::string result(static_cast<size_t>(bytes - 1), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, result.data(), bytes, nullptr, nullptr);
  return result;
}

// The process's own properties; they stay empty if access is denied.
void open_and_read(ProcessRecord* record) {
  const HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, record->id.pid);
  if (process == nullptr) return;
  FILETIME created{}, exited, kernel, user;
  if (GetProcessTimes(process, &created, &exited, &kernel, &user)) {
    // 100 ns since 1601: as ns it would no longer fit.
    record->id.start_time =
        static_cast<int64_t>(created.dwHighDateTime) << 32 | created.dwLowDateTime;
  }
  wchar_t path[MAX_PATH * 4];
  DWORD length = static_cast<DWORD>(std::size(path));
  if (QueryFullProcessImageNameW(process, 0, path, &length)) record->path = to_utf8(path);
  CloseHandle(process);
}

// Whether it has ended. A handle in another program may keep its number taken.
bool has_ended(uint32_t pid) {
  const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, pid);
  if (process == nullptr) return GetLastError() == ERROR_INVALID_PARAMETER;
  const bool ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
  CloseHandle(process);
  return ended;
}

// Only a snapshot has the parents. It is taken at the first query for a process that is not in the
// last one, and again at each all().
class WindowsProcesses final : public ProcessTable {
 public:
  bool find(uint32_t pid, ProcessRecord* record) const override {
    auto found = records_.find(pid);
    if (found == records_.end() || !is_still(found->second)) {
      refresh();
      found = records_.find(pid);
    }
    if (found == records_.end()) return false;
    *record = found->second;
    return !has_ended(pid);
  }

  // A parent that was not there when its child was seen ended earlier.
  bool find_parent(const ProcessRecord& child, ProcessRecord* parent) const override {
    const auto found = records_.find(child.parent);
    if (found == records_.end() || !is_still(found->second)) return false;
    *parent = found->second;
    return !has_ended(child.parent);
  }

  std::vector<ProcessRecord> all() const override {
    refresh();
    std::vector<ProcessRecord> records;
    for (const auto& [pid, record] : records_) records.push_back(record);
    return records;
  }

  std::string called(uint32_t pid) const override {
    ProcessRecord record;
    return find(pid, &record) ? record.name : std::string();
  }

  uint32_t own_pid() const override { return GetCurrentProcessId(); }

 private:
  // Checks that the process is still the same, and not another one with its number.
  static bool is_still(const ProcessRecord& known) {
    ProcessRecord now;
    now.id.pid = known.id.pid;
    open_and_read(&now);
    return now.id == known.id;
  }

  void refresh() const {
    std::map<uint32_t, ProcessRecord> records;
    const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    if (snapshot == INVALID_HANDLE_VALUE) return;
    PROCESSENTRY32W entry{};
    entry.dwSize = sizeof entry;
    for (BOOL more = Process32FirstW(snapshot, &entry); more;
         more = Process32NextW(snapshot, &entry)) {
      ProcessRecord record;
      record.id.pid = entry.th32ProcessID;
      record.parent = entry.th32ParentProcessID;
      record.name = to_utf8(entry.szExeFile);
      open_and_read(&record);
      if (record.id.pid != 0) records[record.id.pid] = std::move(record);
    }
    CloseHandle(snapshot);
    records_ = std::move(records);
  }

  mutable std::map<uint32_t, ProcessRecord> records_;
};

}  // namespace

std::unique_ptr<ProcessTable> system_processes() { return std::make_unique<WindowsProcesses>(); }

}  // namespace patchcord
