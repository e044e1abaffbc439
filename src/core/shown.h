// A value that the audio thread writes and any thread may read as a whole.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace patchcord {

// There are two copies: while the writer changes one, readers use the other. Neither side locks or
// waits; a reader tries again only if the value changed while it read. One writer.
template <class T>
class Shown {
  static_assert(std::is_trivially_copyable<T>::value, "copied by words");

 public:
  explicit Shown(const T& value = {}) noexcept { store(value); }

  void store(const T& value) noexcept {
    Words words{};
    std::memcpy(words.data(), &value, sizeof value);
    const uint32_t next = version_.load(std::memory_order_relaxed) + 1;
    // Each word is stored with release order: a reader that sees one of them also sees the version
    // that was stored before it, and tries again.
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
