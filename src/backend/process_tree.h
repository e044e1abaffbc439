// Which process belongs to which: parents, and the applications that they make up.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "processes.h"

namespace patchcord {

struct ProcessRecord {
  ProcessId id;
  uint32_t parent = 0;  // its number; whether that is still the parent, start times tell
  std::string name;     // of the executable file; where that cannot be read, of the process
  std::string path;     // empty: cannot be read
};

// Where processes are looked up. One thread at a time.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;
  virtual bool find(uint32_t pid, ProcessRecord* record) const = 0;  // false: there is none
  // The process that started one that was found. Many have ended, which should cost no new look.
  virtual bool find_parent(const ProcessRecord& child, ProcessRecord* parent) const {
    return find(child.parent, parent);
  }
  virtual std::vector<ProcessRecord> all() const = 0;
  // By what name it was started, which may be a link's.
  virtual std::string called(uint32_t pid) const = 0;
  virtual uint32_t own_pid() const = 0;

  bool runs(const ProcessId& id) const;
};

// The operating system's. Defined by the platform (process_table_*.cc).
std::unique_ptr<ProcessTable> system_processes();

// A process and its ancestors, nearest first; empty if there is no such process.
using Ancestry = std::vector<ProcessRecord>;
Ancestry ancestry_of(const ProcessTable& table, uint32_t pid);

// The application's root: the farthest ancestor that runs the same file, without a break between.
// A browser that starts its audio process anew is one program, two scripts of one interpreter are
// not, and nobody's root is above the process that asks.
const ProcessRecord& application_root(const Ancestry& process, const Ancestry& own);

// What the tree tells of a process; the rest is for who knows its streams.
ProcessInfo describe(const Ancestry& process, const Ancestry& own);

// Decides whose sound is wanted, and remembers: a child whose parent has ended is still its child.
class ProcessSelector {
 public:
  void select(const ProcessSelection& selection);
  bool wants(const Ancestry& process);
  // Included roots of which nothing that was wanted runs any more, each told once.
  std::vector<ProcessId> take_gone(const ProcessTable& table);
  const ProcessSelection& selection() const { return selection_; }

 private:
  struct Member {
    ProcessId id;
    ProcessId root;  // the included or excluded process that decided
    bool included;
    bool operator<(const Member& other) const { return id < other.id; }
  };
  ProcessSelection selection_;
  std::set<Member> members_;
  std::set<ProcessId> gone_;
};

}  // namespace patchcord
