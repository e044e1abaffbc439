// A value that one thread replaces while an audio thread uses it, without a lock on either side.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

namespace patchcord {

// The reader marks what it uses (a hazard pointer); the writer frees nothing that is marked.
// One reader thread at a time, one writer at a time.
template <class T>
class Published {
 public:
  Published() = default;
  ~Published() { delete current_.load(std::memory_order_acquire); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // Reader thread: the value stays valid as long as the Reading exists. It may be null.
  class Reading {
   public:
    explicit Reading(Published& owner) noexcept : owner_(owner) {
      value_ = owner_.current_.load(std::memory_order_seq_cst);
      for (;;) {
        owner_.in_use_.store(value_, std::memory_order_seq_cst);
        T* again = owner_.current_.load(std::memory_order_seq_cst);
        if (again == value_) break;
        value_ = again;
      }
    }
    ~Reading() { owner_.in_use_.store(nullptr, std::memory_order_release); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    T* get() const noexcept { return value_; }
    T* operator->() const noexcept { return value_; }
    T& operator*() const noexcept { return *value_; }
    explicit operator bool() const noexcept { return value_ != nullptr; }

   private:
    Published& owner_;
    T* value_;
  };

  // Writer thread: returns the value published before, once the reader no longer uses it. The wait
  // is at most as long as the processing of one period, because a Reading does not outlive the
  // callback that made it.
  std::unique_ptr<T> exchange(std::unique_ptr<T> next) {
    std::unique_ptr<T> before(current_.exchange(next.release(), std::memory_order_seq_cst));
    while (before && in_use_.load(std::memory_order_seq_cst) == before.get()) {
      std::this_thread::yield();
    }
    return before;
  }

  // Writer only.
  const T* get() const noexcept { return current_.load(std::memory_order_acquire); }

 private:
  std::atomic<T*> current_{nullptr};
  std::atomic<T*> in_use_{nullptr};
};

}  // namespace patchcord
