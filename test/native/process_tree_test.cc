// The relations between processes, and the processes that a selection includes.
#include "../../src/backend/process_tree.h"

#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "check.h"

using namespace patchcord;

namespace {

class Table final : public ProcessTable {
 public:
  bool find(uint32_t pid, ProcessRecord* record) const override {
    const auto found = records.find(pid);
    if (found == records.end()) return false;
    *record = found->second;
    return true;
  }
  std::vector<ProcessRecord> all() const override {
    std::vector<ProcessRecord> list;
    for (const auto& [pid, record] : records) list.push_back(record);
    return list;
  }
  std::string called(uint32_t) const override { return {}; }
  uint32_t own_pid() const override { return 0; }

  void begin(uint32_t pid, uint32_t parent, int64_t start, const std::string& name) {
    records[pid] = {{pid, start}, parent, name, "/opt/" + name};
  }
  std::map<uint32_t, ProcessRecord> records;
};

}  // namespace

TEST(
    "an application's root is the farthest ancestor of one file; interpreters have none in "
    "common") {
  Table table;
  table.begin(1, 0, 1, "init");
  table.begin(10, 1, 2, "browser");
  table.begin(11, 10, 3, "browser");
  table.begin(12, 11, 4, "browser");
  table.begin(20, 1, 5, "python3.11");
  table.begin(21, 20, 6, "python3.11");
  CHECK(application_root(ancestry_of(table, 12), {}).id.pid == 10);
  CHECK(application_root(ancestry_of(table, 21), {}).id.pid == 21);
  // The calling process, and the processes that started it, are never a root.
  CHECK(application_root(ancestry_of(table, 12), ancestry_of(table, 11)).id.pid == 12);
}

TEST("a parent that began after its child is another process with the parent's number") {
  Table table;
  table.begin(10, 0, 5, "player");
  table.begin(11, 10, 3, "player");
  CHECK(ancestry_of(table, 11).size() == 1);
  table.begin(12, 13, 7, "a");
  table.begin(13, 12, 7, "a");
  CHECK(ancestry_of(table, 12).size() == 2);
}

TEST("the nearest listed process decides, and a child stays a child when its parent has ended") {
  Table table;
  table.begin(10, 0, 1, "app");
  table.begin(11, 10, 2, "browser");
  table.begin(12, 11, 3, "tab");
  table.begin(13, 10, 4, "helper");
  ProcessSelector selector;
  selector.select({false, {{10, 1}}, {{11, 2}}});
  CHECK(selector.wants(ancestry_of(table, 10)));
  CHECK(!selector.wants(ancestry_of(table, 11)));
  CHECK(!selector.wants(ancestry_of(table, 12)));
  CHECK(selector.wants(ancestry_of(table, 13)));
  table.records.erase(10);
  table.records.erase(11);
  CHECK(selector.wants(ancestry_of(table, 13)));
  CHECK(!selector.wants(ancestry_of(table, 12)));
  CHECK(selector.take_gone(table).empty());
  table.records.erase(13);
  CHECK(selector.take_gone(table) == std::vector<ProcessId>({{10, 1}}));
  CHECK(selector.take_gone(table).empty());
  // Its number belongs to another process now.
  table.begin(10, 0, 9, "stranger");
  CHECK(!selector.wants(ancestry_of(table, 10)));
}

TEST("this system's processes are found, this one among them") {
  const auto table = system_processes();
  const Ancestry own = ancestry_of(*table, static_cast<uint32_t>(getpid()));
  CHECK(own.size() > 1);
  CHECK(own.front().id.start_time > 0);
  CHECK(own.front().name == "process_tree_test");
  CHECK(own.front().path.rfind("/process_tree_test") != std::string::npos);
  CHECK(table->runs(own.front().id));
  CHECK(!table->runs({own.front().id.pid, own.front().id.start_time + 1}));
  CHECK(table->all().size() > 1);
}

// Only who may change its user can look as another one does; who may not is another one to
// process 1.
TEST("for another user's process the id, the start and the name are known, but not the path") {
  const pid_t asked = geteuid() == 0 ? getpid() : 1;
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(1);
    ProcessRecord record;
    const bool found = system_processes()->find(static_cast<uint32_t>(asked), &record);
    _exit(found && record.id.start_time >= 0 && record.path.empty() && !record.name.empty() ? 0
                                                                                            : 2);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
