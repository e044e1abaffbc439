// Lets scripts and the control thread change data of an audio thread.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace patchcord {

// Any thread posts commands; one audio thread runs them in order and neither locks, allocates nor
// frees: a later post() frees the commands that have run. A command that replaces something swaps
// it into itself.
class CommandList {
 public:
  CommandList() = default;
  ~CommandList() {
    free_all(posted_.load(std::memory_order_acquire));
    free_all(spent_.load(std::memory_order_acquire));
  }
  CommandList(const CommandList&) = delete;
  CommandList& operator=(const CommandList&) = delete;

  void post(std::function<void()> run) {
    free_all(spent_.exchange(nullptr, std::memory_order_acquire));
    push(posted_, new Command{nullptr, std::move(run)});
  }

  // Audio thread.
  void run() noexcept {
    Command* newest = posted_.exchange(nullptr, std::memory_order_acquire);
    Command* oldest = nullptr;
    while (newest != nullptr) {
      Command* const next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      Command* const next = oldest->next;
      oldest->run();
      push(spent_, oldest);
      oldest = next;
    }
  }

 private:
  struct Command {
    Command* next;
    std::function<void()> run;
  };

  static void push(std::atomic<Command*>& list, Command* command) noexcept {
    command->next = list.load(std::memory_order_relaxed);
    while (!list.compare_exchange_weak(command->next, command, std::memory_order_release,
                                       std::memory_order_relaxed)) {
    }
  }

  static void free_all(Command* command) {
    while (command != nullptr) {
      Command* const next = command->next;
      delete command;
      command = next;
    }
  }

  std::atomic<Command*> posted_{nullptr};
  std::atomic<Command*> spent_{nullptr};
};

}  // namespace patchcord
