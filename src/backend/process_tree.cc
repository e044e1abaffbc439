#include "process_tree.h"

#include <algorithm>
#include <cctype>

namespace patchcord {
namespace {

// Interpreters: their file does not say which program they run.
constexpr const char* kInterpreters[] = {
    "bash", "bun",  "busybox", "dash",    "deno", "dotnet", "java",           "javaw",
    "node", "perl", "php",     "pythonw", "ruby", "sh",     "wine-preloader", "wine64-preloader",
    "zsh"};

bool is_interpreter(const std::string& name) {
  std::string base;
  for (const char c : name) base += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (base.size() > 4 && base.compare(base.size() - 4, 4, ".exe") == 0)
    base.resize(base.size() - 4);
  // "python3.11", "node20"
  while (!base.empty() &&
         (std::isdigit(static_cast<unsigned char>(base.back())) || base.back() == '.')) {
    base.pop_back();
  }
  return base == "python" || std::any_of(std::begin(kInterpreters), std::end(kInterpreters),
                                         [&](const char* known) { return base == known; });
}

bool contains(const std::vector<ProcessId>& ids, const ProcessId& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

bool ProcessTable::runs(const ProcessId& id) const {
  ProcessRecord record;
  return find(id.pid, &record) && record.id == id;
}

Ancestry ancestry_of(const ProcessTable& table, uint32_t pid) {
  Ancestry all;
  ProcessRecord record;
  for (bool found = pid != 0 && table.find(pid, &record); found;) {
    // A parent that began later is another process with its number.
    if (!all.empty() && record.id.start_time > all.back().id.start_time) break;
    // Processes that began in the same tick and name each other as parents.
    if (std::any_of(all.begin(), all.end(),
                    [&](const ProcessRecord& one) { return one.id == record.id; })) {
      break;
    }
    all.push_back(std::move(record));
    record = {};
    found = all.back().parent != 0 && table.find_parent(all.back(), &record);
  }
  return all;
}

const ProcessRecord& application_root(const Ancestry& process, const Ancestry& own) {
  size_t root = 0;
  const auto is_own = [&](const ProcessRecord& one) {
    return std::any_of(own.begin(), own.end(),
                       [&](const ProcessRecord& mine) { return mine.id == one.id; });
  };
  while (root + 1 < process.size() && !process[root].path.empty() &&
         process[root + 1].path == process[root].path && !is_own(process[root + 1]) &&
         !is_interpreter(process[root].name)) {
    ++root;
  }
  return process[root];
}

ProcessInfo describe(const Ancestry& process, const Ancestry& own) {
  const ProcessRecord& record = process.front();
  ProcessInfo info;
  info.id = record.id;
  info.root = application_root(process, own).id;
  for (size_t i = 1; i < process.size(); ++i) info.ancestors.push_back(process[i].id);
  info.name = record.name;
  info.path = record.path;
  info.display_name = record.name;
  return info;
}

void ProcessSelector::select(const ProcessSelection& selection) {
  selection_ = selection;
  for (auto it = members_.begin(); it != members_.end();) {
    const auto& roots = it->included ? selection.include : selection.exclude;
    it = contains(roots, it->root) ? std::next(it) : members_.erase(it);
  }
  for (auto it = gone_.begin(); it != gone_.end();) {
    it = contains(selection.include, *it) ? std::next(it) : gone_.erase(it);
  }
}

bool ProcessSelector::wants(const Ancestry& process) {
  for (const ProcessRecord& one : process) {
    const auto known = members_.find({one.id, {}, false});
    const bool excluded = contains(selection_.exclude, one.id);
    const bool included = !excluded && contains(selection_.include, one.id);
    if (!excluded && !included && known == members_.end()) continue;
    Member member{process.front().id, one.id, included};
    if (!excluded && !included) {
      member.root = known->root;
      member.included = known->included;
    }
    members_.insert(member);
    return member.included;
  }
  return selection_.everything;
}

std::vector<ProcessId> ProcessSelector::take_gone(const ProcessTable& table) {
  for (auto it = members_.begin(); it != members_.end();) {
    it = table.runs(it->id) ? std::next(it) : members_.erase(it);
  }
  std::vector<ProcessId> gone;
  for (const ProcessId& root : selection_.include) {
    // A process that cannot be seen is known only by its streams; the caller knows those.
    if (root.start_time <= 0 || gone_.count(root) != 0) continue;
    if (std::any_of(members_.begin(), members_.end(),
                    [&](const Member& one) { return one.included && one.root == root; })) {
      continue;
    }
    if (table.runs(root)) continue;
    gone_.insert(root);
    gone.push_back(root);
  }
  return gone;
}

}  // namespace patchcord
