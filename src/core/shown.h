// A value that the audio thread shows and any thread may look at, whole or not at all.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace patchcord {

// Two copies: while one is written, readers have the other. Neither side locks or waits; a reader
// looks again only if the value was renewed while it looked. One writer.
template <class T>
class Shown {
  static_assert(std::is_trivially_copyable<T>::value, "copied by words");

 public:
  explicit Shown(const T& value = {}) noexcept { store(value); }

  void store(const T& value) noexcept {
    Words words{};
    std::memcpy(words.data(), &value, sizeof value);
    const uint32_t next = version_.load(std::memory_order_relaxed) + 1;
    // Released each: who reads one of them also sees the version that came before, and looks again.
    for (size_t i = 0; i < kWords; ++i) {
      copies_[next % 2][i].store(words[i], std::memory_order_release);
    }
    version_.store(next, std::memory_order_release);
  }

  T load() const noexcept {
    Words words;
    uint32_t version = version_.load(std::memory_order_acquire);
    for (uint32_t before = ~version; before != version;) {
      before = version;
      for (size_t i = 0; i < kWords; ++i) {
        words[i] = copies_[before % 2][i].load(std::memory_order_acquire);
      }
      version = version_.load(std::memory_order_relaxed);
    }
    T value;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);
    return value;
  }

 private:
  static constexpr size_t kWords = (sizeof(T) + sizeof(uint32_t) - 1) / sizeof(uint32_t);
  using Words = std::array<uint32_t, kWords>;

  std::atomic<uint32_t> version_{0};
  std::array<std::array<std::atomic<uint32_t>, kWords>, 2> copies_{};
};

}  // namespace patchcord
