// Counts the snapshots that looking up every process and its ancestors takes, while many have a
// parent that has ended. Linked with --wrap=CreateToolhelp32Snapshot. Prints one JSON object.
//
//   process_table_probe.exe COUNT        makes so many orphans, and looks
//   process_table_probe.exe make COUNT   starts so many that sleep, and ends before them
//   process_table_probe.exe sleep
#include <windows.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../../src/backend/process_tree.h"

namespace {

int snapshots = 0;

constexpr DWORD kSleepMs = 60000;

bool start(const std::wstring& arguments, bool wait) {
  wchar_t path[MAX_PATH];
  GetModuleFileNameW(nullptr, path, MAX_PATH);
  std::wstring line = L"\"" + std::wstring(path) + L"\" " + arguments;
  STARTUPINFOW startup = {};
  startup.cb = sizeof(startup);
  PROCESS_INFORMATION started = {};
  if (!CreateProcessW(path, line.data(), nullptr, nullptr, FALSE, DETACHED_PROCESS, nullptr,
                      nullptr, &startup, &started)) {
    return false;
  }
  if (wait) WaitForSingleObject(started.hProcess, INFINITE);
  CloseHandle(started.hThread);
  CloseHandle(started.hProcess);
  return true;
}

int look(const char* count) {
  if (!start(L"make " + std::to_wstring(std::atoi(count)), true)) return 1;
  const auto table = patchcord::system_processes();
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<patchcord::ProcessRecord> all = table->all();
  size_t orphans = 0;
  for (const patchcord::ProcessRecord& record : all) {
    const patchcord::Ancestry ancestry = patchcord::ancestry_of(*table, record.id.pid);
    if (ancestry.size() == 1 && record.parent != 0) ++orphans;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  std::printf("{\"processes\":%zu,\"orphans\":%zu,\"snapshots\":%d,\"ms\":%.1f}\n", all.size(),
              orphans, snapshots, took.count());
  return 0;
}

}  // namespace

extern "C" HANDLE WINAPI __real_CreateToolhelp32Snapshot(DWORD flags, DWORD pid);
extern "C" HANDLE WINAPI __wrap_CreateToolhelp32Snapshot(DWORD flags, DWORD pid) {
  ++snapshots;
  return __real_CreateToolhelp32Snapshot(flags, pid);
}

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "0";
  if (what == "sleep") {
    Sleep(kSleepMs);
    return 0;
  }
  if (what != "make") return look(what.c_str());
  for (int i = std::atoi(argc > 2 ? argv[2] : "0"); i > 0; --i) {
    if (!start(L"sleep", false)) return 1;
  }
  return 0;
}
