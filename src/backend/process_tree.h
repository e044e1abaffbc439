// The relations between processes: parents, and the applications that they form.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "processes.h"

namespace patchcord {

struct ProcessRecord {
  ProcessId id;
  uint32_t parent = 0;  // its number; start times show whether that process is still the parent
  std::string name;     // of the executable file, or of the process if that cannot be read
  std::string path;     // empty: cannot be read
};

// Looks processes up. One thread at a time.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;
  // returns false if there is none
  virtual bool find(uint32_t pid, ProcessRecord* record) const = 0;
  // The process that started one found before. Many parents have ended; finding that out should
  // need no new snapshot.
  virtual bool find_parent(const ProcessRecord& child, ProcessRecord* parent) const {
    return find(child.parent, parent);
  }
  virtual std::vector<ProcessRecord> all() const = 0;
  // The name by which it was started, which may be a link's.
  virtual std::string called(uint32_t pid) const = 0;
  virtual uint32_t own_pid() const = 0;

  bool runs(const ProcessId& id) const;
};

// The operating system's. Defined by the platform (process_table_*.cc).
std::unique_ptr<ProcessTable> system_processes();

// A process and its ancestors, nearest first; empty if there is no such process.
using Ancestry = std::vector<ProcessRecord>;
Ancestry ancestry_of(const ProcessTable& table, uint32_t pid);

// The application's root: the farthest ancestor that runs the same file, without another file in
// between. So a browser that restarts its audio process is one program, and two scripts of one
// interpreter are two. A root is never above the calling process.
const ProcessRecord& application_root(const Ancestry& process, const Ancestry& own);

// The properties of a process that the tree has; the caller adds those of its streams.
ProcessInfo describe(const Ancestry& process, const Ancestry& own);

// Decides which processes a selection includes, and remembers it: a child stays a child after its
// parent has ended.
class ProcessSelector {
 public:
  void select(const ProcessSelection& selection);
  bool wants(const Ancestry& process);
  // Included roots of which no included process runs any more; each is returned once.
  std::vector<ProcessId> take_gone(const ProcessTable& table);
  const ProcessSelection& selection() const { return selection_; }

 private:
  struct Member {
    ProcessId id;
    ProcessId root;  // the included or excluded process that decides
    bool included;
    bool operator<(const Member& other) const { return id < other.id; }
  };
  ProcessSelection selection_;
  std::set<Member> members_;
  std::set<ProcessId> gone_;
};

}  // namespace patchcord
